//! GELU (arXiv 1606.08415) of a few rows, for which libtorch would wake its threads.

use tch::{Kind, Tensor};

use crate::memory::Fresh;
use crate::simd::{self, Bf16, Element, F16, Floating, Kernel, Level, Simd};

/// How the normal distribution is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normal {
    /// By its integral, to within 10⁻⁷.
    Exact,
    /// By the hyperbolic tangent, as GPT-2 has it.
    Tanh,
}

/// `x · Φ(x)` of each element of `x`, which is `f32`, `bf16` or `f16` on the CPU.
///
/// The result is as `x`; all arithmetic is `f32`, rounded once at the end. One thread, forward only.
///
/// # Panics
/// If `x` has another type or place.
pub fn gelu(x: &Tensor, normal: Normal) -> Tensor {
    let (shape, x) = (x.size(), x.contiguous());
    let values = Floating::of(&x, "x").widen();
    match x.kind() {
        Kind::Float => fresh::<f32>(&values, normal, &shape),
        Kind::BFloat16 => fresh::<Bf16>(&values, normal, &shape),
        _ => fresh::<F16>(&values, normal, &shape),
    }
}

fn fresh<O: Element>(x: &[f32], normal: Normal, shape: &[i64]) -> Tensor {
    let mut out = Fresh::<O>::unset(shape);
    let work = Gelu {
        x,
        normal,
        out: out.as_mut_slice(),
    };
    simd::run(Level::best(), work);
    out.into_tensor()
}

struct Gelu<'a, O> {
    x: &'a [f32],
    normal: Normal,
    out: &'a mut [O],
}

impl<O: Element> Kernel for Gelu<'_, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (x, out) in self.x.chunks(S::LANES).zip(self.out.chunks_mut(S::LANES)) {
            // The last part may be short: it is worked on in a copy.
            let mut buffer = [0.0; 16];
            buffer[..x.len()].copy_from_slice(x);
            // SAFETY: the buffer holds `LANES` values, at most 16.
            unsafe {
                let x = s.load(buffer.as_ptr());
                let y = match self.normal {
                    Normal::Exact => exact(s, x),
                    Normal::Tanh => by_tanh(s, x),
                };
                s.store(buffer.as_mut_ptr(), y);
            }
            for (out, &y) in out.iter_mut().zip(&buffer) {
                *out = O::from_f32(y);
            }
        }
    }
}

/// The tail of the normal distribution is Abramowitz and Stegun's 7.1.26 (*Handbook of Mathematical Functions*, 1964).
#[inline(always)]
fn exact<S: Simd>(s: S, x: S::V) -> S::V {
    let size = s.max(x, s.mul(x, s.splat(-1.0)));
    let size = s.min(s.splat(40.0), size); // of no weight beyond, and infinity times nothing is no number
    let step = s.mul_add(
        size,
        s.splat(0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2),
        s.splat(1.0),
    );
    let t = s.div(s.splat(1.0), step);
    let mut p = s.splat(1.061_405_4);
    for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = s.mul_add(p, t, s.splat(c));
    }
    let density = simd::exp(s, s.mul(s.mul(size, size), s.splat(-0.5)));
    let tail = s.mul(s.mul(s.mul(p, t), s.splat(-0.5)), density);
    s.mul_add(size, tail, s.max(x, s.splat(0.0)))
}

#[inline(always)]
fn by_tanh<S: Simd>(s: S, x: S::V) -> S::V {
    let cubic = s.mul_add(s.mul(x, x), s.splat(0.044_715), s.splat(1.0));
    // (1 + tanh u) / 2 is the logistic function of 2u.
    let twice = std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::SQRT_2;
    let exp = simd::exp(s, s.mul(s.mul(x, cubic), s.splat(-twice)));
    s.div(x, s.add(s.splat(1.0), exp))
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::simd::tests::on_each_level;

    #[test]
    fn equals_libtorch() {
        tch::manual_seed(12);
        let wide = (Tensor::arange(4000, (Kind::Double, Device::Cpu)) - 2000.0) / 80.0;
        on_each_level(|level| {
            for (normal, name) in [(Normal::Exact, "none"), (Normal::Tanh, "tanh")] {
                for (kind, relative) in [(Kind::Float, 3e-7), (Kind::BFloat16, 4e-3), (Kind::Half, 5e-4)] {
                    for width in [1, 8, 17, 4000] {
                        let x = wide.narrow(0, 2000 - width / 2, width).to_kind(kind);
                        let expected = x.to_kind(Kind::Double).gelu(name);
                        let y = gelu(&x, normal);
                        assert_eq!((y.kind(), y.size()), (kind, x.size()));
                        let y = y.to_kind(Kind::Double);
                        let error = ((&y - &expected).abs() - expected.abs() * relative).max();
                        assert!(
                            error.double_value(&[]) < 3e-7,
                            "{level:?} {normal:?} {kind:?} {width}: {error}"
                        );
                    }
                }
                let odd = Tensor::from_slice(&[f32::NAN, f32::INFINITY, -1e30, 1e30, 0.0]);
                let y = Vec::<f32>::try_from(gelu(&odd, normal)).unwrap();
                let [nan, infinite, low, high, zero] = y[..] else {
                    unreachable!("five")
                };
                assert!(
                    nan.is_nan() && infinite == f32::INFINITY && high == 1e30,
                    "{level:?} {normal:?}"
                );
                assert!(
                    low.abs() < 1e-7 && zero == 0.0,
                    "{level:?} {normal:?}: {low} {zero}"
                );
            }
        });
    }
}

//! Normalisation of a few rows in one call, where libtorch needs several or one that is slow to start.

use tch::{Kind, Tensor};

use crate::memory::Fresh;
use crate::simd::{self, Bf16, Element, F16, Floating, Kernel, Level, Simd};

/// How the gain of [`rms_norm`] is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gain {
    /// `weight`, to what is rounded to the type of `x` before, as in Llama.
    Weight,
    /// `1 + weight`, before anything is rounded, as in Gemma.
    OnePlusWeight,
}

/// `x / √(mean(x²) + eps) · gain` over the last dimension.
///
/// `x` is `[…, width]` in `f32`, `bf16` or `f16`, `weight` `[width]` in any of these types, both on the CPU.
/// The result is as `x`; all arithmetic is `f32`. One thread, forward only.
///
/// # Panics
/// If the shapes do not fit, a tensor has another type or is not on the CPU, or `weight` is not contiguous.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64, gain: Gain) -> Tensor {
    let scaled = match gain {
        Gain::Weight => Scaled::Rounded,
        Gain::OnePlusWeight => Scaled::OnePlus,
    };
    norm(x, weight, None, eps, scaled)
}

/// What a norm does with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scaled {
    /// The mean is subtracted.
    Centred,
    /// The scaled row is rounded before it is multiplied.
    Rounded,
    /// One is added to the weight.
    OnePlus,
}

/// `(x - mean(x)) / √(variance(x) + eps) · weight + bias` over the last dimension.
///
/// `x` is `[…, width]` in `f32`, `bf16` or `f16`, `weight` and `bias` `[width]` in any of these types, all on
/// the CPU. The result is as `x`; all arithmetic is `f32`, rounded once at the end. One thread, forward only.
///
/// # Panics
/// If the shapes do not fit, a tensor has another type or is not on the CPU, or `weight` or `bias` is not
/// contiguous.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, eps: f64) -> Tensor {
    norm(x, weight, bias, eps, Scaled::Centred)
}

fn norm(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, eps: f64, scaled: Scaled) -> Tensor {
    let shape = x.size();
    let width = weight.numel();
    assert_eq!(
        shape.last(),
        Some(&(width as i64)),
        "x is […, width], weight [width]"
    );
    assert!(weight.dim() == 1, "weight is [width]");
    assert!(
        bias.is_none_or(|bias| bias.size() == weight.size()),
        "bias is [width]"
    );
    let x = x.contiguous();
    let input = Floating::of(&x, "x").widen();
    let weight = Floating::of(weight, "weight").widen();
    let bias = bias.map(|bias| Floating::of(bias, "bias").widen());
    let mut out = vec![0.0; input.len()];
    let (eps, kind) = (eps as f32, x.kind());
    if width > 0 {
        let (x, weight, bias, out) = (&*input, &*weight, bias.as_deref(), &mut out[..]);
        simd::run(
            Level::best(),
            Norm {
                x,
                weight,
                bias,
                eps,
                scaled,
                kind,
                out,
            },
        );
    }
    match x.kind() {
        Kind::Float => narrow::<f32>(&out, &shape),
        Kind::BFloat16 => narrow::<Bf16>(&out, &shape),
        _ => narrow::<F16>(&out, &shape),
    }
}

fn narrow<O: Element>(values: &[f32], shape: &[i64]) -> Tensor {
    let mut out = Fresh::<O>::unset(shape);
    for (out, &value) in out.as_mut_slice().iter_mut().zip(values) {
        *out = O::from_f32(value);
    }
    out.into_tensor()
}

/// Normalises `x` `[rows, width]` into `out`.
struct Norm<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    eps: f32,
    scaled: Scaled,
    /// The type that results have.
    kind: Kind,
    out: &'a mut [f32],
}

impl Kernel for Norm<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let width = self.weight.len();
        for (x, out) in self.x.chunks_exact(width).zip(self.out.chunks_exact_mut(width)) {
            let mean = if self.scaled == Scaled::Centred {
                sum(s, x) / width as f32
            } else {
                0.0
            };
            let variance = squares(s, x, mean) / width as f32;
            let scale = 1.0 / (variance + self.eps).sqrt();
            for (out, x) in out.iter_mut().zip(x) {
                *out = (x - mean) * scale;
            }
            match (self.scaled, self.kind) {
                (Scaled::Rounded, Kind::BFloat16) => round::<Bf16>(out),
                (Scaled::Rounded, Kind::Half) => round::<F16>(out),
                _ => {}
            }
            let one = if self.scaled == Scaled::OnePlus { 1.0 } else { 0.0 };
            for (out, weight) in out.iter_mut().zip(self.weight) {
                *out *= one + weight;
            }
            if let Some(bias) = self.bias {
                out.iter_mut().zip(bias).for_each(|(out, bias)| *out += bias);
            }
        }
    }
}

/// To the nearest values that a narrower type has.
#[inline(always)]
fn round<T: Element>(values: &mut [f32]) {
    for value in values {
        *value = T::from_f32(*value).to_f32();
    }
}

/// The sum of `x`.
#[inline(always)]
fn sum<S: Simd>(s: S, x: &[f32]) -> f32 {
    let chunks = x.chunks_exact(S::LANES);
    let rest: f32 = chunks.remainder().iter().sum();
    let mut total = s.splat(0.0);
    for x in chunks {
        // SAFETY: the chunk has `LANES` values.
        total = s.add(total, unsafe { s.load(x.as_ptr()) });
    }
    s.sum(total) + rest
}

/// The sum of `(x - mean)²`.
#[inline(always)]
fn squares<S: Simd>(s: S, x: &[f32], mean: f32) -> f32 {
    let chunks = x.chunks_exact(S::LANES);
    let rest: f32 = chunks.remainder().iter().map(|x| (x - mean) * (x - mean)).sum();
    let mut total = s.splat(0.0);
    let minus_mean = s.splat(-mean);
    for x in chunks {
        // SAFETY: the chunk has `LANES` values.
        let x = s.add(unsafe { s.load(x.as_ptr()) }, minus_mean);
        total = s.mul_add(x, x, total);
    }
    s.sum(total) + rest
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::simd::tests::on_each_level;

    #[test]
    fn equal_libtorch() {
        tch::manual_seed(10);
        let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Double, Device::Cpu));
        on_each_level(|level| {
            for width in [1, 7, 16, 33, 576, 768] {
                for (kind, tolerance) in [(Kind::Float, 2e-5), (Kind::BFloat16, 2e-2), (Kind::Half, 3e-3)] {
                    let x = (random(&[2, 3, width]) + 1.0).to_kind(kind);
                    let (weight, bias) = (random(&[width]).to_kind(kind), random(&[width]));
                    let (double, wide) = (x.to_kind(Kind::Double), weight.to_kind(Kind::Double));
                    let check = |y: Tensor, expected: &Tensor| {
                        assert_eq!((y.size(), y.kind()), (x.size(), kind));
                        let close = y
                            .to_kind(Kind::Double)
                            .allclose(expected, tolerance, tolerance, false);
                        assert!(close, "{level:?} {kind:?} {width}");
                    };
                    let mean = double.square().mean_dim([-1i64].as_slice(), true, Kind::Double);
                    let scaled = &double / (mean + 1e-6).sqrt();
                    check(rms_norm(&x, &weight, 1e-6, Gain::Weight), &(&scaled * &wide));
                    check(
                        rms_norm(&x, &weight, 1e-6, Gain::OnePlusWeight),
                        &(scaled * (&wide + 1.0)),
                    );
                    let bias = bias.to_kind(Kind::Float);
                    let expected = double.layer_norm(
                        [width],
                        Some(&wide),
                        Some(&bias.to_kind(Kind::Double)),
                        1e-5,
                        false,
                    );
                    check(layer_norm(&x, &weight, Some(&bias), 1e-5), &expected);
                }
            }
        });
    }
}

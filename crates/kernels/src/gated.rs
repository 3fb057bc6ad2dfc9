//! The gate of gated feed-forward layers for a few rows.

use tch::{Kind, Tensor};

use crate::memory::Fresh;
use crate::simd::{self, Bf16, Element, F16, Floating, Kernel, Level, Simd};

/// `silu(gate) · up`, where `silu(x) = x / (1 + e⁻ˣ)`.
///
/// `gate` and `up` are of one shape and type, `f32`, `bf16` or `f16`, on the CPU. The result is as they are;
/// all arithmetic is `f32`, rounded once at the end. One thread, forward only.
///
/// # Panics
/// If their shapes or types differ, or the type is another.
pub fn silu_mul(gate: &Tensor, up: &Tensor) -> Tensor {
    assert_eq!(gate.size(), up.size(), "gate and up are of one shape");
    assert_eq!(gate.kind(), up.kind(), "gate and up are of one type");
    let (gate, up) = (gate.contiguous(), up.contiguous());
    let (x, y) = (
        Floating::of(&gate, "gate").widen(),
        Floating::of(&up, "up").widen(),
    );
    match gate.kind() {
        Kind::Float => product::<f32>(&x, &y, &gate.size()),
        Kind::BFloat16 => product::<Bf16>(&x, &y, &gate.size()),
        _ => product::<F16>(&x, &y, &gate.size()),
    }
}

fn product<O: Element>(gate: &[f32], up: &[f32], shape: &[i64]) -> Tensor {
    let mut out = Fresh::<O>::unset(shape);
    simd::run(
        Level::best(),
        Product {
            gate,
            up,
            out: out.as_mut_slice(),
        },
    );
    out.into_tensor()
}

struct Product<'a, O> {
    gate: &'a [f32],
    up: &'a [f32],
    out: &'a mut [O],
}

impl<O: Element> Kernel for Product<'_, O> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let parts = self.gate.chunks(S::LANES).zip(self.up.chunks(S::LANES));
        for ((gate, up), out) in parts.zip(self.out.chunks_mut(S::LANES)) {
            // The last part may be short: it is worked on in a copy.
            let (mut x, mut y) = ([0.0; 16], [0.0; 16]);
            x[..gate.len()].copy_from_slice(gate);
            y[..up.len()].copy_from_slice(up);
            // SAFETY: the buffers hold `LANES` values, at most 16.
            unsafe {
                let gate = s.load(x.as_ptr());
                let exp = simd::exp(s, s.mul(gate, s.splat(-1.0)));
                let silu = s.div(gate, s.add(s.splat(1.0), exp));
                s.store(x.as_mut_ptr(), s.mul(silu, s.load(y.as_ptr())));
            }
            for (out, &x) in out.iter_mut().zip(&x) {
                *out = O::from_f32(x);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::simd::tests::on_each_level;

    #[test]
    fn equals_libtorch() {
        tch::manual_seed(11);
        on_each_level(|level| {
            for width in [1, 8, 15, 16, 33, 1536] {
                for (kind, tolerance) in [(Kind::Float, 1e-6), (Kind::BFloat16, 5e-3), (Kind::Half, 1e-3)] {
                    let random =
                        || (Tensor::randn([2, width], (Kind::Float, Device::Cpu)) * 8.0).to_kind(kind);
                    let (gate, up) = (random(), random());
                    let expected = gate.to_kind(Kind::Double).silu() * up.to_kind(Kind::Double);
                    let y = silu_mul(&gate, &up);
                    assert_eq!(y.kind(), kind);
                    let close = y
                        .to_kind(Kind::Double)
                        .allclose(&expected, tolerance, 1e-6, false);
                    assert!(close, "{level:?} {kind:?} {width}");
                }
            }
        });
    }
}

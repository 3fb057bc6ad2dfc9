//! Wider types, on one thread.

use tch::Tensor;

use crate::memory::Fresh;
use crate::simd::Floating;

/// `x` in `f32`, copied only if it is in another type.
///
/// libtorch converts long tensors on all its threads, and its helpers then wait for more to do in a busy loop:
/// for the logits of one token that costs more than it gives, as the next step of decoding wants the cores.
///
/// # Panics
/// If `x` is not `f32`, `bf16` or `f16`, not contiguous or not on the CPU.
pub fn widen(x: &Tensor) -> Tensor {
    match Floating::of(x, "x") {
        Floating::F32(_) => x.shallow_clone(),
        narrow => {
            let mut out = Fresh::<f32>::unset(&x.size());
            out.as_mut_slice().copy_from_slice(&narrow.widen());
            out.into_tensor()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn equals_libtorch() {
        let x = Tensor::randn([3, 50], (Kind::Float, Device::Cpu)) * 100.0;
        for kind in [Kind::Float, Kind::BFloat16, Kind::Half] {
            let narrow = x.to_kind(kind);
            assert!(widen(&narrow).equal(&narrow.to_kind(Kind::Float)), "{kind:?}");
        }
    }
}

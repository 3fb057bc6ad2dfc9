//! Changes of the numbers' kind.

use sensorium_kernels as kernels;
use tch::{Device, Kind, Tensor};

/// `x`, of any floating-point kind, in `f32`: on the CPU without waking libtorch's threads, for a step of
/// decoding whose next step wants the cores.
pub fn in_f32(x: &Tensor) -> Tensor {
    let known = matches!(x.kind(), Kind::Float | Kind::BFloat16 | Kind::Half);
    if known && x.device() == Device::Cpu && x.is_contiguous() && !kernels::grad_enabled() {
        kernels::widen(x)
    } else {
        x.to_kind(Kind::Float)
    }
}

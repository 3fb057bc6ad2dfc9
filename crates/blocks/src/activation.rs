//! The published activation functions, by the names that configurations use.

use std::str::FromStr;

use sensorium_kernels::{self as kernels, Normal};
use tch::{Device, Kind, Tensor};

/// An element-wise activation function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x Φ(x)` with the exact normal distribution (arXiv 1606.08415).
    Gelu,
    /// GELU by its tanh approximation, as GPT-2 has it.
    GeluTanh,
    /// `x σ(1.702 x)`, as CLIP has it.
    QuickGelu,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0)²` (arXiv 2109.08668).
    ReluSquared,
    /// `x σ(x)`, also called swish (arXiv 1702.03118).
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic sigmoid.
    Sigmoid,
    /// `x tanh(ln(1 + eˣ))` (arXiv 1908.08681).
    Mish,
    /// The identity.
    Linear,
}

/// A configuration names an activation function that does not exist here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown activation function `{0}`; known ones are gelu, gelu_new, quick_gelu, relu, relu2, silu, tanh, sigmoid, mish, linear"
)]
pub struct UnknownActivation(pub String);

impl FromStr for Activation {
    type Err = UnknownActivation;

    fn from_str(name: &str) -> Result<Self, UnknownActivation> {
        Ok(match name {
            "gelu" | "gelu_python" => Self::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" | "gelu_accurate" | "gelu_python_tanh" => {
                Self::GeluTanh
            }
            "quick_gelu" => Self::QuickGelu,
            "relu" => Self::Relu,
            "relu2" => Self::ReluSquared,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            "sigmoid" => Self::Sigmoid,
            "mish" => Self::Mish,
            "linear" => Self::Linear,
            _ => return Err(UnknownActivation(name.to_string())),
        })
    }
}

impl Activation {
    /// The function of each element of `x`.
    pub fn forward(self, x: &Tensor) -> Tensor {
        match self {
            Self::Gelu if is_small(x) => kernels::gelu(x, Normal::Exact),
            Self::GeluTanh if is_small(x) => kernels::gelu(x, Normal::Tanh),
            Self::Gelu => x.gelu("none"),
            Self::GeluTanh => x.gelu("tanh"),
            Self::QuickGelu => x * (x * 1.702).sigmoid(),
            Self::Relu => x.relu(),
            Self::ReluSquared => x.relu().square(),
            Self::Silu => x.silu(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => x.sigmoid(),
            Self::Mish => x.mish(),
            Self::Linear => x.shallow_clone(),
        }
    }
}

/// Whether the threads that libtorch would wake cost more than they do: they spin for a while afterwards, and take the
/// cores from the next products of a step of decoding.
fn is_small(x: &Tensor) -> bool {
    const FEW: usize = 1 << 16;
    let known = matches!(x.kind(), Kind::Float | Kind::BFloat16 | Kind::Half);
    known && x.numel() <= FEW && x.device() == Device::Cpu && !kernels::grad_enabled()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_definitions() {
        let x = Tensor::from_slice(&[-1.5f64, 0.0, 0.7]);
        let check = |name: &str, expected: fn(f64) -> f64| {
            let y = name.parse::<Activation>().unwrap().forward(&x);
            for (x, y) in [-1.5f64, 0.0, 0.7].iter().zip(Vec::<f64>::try_from(y).unwrap()) {
                assert!((expected(*x) - y).abs() < 1e-12, "{name}({x}) = {y}");
            }
        };
        check("silu", |x| x / (1.0 + (-x).exp()));
        check("quick_gelu", |x| x / (1.0 + (-1.702 * x).exp()));
        check("relu2", |x| x.max(0.0) * x.max(0.0));
        check("gelu_new", |x| {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            0.5 * x * (1.0 + inner.tanh())
        });
        check("mish", |x| x * x.exp().ln_1p().tanh());
        assert!(
            "gelu_plus"
                .parse::<Activation>()
                .unwrap_err()
                .to_string()
                .contains("`gelu_plus`")
        );
    }
}

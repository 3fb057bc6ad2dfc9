//! Initial values of fresh parameters.

use tch::{Device, Kind, Tensor};

/// How a fresh tensor is filled.
///
/// For a weight `[out, in, …]` the fan-in is `in × …` and the fan-out `out × …` (the dots being
/// the kernel's size), as in PyTorch's `torch.nn.init`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Every element is this value.
    Const(f64),
    /// Uniform between `-bound` and `bound`.
    Uniform {
        /// Largest absolute value.
        bound: f64,
    },
    /// Normal with mean zero.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// He (Kaiming) normal for layers followed by a ReLU: `std = sqrt(2 / fan_in)` (arXiv 1502.01852).
    He,
    /// Xavier (Glorot) uniform: `bound = sqrt(6 / (fan_in + fan_out))` (Glorot and Bengio, 2010).
    /// What Keras calls `glorot_uniform`, its default.
    Xavier,
    /// PyTorch's default for linear and convolution layers: uniform, `bound = 1 / sqrt(fan_in)`.
    FanIn,
}

impl Init {
    /// A new tensor of `shape` filled by this rule from libtorch's global generator.
    pub fn tensor(self, shape: &[i64], kind: Kind, device: Device) -> Tensor {
        let uniform = |bound: f64| Tensor::empty(shape, (kind, device)).uniform_(-bound, bound);
        let normal = |std: f64| Tensor::empty(shape, (kind, device)).normal_(0.0, std);
        let (fan_in, fan_out) = fans(shape);
        match self {
            Init::Const(value) => Tensor::full(shape, value, (kind, device)),
            Init::Uniform { bound } => uniform(bound),
            Init::Normal { std } => normal(std),
            Init::He => normal((2.0 / fan_in).sqrt()),
            Init::Xavier => uniform((6.0 / (fan_in + fan_out)).sqrt()),
            Init::FanIn => uniform(fan_in.sqrt().recip()),
        }
    }
}

/// Fan-in and fan-out of a weight of `shape`; both 1 at the least.
fn fans(shape: &[i64]) -> (f64, f64) {
    let receptive: i64 = shape.iter().skip(2).product();
    let fan = |axis: usize| (shape.get(axis).copied().unwrap_or(1) * receptive).max(1) as f64;
    (fan(1), fan(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(init: Init, shape: &[i64]) -> (f64, f64) {
        let t = init.tensor(shape, Kind::Double, Device::Cpu);
        (t.std(true).double_value(&[]), t.abs().max().double_value(&[]))
    }

    #[test]
    fn spreads_follow_the_fans() {
        tch::manual_seed(0);
        let shape = [64, 32, 3, 3];
        let (std, _) = spread(Init::He, &shape);
        assert!((std - (2.0f64 / 288.0).sqrt()).abs() < 2e-3, "{std}");
        let (_, max) = spread(Init::Xavier, &shape);
        let bound = (6.0f64 / (288.0 + 576.0)).sqrt();
        assert!(max <= bound && max > 0.99 * bound, "{max} {bound}");
        let (_, max) = spread(Init::FanIn, &[10, 400]);
        assert!(max <= 0.05 && max > 0.049, "{max}");
        assert_eq!(spread(Init::Const(3.0), &[4]), (0.0, 3.0));
    }
}

//! Normalisation layers.

use sensorium_kernels::{self as kernels, Gain};
use tch::{Device, Kind, Tensor};

use crate::{Init, Params, ParamsError};

/// The norm of a Transformer block: over the last dimension, `[…, hidden]`.
#[derive(Debug)]
pub enum Norm {
    /// With mean and variance.
    Layer(LayerNorm),
    /// With the root of the mean square.
    Rms(RmsNorm),
}

impl Norm {
    /// `x` is `[…, hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Layer(norm) => norm.forward(x),
            Self::Rms(norm) => norm.forward(x),
        }
    }
}

impl From<LayerNorm> for Norm {
    fn from(norm: LayerNorm) -> Self {
        Self::Layer(norm)
    }
}

impl From<RmsNorm> for Norm {
    fn from(norm: RmsNorm) -> Self {
        Self::Rms(norm)
    }
}

/// Layer normalisation (arXiv 1607.06450).
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor, // [hidden]
    bias: Option<Tensor>,
    eps: f64,
}

impl LayerNorm {
    /// Over the last `size` features; asks `params` for `weight` and `bias`.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, size: i64, eps: f64) -> Result<Self, ParamsError> {
        Ok(Self {
            weight: params.weight("weight", &[size], Init::Const(1.0))?,
            bias: Some(params.weight("bias", &[size], Init::Const(0.0))?),
            eps,
        })
    }

    /// The same without a bias.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn without_bias(params: &Params, size: i64, eps: f64) -> Result<Self, ParamsError> {
        Ok(Self {
            weight: params.weight("weight", &[size], Init::Const(1.0))?,
            bias: None,
            eps,
        })
    }

    /// `x` is `[…, hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let shape = self.weight.size();
        x.layer_norm(shape, Some(&self.weight), self.bias.as_ref(), self.eps, false)
    }
}

/// Root-mean-square normalisation (arXiv 1910.07467), computed in `f32` whatever the dtype.
#[derive(Debug)]
pub struct RmsNorm {
    weight: Tensor, // [hidden]
    eps: f64,
    offset: bool,
}

impl RmsNorm {
    /// Up to here one call of our own kernel costs less than the eight operations of libtorch.
    const FEW_ROWS: usize = 16;

    /// Over the last `size` features; asks `params` for `weight`.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn new(params: &Params, size: i64, eps: f64) -> Result<Self, ParamsError> {
        Ok(Self {
            weight: params.weight("weight", &[size], Init::Const(1.0))?,
            eps,
            offset: false,
        })
    }

    /// The same with `1 + weight` for the gain, as Gemma has it.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn around_one(params: &Params, size: i64, eps: f64) -> Result<Self, ParamsError> {
        Ok(Self {
            weight: params.weight("weight", &[size], Init::Const(0.0))?,
            eps,
            offset: true,
        })
    }

    /// `x` is `[…, hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let few = x.numel() <= Self::FEW_ROWS * self.weight.numel();
        if few && x.device() == Device::Cpu && !kernels::grad_enabled() {
            let gain = if self.offset {
                Gain::OnePlusWeight
            } else {
                Gain::Weight
            };
            return kernels::rms_norm(x, &self.weight, self.eps, gain);
        }
        let kind = x.kind();
        let wide = x.to_kind(Kind::Float);
        let scale = (wide.square().mean_dim(-1, true, Kind::Float) + self.eps).rsqrt();
        let normal = wide * scale;
        if self.offset {
            // The gain is applied before rounding, the other way round than in Llama.
            return (normal * (self.weight.to_kind(Kind::Float) + 1.0)).to_kind(kind);
        }
        normal.to_kind(kind) * &self.weight
    }
}

/// Normalisation of groups of channels over all time (arXiv 1803.08494).
#[derive(Debug)]
pub struct GroupNorm {
    weight: Tensor, // [channels]
    bias: Tensor,
    groups: i64,
    eps: f64,
}

impl GroupNorm {
    /// Over `channels` channels in `groups` groups; asks `params` for `weight` and `bias`.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, groups: i64, channels: i64, eps: f64) -> Result<Self, ParamsError> {
        Ok(Self {
            weight: params.weight("weight", &[channels], Init::Const(1.0))?,
            bias: params.weight("bias", &[channels], Init::Const(0.0))?,
            groups,
            eps,
        })
    }

    /// `x` is `[batch, channels, …]`, and so is the result.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.group_norm(self.groups, Some(&self.weight), Some(&self.bias), self.eps, false)
    }
}

/// Batch normalisation over the channels of pictures or of sequences (arXiv 1502.03167).
///
/// The running mean and variance, used outside training, are buffers named as in PyTorch.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm {
    const EPS: f64 = 1e-5;
    /// The weight of the newest batch in the running statistics.
    const MOMENTUM: f64 = 0.1;

    /// A layer for `channels` channels.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, channels: i64) -> Result<Self, ParamsError> {
        let shape = [channels];
        Ok(Self {
            weight: params.weight("weight", &shape, Init::Const(1.0))?,
            bias: params.weight("bias", &shape, Init::Const(0.0))?,
            running_mean: params.buffer("running_mean", &shape, Init::Const(0.0))?,
            running_var: params.buffer("running_var", &shape, Init::Const(1.0))?,
        })
    }

    /// `x` is `[batch, channels, …]`, and so is the result. In training the batch's own
    /// statistics are used and the running ones updated.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        x.batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            Self::MOMENTUM,
            Self::EPS,
            true,
        )
    }
}

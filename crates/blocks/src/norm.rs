//! Normalisation layers.

use tch::Tensor;

use crate::{Init, Params, ParamsError};

/// Batch normalisation over the channels of pictures (arXiv 1502.03167).
///
/// The running mean and variance, used outside training, are buffers named as in PyTorch.
#[derive(Debug)]
pub struct BatchNorm2d {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
}

impl BatchNorm2d {
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

    /// `x` is `[batch, channels, height, width]`, and so is the result. In training the batch's own
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

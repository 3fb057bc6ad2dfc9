//! The smallest useful network: one convolution, one dense layer.

use sensorium_blocks::{ConvReluPool, Init, Linear, Params, ParamsError};
use tch::Tensor;

/// Conv 32 3×3 ReLU, max-pool 2, flatten, dense: the Keras network, with Keras' initial values.
///
/// The dense layer reads the pooled picture row by row, channels last, as Keras' `Flatten` does.
#[derive(Debug)]
pub struct MnistCnn {
    conv: ConvReluPool,
    dense: Linear,
}

impl MnistCnn {
    const CHANNELS: i64 = 32;
    /// Height and width after convolution and pooling: (28 - 2) / 2.
    const POOLED: i64 = 13;

    /// The network for `classes` classes.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, classes: i64) -> Result<Self, ParamsError> {
        let features = Self::CHANNELS * Self::POOLED * Self::POOLED;
        Ok(Self {
            conv: ConvReluPool::new(&(params / "conv"), Self::CHANNELS, Init::Xavier)?,
            dense: Linear::new(&(params / "dense"), features, classes, Init::Xavier)?,
        })
    }

    /// `x` is `[batch, 28, 28]` in `[0, 1]`; the result is logits `[batch, classes]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let pooled = self.conv.forward(x); // [batch, 13, 13, 32]
        self.dense.forward(&pooled.flatten(1, -1))
    }
}

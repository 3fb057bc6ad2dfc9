//! Convolution layers for pictures.

use tch::Tensor;

use crate::{Init, Params, ParamsError};

/// A square two-dimensional convolution with stride 1.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor, // [out, in, size, size]
    bias: Option<Tensor>,
    padding: i64,
}

impl Conv2d {
    /// A layer with a bias and no padding, from `inputs` to `outputs` channels.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(
        params: &Params,
        inputs: i64,
        outputs: i64,
        size: i64,
        init: Init,
    ) -> Result<Self, ParamsError> {
        let bias = params.weight("bias", &[outputs], Init::Const(0.0))?;
        let layer = Self::without_bias(params, inputs, outputs, size, init)?;
        Ok(Self {
            bias: Some(bias),
            ..layer
        })
    }

    /// A layer without a bias, as goes before a normalisation.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn without_bias(
        params: &Params,
        inputs: i64,
        outputs: i64,
        size: i64,
        init: Init,
    ) -> Result<Self, ParamsError> {
        let weight = params.weight("weight", &[outputs, inputs, size, size], init)?;
        Ok(Self {
            weight,
            bias: None,
            padding: 0,
        })
    }

    /// Pads each side of the picture with `padding` zeros.
    pub fn padded(self, padding: i64) -> Self {
        Self { padding, ..self }
    }

    /// `x` is `[batch, in, height, width]`, the result `[batch, out, height', width']` with
    /// `height' = height + 2 · padding - size + 1`, in the memory layout of `x`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight, self.bias.as_ref(), 1, self.padding, 1, 1)
    }
}

/// A 3×3 convolution of grey pictures, then ReLU, then 2×2 max-pooling: `size → (size - 2) / 2`.
///
/// On the CPU in `f32` the three are one pass of [`sensorium_kernels::conv_relu_pool`].
#[derive(Debug)]
pub struct ConvReluPool {
    weight: Tensor, // [out, 1, 3, 3]
    bias: Tensor,   // [out]
}

impl ConvReluPool {
    /// A layer with `outputs` channels; asks `params` for `weight` and `bias`.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, outputs: i64, init: Init) -> Result<Self, ParamsError> {
        let weight = params.weight("weight", &[outputs, 1, 3, 3], init)?;
        let bias = params.weight("bias", &[outputs], Init::Const(0.0))?;
        Ok(Self { weight, bias })
    }

    /// `x` is `[batch, height, width]`, the result `[batch, (height - 2) / 2, (width - 2) / 2, out]`:
    /// channels last.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        sensorium_kernels::conv_relu_pool(x, &self.weight, &self.bias).unwrap_or_else(|| {
            let y = x.unsqueeze(1).conv2d(&self.weight, Some(&self.bias), 1, 0, 1, 1);
            // The maximum commutes with the ReLU, which then has a quarter of the work.
            y.max_pool2d(2, 2, 0, 1, false).relu().permute([0, 2, 3, 1])
        })
    }
}

//! The fully connected layer.

use tch::Tensor;

use crate::{Init, Params, ParamsError};

/// `y = x · weightᵀ + bias`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor, // [out, in]
    bias: Option<Tensor>,
}

impl Linear {
    /// A layer from `inputs` to `outputs` features; asks `params` for `weight` and `bias`.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, inputs: i64, outputs: i64, init: Init) -> Result<Self, ParamsError> {
        let weight = params.weight("weight", &[outputs, inputs], init)?;
        let bias = params.weight("bias", &[outputs], Init::Const(0.0))?;
        Ok(Self {
            weight,
            bias: Some(bias),
        })
    }

    /// The same without a bias.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn without_bias(params: &Params, inputs: i64, outputs: i64, init: Init) -> Result<Self, ParamsError> {
        Ok(Self {
            weight: params.weight("weight", &[outputs, inputs], init)?,
            bias: None,
        })
    }

    /// `x` is `[…, in]`, the result `[…, out]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, self.bias.as_ref())
    }
}

//! The fully connected layer.

use tch::Tensor;

use crate::{Init, Params, ParamsError};

/// `y = x · weightᵀ + bias`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor, // [out, in], or [in, out] if transposed
    bias: Option<Tensor>,
    transposed: bool,
}

impl Linear {
    /// A layer from `inputs` to `outputs` features; asks `params` for `weight` and `bias`.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, inputs: i64, outputs: i64, init: Init) -> Result<Self, ParamsError> {
        Self::with_bias(params, inputs, outputs, true, init)
    }

    /// The same without a bias.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn without_bias(params: &Params, inputs: i64, outputs: i64, init: Init) -> Result<Self, ParamsError> {
        Self::with_bias(params, inputs, outputs, false, init)
    }

    /// The same with a bias or without, as a checkpoint's configuration says.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn with_bias(
        params: &Params,
        inputs: i64,
        outputs: i64,
        bias: bool,
        init: Init,
    ) -> Result<Self, ParamsError> {
        Ok(Self {
            weight: params.weight("weight", &[outputs, inputs], init)?,
            bias: optional_bias(params, outputs, bias)?,
            transposed: false,
        })
    }

    /// A layer whose weight is stored as `[in, out]`, as GPT-2's are.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn transposed(params: &Params, inputs: i64, outputs: i64, init: Init) -> Result<Self, ParamsError> {
        Ok(Self {
            weight: params.weight("weight", &[inputs, outputs], init)?,
            bias: optional_bias(params, outputs, true)?,
            transposed: true,
        })
    }

    /// A layer that shares `weight` `[out, in]` with another part of the model.
    pub fn tied(weight: &Tensor) -> Self {
        Self {
            weight: weight.shallow_clone(),
            bias: None,
            transposed: false,
        }
    }

    /// `x` is `[…, in]`, the result `[…, out]`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `in`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        if self.transposed {
            let y = x.matmul(&self.weight);
            return match &self.bias {
                Some(bias) => y + bias,
                None => y,
            };
        }
        x.linear(&self.weight, self.bias.as_ref())
    }
}

fn optional_bias(params: &Params, outputs: i64, wanted: bool) -> Result<Option<Tensor>, ParamsError> {
    if !wanted {
        return Ok(None);
    }
    params.weight("bias", &[outputs], Init::Const(0.0)).map(Some)
}

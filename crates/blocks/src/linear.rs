//! The fully connected layer.

use sensorium_kernels as kernels;
use tch::{Device, Kind, Tensor};

use crate::{Init, Params, ParamsError};

/// `y = x · weightᵀ + bias`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor, // [out, in], or [in, out] if transposed
    bias: Option<Tensor>,
    transposed: bool,
}

impl Linear {
    /// Up to so many rows our own kernel is faster than libtorch's product, which first copies the weights to
    /// another order.
    const FEW_ROWS: i64 = 128;
    /// The same for a layer with as many outputs as a vocabulary has words.
    const FEW_ROWS_WIDE: i64 = 256;
    /// The outputs of such a layer.
    const WIDE: i64 = 8192;
    /// The same for weights that are stored as `[in, out]`, and for 16-bit weights that libtorch multiplies as they are
    /// and our kernel widens.
    const VERY_FEW_ROWS: i64 = 8;

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

    /// The dtype of the weight.
    pub fn kind(&self) -> Kind {
        self.weight.kind()
    }

    /// The weight `[out, in]`, of a layer that has nothing else.
    pub(crate) fn weight_alone(&self) -> Option<&Tensor> {
        (!self.transposed && self.bias.is_none()).then_some(&self.weight)
    }

    /// The same layer with this `bias` `[out]`.
    pub fn adding(self, bias: Tensor) -> Self {
        Self {
            bias: Some(bias),
            ..self
        }
    }

    /// `x` is `[…, in]`, the result `[…, out]`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not `in`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        if self.is_small(x) {
            let layer = if self.transposed {
                kernels::linear_columns
            } else {
                kernels::linear_rows
            };
            return layer(x, &self.weight, self.bias.as_ref());
        }
        if self.is_widened(x) {
            let wide = |tensor: &Tensor| tensor.to_kind(Kind::Float);
            let layer = Self {
                weight: wide(&self.weight),
                bias: self.bias.as_ref().map(wide),
                transposed: self.transposed,
            };
            return layer.many_rows(&wide(x)).to_kind(x.kind());
        }
        self.many_rows(x)
    }

    fn many_rows(&self, x: &Tensor) -> Tensor {
        if !self.transposed {
            return x.linear(&self.weight, self.bias.as_ref());
        }
        // One operation for product and sum: `addmm` takes matrices only.
        let size = x.size();
        let (flat, outputs) = (x.reshape([-1, self.weight.size()[0]]), self.weight.size()[1]);
        let y = match &self.bias {
            Some(bias) => bias.addmm(&flat, &self.weight),
            None => flat.mm(&self.weight),
        };
        let mut shape = size;
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        y.view(shape.as_slice())
    }

    /// Whether widening the weights first is faster: libtorch multiplies 16-bit numbers one by one where the
    /// processor has no products of them.
    fn is_widened(&self, x: &Tensor) -> bool {
        x.device() == Device::Cpu
            && matches!(x.kind(), Kind::BFloat16 | Kind::Half)
            && x.kind() == self.weight.kind()
            && kernels::widening_is_fastest()
            && !kernels::grad_enabled()
    }

    /// Whether there are so few rows that reading the weights is most of the work, as in decoding.
    fn is_small(&self, x: &Tensor) -> bool {
        if x.device() != Device::Cpu || kernels::grad_enabled() || !self.weight.is_contiguous() {
            return false;
        }
        let size = self.weight.size();
        let (inputs, outputs) = match self.transposed {
            true => (size[0], size[1]),
            false => (size[1], size[0]),
        };
        let kind = self.weight.kind();
        let full = kind == Kind::Float || kernels::widening_is_fastest();
        let pairs = kind == Kind::BFloat16 && x.kind() == kind && inputs % 2 == 0;
        let most = if self.transposed || !(full || pairs) {
            Self::VERY_FEW_ROWS
        } else if outputs >= Self::WIDE {
            Self::FEW_ROWS_WIDE
        } else {
            Self::FEW_ROWS
        };
        x.numel() as i64 <= most * inputs
    }
}

fn optional_bias(params: &Params, outputs: i64, wanted: bool) -> Result<Option<Tensor>, ParamsError> {
    if !wanted {
        return Ok(None);
    }
    params.weight("bias", &[outputs], Init::Const(0.0)).map(Some)
}

//! Convolution over time.

use tch::Tensor;

use crate::{Init, Params, ParamsError};

/// A one-dimensional convolution.
#[derive(Debug)]
pub struct Conv1d {
    weight: Tensor, // [out, in / groups, size]
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
    groups: i64,
}

/// The sizes of a [`Conv1d`].
#[derive(Debug, Clone, Copy)]
pub struct Conv1dShape {
    /// Channels that come in.
    pub inputs: i64,
    /// Channels that go out.
    pub outputs: i64,
    /// Steps that each output sees.
    pub size: i64,
    /// Groups of channels that see only themselves.
    pub groups: i64,
}

impl Conv1d {
    /// A layer with stride 1 and no padding; asks `params` for `weight` and, if it is wanted, `bias`.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, shape: Conv1dShape, bias: bool, init: Init) -> Result<Self, ParamsError> {
        let weight = params.weight("weight", &shape.weight(), init)?;
        Self::of(params, weight, shape, bias)
    }

    /// The same with a weight that is stored as directions and lengths, one length for each of its steps (arXiv
    /// 1602.07868): `weight_g` and `weight_v`, or their newer names.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn weight_normed(
        params: &Params,
        shape: Conv1dShape,
        bias: bool,
        init: Init,
    ) -> Result<Self, ParamsError> {
        let newer = "parametrizations.weight.original0";
        let names = match params.has(newer) {
            Some(true) => [newer, "parametrizations.weight.original1"],
            _ => ["weight_g", "weight_v"],
        };
        let lengths = params.weight(names[0], &[1, 1, shape.size], Init::Const(1.0))?;
        let directions = params.weight(names[1], &shape.weight(), init)?;
        let square = (&directions * &directions).sum_dim_intlist([0i64, 1].as_slice(), true, None);
        let weight = directions * (lengths / square.sqrt());
        Self::of(params, weight, shape, bias)
    }

    fn of(params: &Params, weight: Tensor, shape: Conv1dShape, bias: bool) -> Result<Self, ParamsError> {
        let bias = match bias {
            true => Some(params.weight("bias", &[shape.outputs], Init::Const(0.0))?),
            false => None,
        };
        Ok(Self {
            weight,
            bias,
            stride: 1,
            padding: 0,
            groups: shape.groups,
        })
    }

    /// Goes on by `stride` steps from output to output.
    pub fn strided(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// Puts `padding` zeros at both ends.
    pub fn padded(self, padding: i64) -> Self {
        Self { padding, ..self }
    }

    /// `x` is `[batch, in, time]`, the result `[batch, out, (time + 2 · padding - size) / stride + 1]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv1d(
            &self.weight,
            self.bias.as_ref(),
            self.stride,
            self.padding,
            1,
            self.groups,
        )
    }
}

impl Conv1dShape {
    fn weight(&self) -> [i64; 3] {
        [self.outputs, self.inputs / self.groups, self.size]
    }
}

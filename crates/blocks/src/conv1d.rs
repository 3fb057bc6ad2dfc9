//! Convolution over time.

use std::cell::OnceCell;

use sensorium_kernels::LineConv;
use tch::Tensor;

use crate::{Init, Params, ParamsError};

/// A one-dimensional convolution.
#[derive(Debug)]
pub struct Conv1d {
    weight: Weight,
    bias: Option<Tensor>,
    stride: i64,
    padding: i64,
    dilation: i64,
    groups: i64,
    /// The weight as our own kernel wants it, made when first needed; none if that cannot do it.
    line: OnceCell<Option<LineConv>>,
}

/// `[out, in / groups, size]`.
#[derive(Debug)]
enum Weight {
    Plain(Tensor),
    /// In training: one length for each step, and directions, of which the weight is made anew for each pass.
    Normed {
        lengths: Tensor,
        directions: Tensor,
    },
}

impl Weight {
    fn normed(lengths: &Tensor, directions: &Tensor) -> Tensor {
        let square = (directions * directions).sum_dim_intlist([0i64, 1].as_slice(), true, None);
        directions * (lengths / square.sqrt())
    }

    fn tensor(&self) -> Tensor {
        match self {
            Self::Plain(weight) => weight.shallow_clone(),
            Self::Normed { lengths, directions } => Self::normed(lengths, directions),
        }
    }
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
        Self::of(params, Weight::Plain(weight), shape, bias)
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
        let weight = match lengths.requires_grad() {
            true => Weight::Normed { lengths, directions },
            false => Weight::Plain(Weight::normed(&lengths, &directions)),
        };
        Self::of(params, weight, shape, bias)
    }

    /// The same from a weight that may be stored whole, or as directions and lengths, one for each output (the way of
    /// vocoders); fresh weights are whole.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn stored(params: &Params, shape: Conv1dShape, bias: bool, init: Init) -> Result<Self, ParamsError> {
        let weight = weight_by_first(params, &shape.weight(), init)?;
        Self::of(params, Weight::Plain(weight), shape, bias)
    }

    fn of(params: &Params, weight: Weight, shape: Conv1dShape, bias: bool) -> Result<Self, ParamsError> {
        let bias = match bias {
            true => Some(params.weight("bias", &[shape.outputs], Init::Const(0.0))?),
            false => None,
        };
        Ok(Self {
            weight,
            bias,
            stride: 1,
            padding: 0,
            dilation: 1,
            groups: shape.groups,
            line: OnceCell::new(),
        })
    }

    /// The same for a line of many steps, `max(x, slope · x)` of which is convolved and `add` added: in one pass where
    /// our own kernel can do it.
    pub fn forward_line(&self, x: &Tensor, slope: Option<f64>, add: Option<&Tensor>) -> Tensor {
        let line = self.line.get_or_init(|| match &self.weight {
            Weight::Plain(weight) if self.stride == 1 && self.groups == 1 && !weight.requires_grad() => {
                LineConv::new(weight, self.bias.as_ref(), self.dilation, self.padding)
            }
            _ => None,
        });
        let fast = line
            .as_ref()
            .and_then(|line| line.forward(x, slope.map(|slope| slope as f32), add));
        fast.unwrap_or_else(|| {
            let y = match slope {
                // The larger of both, as a slope is below 1.
                Some(slope) => self.forward(&x.maximum(&(x * slope))),
                None => self.forward(x),
            };
            match add {
                Some(add) => y + add,
                None => y,
            }
        })
    }

    /// The dtype of the weight.
    pub fn kind(&self) -> tch::Kind {
        self.weight.tensor().kind()
    }

    /// Goes on by `stride` steps from output to output.
    pub fn strided(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// Puts `padding` zeros at both ends.
    pub fn padded(self, padding: i64) -> Self {
        Self { padding, ..self }
    }

    /// Sees only each `dilation`th step.
    pub fn dilated(self, dilation: i64) -> Self {
        Self { dilation, ..self }
    }

    /// `x` is `[batch, in, time]`, the result of an undilated layer `[batch, out, (time + 2 · padding - size) / stride + 1]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.conv1d(
            &self.weight.tensor(),
            self.bias.as_ref(),
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
    }
}

/// A one-dimensional convolution that makes several steps of each (a transposed one).
#[derive(Debug)]
pub struct Upsample1d {
    weight: Tensor, // [in, out, size]
    bias: Tensor,
    stride: i64,
    padding: i64,
}

impl Upsample1d {
    /// A layer that makes `stride` steps of each and cuts `(size - stride) / 2` at both ends; asks `params` for `bias`
    /// and `weight`, which may be stored as directions and lengths.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(
        params: &Params,
        [inputs, outputs]: [i64; 2],
        size: i64,
        stride: i64,
        init: Init,
    ) -> Result<Self, ParamsError> {
        Ok(Self {
            weight: weight_by_first(params, &[inputs, outputs, size], init)?,
            bias: params.weight("bias", &[outputs], Init::Const(0.0))?,
            stride,
            padding: (size - stride) / 2,
        })
    }

    /// `x` is `[batch, in, time]`, the result about `[batch, out, time · stride]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let bias = Some(&self.bias);
        x.conv_transpose1d(&self.weight, bias, self.stride, self.padding, 0, 1, 1)
    }
}

/// The tensor `weight`, or what its directions and lengths give, one length for each entry of the first dimension.
fn weight_by_first(params: &Params, shape: &[i64; 3], init: Init) -> Result<Tensor, ParamsError> {
    let pairs = [
        [
            "parametrizations.weight.original0",
            "parametrizations.weight.original1",
        ],
        ["weight_g", "weight_v"],
    ];
    let stored = pairs
        .into_iter()
        .find(|[lengths, _]| params.has(lengths) == Some(true));
    let Some([lengths, directions]) = stored else {
        return params.weight("weight", shape, init);
    };
    let lengths = params.weight(lengths, &[shape[0], 1, 1], Init::Const(1.0))?;
    let directions = params.weight(directions, shape, init)?;
    let square = (&directions * &directions).sum_dim_intlist([1i64, 2].as_slice(), true, None);
    Ok(directions * (lengths / square.sqrt()))
}

impl Conv1dShape {
    /// From `inputs` channels to `outputs`, each of which sees all of them.
    pub fn new(inputs: i64, outputs: i64, size: i64) -> Self {
        Self {
            inputs,
            outputs,
            size,
            groups: 1,
        }
    }

    fn weight(&self) -> [i64; 3] {
        [self.outputs, self.inputs / self.groups, self.size]
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn a_normed_weight_is_trained_again_and_again() {
        let params = Params::fresh(3);
        let shape = Conv1dShape {
            inputs: 4,
            outputs: 4,
            size: 3,
            groups: 2,
        };
        let conv = Conv1d::weight_normed(&params, shape, true, Init::FanIn).expect("a layer");
        let x = Tensor::randn([1, 4, 9], (Kind::Float, Device::Cpu));
        let lengths = match &conv.weight {
            Weight::Normed { lengths, .. } => lengths.shallow_clone(),
            Weight::Plain(_) => panic!("fresh parameters are trained"),
        };
        for _ in 0..2 {
            let loss = conv.forward(&x).square().sum(Kind::Float);
            let grads = Tensor::run_backward(&[loss], &[&lengths], false, false);
            assert!(grads[0].abs().sum(Kind::Float).double_value(&[]) > 0.0);
        }
        let before = conv.forward(&x);
        tch::no_grad(|| {
            let _ = lengths.shallow_clone().g_add_scalar_(1.0);
        });
        assert_ne!(before, conv.forward(&x));
    }
}

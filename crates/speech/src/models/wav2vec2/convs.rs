//! The convolutions that make features of samples.

use sensorium_blocks::{
    Activation, BuildError, ConfigProblem, Conv1d, Conv1dShape, GroupNorm, LayerNorm, Params,
};
use tch::Tensor;

use super::{Config, INIT};

/// A convolution with what follows it.
#[derive(Debug)]
pub(super) struct ConvLayer {
    conv: Conv1d,
    norm: ConvNorm,
}

#[derive(Debug)]
enum ConvNorm {
    None,
    /// Each channel over all time.
    Group(GroupNorm),
    /// All channels of a step.
    Layer(LayerNorm),
}

impl ConvLayer {
    /// The layer of that number, with a window of so many inputs and the stride between two.
    pub fn new(
        config: &Config,
        at: &Params,
        number: usize,
        inputs: i64,
        outputs: i64,
        (size, stride): (i64, i64),
    ) -> Result<Self, BuildError> {
        let shape = Conv1dShape {
            inputs,
            outputs,
            size,
            groups: 1,
        };
        let conv = Conv1d::new(&(at / "conv"), shape, config.conv_bias, INIT)?.strided(stride);
        let place = &(at / "layer_norm");
        let norm = match (config.feat_extract_norm.as_str(), number) {
            ("layer", _) => ConvNorm::Layer(LayerNorm::new(place, outputs, 1e-5)?),
            ("group", 0) => ConvNorm::Group(GroupNorm::new(place, outputs, outputs, 1e-5)?),
            ("group", _) => ConvNorm::None,
            (other, _) => {
                let problem = format!("`feat_extract_norm` is `{other}`, expected `group` or `layer`");
                return Err(ConfigProblem::Other(problem).into());
            }
        };
        Ok(Self { conv, norm })
    }

    /// `x` is `[batch, channels, time]`.
    pub fn forward(&self, x: &Tensor, activation: Activation) -> Tensor {
        let x = self.conv.forward(x);
        let x = match &self.norm {
            ConvNorm::None => x,
            ConvNorm::Group(norm) => norm.forward(&x),
            ConvNorm::Layer(norm) => norm.forward(&x.transpose(1, 2)).transpose(1, 2),
        };
        activation.forward(&x)
    }
}

//! The flow between what text sounds like on average and what is heard (VITS, section 2.1.2).

use sensorium_blocks::{BuildError, Conv1d, Conv1dShape, Init, Params, ParamsError};
use tch::Tensor;

use super::Config;

const INIT: Init = Init::FanIn;

/// A step of the flow: one half of the channels is moved by what the other says.
#[derive(Debug)]
pub struct Coupling {
    first: Conv1d,
    layers: Vec<Layer>,
    speaker: Option<Conv1d>,
    last: Conv1d,
    hidden: i64,
    half: i64,
}

/// A gated convolution (WaveNet, arXiv 1609.03499).
#[derive(Debug)]
struct Layer {
    input: Conv1d,
    output: Conv1d,
}

impl Coupling {
    pub fn new(config: &Config, params: &Params) -> Result<Self, BuildError> {
        let (hidden, half) = (config.hidden_size, config.flow_size / 2);
        let count = config.prior_encoder_num_wavenet_layers;
        let conv = |name: String, inputs, outputs, size| -> Result<Conv1d, ParamsError> {
            Conv1d::stored(
                &(params / &name),
                Conv1dShape::new(inputs, outputs, size),
                true,
                INIT,
            )
        };
        let layer = |i: i64| -> Result<Layer, ParamsError> {
            let size = config.wavenet_kernel_size;
            let dilation = config.wavenet_dilation_rate.saturating_pow(i as u32);
            // The last one has nothing to hand on.
            let outputs = if i + 1 < count { 2 * hidden } else { hidden };
            let input = conv(format!("wavenet.in_layers.{i}"), hidden, 2 * hidden, size)?;
            Ok(Layer {
                input: input.dilated(dilation).padded((size - 1) * dilation / 2),
                output: conv(format!("wavenet.res_skip_layers.{i}"), hidden, outputs, 1)?,
            })
        };
        Ok(Self {
            first: conv("conv_pre".to_string(), half, hidden, 1)?,
            layers: (0..count).map(layer).collect::<Result<_, _>>()?,
            speaker: match config.speaker_embedding_size {
                0 => None,
                features => Some(conv(
                    "wavenet.cond_layer".to_string(),
                    features,
                    2 * hidden * count,
                    1,
                )?),
            },
            last: conv("conv_post".to_string(), hidden, half, 1)?,
            hidden,
            half,
        })
    }

    /// The way from text to sound; `x` is `[1, 2 · half, frames]`.
    pub fn reverse(&self, x: &Tensor, speaker: Option<&Tensor>) -> Tensor {
        let [first, second] = [0, self.half].map(|from| x.narrow(1, from, self.half));
        let told = self
            .speaker
            .as_ref()
            .zip(speaker)
            .map(|(layer, speaker)| layer.forward(speaker));
        let mut x = self.first.forward(&first);
        let mut sum: Option<Tensor> = None;
        for (i, layer) in (0..).zip(&self.layers) {
            let mut inner = layer.input.forward_line(&x, None, None);
            if let Some(told) = &told {
                inner += told.narrow(1, i * 2 * self.hidden, 2 * self.hidden);
            }
            let halves = inner.chunk(2, 1);
            let y = layer
                .output
                .forward_line(&(halves[0].tanh() * halves[1].sigmoid()), None, None);
            let last = y.size()[1] == self.hidden;
            let skip = y.narrow(1, if last { 0 } else { self.hidden }, self.hidden);
            if !last {
                x += y.narrow(1, 0, self.hidden);
            }
            sum = Some(match sum {
                Some(sum) => sum + skip,
                None => skip,
            });
        }
        let mean = self.last.forward(&sum.unwrap_or(x));
        Tensor::cat(&[first, second - mean], 1)
    }
}

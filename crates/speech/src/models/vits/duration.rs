//! How long each token is said: drawn from a flow, or guessed.

use sensorium_blocks::{BuildError, Conv1d, Conv1dShape, Init, LayerNorm, Params, ParamsError};
use tch::{Kind, Tensor};

use super::{Config, spline};

const INIT: Init = Init::FanIn;

/// Gives the logarithm of each token's length in frames.
#[derive(Debug)]
pub enum Durations {
    /// Drawn (VITS, section 2.2.2).
    Drawn(Box<Drawn>),
    /// The same each time.
    Guessed(Box<Guessed>),
}

impl Durations {
    pub fn new(config: &Config, params: &Params) -> Result<Self, BuildError> {
        Ok(match config.use_stochastic_duration_prediction {
            true => Self::Drawn(Box::new(Drawn::new(config, params)?)),
            false => Self::Guessed(Box::new(Guessed::new(config, params)?)),
        })
    }

    /// `[1, 1, tokens]` from the encoder's states `[1, hidden, tokens]` and `noise` `[1, 2, tokens]`, if the lengths are
    /// drawn.
    pub fn forward(&self, states: &Tensor, speaker: Option<&Tensor>, noise: &Tensor) -> Tensor {
        match self {
            Self::Drawn(drawn) => drawn.forward(states, speaker, noise),
            Self::Guessed(guessed) => guessed.forward(states, speaker),
        }
    }
}

fn point(params: &Params, inputs: i64, outputs: i64) -> Result<Conv1d, ParamsError> {
    Conv1d::stored(params, Conv1dShape::new(inputs, outputs, 1), true, INIT)
}

/// A layer for what tells the speaker, where there are several.
fn speaker_layer(config: &Config, params: &Params) -> Result<Option<Conv1d>, ParamsError> {
    match config.speaker_embedding_size {
        0 => Ok(None),
        features => point(&(params / "cond"), features, config.hidden_size).map(Some),
    }
}

fn told(states: Tensor, layer: Option<&Conv1d>, speaker: Option<&Tensor>) -> Tensor {
    match (layer, speaker) {
        (Some(layer), Some(speaker)) => states + layer.forward(speaker),
        _ => states,
    }
}

/// A norm over the channels of `[batch, channels, steps]`.
fn normed(norm: &LayerNorm, x: &Tensor) -> Tensor {
    norm.forward(&x.transpose(1, 2)).transpose(1, 2)
}

#[derive(Debug)]
pub struct Drawn {
    first: Conv1d,
    speaker: Option<Conv1d>,
    convs: SeparableConvs,
    second: Conv1d,
    affine: [Tensor; 2], // translate and log scale, [2, 1]
    flows: Vec<ConvFlow>,
}

impl Drawn {
    fn new(config: &Config, params: &Params) -> Result<Self, BuildError> {
        let hidden = config.hidden_size;
        let vector = |name| params.weight(name, &[config.depth_separable_channels, 1], Init::Const(0.0));
        let drawn = Self {
            first: point(&(params / "conv_pre"), hidden, hidden)?,
            speaker: speaker_layer(config, params)?,
            convs: SeparableConvs::new(config, &(params / "conv_dds"))?,
            second: point(&(params / "conv_proj"), hidden, hidden)?,
            affine: [vector("flows.0.translate")?, vector("flows.0.log_scale")?],
            flows: (1..=config.duration_predictor_num_flows)
                .map(|i| ConvFlow::new(config, &(params / &format!("flows.{i}"))))
                .collect::<Result<_, _>>()?,
        };
        Ok(drawn)
    }

    fn forward(&self, states: &Tensor, speaker: Option<&Tensor>, noise: &Tensor) -> Tensor {
        let x = told(self.first.forward(states), self.speaker.as_ref(), speaker);
        let told = self.second.forward(&self.convs.forward(&x, None));
        // Backwards, without the first of them, which training needs alone.
        let mut latents = noise.shallow_clone();
        for flow in self.flows.iter().skip(1).rev() {
            latents = flow.reverse(&latents.flip(1i64), &told);
        }
        let [translate, log_scale] = &self.affine;
        let latents = (latents.flip(1i64) - translate) * log_scale.neg().exp();
        latents.narrow(1, 0, 1)
    }
}

/// Convolutions of each channel by itself, farther and farther apart, and of all channels at a point.
#[derive(Debug)]
struct SeparableConvs {
    layers: Vec<SeparableConv>,
}

#[derive(Debug)]
struct SeparableConv {
    spread: Conv1d,
    first_norm: LayerNorm,
    point: Conv1d,
    second_norm: LayerNorm,
}

impl SeparableConvs {
    fn new(config: &Config, params: &Params) -> Result<Self, ParamsError> {
        let (hidden, size) = (config.hidden_size, config.duration_predictor_kernel_size);
        let layer = |i: u32| {
            let dilation = size.saturating_pow(i);
            let shape = Conv1dShape {
                groups: hidden,
                ..Conv1dShape::new(hidden, hidden, size)
            };
            let spread = Conv1d::stored(&(params / &format!("convs_dilated.{i}")), shape, true, INIT)?;
            Ok(SeparableConv {
                spread: spread.dilated(dilation).padded((size - 1) * dilation / 2),
                first_norm: LayerNorm::new(&(params / &format!("norms_1.{i}")), hidden, 1e-5)?,
                point: point(&(params / &format!("convs_pointwise.{i}")), hidden, hidden)?,
                second_norm: LayerNorm::new(&(params / &format!("norms_2.{i}")), hidden, 1e-5)?,
            })
        };
        Ok(Self {
            layers: (0..config.depth_separable_num_layers)
                .map(layer)
                .collect::<Result<_, _>>()?,
        })
    }

    fn forward(&self, x: &Tensor, told: Option<&Tensor>) -> Tensor {
        let mut x = match told {
            Some(told) => x + told,
            None => x.shallow_clone(),
        };
        for layer in &self.layers {
            let y = normed(&layer.first_norm, &layer.spread.forward(&x)).gelu("none");
            let y = normed(&layer.second_norm, &layer.point.forward(&y)).gelu("none");
            x += y;
        }
        x
    }
}

/// A step of the flow: one half bends the other.
#[derive(Debug)]
struct ConvFlow {
    first: Conv1d,
    convs: SeparableConvs,
    last: Conv1d,
    half: i64,
    bins: i64,
    bound: f64,
    scale: f64,
}

impl ConvFlow {
    fn new(config: &Config, params: &Params) -> Result<Self, ParamsError> {
        let (hidden, bins) = (config.hidden_size, config.duration_predictor_flow_bins);
        let half = config.depth_separable_channels / 2;
        Ok(Self {
            first: point(&(params / "conv_pre"), half, hidden)?,
            convs: SeparableConvs::new(config, &(params / "conv_dds"))?,
            last: point(&(params / "conv_proj"), hidden, half * (3 * bins - 1))?,
            half,
            bins,
            bound: config.duration_predictor_tail_bound,
            scale: (hidden as f64).sqrt().recip(),
        })
    }

    /// `latents` is `[1, 2 · half, tokens]`.
    fn reverse(&self, latents: &Tensor, told: &Tensor) -> Tensor {
        let [first, second] = [0, self.half].map(|from| latents.narrow(1, from, self.half));
        let x = self
            .last
            .forward(&self.convs.forward(&self.first.forward(&first), Some(told)));
        let size = first.size();
        let x = x.reshape([size[0], size[1], -1, size[2]]).permute([0, 1, 3, 2]);
        let widths = x.narrow(-1, 0, self.bins) * self.scale;
        let heights = x.narrow(-1, self.bins, self.bins) * self.scale;
        let slopes = x.narrow(-1, 2 * self.bins, self.bins - 1);
        let second = spline::inverse(&second, &widths, &heights, &slopes, self.bound);
        Tensor::cat(&[first, second], 1)
    }
}

#[derive(Debug)]
pub struct Guessed {
    speaker: Option<Conv1d>,
    layers: Vec<(Conv1d, LayerNorm)>,
    last: Conv1d,
}

impl Guessed {
    fn new(config: &Config, params: &Params) -> Result<Self, BuildError> {
        let (size, inner) = (
            config.duration_predictor_kernel_size,
            config.duration_predictor_filter_channels,
        );
        let layer = |i: i64, inputs| -> Result<_, ParamsError> {
            let shape = Conv1dShape::new(inputs, inner, size);
            let conv = Conv1d::stored(&(params / &format!("conv_{i}")), shape, true, INIT)?;
            let norm = LayerNorm::new(&(params / &format!("norm_{i}")), inner, config.layer_norm_eps)?;
            Ok((conv.padded(size / 2), norm))
        };
        Ok(Self {
            speaker: speaker_layer(config, params)?,
            layers: vec![layer(1, config.hidden_size)?, layer(2, inner)?],
            last: point(&(params / "proj"), inner, 1)?,
        })
    }

    fn forward(&self, states: &Tensor, speaker: Option<&Tensor>) -> Tensor {
        let mut x = told(states.shallow_clone(), self.speaker.as_ref(), speaker);
        for (conv, norm) in &self.layers {
            x = normed(norm, &conv.forward(&x).relu());
        }
        self.last.forward(&x)
    }
}

/// Frames of each token, from the logarithms of lengths `[1, 1, tokens]`; at least one frame in all.
pub fn frames(log_lengths: &Tensor, rate: f64) -> Tensor {
    const LONGEST: f64 = 1e6; // what is no number has no length, either
    (log_lengths.to_kind(Kind::Float).exp() / rate)
        .ceil()
        .nan_to_num(0.0, LONGEST, 0.0)
        .clamp_max(LONGEST)
        .flatten(0, -1)
}

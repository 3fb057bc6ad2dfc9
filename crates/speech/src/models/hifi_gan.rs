//! HiFi-GAN's generator (arXiv 2010.05646): spectrograms to samples.

use sensorium_blocks::{BuildError, ConfigProblem, Conv1d, Conv1dShape, Init, Params, Upsample1d, size};
use serde::Deserialize;
use serde_json::Value;
use tch::{Kind, Tensor};

/// Spelled as in the published `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    upsample_initial_channel: i64,
    upsample_rates: Vec<i64>,
    upsample_kernel_sizes: Vec<i64>,
    resblock_kernel_sizes: Vec<i64>,
    resblock_dilation_sizes: Vec<Vec<i64>>,
    #[serde(default = "slope")]
    leaky_relu_slope: f64,
}

fn slope() -> f64 {
    0.1
}

/// What differs between the models that have this network.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// Channels of the spectrogram.
    pub inputs: i64,
    /// Features of a speaker; 0 if all sound the same.
    pub speaker: i64,
    /// The last layer has a bias.
    pub last_bias: bool,
}

/// The generator.
#[derive(Debug)]
pub struct HifiGan {
    first: Conv1d,
    speaker: Option<Conv1d>,
    stages: Vec<Stage>,
    last: Conv1d,
    slope: f64,
    hop: i64,
    kind: Kind,
}

/// More samples, then several residual blocks side by side.
#[derive(Debug)]
struct Stage {
    upsample: Upsample1d,
    blocks: Vec<Vec<[Conv1d; 2]>>,
}

const INIT: Init = Init::FanIn;

impl HifiGan {
    /// Builds the network that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params, variant: Variant) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        let pairs = |a: usize, b: usize, problem: &str| match a == b && a > 0 {
            true => Ok(()),
            false => Err(ConfigProblem::Other(problem.to_string())),
        };
        pairs(
            config.upsample_rates.len(),
            config.upsample_kernel_sizes.len(),
            "`upsample_rates` and `upsample_kernel_sizes` must have as many entries",
        )?;
        pairs(
            config.resblock_kernel_sizes.len(),
            config.resblock_dilation_sizes.len(),
            "`resblock_kernel_sizes` and `resblock_dilation_sizes` must have as many entries",
        )?;
        let channels = size(
            "upsample_initial_channel",
            config.upsample_initial_channel,
            1 << 14,
        )?;
        let wide = |name: &str, inputs, outputs, bias| {
            Conv1d::stored(&(params / name), Conv1dShape::new(inputs, outputs, 7), bias, INIT)
                .map(|conv| conv.padded(3))
        };
        let first = wide("conv_pre", variant.inputs, channels, true)?;
        let speaker = match variant.speaker {
            0 => None,
            features => {
                let shape = Conv1dShape::new(features, channels, 1);
                Some(Conv1d::stored(&(params / "cond"), shape, true, INIT)?)
            }
        };
        let mut stages: Vec<Stage> = Vec::new();
        let mut width = channels;
        for (i, (&rate, &kernel)) in
            std::iter::zip(&config.upsample_rates, &config.upsample_kernel_sizes).enumerate()
        {
            let rate = size("upsample_rates", rate, 1 << 10)?;
            let kernel = size("upsample_kernel_sizes", kernel, 1 << 12)?;
            if kernel < rate || width % 2 != 0 {
                let problem = "an upsampling kernel is smaller than its rate, or the channels cannot be halved so often";
                return Err(ConfigProblem::Other(problem.to_string()).into());
            }
            let at = &(params / &format!("upsampler.{i}"));
            let upsample = Upsample1d::new(at, [width, width / 2], kernel, rate, INIT)?;
            width /= 2;
            let kinds = config
                .resblock_kernel_sizes
                .iter()
                .zip(&config.resblock_dilation_sizes);
            let first = i * config.resblock_kernel_sizes.len();
            let blocks = kinds
                .enumerate()
                .map(|(j, (&kernel, dilations))| {
                    let at = &(params / &format!("resblocks.{}", first + j));
                    residual(
                        at,
                        width,
                        size("resblock_kernel_sizes", kernel, 1 << 10)?,
                        dilations,
                    )
                })
                .collect::<Result<_, BuildError>>()?;
            stages.push(Stage { upsample, blocks });
        }
        let last = wide("conv_post", width, 1, variant.last_bias)?;
        Ok(Self {
            kind: first.kind(),
            first,
            speaker,
            stages,
            last,
            slope: config.leaky_relu_slope,
            hop: config.upsample_rates.iter().product(),
        })
    }

    /// Samples of a frame.
    pub fn hop(&self) -> i64 {
        self.hop
    }

    /// Samples `[batch, frames · hop]` of which 1 is the loudest, from a spectrogram `[batch, channels, frames]` and,
    /// where speakers sound differently, one `[batch, features, 1]`.
    pub fn forward(&self, spectrogram: &Tensor, speaker: Option<&Tensor>) -> Tensor {
        let mut x = self
            .first
            .forward_line(&spectrogram.to_kind(self.kind), None, None);
        if let (Some(layer), Some(speaker)) = (&self.speaker, speaker) {
            x += layer.forward(speaker);
        }
        for stage in &self.stages {
            let up = stage.upsample.forward(&leaky(&x, self.slope));
            let slope = Some(self.slope);
            let through = |block: &Vec<[Conv1d; 2]>| {
                block.iter().fold(up.shallow_clone(), |x, [first, second]| {
                    let y = first.forward_line(&x, slope, None);
                    second.forward_line(&y, slope, Some(&x))
                })
            };
            let sum = stage.blocks.iter().map(through).reduce(|a, b| a + b);
            x = sum.unwrap_or(up) / stage.blocks.len() as f64;
        }
        // The reference leaves the slope of the last one at PyTorch's own.
        self.last
            .forward_line(&x, Some(0.01), None)
            .tanh()
            .squeeze_dim(1)
            .to_kind(Kind::Float)
    }
}

fn leaky(x: &Tensor, slope: f64) -> Tensor {
    // x · slope where it is negative: the larger of both, as the slope is below 1.
    x.maximum(&(x * slope))
}

fn residual(at: &Params, width: i64, kernel: i64, dilations: &[i64]) -> Result<Vec<[Conv1d; 2]>, BuildError> {
    if kernel % 2 == 0 {
        let problem = format!("`resblock_kernel_sizes` has {kernel}, expected odd numbers");
        return Err(ConfigProblem::Other(problem).into());
    }
    let conv = |name: String, dilation: i64| -> Result<Conv1d, BuildError> {
        let dilation = size("resblock_dilation_sizes", dilation, 1 << 10)?;
        let conv = Conv1d::stored(&(at / &name), Conv1dShape::new(width, width, kernel), true, INIT)?;
        Ok(conv.dilated(dilation).padded((kernel - 1) * dilation / 2))
    };
    let pair = |(i, &dilation): (usize, &i64)| {
        Ok([
            conv(format!("convs1.{i}"), dilation)?,
            conv(format!("convs2.{i}"), 1)?,
        ])
    };
    dilations.iter().enumerate().map(pair).collect()
}

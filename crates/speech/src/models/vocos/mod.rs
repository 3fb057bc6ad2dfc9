//! A vocoder that works on spectra: ConvNeXt blocks over frames, the inverse Fourier transform at the end (Vocos, arXiv
//! 2306.00814).
//!
//! Vocos guesses sizes and phases of all bins, which takes an adversary to learn. Here the network guesses the pitch and
//! filters for a source of pulses and for one of noise (Wang et al., arXiv 1904.12088), so that phases follow from the
//! pitch and plain spectral losses are enough.

mod source;

use sensorium_blocks::{
    Activation, BuildError, ConfigProblem, Conv1d, Conv1dShape, Init, LayerNorm, Linear, Params, ParamsError,
    divide, size,
};
use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::features::MelShape;
pub use source::pulses;

/// The `model_type` of the network.
pub const MODEL_TYPE: &str = "source_filter_vocos";

/// `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    hidden_size: i64,
    intermediate_size: i64,
    num_hidden_layers: i64,
    kernel_size: i64,
    n_fft: i64,
    hop_length: i64,
    mel: MelShape,
}

/// The network.
#[derive(Debug)]
pub struct SourceFilter {
    first: Conv1d,
    norm: LayerNorm,
    blocks: Vec<ConvNext>,
    last_norm: LayerNorm,
    last: Linear,
    /// What a spectrogram itself tells of the bins, `[mels, bins]`.
    envelope: Tensor,
    window: Tensor,
    fft: i64,
    hop: i64,
    mel: MelShape,
}

/// What the network guesses of each frame.
#[derive(Debug)]
pub struct Filters {
    /// Of the pulses: logarithm of the size and phase, `[batch, short frames, bins]`.
    pub voice: [Tensor; 2],
    /// Of the noise: logarithm of the size, `[batch, short frames, bins]`.
    pub noise: Tensor,
    /// Logarithm of the pitch over 100 Hz, `[batch, frames]`.
    pub pitch: Tensor,
    /// Above zero where there is a pitch, `[batch, frames]`.
    pub voiced: Tensor,
}

const INIT: Init = Init::Normal { std: 0.02 };

/// Sizes grow no further than this, as a logarithm.
const LOUDEST: f64 = 5.0;

/// Of logarithms of the pitch, in Hz.
pub const MIDDLE_PITCH: f64 = 100.0;

impl SourceFilter {
    /// Builds the network that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        config.mel.check()?;
        let hidden = size("hidden_size", config.hidden_size, 1 << 14)?;
        let inner = size("intermediate_size", config.intermediate_size, 1 << 16)?;
        let layers = size("num_hidden_layers", config.num_hidden_layers, 1 << 8)?;
        let kernel = size("kernel_size", config.kernel_size, 1 << 8)?;
        let fft = size("n_fft", config.n_fft, 1 << 14)?;
        let hop = size("hop_length", config.hop_length, fft)?;
        let problem = |problem: &str| Err(ConfigProblem::Other(problem.to_string()).into());
        if kernel % 2 == 0 {
            return problem("`kernel_size` is even, expected an odd number");
        }
        if fft % 2 != 0 || fft < 2 * hop {
            return problem("`n_fft` must be even and at least twice `hop_length`");
        }
        let short = divide(("mel.hop", config.mel.hop), ("hop_length", hop))?;
        let bins = fft / 2 + 1;
        let mels = config.mel.bands as i64;
        let backbone = &(params / "backbone");
        let embed = Conv1dShape::new(mels, hidden, kernel);
        Ok(Self {
            first: Conv1d::new(&(backbone / "embed"), embed, true, INIT)?.padded(kernel / 2),
            norm: LayerNorm::new(&(backbone / "norm"), hidden, 1e-6)?,
            blocks: (0..layers)
                .map(|i| {
                    let at = &(backbone / &format!("convnext.{i}"));
                    ConvNext::new(at, [hidden, inner, kernel], 1.0 / layers as f64)
                })
                .collect::<Result<_, _>>()?,
            last_norm: LayerNorm::new(&(backbone / "final_layer_norm"), hidden, 1e-6)?,
            last: Linear::new(&(params / "head.out"), hidden, short * bins * 3 + 2, INIT)?,
            envelope: source::envelope(&config.mel, bins).to_device(params.device()),
            window: Tensor::hann_window(fft, (Kind::Float, params.device())),
            fft,
            hop,
            mel: config.mel,
        })
    }

    /// The spectrograms that it makes sound of.
    pub fn mel(&self) -> &MelShape {
        &self.mel
    }

    /// What is guessed from spectrograms `[batch, frames, mels]`.
    pub fn filters(&self, spectrogram: &Tensor) -> Filters {
        let x = spectrogram.to_kind(self.first.kind());
        let mut y = self.first.forward(&x.transpose(1, 2)).transpose(1, 2);
        y = self.norm.forward(&y);
        for block in &self.blocks {
            y = block.forward(&y);
        }
        let y = self
            .last
            .forward(&self.last_norm.forward(&y))
            .to_kind(Kind::Float);
        let (batch, frames) = (y.size()[0], y.size()[1]);
        let short = self.mel.hop / self.hop;
        let bins = self.fft / 2 + 1;
        // Whatever the network adds, sizes begin with what the spectrogram tells.
        let told = (x.to_kind(Kind::Float) * self.mel.base.ln()).matmul(&self.envelope);
        let told = told.unsqueeze(2).expand([-1, -1, short, -1], false).flatten(1, 2);
        let parts = y
            .narrow(2, 0, short * bins * 3)
            .reshape([batch, frames * short, 3, bins]);
        let rest = y.narrow(2, short * bins * 3, 2);
        Filters {
            voice: [
                (parts.select(2, 0) + &told).clamp_max(LOUDEST),
                parts.select(2, 1),
            ],
            noise: (parts.select(2, 2) + told).clamp_max(LOUDEST),
            pitch: rest.select(2, 0),
            voiced: rest.select(2, 1),
        }
    }

    /// Samples `[batch, frames · hop]` of filtered `pulses`, of that shape, and of noise.
    pub fn sound(&self, filters: &Filters, pulses: &Tensor) -> Tensor {
        let length = pulses.size()[1];
        let noise = Tensor::randn_like(pulses);
        let [size, phase] = &filters.voice;
        let voice = Tensor::polar(&size.exp(), phase) * self.spectrum(pulses);
        let rest = self.spectrum(&noise) * filters.noise.exp();
        (voice + rest).transpose(1, 2).istft(
            self.fft,
            self.hop,
            self.fft,
            Some(&self.window),
            true,
            false,
            true,
            length,
            false,
        )
    }

    /// Complex, `[batch, short frames, bins]`.
    fn spectrum(&self, samples: &Tensor) -> Tensor {
        let half = self.fft / 2;
        let padded = samples.unsqueeze(1).constant_pad_nd([half, half]).squeeze_dim(1);
        let found = padded.stft(
            self.fft,
            self.hop,
            self.fft,
            Some(&self.window),
            false,
            true,
            true,
            false,
        );
        found.transpose(1, 2).narrow(1, 0, samples.size()[1] / self.hop)
    }

    /// Samples `[frames · hop]`, of which 1 is the loudest, for a spectrogram `[frames, mels]`.
    pub fn samples(&self, spectrogram: &Tensor) -> Tensor {
        let filters = self.filters(&spectrogram.unsqueeze(0));
        let pitch = filters.pitch.exp() * MIDDLE_PITCH;
        let voiced = filters.voiced.gt(0.0);
        let pulses = pulses(&pitch, &voiced, self.mel.hop, self.mel.rate);
        self.sound(&filters, &pulses).squeeze_dim(0)
    }

    /// Where the network is.
    pub fn device(&self) -> Device {
        self.window.device()
    }
}

/// A ConvNeXt block over time (arXiv 2201.03545).
#[derive(Debug)]
struct ConvNext {
    depthwise: Conv1d,
    norm: LayerNorm,
    wide: Linear,
    narrow: Linear,
    scale: Tensor,
}

impl ConvNext {
    fn new(params: &Params, [hidden, inner, kernel]: [i64; 3], scale: f64) -> Result<Self, ParamsError> {
        let shape = Conv1dShape {
            inputs: hidden,
            outputs: hidden,
            size: kernel,
            groups: hidden,
        };
        Ok(Self {
            depthwise: Conv1d::new(&(params / "dwconv"), shape, true, INIT)?.padded(kernel / 2),
            norm: LayerNorm::new(&(params / "norm"), hidden, 1e-6)?,
            wide: Linear::new(&(params / "pwconv1"), hidden, inner, INIT)?,
            narrow: Linear::new(&(params / "pwconv2"), inner, hidden, INIT)?,
            scale: params.weight("gamma", &[hidden], Init::Const(scale))?,
        })
    }

    /// `x` is `[batch, frames, hidden]`, and so is the result.
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = self.depthwise.forward(&x.transpose(1, 2)).transpose(1, 2);
        let y = Activation::Gelu.forward(&self.wide.forward(&self.norm.forward(&y)));
        x + self.narrow.forward(&y) * &self.scale
    }
}

//! From spectrograms to samples.

use sensorium_blocks::{BuildError, ConfigProblem, Init, Params};
use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::models::hifi_gan::{HifiGan, Variant};
use crate::models::vocos::{self, SourceFilter};

/// Makes sound of a spectrogram.
pub trait Vocoder: std::fmt::Debug + Send {
    /// Samples `[frames · hop]`, of which 1 is the loudest, for a spectrogram `[frames, bands]` of the kind that the
    /// vocoder was made for.
    fn samples(&self, spectrogram: &Tensor) -> Tensor;

    /// Samples per second, in Hz.
    fn rate(&self) -> u32;

    /// Bands of a frame.
    fn bands(&self) -> i64;

    /// Samples from frame to frame.
    fn hop(&self) -> i64;
}

/// Opens a vocoder of any family.
///
/// # Errors
/// If a file is missing or damaged, it is another model, the configuration makes no sense, or tensors are missing,
/// misshapen or left over.
pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Box<dyn Vocoder>, Error> {
    let config = model.config()?;
    match config.get("model_type").and_then(Value::as_str) {
        Some(vocos::MODEL_TYPE) => Ok(Box::new(SourceFilterVocoder::open(model, device, kind)?)),
        _ => Ok(Box::new(HifiGanVocoder::open(model, device, kind)?)),
    }
}

/// The network of [`SourceFilter`] with a folder and a configuration of its own.
#[derive(Debug)]
pub struct SourceFilterVocoder {
    network: SourceFilter,
}

impl SourceFilterVocoder {
    /// Opens a checkpoint.
    ///
    /// # Errors
    /// If a file is missing or damaged, the configuration makes no sense, or tensors are missing, misshapen or left
    /// over.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let params = Params::stored(model.weights()?)
            .on(device)
            .of_kind(kind.unwrap_or(Kind::Float));
        let vocoder = Self::new(&model.config()?, &params).map_err(|error| Error::building(model, error))?;
        params.check_all_used()?;
        Ok(vocoder)
    }

    /// Builds the one that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        Ok(Self {
            network: SourceFilter::new(config, params)?,
        })
    }
}

impl Vocoder for SourceFilterVocoder {
    fn samples(&self, spectrogram: &Tensor) -> Tensor {
        tch::no_grad(|| {
            self.network
                .samples(&spectrogram.to_device(self.network.device()))
        })
    }

    fn rate(&self) -> u32 {
        self.network.mel().rate
    }

    fn bands(&self) -> i64 {
        self.network.mel().bands as i64
    }

    fn hop(&self) -> i64 {
        self.network.mel().hop
    }
}

/// HiFi-GAN as SpeechT5 and FastSpeech2-Conformer have it, with a folder and a configuration of its own.
#[derive(Debug)]
pub struct HifiGanVocoder {
    network: HifiGan,
    /// Mean and spread of each band, if spectrograms are brought to a common level first.
    level: Option<[Tensor; 2]>,
    bands: i64,
    rate: u32,
    device: Device,
}

impl HifiGanVocoder {
    /// The families' names in `config.json`.
    pub const MODEL_TYPES: [&'static str; 3] =
        ["speecht5_hifigan", "fastspeech2_conformer_hifigan", "hifigan"];

    /// Opens a checkpoint.
    ///
    /// # Errors
    /// If a file is missing or damaged, it is another model, the configuration makes no sense, or tensors are missing,
    /// misshapen or left over.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let config = model.config()?;
        let found = config
            .get("model_type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !Self::MODEL_TYPES.contains(&found) {
            return Err(Error::ModelType {
                model: model.to_string(),
                found: found.to_string(),
                task: "making sound of spectrograms",
                known: Self::MODEL_TYPES.join(", "),
            });
        }
        let mut params = Params::stored(model.weights()?).on(device);
        if let Some(kind) = kind {
            params = params.of_kind(kind);
        }
        let vocoder = Self::new(&config, &params, device).map_err(|error| Error::building(model, error))?;
        params.check_all_used_but(|name| ["mean", "scale"].contains(&name))?;
        Ok(vocoder)
    }

    /// Builds the one that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params, device: Device) -> Result<Self, BuildError> {
        let number = |name: &str, default: i64| config.get(name).and_then(Value::as_i64).unwrap_or(default);
        let bands = sensorium_blocks::size("model_in_dim", number("model_in_dim", 80), 1 << 10)?;
        // SpeechT5's says its rate; ESPnet's are of LJ Speech.
        let usual = match config.get("model_type").and_then(Value::as_str) {
            Some("fastspeech2_conformer_hifigan" | "hifigan") => 22_050,
            _ => 16_000,
        };
        let rate = u32::try_from(number("sampling_rate", usual))
            .ok()
            .filter(|rate| (1_000..=384_000).contains(rate));
        let rate = rate.ok_or_else(|| ConfigProblem::Other("`sampling_rate` makes no sense".to_string()))?;
        let variant = Variant {
            inputs: bands,
            speaker: 0,
            last_bias: true,
        };
        let level = match config.get("normalize_before") {
            Some(Value::Bool(false)) => None,
            _ => Some([
                params.buffer("mean", &[bands], Init::Const(0.0))?,
                params.buffer("scale", &[bands], Init::Const(1.0))?,
            ]),
        };
        Ok(Self {
            network: HifiGan::new(config, params, variant)?,
            level,
            bands,
            rate,
            device,
        })
    }
}

impl Vocoder for HifiGanVocoder {
    fn samples(&self, spectrogram: &Tensor) -> Tensor {
        let x = spectrogram.to_device(self.device);
        let x = match &self.level {
            Some([mean, scale]) => (x - mean) / scale,
            None => x,
        };
        tch::no_grad(|| {
            self.network
                .forward(&x.transpose(0, 1).unsqueeze(0), None)
                .squeeze_dim(0)
        })
    }

    fn rate(&self) -> u32 {
        self.rate
    }

    fn bands(&self) -> i64 {
        self.bands
    }

    fn hop(&self) -> i64 {
        self.network.hop()
    }
}

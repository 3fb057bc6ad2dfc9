//! From samples to what models take, each equal to its reference.
//!
//! [`Extractor::open`] reads a checkpoint's `preprocessor_config.json`. Shapes: `[batch, samples]` for models of
//! waveforms, `[batch, mels, frames]` for Whisper, `[batch, frames, mels]` for AST and wav2vec2-BERT.

mod ast;
mod filter_bank;
mod mel;
mod mel_shape;
pub mod pitch;
mod spectrogram;
mod spectrum;
mod waveform;
mod whisper;

use sensorium_blocks::ConfigProblem;
use sensorium_hub::Model;
use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use crate::error::Error;

pub use ast::AstFeatures;
pub use filter_bank::FilterBank;
pub(crate) use mel::Bank;
pub use mel::{MelNorm, MelScale, Mels};
pub use mel_shape::MelShape;
pub use spectrogram::{Samples, Spectrogram, SpectrogramParts, WholeSpectrogram};
pub use spectrum::{Frames, Padding, Spectrum, Window};
pub use waveform::Waveform;
pub use whisper::WhisperFeatures;

const FILE: &str = "preprocessor_config.json";

/// What turns samples into a model's input.
#[derive(Debug, Clone)]
pub enum Extractor {
    /// Waveforms, normalised (wav2vec2, HuBERT, WavLM).
    Waveform(Waveform),
    /// Whisper's mel spectrogram.
    Whisper(WhisperFeatures),
    /// AST's filter banks.
    Ast(AstFeatures),
    /// Filter banks, normalised (wav2vec2-BERT).
    FilterBank(FilterBank),
}

/// A batch that a model takes.
#[derive(Debug)]
pub struct Features {
    /// `f32`, of the shape that the extractor's kind has.
    pub values: Tensor,
    /// One where there is sound, zero at padding, `[batch, samples]` (Whisper: `[batch, frames]`), if the model
    /// wants to know.
    pub mask: Option<Tensor>,
}

impl Extractor {
    /// The extractor that belongs to `model`.
    ///
    /// # Errors
    /// If `preprocessor_config.json` is missing, names another kind, or makes no sense.
    pub fn open(model: &Model) -> Result<Self, Error> {
        let config: Value = model.json_as(FILE)?;
        Self::of(&config).map_err(|problem| Error::in_file(model, FILE, problem))
    }

    /// The extractor that a `preprocessor_config.json` describes.
    ///
    /// # Errors
    /// If it is of another kind, or makes no sense.
    pub fn of(config: &Value) -> Result<Self, ConfigProblem> {
        let kind = config.get("feature_extractor_type").and_then(Value::as_str);
        match kind.unwrap_or("Wav2Vec2FeatureExtractor") {
            "Wav2Vec2FeatureExtractor" => Ok(Self::Waveform(Waveform::deserialize(config)?)),
            "WhisperFeatureExtractor" => {
                let features = WhisperFeatures::deserialize(config)?;
                features.check()?;
                Ok(Self::Whisper(features))
            }
            "SeamlessM4TFeatureExtractor" => {
                let features = FilterBank::deserialize(config)?;
                features.check()?;
                Ok(Self::FilterBank(features))
            }
            "ASTFeatureExtractor" => {
                let features = AstFeatures::deserialize(config)?;
                features.check()?;
                Ok(Self::Ast(features))
            }
            other => Err(ConfigProblem::Other(format!(
                "feature_extractor_type `{other}` is not supported; supported: ASTFeatureExtractor, \
                 SeamlessM4TFeatureExtractor, Wav2Vec2FeatureExtractor, WhisperFeatureExtractor"
            ))),
        }
    }

    /// The rate that samples must have, in Hz.
    pub fn rate(&self) -> u32 {
        match self {
            Self::Waveform(features) => features.sampling_rate,
            Self::Whisper(features) => features.sampling_rate,
            Self::Ast(features) => features.sampling_rate,
            Self::FilterBank(features) => features.sampling_rate,
        }
    }

    /// The input for recordings of one channel at [`rate`](Self::rate); shorter ones are padded.
    pub fn features(&self, recordings: &[Vec<f32>]) -> Features {
        match self {
            Self::Waveform(features) => features.features(recordings),
            Self::Whisper(features) => features.windows(recordings),
            Self::Ast(features) => features.features(recordings),
            Self::FilterBank(features) => features.features(recordings),
        }
    }
}

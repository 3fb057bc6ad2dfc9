//! The encoders that turn a recording into states, whichever family they are of.

use sensorium_blocks::{BuildError, ConfigProblem, Params};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{wav2vec2, wav2vec2_bert};
use crate::features::{Extractor, Features};

/// The `model_type`s that [`SpeechEncoder`] builds.
pub const MODEL_TYPES: &[&str] = &["hubert", "wav2vec2", "wav2vec2-bert", "wavlm"];

/// Hears recordings: features, and a network that makes them states.
#[derive(Debug)]
pub struct SpeechEncoder {
    network: Network,
    extractor: Extractor,
}

#[derive(Debug)]
enum Network {
    Samples(Box<wav2vec2::Encoder>),
    Bands(wav2vec2_bert::Encoder),
}

/// What [`SpeechEncoder::forward`] gives.
#[derive(Debug)]
pub struct States {
    /// `[batch, steps, hidden]`.
    pub last: Tensor,
    /// The input of each layer and the output of the last, if asked for.
    pub all: Vec<Tensor>,
    /// Zero at padding, `[batch, steps]`.
    pub keep: Option<Tensor>,
}

/// What a network is not shown while it learns, so that it does with less (SpecAugment on states, arXiv 2006.11477,
/// section 3).
#[derive(Debug)]
pub struct Hidden {
    /// States, `[batch, steps]` of truth values.
    pub steps: Tensor,
    /// Features of all states, `[batch, hidden]` of truth values.
    pub features: Tensor,
}

impl SpeechEncoder {
    /// Builds the network that `config` describes from `params`, whose names begin with the model's type.
    ///
    /// # Errors
    /// If the configuration makes no sense, does not fit the parameters, or asks for other features than `extractor`
    /// makes.
    pub fn new(config: &Value, params: &Params, extractor: Extractor) -> Result<Self, BuildError> {
        let model_type = config
            .get("model_type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let params = &(params / &model_type.replace('-', "_"));
        let network = match (model_type, &extractor) {
            (wav2vec2_bert::MODEL_TYPE, Extractor::FilterBank(_)) => {
                Network::Bands(wav2vec2_bert::Encoder::new(config, params)?)
            }
            (other, Extractor::Waveform(_)) if MODEL_TYPES.contains(&other) => {
                Network::Samples(Box::new(wav2vec2::Encoder::new(config, params)?))
            }
            _ => {
                let problem = format!("its feature extractor is none for a model of type `{model_type}`");
                return Err(ConfigProblem::Other(problem).into());
            }
        };
        Ok(Self { network, extractor })
    }

    /// What turns samples into the network's input.
    pub fn extractor(&self) -> &Extractor {
        &self.extractor
    }

    /// Features of a state.
    pub fn hidden(&self) -> i64 {
        match &self.network {
            Network::Samples(network) => network.hidden(),
            Network::Bands(network) => network.hidden(),
        }
    }

    /// Samples that the first state needs.
    pub fn least_samples(&self) -> usize {
        match (&self.network, &self.extractor) {
            (Network::Samples(network), _) => usize::try_from(network.least_samples()).unwrap_or(usize::MAX),
            (_, Extractor::FilterBank(features)) => features.least_samples(),
            _ => 1,
        }
    }

    /// Samples from state to state.
    pub fn stride(&self) -> usize {
        match (&self.network, &self.extractor) {
            (Network::Samples(network), _) => network.stride() as usize,
            (_, Extractor::FilterBank(features)) => features.hop(),
            _ => 1,
        }
    }

    /// States of that many samples before the layers, if some of them can be hidden.
    pub fn steps(&self, samples: i64) -> Option<i64> {
        match &self.network {
            Network::Samples(network) => Some(network.steps(samples)),
            Network::Bands(_) => None,
        }
    }

    /// The states of a batch; with `all`, also each layer's. With `train`, dropout is on.
    pub fn forward(&self, features: &Features, device: Device, kind: Kind, all: bool, train: bool) -> States {
        self.forward_hiding(features, None, device, kind, all, train)
    }

    /// The same with some `hidden`, where there are [`steps`](Self::steps) to hide.
    pub fn forward_hiding(
        &self,
        features: &Features,
        hidden: Option<&Hidden>,
        device: Device,
        kind: Kind,
        all: bool,
        train: bool,
    ) -> States {
        let values = features.values.to_device(device).to_kind(kind);
        let mask = features.mask.as_ref().map(|mask| mask.to_device(device));
        match &self.network {
            Network::Samples(network) => network.forward(&values, mask.as_ref(), hidden, all, train),
            Network::Bands(network) => network.forward(&values, mask.as_ref(), all, train),
        }
    }
}

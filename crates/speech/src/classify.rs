//! Classes of sounds.

use sensorium_blocks::{ConfigProblem, Params};
use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::audio::{Audio, AudioError};
use crate::ctc::{check_model_type, harmless};
use crate::error::Error;
use crate::features::Extractor;
use crate::models::ast;
use crate::models::classifier::SoundNetwork;

/// One answer of a classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The class.
    pub label: String,
    /// Its probability, from 0 to 1, or its plain score.
    pub score: f64,
}

/// What makes scores probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Function {
    /// One class is right.
    #[default]
    Softmax,
    /// Each class is right or not by itself.
    Sigmoid,
    /// Nothing.
    None,
}

/// Seconds that are heard at once.
const LONGEST: f64 = 30.0;

/// Says what a sound is: AST, wav2vec2, HuBERT, WavLM, wav2vec2-BERT.
#[derive(Debug)]
pub struct AudioClassifier {
    network: SoundNetwork,
    labels: Vec<String>,
}

impl AudioClassifier {
    /// Opens a checkpoint; floating-point weights are converted to `kind` if one is named.
    ///
    /// # Errors
    /// If a file is missing or damaged, the family is not supported, the configuration makes no sense, or tensors are
    /// missing, misshapen or left over.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let config = model.config()?;
        let labels = labels(model, &config)?;
        if config.get("model_type").and_then(Value::as_str) != Some(ast::MODEL_TYPE) {
            check_model_type(model, &config, "audio classification")?;
        }
        let mut params = Params::stored(model.weights()?).on(device);
        if let Some(kind) = kind {
            params = params.of_kind(kind);
        }
        let extractor = Extractor::open(model)?;
        let network = SoundNetwork::new(&config, labels.len() as i64, &params, extractor, device)
            .map_err(|error| Error::building(model, error))?;
        params.check_all_used_but(harmless)?;
        Ok(Self { network, labels })
    }

    /// The classes.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// What turns samples into the network's input.
    pub fn extractor(&self) -> &Extractor {
        self.network.extractor()
    }

    /// Scores of the classes, `[batch, labels]` in `f32`, for recordings of one channel at the extractor's rate. Each
    /// layer's states are put in `all`.
    ///
    /// # Errors
    /// If a recording is too short.
    pub fn logits(&self, recordings: &[Vec<f32>], all: Option<&mut Vec<Tensor>>) -> Result<Tensor, Error> {
        let least = self.network.least_samples();
        if let Some(short) = recordings.iter().find(|recording| recording.len() < least) {
            return Err(Error::TooShort {
                samples: short.len(),
                rate: self.extractor().rate(),
                least,
            });
        }
        let features = self.extractor().features(recordings);
        Ok(tch::no_grad(|| self.network.forward(&features, all, false)))
    }

    /// The classes of `audio`, best first; only the best `most` if a number is given. Of a recording of more than 30 seconds
    /// equal parts of at most 30 are heard one by one, and their scores are averaged.
    ///
    /// # Errors
    /// If it is too short, or the scores are not numbers.
    pub fn classify(
        &self,
        audio: &Audio,
        most: Option<usize>,
        function: Function,
    ) -> Result<Vec<Label>, Error> {
        let samples = audio.mono_at(self.extractor().rate())?;
        if samples.is_empty() {
            return Err(AudioError::NoSamples.into());
        }
        let longest = (f64::from(self.extractor().rate()) * LONGEST) as usize;
        let count = samples.len().div_ceil(longest);
        let mut parts = Vec::new();
        for part in samples.chunks(samples.len().div_ceil(count)) {
            let logits = self.logits(&[part.to_vec()], None)?.squeeze_dim(0);
            parts.push(match function {
                Function::Softmax => logits.softmax(-1, Kind::Float),
                Function::Sigmoid => logits.sigmoid(),
                Function::None => logits,
            });
        }
        let scores = Tensor::stack(&parts, 0).mean_dim([0i64].as_slice(), false, None::<Kind>);
        let scores = Vec::<f32>::try_from(scores).unwrap_or_default();
        if scores.iter().any(|score| score.is_nan()) {
            return Err(Error::NotNumbers);
        }
        let pairs = self.labels.iter().zip(scores);
        let mut labels: Vec<Label> = pairs
            .map(|(label, score)| Label {
                label: label.clone(),
                score: f64::from(score),
            })
            .collect();
        labels.sort_by(|a, b| b.score.total_cmp(&a.score));
        labels.truncate(most.unwrap_or(usize::MAX));
        Ok(labels)
    }
}

/// `id2label`, which must name each class once.
fn labels(model: &Model, config: &Value) -> Result<Vec<String>, Error> {
    let named = config.get("id2label").and_then(Value::as_object);
    let Some(named) = named.filter(|named| !named.is_empty()) else {
        let problem = "it has no `id2label`: the model is no classifier".to_string();
        return Err(Error::config(model, ConfigProblem::Other(problem)));
    };
    let label = |id: usize| {
        named
            .get(&id.to_string())
            .and_then(Value::as_str)
            .map(str::to_string)
    };
    let labels: Option<Vec<String>> = (0..named.len()).map(label).collect();
    labels.ok_or_else(|| {
        let problem = "`id2label` does not name the classes 0, 1, …".to_string();
        Error::config(model, ConfigProblem::Other(problem))
    })
}

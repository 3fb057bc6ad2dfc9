//! Training classifiers of recordings: what is said, or who says it.

use sensorium_blocks::Params;
use sensorium_speech::features::Extractor;
use sensorium_speech::models::classifier::SoundNetwork;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::Session;
use super::asr::{Batch, Corpus, Distortion, Example, Recordings, Report, Shaping, digest, examples};
use super::session::{Plan, described, pretty};
use crate::data::Loader;
use crate::error::{Result, TrainError};
use crate::history::{RunningMean, Scores};
use crate::loss::cross_entropy;
use crate::recordings::Recording;
use crate::rng::mix;
use crate::trainer::{Objective, StepOutput, TrainerConfig};

/// Everything that shapes the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model's `config.json`, which names the classes.
    pub model: Value,
    /// The model's `preprocessor_config.json`.
    pub features: Value,
    /// What to call the data in the records.
    pub data: String,
    /// What recordings are told apart by.
    pub label: Label,
    /// Recordings of a step.
    pub batch_size: usize,
    /// Share of each target that is spread over all classes (arXiv 1512.00567, section 7).
    pub smoothing: f64,
    /// What is learned from; recordings are not joined.
    pub shaping: Shaping,
    /// The training loop's settings.
    pub trainer: TrainerConfig,
}

/// What recordings are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Label {
    /// What is said.
    Text,
    /// Who says it.
    Speaker,
}

impl Label {
    /// The class of a recording, if it is known.
    pub fn of(self, recording: &Recording) -> Option<&str> {
        match self {
            Self::Text => Some(recording.text.as_str()),
            Self::Speaker => recording.speaker.as_deref(),
        }
    }

    /// The classes of all `recordings`, in the order in which they first come.
    pub fn classes(self, recordings: &[Recording]) -> Vec<String> {
        let mut classes: Vec<String> = Vec::new();
        for class in recordings.iter().filter_map(|recording| self.of(recording)) {
            if !classes.iter().any(|known| known == class) {
                classes.push(class.to_string());
            }
        }
        classes
    }
}

/// Trains a classifier; with stored `params`, a checkpoint goes on being trained. The run's folder becomes a model
/// folder.
///
/// # Errors
/// If the settings make no sense, a recording cannot be decoded, none is left, the folder holds another run, the loss
/// diverges, or a file cannot be written.
pub fn train(
    settings: &Settings,
    params: Params,
    classes: &[String],
    corpus: &Corpus,
    session: Session<'_>,
) -> Result<Report> {
    let extractor =
        Extractor::of(&settings.features).map_err(|problem| TrainError::Settings(problem.to_string()))?;
    let params = params.on(session.device).of_kind(Kind::Float);
    let count = classes.len() as i64;
    let network = SoundNetwork::new(&settings.model, count, &params, extractor.clone(), session.device)
        .map_err(|error| TrainError::Settings(error.to_string()))?;
    let class = |recording: &Recording| {
        let class = settings.label.of(recording)?;
        Some(vec![classes.iter().position(|known| known == class)?])
    };
    let train = examples(&corpus.train, extractor.rate(), class)?;
    let validation = examples(&corpus.validation, extractor.rate(), class)?;
    if train.is_empty() || validation.is_empty() || classes.len() < 2 {
        let message = "there must be recordings of two classes to learn, and some to validate on";
        return Err(TrainError::Settings(message.to_string()));
    }
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described(settings, digest(&[&train, &validation]))?,
        params: &params,
        model: pretty(&settings.model)?,
    };
    let left_out = corpus.train.len() - train.len();
    let recordings = |examples: Vec<Example>, shaping| Recordings {
        joined: examples.len(),
        examples,
        extractor: extractor.clone(),
        shaping: Shaping { join: 1, ..shaping },
        batch_size: settings.batch_size.max(1),
        delimiter: None,
        edges: Default::default(),
        longest: None,
        augment: None,
    };
    let plain = Shaping {
        distortion: Distortion::NONE,
        gaps: false,
        masks: 0,
        ..settings.shaping
    };
    let learner = Learner {
        network: &network,
        validation: recordings(validation, plain),
        smoothing: settings.smoothing,
        device: session.device,
    };
    let seed = mix(settings.trainer.seed, &[0]);
    let loader = Loader::new(recordings(train, settings.shaping), 1, seed, session.workers);
    let features = pretty(&settings.features)?;
    let run = session.run_with(plan, &learner, &loader, |folder| {
        let file = folder.join("preprocessor_config.json");
        Ok(sensorium_hub::atomic::write_bytes(&file, &features)?)
    })?;
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
        left_out,
    })
}

struct Learner<'a> {
    network: &'a SoundNetwork,
    validation: Recordings,
    smoothing: f64,
    device: Device,
}

impl Learner<'_> {
    /// The mean loss, and how many classes are found.
    fn loss(&self, batch: &Batch, smoothing: f64, train: bool) -> (Tensor, usize) {
        let logits = self.network.forward(&batch.features, None, train);
        let classes: Vec<i64> = batch
            .targets
            .iter()
            .flatten()
            .map(|&class| class as i64)
            .collect();
        let classes = Tensor::from_slice(&classes).to_device(self.device);
        let found = logits.detach().argmax(-1, false).eq_tensor(&classes);
        let correct = found.sum(Kind::Int64).int64_value(&[]) as usize;
        (cross_entropy(&logits, &classes, smoothing), correct)
    }
}

impl Objective for Learner<'_> {
    type Batch = Batch;

    fn step(&self, batch: &Batch, _part: usize) -> StepOutput {
        let (loss, correct) = self.loss(batch, self.smoothing, true);
        StepOutput {
            loss,
            examples: batch.targets.len(),
            correct,
        }
    }

    fn validate(&self) -> Scores {
        let mut mean = RunningMean::default();
        for batch in self.validation.batches(0) {
            let (loss, correct) = tch::no_grad(|| self.loss(&batch, 0.0, false));
            mean.add(batch.targets.len(), loss.double_value(&[]), correct);
        }
        mean.scores()
    }
}

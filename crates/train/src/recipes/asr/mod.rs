//! Training recognisers of speech that spell (CTC), from scratch or from a checkpoint.

mod cut;
mod data;
mod hiding;
mod masks;
mod room;
mod sound;
mod start;
mod strings;
#[cfg(test)]
mod tests;
mod throat;

use sensorium_blocks::Params;
use sensorium_metrics::wer::{Errors, errors};
use sensorium_speech::features::Extractor;
use sensorium_speech::models::ctc::CtcNetwork;
use sensorium_speech::models::wav2vec2;
use sensorium_speech::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Reduction, Tensor};

pub use data::Shaping;
pub(super) use data::{Batch, Edges, Example, Recordings};
pub(super) use masks::SpecAugment;
pub use sound::Distortion;
pub use start::Start;
pub use strings::Strings;

use super::Session;
use super::session::{Plan, described, pretty};
use crate::data::Loader;
use crate::error::{Result, TrainError};
use crate::history::{RunningMean, Scores};
use crate::record::TrainingRecord;
use crate::recordings::Recording;
use crate::rng::mix;
use crate::trainer::{Objective, Outcome, StepOutput, TrainerConfig};
use data::flat;
use hiding::Hiding;

/// Everything that shapes the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model's `config.json`; of one that hears samples it says how many states are hidden, besides the masks of
    /// `shaping`.
    pub model: Value,
    /// The model's `preprocessor_config.json`.
    pub features: Value,
    /// What to call the data in the records.
    pub data: String,
    /// Strings of a step.
    pub batch_size: usize,
    /// What is learned from.
    pub shaping: Shaping,
    /// The training loop's settings.
    pub trainer: TrainerConfig,
}

/// The recordings of a run.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// To learn.
    pub train: Vec<Recording>,
    /// To validate on.
    pub validation: Vec<Recording>,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// Finished or stopped.
    pub outcome: Outcome,
    /// What is also in `training.json`.
    pub record: TrainingRecord,
    /// Recordings that were left out because their texts are empty or have what the vocabulary has not.
    pub left_out: usize,
}

/// Trains a recogniser; with stored `params`, a checkpoint goes on being trained. The run's folder becomes a model
/// folder, with `vocabulary` in it.
///
/// # Errors
/// If the settings make no sense, a recording cannot be decoded, none is left, the folder holds another run, the loss
/// diverges, or a file cannot be written.
pub fn train(
    settings: &Settings,
    params: Params,
    vocabulary: &Vocabulary,
    corpus: &Corpus,
    session: Session<'_>,
) -> Result<Report> {
    let extractor =
        Extractor::of(&settings.features).map_err(|problem| TrainError::Settings(problem.to_string()))?;
    settings.shaping.check(&extractor)?;
    let mut params = params.on(session.device).of_kind(Kind::Float);
    let mut hiding = None;
    if let Extractor::Waveform(_) = extractor {
        hiding = Hiding::of(&settings.model, settings.shaping.masks)
            .map_err(|error| TrainError::Settings(error.to_string()))?;
        let instead = format!("{}.{}", start::scope(&settings.model), wav2vec2::INSTEAD);
        params = match hiding {
            Some(_) if params.has(&instead) == Some(false) => {
                params.drawing(&instead, settings.trainer.seed as i64)
            }
            Some(_) => params,
            None => params.freezing(&instead),
        };
    }
    let network = CtcNetwork::new(&settings.model, &params, extractor.clone(), session.device)
        .map_err(|error| TrainError::Settings(error.to_string()))?;
    let rate = extractor.rate();
    let encode = |text: &str| vocabulary.encode(text).filter(|ids| !ids.is_empty());
    let mut train = examples(&corpus.train, rate, |recording| encode(&recording.text))?;
    let validation = examples(&corpus.validation, rate, |recording| encode(&recording.text))?;
    let left_out = corpus.train.len() - train.len();
    let mut joined = train.len();
    let mut edges = Edges::default();
    if settings.shaping.cut {
        // Words first, then the recordings that could not be cut.
        let mut words = Vec::new();
        train.retain(|example| !cut_to_words(example, rate, vocabulary.delimiter(), &mut words, &mut edges));
        joined = words.len();
        words.append(&mut train);
        train = words;
    }
    if train.is_empty() || validation.is_empty() {
        let message =
            "there is no recording to learn or none to validate on whose text the vocabulary can write";
        return Err(TrainError::Settings(message.to_string()));
    }
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described(settings, digest(&[&train, &validation]))?,
        params: &params,
        model: pretty(&settings.model)?,
    };
    let delimiter = vocabulary.delimiter();
    let seed = mix(settings.trainer.seed, &[0]);
    let recordings = Recordings {
        examples: train,
        joined,
        extractor: extractor.clone(),
        shaping: settings.shaping,
        batch_size: settings.batch_size.max(1),
        delimiter,
        edges,
        longest: None,
        augment: None,
    };
    let learner = Learner {
        network: &network,
        hiding,
        validation: Recordings {
            joined: validation.len(),
            examples: validation,
            extractor,
            shaping: settings.shaping.validated(),
            batch_size: settings.batch_size.max(1),
            delimiter,
            edges: Edges::default(),
            longest: None,
            augment: None,
        },
        blank: vocabulary.blank,
        delimiter,
        device: session.device,
    };
    let loader = Loader::new(recordings, 1, seed, session.workers);
    let features = pretty(&settings.features)?;
    let run = session.run_with(plan, &learner, &loader, |folder| {
        vocabulary.save(folder)?;
        let file = folder.join("preprocessor_config.json");
        Ok(sensorium_hub::atomic::write_bytes(&file, &features)?)
    })?;
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
        left_out,
    })
}

/// Decodes recordings; those that `target` has nothing for are left out.
pub(super) fn examples(
    recordings: &[Recording],
    rate: u32,
    mut target: impl FnMut(&Recording) -> Option<Vec<usize>>,
) -> Result<Vec<Example>> {
    let mut examples = Vec::with_capacity(recordings.len());
    for recording in recordings {
        if let Some(target) = target(recording) {
            examples.push(Example {
                samples: recording.samples(rate)?,
                target,
            });
        }
    }
    Ok(examples)
}

/// Puts the words of an example to `words` and what is before and behind them to `edges`, if it has pauses between all
/// of them; says whether it has.
fn cut_to_words(
    example: &Example,
    rate: u32,
    delimiter: Option<usize>,
    words: &mut Vec<Example>,
    edges: &mut Edges,
) -> bool {
    let targets = example.target.split(|id| Some(*id) == delimiter);
    let targets: Vec<&[usize]> = targets.filter(|word| !word.is_empty()).collect();
    let Some(cut) = cut::words(&example.samples, rate, targets.len()) else {
        return false;
    };
    edges.begin.push(cut.before.to_vec());
    edges.end.push(cut.after.to_vec());
    words.extend(cut.words.into_iter().zip(targets).map(|(part, target)| Example {
        samples: part.to_vec(),
        target: target.to_vec(),
    }));
    true
}

/// What tells one data set from another, a recording at a time.
pub(super) fn digest<'a>(sets: &'a [&'a Vec<Example>]) -> impl Iterator<Item = Vec<u8>> + 'a {
    let examples = sets.iter().flat_map(|set| set.iter());
    examples.map(|example| {
        let sound = example.samples.iter().flat_map(|x| x.to_le_bytes());
        let target = example.target.iter().flat_map(|id| (*id as u64).to_le_bytes());
        sound.chain(target).collect()
    })
}

struct Learner<'a> {
    network: &'a CtcNetwork,
    hiding: Option<Hiding>,
    validation: Recordings,
    blank: usize,
    delimiter: Option<usize>,
    device: Device,
}

impl Learner<'_> {
    /// The mean loss of a token, and what is heard with the errors in it.
    fn hear(&self, batch: &Batch, train: bool) -> (Tensor, Errors) {
        let network = self.network;
        let hidden = self
            .hiding
            .and_then(|hiding| hiding.hidden(batch, network.encoder()));
        let (logits, states) = match train {
            true => network.learn(&batch.features, hidden.as_ref()),
            false => network.forward(&batch.features, false, false),
        };
        let steps: Vec<i64> = match &states.keep {
            Some(keep) => Vec::try_from(keep.sum_dim_intlist(1i64, false, Kind::Int64)).unwrap_or_default(),
            None => vec![logits.size()[1]; batch.targets.len()],
        };
        let (targets, lengths) = flat(&batch.targets);
        let loss = Tensor::ctc_loss(
            &logits.log_softmax(-1, Kind::Float).transpose(0, 1),
            &targets.to_device(self.device),
            &steps,
            &lengths,
            self.blank as i64,
            Reduction::Sum,
            true, // a recording that is too short for its text teaches nothing
        );
        let loss = loss / lengths.iter().sum::<i64>().max(1) as f64;
        let best = logits.detach().argmax(-1, false).to_device(Device::Cpu);
        let mut all = Errors::default();
        for (row, (target, steps)) in batch.targets.iter().zip(steps).enumerate() {
            let ids = Vec::<i64>::try_from(best.get(row as i64).narrow(0, 0, steps)).unwrap_or_default();
            let heard: Vec<usize> = ids
                .chunk_by(|a, b| a == b)
                .map(|run| run[0] as usize)
                .filter(|&id| id != self.blank)
                .collect();
            all = all.plus(&errors(&self.words(target), &self.words(&heard)));
        }
        (loss, all)
    }

    fn words<'t>(&self, ids: &'t [usize]) -> Vec<&'t [usize]> {
        ids.split(|id| Some(*id) == self.delimiter)
            .filter(|word| !word.is_empty())
            .collect()
    }
}

/// Words that were heard right, less those that were not said.
pub(super) fn right(errors: &Errors) -> usize {
    errors.said().saturating_sub(errors.count())
}

impl Objective for Learner<'_> {
    type Batch = Batch;

    fn step(&self, batch: &Batch, _part: usize) -> StepOutput {
        let (loss, errors) = self.hear(batch, true);
        StepOutput {
            loss,
            examples: errors.said(),
            correct: right(&errors),
        }
    }

    /// The loss of a token and the share of words that are right, 1 less the word error rate.
    fn validate(&self) -> Scores {
        let mut mean = RunningMean::default();
        for batch in self.validation.batches(0) {
            let (loss, errors) = tch::no_grad(|| self.hear(&batch, false));
            mean.add(errors.said(), loss.double_value(&[]), right(&errors));
        }
        mean.scores()
    }
}

//! Training a speller: from the letters of English words to their phonemes.

use std::collections::HashMap;

use sensorium_blocks::Params;
use sensorium_speech::models::speller::{Letters, Speller};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Reduction, Tensor};

use super::Session;
use super::session::{Plan, described, pretty};
use crate::data::{Dataset, Loader};
use crate::error::{Result, TrainError};
use crate::history::{RunningMean, Scores};
use crate::record::TrainingRecord;
use crate::rng::{mix, permutation};
use crate::trainer::{Objective, Outcome, StepOutput, TrainerConfig};

/// Everything that shapes the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model's `config.json`.
    pub model: Value,
    /// What to call the data in the records.
    pub data: String,
    /// Words of a step.
    pub batch_size: usize,
    /// One in so many words is validated on.
    pub held_out: usize,
    /// The training loop's settings.
    pub trainer: TrainerConfig,
}

/// A word and its phonemes.
pub type Entry = (String, Vec<String>);

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// Finished or stopped.
    pub outcome: Outcome,
    /// What is also in `training.json`.
    pub record: TrainingRecord,
    /// Words that were left out because they have letters or phonemes that the model has not.
    pub left_out: usize,
}

/// Trains a speller on `words`. The run's folder becomes a model folder.
///
/// # Errors
/// If the settings make no sense, no word is left, the folder holds another run, the loss diverges, or a file cannot be
/// written.
pub fn train(settings: &Settings, params: &Params, words: &[Entry], session: Session<'_>) -> Result<Report> {
    let speller =
        Speller::new(&settings.model, params).map_err(|error| TrainError::Settings(error.to_string()))?;
    let ids: HashMap<&str, i64> = speller.phonemes().iter().map(String::as_str).zip(0..).collect();
    let known = |(word, phonemes): &Entry| {
        Some(Word {
            letters: word
                .chars()
                .map(|letter| speller.letter(letter))
                .collect::<Option<_>>()?,
            phonemes: phonemes
                .iter()
                .map(|phoneme| ids.get(phoneme.as_str()).copied())
                .collect::<Option<_>>()?,
        })
    };
    let mut all: Vec<Word> = words
        .iter()
        .filter_map(known)
        .filter(|word| !word.letters.is_empty() && !word.phonemes.is_empty())
        .collect();
    let left_out = words.len() - all.len();
    let aside = all.len() / settings.held_out.max(2);
    if aside == 0 {
        return Err(TrainError::Settings(
            "there are too few words that the model can spell".to_string(),
        ));
    }
    let digest: Vec<Vec<u8>> = words
        .iter()
        .map(|(word, phonemes)| format!("{word} {}", phonemes.join(" ")).into_bytes())
        .collect();
    let order = permutation(all.len(), settings.trainer.seed);
    let mut shuffled: Vec<Word> = order.iter().map(|&i| std::mem::take(&mut all[i])).collect();
    let train = shuffled.split_off(aside);
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described(settings, digest.iter().map(Vec::as_slice))?,
        params,
        model: pretty(&settings.model)?,
    };
    let batch_size = settings.batch_size.max(1);
    let learner = Learner {
        speller: &speller,
        validation: Words {
            words: shuffled,
            batch_size,
        },
        device: session.device,
    };
    let words = Words {
        words: train,
        batch_size,
    };
    let loader = Loader::new(
        words,
        batch_size,
        mix(settings.trainer.seed, &[0]),
        session.workers,
    );
    let run = session.run(plan, &learner, &loader)?;
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
        left_out,
    })
}

#[derive(Debug, Default)]
struct Word {
    letters: Vec<i64>,
    phonemes: Vec<i64>,
}

#[derive(Debug)]
struct Words {
    words: Vec<Word>,
    batch_size: usize,
}

/// What a step takes.
#[derive(Debug)]
struct Batch {
    letters: Letters,
    phonemes: Vec<Vec<i64>>,
}

impl Words {
    fn by_length(&self, seed: u64, noise: u64) -> Vec<Vec<usize>> {
        let length =
            |&i: &usize| self.words[i].letters.len() as u64 * 4 + mix(seed, &[i as u64]) % (noise + 1);
        let mut order = permutation(self.words.len(), seed);
        order.sort_by_cached_key(length);
        order.chunks(self.batch_size).map(<[usize]>::to_vec).collect()
    }
}

impl Dataset for Words {
    type Batch = Batch;

    fn len(&self) -> usize {
        self.words.len()
    }

    fn plan(&self, seed: u64) -> Option<Vec<Vec<usize>>> {
        let batches = self.by_length(seed, 8);
        let shuffled = permutation(batches.len(), mix(seed, &[]));
        Some(shuffled.into_iter().map(|i| batches[i].clone()).collect())
    }

    fn batch(&self, indices: &[usize], _seed: u64) -> Batch {
        let rows: Vec<&Word> = indices.iter().map(|&i| &self.words[i]).collect();
        let longest = rows.iter().map(|word| word.letters.len()).max().unwrap_or(0);
        let ids: Vec<i64> = rows
            .iter()
            .flat_map(|word| {
                let padding = longest - word.letters.len();
                word.letters
                    .iter()
                    .copied()
                    .chain(std::iter::repeat_n(0, padding))
            })
            .collect();
        Batch {
            letters: Letters {
                ids: Tensor::from_slice(&ids).view([rows.len() as i64, -1]),
                lengths: rows.iter().map(|word| word.letters.len() as i64).collect(),
            },
            phonemes: rows.iter().map(|word| word.phonemes.clone()).collect(),
        }
    }
}

struct Learner<'a> {
    speller: &'a Speller,
    validation: Words,
    device: Device,
}

impl Learner<'_> {
    /// The mean loss of a phoneme, words, and those that are all right.
    fn look(&self, batch: &Batch, train: bool) -> StepOutput {
        let (scores, steps) = self.speller.forward(&batch.letters, train);
        let targets: Vec<i64> = batch.phonemes.iter().flatten().copied().collect();
        let lengths: Vec<i64> = batch.phonemes.iter().map(|word| word.len() as i64).collect();
        let loss = Tensor::ctc_loss(
            &scores.log_softmax(-1, Kind::Float).transpose(0, 1),
            &Tensor::from_slice(&targets).to_device(self.device),
            &steps,
            &lengths,
            0,
            Reduction::Sum,
            true, // words with more phonemes than states teach nothing
        );
        let scores = scores.detach();
        let right = (0i64..)
            .zip(&batch.phonemes)
            .zip(&steps)
            .filter(|((row, phonemes), steps)| {
                let read = self.speller.read(&scores.get(*row).narrow(0, 0, **steps));
                read.iter().map(|&id| id as i64).eq(phonemes.iter().copied())
            });
        StepOutput {
            loss: loss / targets.len().max(1) as f64,
            examples: batch.phonemes.len(),
            correct: right.count(),
        }
    }
}

impl Objective for Learner<'_> {
    type Batch = Batch;

    fn step(&self, batch: &Batch, _part: usize) -> StepOutput {
        self.look(batch, true)
    }

    /// The loss, and the share of words that are right from their first phoneme to their last.
    fn validate(&self) -> Scores {
        let mut mean = RunningMean::default();
        for indices in self.validation.by_length(0, 0) {
            let output = tch::no_grad(|| self.look(&self.validation.batch(&indices, 0), false));
            mean.add(output.examples, output.loss.double_value(&[]), output.correct);
        }
        mean.scores()
    }
}

//! Learning when each phoneme is said, from recordings and their texts alone.

use std::collections::{BTreeSet, HashMap};

use sensorium_blocks::Params;
use sensorium_speech::models::aligner::{Aligner, Pairs, durations};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::Report;
use super::alignment::{self, Segment};
use super::corpus::{Corpus, Spectrogram, Utterance};
use super::lines::{by_length, shuffled};
use crate::data::{Dataset, Loader};
use crate::error::{Result, TrainError};
use crate::history::{RunningMean, Scores};
use crate::recipes::Session;
use crate::recipes::session::{Plan, described, pretty};
use crate::rng::mix;
use crate::trainer::{Objective, Outcome, StepOutput, TrainerConfig};

/// Everything that shapes the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model's `config.json`.
    pub model: Value,
    /// What to call the data in the records.
    pub data: String,
    /// Recordings of a step.
    pub batch_size: usize,
    /// The training loop's settings.
    pub trainer: TrainerConfig,
}

/// Phonemes and marks of all utterances, in order.
pub fn vocabulary(corpus: &Corpus, sounds: &HashMap<String, Vec<String>>) -> Vec<String> {
    let said = corpus
        .utterances()
        .filter_map(|utterance| sounds.get(&utterance.name));
    let all: BTreeSet<&String> = said.flatten().collect();
    all.into_iter().cloned().collect()
}

/// Trains an aligner; `sounds` has the phonemes of each utterance, by its name. In the end `alignments/NAME.ctm` are in
/// the run's folder, of the utterances that have at least as many frames as phonemes.
///
/// # Errors
/// If the settings make no sense, an utterance has no phonemes, the folder holds another run, the loss diverges, or a
/// file cannot be written.
pub fn train(
    settings: &Settings,
    params: &Params,
    corpus: Corpus,
    sounds: &HashMap<String, Vec<String>>,
    session: Session<'_>,
) -> Result<Report> {
    let aligner =
        Aligner::new(&settings.model, params).map_err(|error| TrainError::Settings(error.to_string()))?;
    if aligner.bands() != corpus.shape.bands as i64 {
        let message = "the model's `num_mel_bins` does not fit the data";
        return Err(TrainError::Settings(message.to_string()));
    }
    let said = corpus
        .utterances()
        .filter_map(|utterance| sounds.get(&utterance.name));
    let said = said.map(|said| said.join(" ").into_bytes());
    let described = described(settings, corpus.digest().chain(said))?;
    let vocabulary = vocabulary(&corpus, sounds);
    let ids: HashMap<&str, i64> = vocabulary.iter().map(String::as_str).zip(0..).collect();
    let Corpus {
        shape,
        train,
        validation,
    } = corpus;
    let lines = |utterances: Vec<Utterance>| -> Result<Lines> {
        let one = |utterance: Utterance| {
            let said = sounds.get(&utterance.name).filter(|said| !said.is_empty());
            let said = said.ok_or_else(|| {
                TrainError::Settings(format!("nothing in the text of `{}` is said", utterance.name))
            })?;
            Ok(Line {
                ids: said.iter().map(|phoneme| ids[phoneme.as_str()]).collect(),
                name: utterance.name,
                spectrogram: utterance.spectrogram,
            })
        };
        Ok(Lines {
            lines: utterances.into_iter().map(one).collect::<Result<_>>()?,
            batch_size: settings.batch_size.max(1),
        })
    };
    let (train, validation) = (lines(train)?, lines(validation)?);
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described,
        params,
        model: pretty(&settings.model)?,
    };
    let learner = Learner {
        aligner: &aligner,
        validation,
    };
    let folder = session.folder.path().join("alignments");
    let loader = Loader::new(train, 1, mix(settings.trainer.seed, &[0]), session.workers);
    let run = session.run(plan, &learner, &loader)?;
    if run.outcome == Outcome::Finished {
        let second = shape.hop as f64 / f64::from(shape.rate);
        for lines in [loader.dataset(), &learner.validation] {
            for indices in by_length(&lines.lengths(), lines.batch_size, 0, 0) {
                let batch = lines.make(&indices);
                let found = tch::no_grad(|| aligner.scores(&batch));
                for (row, &i) in indices.iter().enumerate() {
                    let Some(frames) = durations(&own(&found, row, batch.lengths[row])) else {
                        continue;
                    };
                    let line = &lines.lines[i];
                    let names = line.ids.iter().map(|&id| &vocabulary[id as usize]);
                    alignment::write(&folder, &line.name, &segments(names, &frames, second))?;
                }
            }
        }
    }
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
    })
}

fn segments<'a>(names: impl Iterator<Item = &'a String>, frames: &[i64], second: f64) -> Vec<Segment> {
    let mut end = 0;
    let one = |(phoneme, frames): (&String, &i64)| {
        end += frames;
        Segment {
            phoneme: phoneme.clone(),
            // Frame 0 is heard around the beginning.
            end: (end as f64 - 0.5).max(0.0) * second,
        }
    };
    names.zip(frames).map(one).collect()
}

/// A row's own part of the scores, `[frames, phonemes]`.
fn own(scores: &Tensor, row: usize, (phonemes, frames): (i64, i64)) -> Tensor {
    scores.get(row as i64).narrow(0, 0, frames).narrow(1, 0, phonemes)
}

#[derive(Debug)]
struct Line {
    name: String,
    ids: Vec<i64>,
    spectrogram: Spectrogram,
}

/// Lines in batches of like length.
#[derive(Debug)]
struct Lines {
    lines: Vec<Line>,
    batch_size: usize,
}

impl Lines {
    fn lengths(&self) -> Vec<usize> {
        self.lines.iter().map(|line| line.spectrogram.frames()).collect()
    }

    fn make(&self, indices: &[usize]) -> Pairs {
        let rows: Vec<&Line> = indices.iter().map(|&i| &self.lines[i]).collect();
        let ids: Vec<Tensor> = rows.iter().map(|line| Tensor::from_slice(&line.ids)).collect();
        let spectrograms: Vec<Tensor> = rows.iter().map(|line| line.spectrogram.tensor()).collect();
        let length = |line: &&Line| (line.ids.len() as i64, line.spectrogram.frames() as i64);
        Pairs {
            ids: Tensor::pad_sequence(&ids, true, 0.0, "right"),
            spectrograms: Tensor::pad_sequence(&spectrograms, true, 0.0, "right"),
            lengths: rows.iter().map(length).collect(),
        }
    }
}

impl Dataset for Lines {
    type Batch = Pairs;

    fn len(&self) -> usize {
        self.lines.len()
    }

    fn plan(&self, seed: u64) -> Option<Vec<Vec<usize>>> {
        Some(shuffled(&self.lengths(), self.batch_size, seed))
    }

    fn batch(&self, indices: &[usize], _seed: u64) -> Pairs {
        self.make(indices)
    }
}

struct Learner<'a> {
    aligner: &'a Aligner,
    validation: Lines,
}

impl Learner<'_> {
    /// The loss, frames, and those whose likeliest phoneme is the one that they are given in the end.
    fn look(&self, pairs: &Pairs) -> StepOutput {
        let scores = self.aligner.scores(pairs);
        let loss = self.aligner.loss(&scores, &pairs.lengths);
        let scores = scores.detach().to_device(Device::Cpu);
        let sure = |(row, &length): (usize, &(i64, i64))| {
            let scores = own(&scores, row, length);
            let frames = durations(&scores)?;
            let given = Tensor::arange(length.0, (Kind::Int64, Device::Cpu));
            let given = given.repeat_interleave_self_tensor(&Tensor::from_slice(&frames), None, length.1);
            let likeliest = scores.argmax(1, false);
            Some(likeliest.eq_tensor(&given).sum(Kind::Int64).int64_value(&[]) as usize)
        };
        StepOutput {
            loss,
            examples: pairs.lengths.iter().map(|&(_, frames)| frames as usize).sum(),
            correct: pairs.lengths.iter().enumerate().filter_map(sure).sum(),
        }
    }
}

impl Objective for Learner<'_> {
    type Batch = Pairs;

    fn step(&self, pairs: &Pairs, _part: usize) -> StepOutput {
        self.look(pairs)
    }

    /// The loss, and the share of frames that are sure.
    fn validate(&self) -> Scores {
        let mut mean = RunningMean::default();
        for indices in by_length(&self.validation.lengths(), self.validation.batch_size, 0, 0) {
            let output = tch::no_grad(|| self.look(&self.validation.make(&indices)));
            mean.add(output.examples, output.loss.double_value(&[]), output.correct);
        }
        mean.scores()
    }
}

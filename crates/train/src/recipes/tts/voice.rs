//! The network that makes spectrograms of phonemes.

use std::collections::HashMap;

use sensorium_blocks::Params;
use sensorium_speech::models::fastspeech2::{FastSpeech2, Guess, Lesson, Manner};
use sensorium_speech::speak::{GriffinLim, Vocoder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::Report;
use super::corpus::{Corpus, Spectrogram, Utterance};
use super::lines::{by_length, shuffled};
use super::samples::Samples;
use crate::data::{Dataset, Loader};
use crate::error::{Result, TrainError};
use crate::history::{RunningMean, Scores};
use crate::recipes::Session;
use crate::recipes::session::{Plan, described, pretty};
use crate::rng::mix;
use crate::trainer::{Objective, StepOutput, TrainerConfig};

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

const PAD: &str = "<blank>";
const UNKNOWN: &str = "<unk>";
const END: &str = "<sos/eos>";

/// The tokens of a corpus, in the order of their ids, as ESPnet has them.
pub fn vocabulary(corpus: &Corpus) -> Vec<String> {
    let own = [PAD, UNKNOWN].map(str::to_string).into_iter();
    own.chain(corpus.phonemes()).chain([END.to_string()]).collect()
}

/// Trains a voice. The run's folder becomes a model folder, with `vocab.json` in it.
///
/// # Errors
/// If the settings make no sense, a recording has no alignment, the folder holds another run, the loss diverges, or a
/// file cannot be written.
pub fn train(settings: &Settings, params: &Params, corpus: Corpus, session: Session<'_>) -> Result<Report> {
    // Of the recordings no more is kept than a step takes.
    let described = described(settings, corpus.digest())?;
    let vocabulary = vocabulary(&corpus);
    let ids: HashMap<&str, i64> = vocabulary.iter().map(String::as_str).zip(0..).collect();
    let network =
        FastSpeech2::new(&settings.model, params).map_err(|error| TrainError::Settings(error.to_string()))?;
    if network.mels() != corpus.shape.bands as i64 || network.vocabulary() < vocabulary.len() as i64 {
        let message = "the model's `num_mel_bins` or `vocab_size` does not fit the data";
        return Err(TrainError::Settings(message.to_string()));
    }
    let Corpus {
        shape,
        train,
        validation,
    } = corpus;
    let level = Level::of(&train);
    let lines = |utterances: Vec<Utterance>| -> Result<Lines> {
        let lines = utterances
            .into_iter()
            .map(|utterance| Line::new(utterance, &ids, &level));
        Ok(Lines {
            lines: lines.collect::<Result<_>>()?,
            batch_size: settings.batch_size.max(1),
        })
    };
    let (train, validation) = (lines(train)?, lines(validation)?);
    let named: HashMap<&String, usize> = vocabulary.iter().zip(0..).collect();
    let named = pretty(&named)?;
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described,
        params,
        model: pretty(&settings.model)?,
    };
    let learner = Learner {
        network: &network,
        validation,
        samples: Samples::new(session.folder.path())?,
        vocoder: GriffinLim::new(shape),
        device: session.device,
    };
    let loader = Loader::new(train, 1, mix(settings.trainer.seed, &[0]), session.workers);
    let run = session.run_with(plan, &learner, &loader, |folder| {
        Ok(sensorium_hub::atomic::write_bytes(
            &folder.join("vocab.json"),
            &named,
        )?)
    })?;
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
    })
}

/// Mean and spread of the logarithms of pitch, and of energy.
struct Level {
    pitch: (f32, f32),
    energy: (f32, f32),
}

impl Level {
    fn of(utterances: &[Utterance]) -> Self {
        let spread = |values: Vec<f32>| {
            let count = values.len().max(1) as f32;
            let mean = values.iter().sum::<f32>() / count;
            let square = values.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / count;
            (mean, square.sqrt().max(1e-3))
        };
        let frames = utterances.iter();
        let pitch = frames.flat_map(|utterance| {
            utterance
                .pitch
                .iter()
                .filter(|pitch| **pitch > 0.0)
                .map(|x| x.ln())
        });
        let energy = utterances
            .iter()
            .flat_map(|utterance| by_phoneme(&utterance.spectrogram.means(), &utterance.frames));
        Self {
            pitch: spread(pitch.collect()),
            energy: spread(energy.collect()),
        }
    }
}

/// The mean of each phoneme's frames; 0 where there are none.
fn by_phoneme(values: &[f32], frames: &[i64]) -> Vec<f32> {
    let mut at = 0;
    frames
        .iter()
        .map(|&count| {
            let own = &values[at.min(values.len())..(at + count as usize).min(values.len())];
            at += count as usize;
            match own {
                [] => 0.0,
                own => own.iter().sum::<f32>() / own.len() as f32,
            }
        })
        .collect()
}

/// Logarithms of pitches, with straight lines where there is none.
fn continuous(pitch: &[f32], usual: f32) -> Vec<f32> {
    let known: Vec<(usize, f32)> = pitch
        .iter()
        .enumerate()
        .filter(|(_, pitch)| **pitch > 0.0)
        .map(|(i, pitch)| (i, pitch.ln()))
        .collect();
    let mut next = 0;
    (0..pitch.len())
        .map(|i| {
            while next < known.len() && known[next].0 < i {
                next += 1;
            }
            match (
                next.checked_sub(1).map(|before| known[before]),
                known.get(next).copied(),
            ) {
                (Some((a, x)), Some((b, y))) => x + (y - x) * (i - a) as f32 / (b - a) as f32,
                (Some((_, x)), None) | (None, Some((_, x))) => x,
                (None, None) => usual,
            }
        })
        .collect()
}

/// What is learned of a recording.
#[derive(Debug)]
struct Line {
    ids: Vec<i64>,
    frames: Vec<i64>,
    pitch: Vec<f32>,
    energy: Vec<f32>,
    spectrogram: Spectrogram,
}

impl Line {
    fn new(utterance: Utterance, ids: &HashMap<&str, i64>, level: &Level) -> Result<Self> {
        if utterance.phonemes.is_empty() {
            return Err(TrainError::Settings(format!(
                "`{}` has no alignment: a voice learns from alignments/NAME.ctm or .TextGrid beside the recordings; `sensorium train aligner` makes them",
                utterance.name
            )));
        }
        let levelled = |values: Vec<f32>, (mean, spread): (f32, f32), frames: &[i64]| -> Vec<f32> {
            let one = |(value, &frames): (&f32, &i64)| if frames > 0 { (value - mean) / spread } else { 0.0 };
            values.iter().zip(frames).map(one).collect()
        };
        let mut line = Self {
            ids: utterance
                .phonemes
                .iter()
                .map(|phoneme| ids[phoneme.as_str()])
                .collect(),
            pitch: levelled(
                by_phoneme(&continuous(&utterance.pitch, level.pitch.0), &utterance.frames),
                level.pitch,
                &utterance.frames,
            ),
            energy: levelled(
                by_phoneme(&utterance.spectrogram.means(), &utterance.frames),
                level.energy,
                &utterance.frames,
            ),
            frames: utterance.frames,
            spectrogram: utterance.spectrogram,
        };
        // The end takes no time.
        line.ids.push(ids[END]);
        line.frames.push(0);
        line.pitch.push(0.0);
        line.energy.push(0.0);
        Ok(line)
    }
}

/// Lines in batches of like length.
#[derive(Debug)]
struct Lines {
    lines: Vec<Line>,
    batch_size: usize,
}

/// What a step takes.
#[derive(Debug)]
struct Batch {
    lesson: Lesson,
    /// `[batch, frames, bands]`
    spectrograms: Tensor,
}

impl Lines {
    fn lengths(&self) -> Vec<usize> {
        self.lines.iter().map(|line| line.spectrogram.frames()).collect()
    }

    fn make(&self, indices: &[usize]) -> Batch {
        let rows: Vec<&Line> = indices.iter().map(|&i| &self.lines[i]).collect();
        let longest = rows.iter().map(|line| line.ids.len()).max().unwrap_or(0);
        let shape = [rows.len() as i64, longest as i64];
        let padded = |values: &dyn Fn(&Line) -> Vec<f32>| {
            let all: Vec<f32> = rows
                .iter()
                .flat_map(|line| {
                    let mut row = values(line);
                    row.resize(longest, 0.0);
                    row
                })
                .collect();
            Tensor::from_slice(&all).view(shape)
        };
        let spectrograms: Vec<Tensor> = rows.iter().map(|line| line.spectrogram.tensor()).collect();
        Batch {
            lesson: Lesson {
                ids: padded(&|line| line.ids.iter().map(|&id| id as f32).collect()).to_kind(Kind::Int64),
                keep: padded(&|line| vec![1.0; line.ids.len()]).to_kind(Kind::Int64),
                frames: rows
                    .iter()
                    .map(|line| {
                        let mut frames = line.frames.clone();
                        frames.resize(longest, 0);
                        frames
                    })
                    .collect(),
                pitch: padded(&|line| line.pitch.clone()),
                energy: padded(&|line| line.energy.clone()),
            },
            spectrograms: Tensor::pad_sequence(&spectrograms, true, 0.0, "right"),
        }
    }
}

impl Dataset for Lines {
    type Batch = Batch;

    fn len(&self) -> usize {
        self.lines.len()
    }

    fn plan(&self, seed: u64) -> Option<Vec<Vec<usize>>> {
        Some(shuffled(&self.lengths(), self.batch_size, seed))
    }

    fn batch(&self, indices: &[usize], _seed: u64) -> Batch {
        self.make(indices)
    }
}

struct Learner<'a> {
    network: &'a FastSpeech2,
    validation: Lines,
    samples: Samples,
    vocoder: GriffinLim,
    device: Device,
}

impl Learner<'_> {
    /// The loss of FastSpeech 2 (section 2.4), phonemes, and those whose length was guessed to a frame.
    fn look(&self, batch: &Batch, train: bool) -> StepOutput {
        let on = |x: &Tensor| x.to_device(self.device);
        let lesson = Lesson {
            ids: on(&batch.lesson.ids),
            keep: on(&batch.lesson.keep),
            frames: batch.lesson.frames.clone(),
            pitch: on(&batch.lesson.pitch),
            energy: on(&batch.lesson.energy),
        };
        let Guess {
            before,
            after,
            keep,
            durations,
            pitch,
            energy,
        } = self.network.learn(&lesson, train);
        let heard = keep.to_kind(Kind::Float).unsqueeze(-1);
        let wanted = on(&batch.spectrograms);
        let count = heard.sum(Kind::Float) * wanted.size()[2] as f64;
        let apart = |made: &Tensor| ((made - &wanted).abs() * &heard).sum(Kind::Float) / &count;
        let told = lesson.keep.to_kind(Kind::Float);
        let phonemes = told.sum(Kind::Float);
        let frames: Vec<i64> = lesson.frames.iter().flatten().copied().collect();
        let frames = on(&Tensor::from_slice(&frames))
            .view_as(&told)
            .to_kind(Kind::Float);
        let square =
            |guess: &Tensor, truth: &Tensor| ((guess - truth).square() * &told).sum(Kind::Float) / &phonemes;
        let loss = apart(&before)
            + apart(&after)
            + square(&durations, &frames.log1p())
            + square(&pitch, &lesson.pitch)
            + square(&energy, &lesson.energy);
        let guessed = (durations.detach().exp() - 1.0).round().clamp_min(0.0);
        let right = (guessed - frames).abs().le(1.0).to_kind(Kind::Float) * &told;
        StepOutput {
            loss,
            examples: phonemes.double_value(&[]) as usize,
            correct: right.sum(Kind::Float).double_value(&[]) as usize,
        }
    }

    /// The first sentence as it would be said.
    fn sample(&self) {
        let Some(line) = self.validation.lines.first() else {
            return;
        };
        let said = tch::no_grad(|| self.network.say(&line.ids, &Manner::default()));
        let made = said.spectrogram.to_device(Device::Cpu);
        let sound = tch::no_grad(|| self.vocoder.samples(&made));
        let samples = Vec::<f32>::try_from(sound.clamp(-1.0, 1.0)).unwrap_or_default();
        // A sample that cannot be written is no reason to end a run of hours.
        let _ = self
            .samples
            .write(&samples, self.vocoder.rate(), &made, &line.spectrogram.tensor());
    }
}

impl Objective for Learner<'_> {
    type Batch = Batch;

    fn step(&self, batch: &Batch, _part: usize) -> StepOutput {
        self.look(batch, true)
    }

    /// The loss, and the share of phonemes whose length was guessed to a frame.
    fn validate(&self) -> Scores {
        let mut mean = RunningMean::default();
        for indices in by_length(&self.validation.lengths(), self.validation.batch_size, 0, 0) {
            let output = tch::no_grad(|| self.look(&self.validation.make(&indices), false));
            mean.add(output.examples, output.loss.double_value(&[]), output.correct);
        }
        self.sample();
        mean.scores()
    }
}

//! The vocoder: from spectrograms to sound, learned from recordings alone.
//!
//! Spectra of several resolutions are compared (Parallel WaveGAN, arXiv 1910.11480, without its adversary); the pitch
//! comes from the recordings, and is learned beside.

use sensorium_blocks::Params;
use sensorium_speech::features::MelShape;
use sensorium_speech::models::vocos::{MIDDLE_PITCH, SourceFilter, pulses};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Reduction, Tensor};

use super::Report;
use super::corpus::{Corpus, Utterance};
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
    /// Pieces of a step.
    pub batch_size: usize,
    /// Frames of a piece.
    pub frames: usize,
    /// The training loop's settings.
    pub trainer: TrainerConfig,
}

/// Trains a vocoder. The run's folder becomes a model folder.
///
/// # Errors
/// If the settings make no sense, the recordings are shorter than a piece, the folder holds another run, the loss
/// diverges, or a file cannot be written.
pub fn train(settings: &Settings, params: &Params, corpus: Corpus, session: Session<'_>) -> Result<Report> {
    let described = described(settings, corpus.digest())?;
    let network = SourceFilter::new(&settings.model, params)
        .map_err(|error| TrainError::Settings(error.to_string()))?;
    if *network.mel() != corpus.shape {
        let message = "the model's `mel` is not what the recordings were made spectrograms with";
        return Err(TrainError::Settings(message.to_string()));
    }
    let frames = settings.frames.max(8);
    let long = |utterance: &Utterance| utterance.pitch.len() > frames + 1;
    let Corpus {
        train,
        validation,
        shape,
    } = corpus;
    let [train, validation] = [train, validation].map(|utterances| Pieces {
        utterances: utterances.into_iter().filter(long).collect(),
        frames,
        shape,
    });
    if train.utterances.is_empty() || validation.utterances.is_empty() {
        let message = format!("no recording has {} frames to learn from", frames + 2);
        return Err(TrainError::Settings(message));
    }
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described,
        params,
        model: pretty(&settings.model)?,
    };
    let learner = Learner {
        network: &network,
        validation,
        resolutions: [256, 512, 1024, 2048].map(|fft| Resolution::new(fft, session.device)),
        samples: Samples::new(session.folder.path())?,
        device: session.device,
    };
    let loader = Loader::new(
        train,
        settings.batch_size.max(1),
        mix(settings.trainer.seed, &[0]),
        session.workers,
    );
    let run = session.run(plan, &learner, &loader)?;
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
    })
}

/// Pieces of recordings.
#[derive(Debug)]
struct Pieces {
    utterances: Vec<Utterance>,
    frames: usize,
    shape: MelShape,
}

/// What a step takes.
#[derive(Debug)]
struct Batch {
    /// `[batch, frames · hop]`
    samples: Tensor,
    /// `[batch, frames, bands]`
    spectrograms: Tensor,
    /// In Hz, 0 where there is none, `[batch, frames]`.
    pitch: Tensor,
}

impl Dataset for Pieces {
    type Batch = Batch;

    fn len(&self) -> usize {
        self.utterances.len()
    }

    fn batch(&self, indices: &[usize], seed: u64) -> Batch {
        let hop = self.shape.hop as usize;
        let (mut samples, mut spectrograms, mut pitch) = (Vec::new(), Vec::new(), Vec::new());
        for (row, &i) in indices.iter().enumerate() {
            let utterance = &self.utterances[i];
            let last = utterance.samples.len() / hop - self.frames;
            let first = (mix(seed, &[row as u64]) % (last as u64 + 1)) as usize;
            samples.extend_from_slice(&utterance.samples[first * hop..(first + self.frames) * hop]);
            pitch.extend_from_slice(&utterance.pitch[first..first + self.frames]);
            spectrograms.push(utterance.spectrogram.part(first, self.frames));
        }
        Batch {
            samples: Tensor::from_slice(&samples).view([indices.len() as i64, -1]),
            spectrograms: Tensor::stack(&spectrograms, 0),
            pitch: Tensor::from_slice(&pitch).view([indices.len() as i64, -1]),
        }
    }
}

/// A way to look at sound.
#[derive(Debug)]
struct Resolution {
    fft: i64,
    window: Tensor,
}

impl Resolution {
    fn new(fft: i64, device: Device) -> Self {
        Self {
            fft,
            window: Tensor::hann_window(fft, (Kind::Float, device)),
        }
    }

    /// Sizes of the bins of samples `[batch, samples]`.
    fn sizes(&self, samples: &Tensor) -> Tensor {
        let window = Some(&self.window);
        let spectrum = samples.stft(self.fft, self.fft / 4, self.fft, window, false, true, true, false);
        let parts = spectrum.view_as_real().square();
        // The softest that 16 bits tell; the root's slope would have no end at nothing.
        parts
            .sum_dim_intlist(-1i64, false, Kind::Float)
            .clamp_min(1e-6)
            .sqrt()
    }

    /// How far two sounds are apart: by their logarithms, and where they are loud.
    fn apart(&self, made: &Tensor, wanted: &Tensor) -> Tensor {
        let (made, wanted) = (self.sizes(made), tch::no_grad(|| self.sizes(wanted)));
        let loud = (&wanted - &made).norm() / wanted.norm();
        loud + (made.log() - wanted.log()).abs().mean(Kind::Float)
    }
}

struct Learner<'a> {
    network: &'a SourceFilter,
    validation: Pieces,
    resolutions: [Resolution; 4],
    samples: Samples,
    device: Device,
}

impl Learner<'_> {
    /// The loss, frames, and those whose voicing was guessed.
    fn look(&self, batch: &Batch) -> StepOutput {
        let on = |x: &Tensor| x.to_device(self.device);
        let (wanted, pitch) = (on(&batch.samples), on(&batch.pitch));
        let filters = self.network.filters(&on(&batch.spectrograms));
        let voiced = pitch.gt(0.0);
        let shape = self.network.mel();
        let known = pitch.where_self(&voiced, &Tensor::from(MIDDLE_PITCH as f32).to_device(self.device));
        let made = self
            .network
            .sound(&filters, &pulses(&known, &voiced, shape.hop, shape.rate));
        let looks = self
            .resolutions
            .iter()
            .map(|resolution| resolution.apart(&made, &wanted));
        let apart =
            looks.reduce(|a, b| a + b).unwrap_or_else(|| Tensor::from(0.0)) / self.resolutions.len() as f64;
        let told = voiced.to_kind(Kind::Float);
        let off = ((&filters.pitch - (&known / MIDDLE_PITCH).log()).abs() * &told).sum(Kind::Float)
            / told.sum(Kind::Float).clamp_min(1.0);
        let unsure =
            filters
                .voiced
                .binary_cross_entropy_with_logits::<Tensor>(&told, None, None, Reduction::Mean);
        let right = filters.voiced.gt(0.0).eq_tensor(&voiced).to_kind(Kind::Float);
        StepOutput {
            loss: apart + off * 5.0 + unsure * 0.5,
            examples: told.numel(),
            correct: right.sum(Kind::Float).double_value(&[]) as usize,
        }
    }

    /// The first recording, made anew from its spectrogram.
    fn sample(&self) {
        let Some(utterance) = self.validation.utterances.first() else {
            return;
        };
        let recorded = utterance.spectrogram.tensor();
        let sound = tch::no_grad(|| self.network.samples(&recorded.to_device(self.device)));
        let sound = sound.to_device(Device::Cpu).clamp(-1.0, 1.0);
        let shape = self.network.mel();
        let made = shape.spectrogram(&sound);
        let samples = Vec::<f32>::try_from(sound).unwrap_or_default();
        // A sample that cannot be written is no reason to end a run of hours.
        let _ = self.samples.write(&samples, shape.rate, &made, &recorded);
    }
}

impl Objective for Learner<'_> {
    type Batch = Batch;

    fn step(&self, batch: &Batch, _part: usize) -> StepOutput {
        self.look(batch)
    }

    /// The loss, and the share of frames whose voicing was guessed.
    fn validate(&self) -> Scores {
        let mut mean = RunningMean::default();
        let all: Vec<usize> = (0..self.validation.len()).collect();
        for (number, indices) in all.chunks(16).enumerate() {
            let batch = self.validation.batch(indices, number as u64);
            let output = tch::no_grad(|| self.look(&batch));
            mean.add(output.examples, output.loss.double_value(&[]), output.correct);
        }
        self.sample();
        mean.scores()
    }
}

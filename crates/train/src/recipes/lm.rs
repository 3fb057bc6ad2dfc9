//! Training language models, from scratch or from a checkpoint.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sensorium_blocks::Params;
use sensorium_text::causal::{CausalLm, ForwardOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::recorder::Recorder;
use crate::data::{Dataset, Loader};
use crate::error::{Result, TrainError};
use crate::history::{RunningMean, Scores};
use crate::loss::cross_entropy;
use crate::record::TrainingRecord;
use crate::rng::mix;
use crate::trainer::{Callback, Objective, Outcome, StepOutput, Trainer, TrainerConfig};

/// Everything that shapes the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model's `config.json`.
    pub model: Value,
    /// What to call the data in the records.
    pub data: String,
    /// Tokens of an example.
    pub block: usize,
    /// Examples of a step.
    pub batch_size: usize,
    /// Parts that each step's examples are computed in, one after the other, to save memory.
    pub accumulate: usize,
    /// Steps between two validations: what the records call an epoch.
    pub eval_every: usize,
    /// The training loop's settings; its epochs are stretches of `eval_every` steps.
    pub trainer: TrainerConfig,
}

/// The tokens to learn and to validate on.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// Token ids of the training text, documents one after the other.
    pub train: Vec<u32>,
    /// Token ids of the validation text.
    pub validation: Vec<u32>,
    /// Bytes of the validation text, for the bits per byte.
    pub validation_bytes: usize,
}

/// What is around a run but does not shape its result.
pub struct Session<'a> {
    /// The output folder.
    pub out: &'a Path,
    /// Go on with the run in the output folder.
    pub resume: bool,
    /// Where to compute.
    pub device: Device,
    /// Time between checkpoints.
    pub save_every: Duration,
    /// Ends the run early, with a checkpoint.
    pub stop: Arc<AtomicBool>,
    /// Is told how it goes.
    pub callback: &'a mut dyn Callback,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// Finished or stopped.
    pub outcome: Outcome,
    /// What is also in `training.json`.
    pub record: TrainingRecord,
    /// How well the best weights predict the validation text.
    pub best: Option<Quality>,
}

/// How well a language model predicts a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quality {
    /// Mean negative log-likelihood of a token, nats.
    pub loss: f64,
    /// `exp(loss)`.
    pub perplexity: f64,
    /// Negative log-likelihood of the text in bits, by its length in bytes.
    pub bits_per_byte: f64,
}

impl Quality {
    /// From the mean loss of `tokens` tokens that stand for `bytes` bytes of text.
    pub fn new(loss: f64, tokens: usize, bytes: usize) -> Self {
        Self {
            loss,
            perplexity: loss.exp(),
            bits_per_byte: loss * tokens as f64 / bytes.max(1) as f64 / std::f64::consts::LN_2,
        }
    }
}

/// Trains a language model on `corpus`; with `params`, stored ones go on being trained.
///
/// # Errors
/// If the settings make no sense, a text is shorter than a block, the output folder holds another run, the
/// loss diverges, or a file cannot be written.
pub fn train(settings: &Settings, params: Params, corpus: Corpus, session: Session<'_>) -> Result<Report> {
    check(settings, &corpus)?;
    let checkpoint = session.out.join(Trainer::CHECKPOINT);
    if checkpoint.exists() && !session.resume {
        return Err(TrainError::OutputTaken {
            dir: session.out.to_path_buf(),
        });
    }
    let model = CausalLm::new(&settings.model, params.on(session.device))
        .map_err(|error| TrainError::Settings(error.to_string()))?;
    check_fit(&model, settings, &corpus)?;
    let params = model.parameters();
    let described = serde_json::to_value(settings).map_err(|e| TrainError::Settings(e.to_string()))?;
    let mut trainer = Trainer::new(settings.trainer.clone(), params, described.clone(), session.out)
        .with_stop_flag(session.stop)
        .save_every(session.save_every);
    if session.resume {
        trainer.resume()?;
    }
    let config =
        serde_json::to_vec_pretty(&settings.model).map_err(|e| TrainError::Settings(e.to_string()))?;
    sensorium_hub::atomic::write_bytes(&session.out.join("config.json"), &config)?;

    let block = settings.block;
    let (validation, bytes) = (corpus.validation, corpus.validation_bytes);
    let windows = Windows {
        tokens: corpus.train,
        block,
        examples: settings.batch_size * settings.eval_every,
    };
    let seed = mix(settings.trainer.seed, &[0]);
    let loader = Loader::new(windows, settings.batch_size, seed, 1);
    let mut recorder = Recorder::new(
        session.callback,
        session.out,
        described,
        &trainer,
        params,
        session.device,
    );
    let learner = Learner {
        model: &model,
        validation: &validation,
        block,
        parts: settings.accumulate.max(1),
        device: session.device,
    };
    let outcome = trainer.run(&learner, &loader, &mut recorder)?;
    let record = recorder.finish(trainer.progress().seconds)?;
    let losses = record.epochs.iter().map(|epoch| epoch.validation.loss);
    let best = losses
        .min_by(f64::total_cmp)
        .map(|loss| Quality::new(loss, validation.len() - 1, bytes));
    Ok(Report {
        outcome,
        record,
        best,
    })
}

fn check(settings: &Settings, corpus: &Corpus) -> Result<()> {
    let fail = |message: String| Err(TrainError::Settings(message));
    if settings.block == 0 || settings.batch_size == 0 || settings.eval_every == 0 {
        return fail("block, batch size and steps between validations must be at least 1".to_string());
    }
    for (name, tokens) in [("training", &corpus.train), ("validation", &corpus.validation)] {
        if tokens.len() <= settings.block {
            let (found, block) = (tokens.len(), settings.block);
            return fail(format!(
                "the {name} text has {found} tokens, a block needs {block} and one more"
            ));
        }
    }
    Ok(())
}

/// Blocks must fit the model's positions, tokens its vocabulary.
fn check_fit(model: &CausalLm, settings: &Settings, corpus: &Corpus) -> Result<()> {
    let (block, most) = (settings.block as i64, model.max_positions());
    if block > most {
        return Err(TrainError::Settings(format!(
            "a block of {block} tokens is longer than the {most} that the model takes"
        )));
    }
    let vocabulary = model.vocabulary();
    let mut tokens = corpus.train.iter().chain(&corpus.validation);
    match tokens.find(|&&id| i64::from(id) >= vocabulary) {
        Some(id) => Err(TrainError::Settings(format!(
            "token {id} is beyond the model's vocabulary of {vocabulary}: the tokenizer belongs to another model"
        ))),
        None => Ok(()),
    }
}

/// Windows of a long text, at random places.
struct Windows {
    tokens: Vec<u32>,
    block: usize,
    examples: usize,
}

impl Dataset for Windows {
    /// `[batch, block + 1]`: inputs are all but the last token, targets all but the first.
    type Batch = Tensor;

    fn len(&self) -> usize {
        self.examples
    }

    fn batch(&self, indices: &[usize], seed: u64) -> Tensor {
        let places = self.tokens.len() - self.block;
        let mut ids = Vec::with_capacity(indices.len() * (self.block + 1));
        for slot in 0..indices.len() {
            let start = (mix(seed, &[slot as u64]) % places as u64) as usize;
            ids.extend(
                self.tokens[start..=start + self.block]
                    .iter()
                    .map(|&id| i64::from(id)),
            );
        }
        Tensor::from_slice(&ids).view([indices.len() as i64, self.block as i64 + 1])
    }
}

struct Learner<'a> {
    model: &'a CausalLm,
    validation: &'a [u32],
    block: usize,
    parts: usize,
    device: Device,
}

impl Learner<'_> {
    /// Mean loss of the tokens that follow each token of `ids` `[rows, block + 1]`, and the correct guesses.
    fn loss(&self, ids: &Tensor, train: bool) -> (Tensor, usize) {
        let ids = ids.to_device(self.device);
        let block = ids.size()[1] - 1;
        let options = ForwardOptions {
            train,
            ..ForwardOptions::default()
        };
        let logits = self.model.forward(&ids.narrow(1, 0, block), options).logits;
        let targets = ids.narrow(1, 1, block).reshape([-1]);
        let logits = logits.flatten(0, 1).to_kind(Kind::Float);
        let hits = logits
            .detach()
            .argmax(-1, false)
            .eq_tensor(&targets)
            .sum(Kind::Int64);
        (
            cross_entropy(&logits, &targets, 0.0),
            hits.int64_value(&[]) as usize,
        )
    }
}

impl Objective for Learner<'_> {
    type Batch = Tensor;

    fn parts(&self) -> usize {
        self.parts
    }

    fn step(&self, batch: &Tensor, part: usize) -> StepOutput {
        let rows = batch.size()[0];
        let size = rows.div_euclid(self.parts as i64).max(1);
        let start = (part as i64 * size).min(rows - 1);
        let last = part + 1 == self.parts;
        let size = if last { rows - start } else { size };
        let ids = batch.narrow(0, start, size);
        let (loss, correct) = self.loss(&ids, true);
        StepOutput {
            loss: loss * (size as f64 / rows as f64),
            examples: (size * (batch.size()[1] - 1)) as usize,
            correct,
        }
    }

    /// Every token of the validation text but the first, once; each sees the tokens of its block.
    fn validate(&self) -> Scores {
        evaluate_with(self.validation, self.block, |ids| {
            let (loss, hits) = self.loss(ids, false);
            (loss.double_value(&[]), hits)
        })
    }
}

/// Mean loss and accuracy of `model` on a text: windows of `block` tokens, one after the other.
pub fn evaluate(model: &CausalLm, tokens: &[u32], block: usize) -> Scores {
    let learner = Learner {
        model,
        validation: tokens,
        block,
        parts: 1,
        device: model.device(),
    };
    tch::no_grad(|| learner.validate())
}

fn evaluate_with(tokens: &[u32], block: usize, mut loss: impl FnMut(&Tensor) -> (f64, usize)) -> Scores {
    /// Tokens of a batch: bounds the memory that logits take.
    const TOKENS: usize = 8192;
    let rows = (TOKENS / block).max(1);
    let ids: Vec<i64> = tokens.iter().map(|&id| i64::from(id)).collect();
    let whole = (ids.len() - 1) / block; // blocks with a target for each token
    let mut mean = RunningMean::default();
    let mut add = |starts: &[usize], len: usize| {
        let windows: Vec<Tensor> = starts
            .iter()
            .map(|&s| Tensor::from_slice(&ids[s..=s + len]))
            .collect();
        let (loss, hits) = loss(&Tensor::stack(&windows, 0));
        mean.add(starts.len() * len, loss, hits);
    };
    let starts: Vec<usize> = (0..whole).map(|i| i * block).collect();
    for starts in starts.chunks(rows) {
        add(starts, block);
    }
    let rest = ids.len() - 1 - whole * block;
    if rest > 0 {
        add(&[whole * block], rest);
    }
    mean.scores()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_but_the_first_is_predicted_once() {
        for (count, block) in [(10, 3), (11, 5), (100, 7), (2, 1), (8200, 2)] {
            let tokens: Vec<u32> = (0..count).collect();
            let mut seen = Vec::new();
            evaluate_with(&tokens, block, |ids| {
                let len = ids.size()[1] - 1;
                seen.extend(Vec::<i64>::try_from(ids.narrow(1, 1, len).reshape([-1])).unwrap());
                (0.0, 0)
            });
            assert_eq!(seen, (1..i64::from(count)).collect::<Vec<_>>(), "{count} {block}");
        }
    }

    #[test]
    fn windows_are_pieces_of_the_text() {
        let windows = Windows {
            tokens: (0..50).collect(),
            block: 8,
            examples: 64,
        };
        let batch = windows.batch(&[0; 64], 3);
        assert_eq!(batch.size(), [64, 9]);
        let steps = batch.diff::<Tensor>(1, 1, None, None);
        assert!(bool::try_from(steps.eq(1).all()).unwrap());
        let starts = batch.select(1, 0);
        let (first, last) = (starts.min().int64_value(&[]), starts.max().int64_value(&[]));
        assert!(first >= 0 && last <= 41 && last - first > 20, "{first} {last}");
        assert!(batch.equal(&windows.batch(&[0; 64], 3)));
    }
}

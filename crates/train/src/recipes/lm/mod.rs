//! Training language models, from scratch or from a checkpoint.

mod data;
mod quality;
#[cfg(test)]
mod tests;

use sensorium_blocks::Params;
use sensorium_text::causal::{CausalLm, ForwardOptions};
use sensorium_text::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::Session;
use super::session::{Plan, described, pretty};
use crate::data::Loader;
use crate::error::{Result, TrainError};
use crate::history::Scores;
use crate::loss::cross_entropy;
use crate::metrics::correct;
use crate::record::TrainingRecord;
use crate::rng::mix;
use crate::trainer::{Objective, Outcome, StepOutput, TrainerConfig};
use data::Windows;
pub use data::{Corpus, token_ids};
pub use quality::Quality;
use quality::{over_windows, rows_at_once};

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
    /// What the model computes in; what is learned and saved is f32.
    #[serde(default)]
    pub precision: Precision,
    /// Steps between two validations: what the records call an epoch.
    pub eval_every: usize,
    /// The training loop's settings; its epochs are stretches of `eval_every` steps.
    pub trainer: TrainerConfig,
}

/// The arithmetic of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point throughout.
    #[default]
    F32,
    /// Brain floating point of 16 bits in the model, with the learned weights kept in f32 beside it
    /// (arXiv 1710.03740).
    Bf16,
}

impl From<Precision> for Kind {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        }
    }
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

/// Trains a language model on `corpus`; with `params`, stored ones go on being trained. The run's folder
/// becomes a model folder, with `tokenizer` in it.
///
/// # Errors
/// If the settings make no sense, a text is shorter than a block, the folder holds another run, the loss
/// diverges, or a file cannot be written.
pub fn train(
    settings: &Settings,
    params: Params,
    tokenizer: &Tokenizer,
    corpus: Corpus,
    session: Session<'_>,
) -> Result<Report> {
    check(settings, &corpus)?;
    let params = params.on(session.device).of_kind(settings.precision.into());
    let model = CausalLm::new(&settings.model, params)?;
    check_fit(&model, settings, &corpus)?;
    tokenizer
        .save(session.folder.path())
        .map_err(sensorium_text::Error::from)?;

    let bytes = |tokens: &[u32]| tokens.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>();
    let tokens = [bytes(&corpus.train), bytes(&corpus.validation)];
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described(settings, tokens.iter().map(Vec::as_slice))?,
        params: model.parameters(),
        model: pretty(&settings.model)?,
    };
    let block = settings.block;
    let windows = Windows {
        tokens: corpus.train,
        block,
        examples: settings.batch_size * settings.eval_every,
    };
    let seed = mix(settings.trainer.seed, &[0]);
    let loader = Loader::new(windows, settings.batch_size, seed, session.workers);
    let learner = Learner {
        model: &model,
        validation: &corpus.validation,
        block,
        parts: settings.accumulate,
        device: session.device,
    };
    let run = session.run(plan, &learner, &loader)?;
    let losses = run.record.epochs.iter().map(|epoch| epoch.validation.loss);
    let predicted = corpus.validation.len() - 1;
    let best = losses
        .min_by(f64::total_cmp)
        .map(|loss| Quality::new(loss, predicted, corpus.validation_bytes));
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
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
        (
            cross_entropy(&logits, &targets, 0.0),
            correct(&logits.detach(), &targets),
        )
    }
}

impl Objective for Learner<'_> {
    type Batch = Tensor;

    /// At least one example in each.
    fn parts(&self, batch: &Tensor) -> usize {
        self.parts.clamp(1, batch.size()[0] as usize)
    }

    fn step(&self, batch: &Tensor, part: usize) -> StepOutput {
        let (rows, parts) = (batch.size()[0], self.parts(batch) as i64);
        let cut = |part: i64| part * rows / parts;
        let start = cut(part as i64);
        let size = cut(part as i64 + 1) - start;
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
        let rows = rows_at_once(self.block, self.model.vocabulary().unsigned_abs() as usize);
        over_windows(self.validation, self.block, rows, |ids| {
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

//! Training translators on parallel texts, from scratch or from a checkpoint.

mod data;
mod split;

use sensorium_blocks::Params;
use sensorium_text::seq2seq::{ForwardOptions, Seq2SeqLm};
use sensorium_text::tokenizer::{Algorithm, Tokenizer, TrainOptions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::Session;
use super::session::{Plan, described, pretty};
use crate::data::Loader;
use crate::error::{Result, TrainError};
use crate::history::{RunningMean, Scores};
use crate::loss::{IGNORED, cross_entropy};
use crate::parallel::Pairs;
use crate::record::TrainingRecord;
use crate::rng::mix;
use crate::trainer::{Objective, Outcome, StepOutput, TrainerConfig};
use data::{Batch, Buckets, Specials, examples};
use split::Splitter;

/// Everything that shapes the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model's `config.json`.
    pub model: Value,
    /// What to call the data in the records.
    pub data: String,
    /// The language that is translated.
    pub from: String,
    /// The language it is translated to.
    pub to: String,
    /// Target tokens of a step, padding included.
    pub batch_tokens: usize,
    /// The most tokens of an example on either side; longer ones are left out.
    pub longest: usize,
    /// Share of the target that is spread over all tokens (arXiv 1512.00567, section 7).
    pub smoothing: f64,
    /// The probability that a byte-pair token is shown as the two it was merged from, and those in turn (as
    /// BPE dropout, arXiv 1910.13267).
    pub split: f64,
    /// The training loop's settings.
    pub trainer: TrainerConfig,
}

/// The parallel texts of a run.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// To learn.
    pub train: Pairs,
    /// To validate on.
    pub validation: Pairs,
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// Finished or stopped.
    pub outcome: Outcome,
    /// What is also in `training.json`.
    pub record: TrainingRecord,
    /// Pairs that were left out because they are empty or too long.
    pub left_out: usize,
}

/// A tokenizer for both languages of `pairs`: byte pairs, of which every text ends with `</s>`.
///
/// # Errors
/// If the vocabulary is too small.
pub fn joint_tokenizer(pairs: &Pairs, settings: &TokenizerSettings<'_>) -> Result<Tokenizer> {
    let options = TrainOptions {
        vocab_size: settings.vocab_size,
        special_tokens: [("eos_token", "</s>"), ("pad_token", "<pad>")]
            .map(|(role, token)| (role.to_string(), token.to_string()))
            .to_vec(),
        append_eos: true,
        ..TrainOptions::new(Algorithm::ByteLevelBpe)
    };
    let texts = pairs.source.iter().chain(&pairs.target).map(|text| text.trim());
    let tokenizer = Tokenizer::train(texts, &options).map_err(sensorium_text::Error::from)?;
    Ok(tokenizer
        .with_setting("source_lang", settings.from.into())
        .with_setting("target_lang", settings.to.into()))
}

/// What [`joint_tokenizer`] is to be like.
#[derive(Debug, Clone, Copy)]
pub struct TokenizerSettings<'a> {
    /// The most tokens.
    pub vocab_size: usize,
    /// The language that is translated.
    pub from: &'a str,
    /// The language it is translated to.
    pub to: &'a str,
}

/// Trains a translator; with `params`, stored ones go on being trained. The run's folder becomes a model
/// folder, with `tokenizer` in it.
///
/// # Errors
/// If the settings make no sense, no pair is left, the folder holds another run, the loss diverges, or a file
/// cannot be written.
pub fn train(
    settings: &Settings,
    params: Params,
    tokenizer: &Tokenizer,
    corpus: &Corpus,
    session: Session<'_>,
) -> Result<Report> {
    let specials = specials(&settings.model)?;
    let params = params.on(session.device).of_kind(Kind::Float);
    let model = Seq2SeqLm::new(&settings.model, params)?;
    let longest = model.max_positions().and_then(|n| usize::try_from(n).ok());
    let longest = longest.unwrap_or(usize::MAX).min(settings.longest);
    let train = examples(&corpus.train, tokenizer, longest)?;
    let validation = examples(&corpus.validation, tokenizer, longest)?;
    check(&model, settings, tokenizer, [train.len(), validation.len()])?;
    let splitter = Splitter {
        merges: tokenizer.merges(),
        probability: settings.split,
    };
    if splitter.probability > 0.0 && splitter.merges.is_empty() {
        let message = "this tokenizer has no merges: its tokens cannot be split";
        return Err(TrainError::Settings(message.to_string()));
    }
    tokenizer
        .save(session.folder.path())
        .map_err(sensorium_text::Error::from)?;
    let generation = session.folder.file("generation_config.json");
    sensorium_hub::atomic::write_bytes(&generation, &pretty(&generation_config(&settings.model))?)?;

    let both = [&corpus.train, &corpus.validation];
    let texts = both
        .into_iter()
        .flat_map(|pairs| pairs.source.iter().chain(&pairs.target));
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described(settings, texts.map(String::as_bytes))?,
        params: model.parameters(),
        model: pretty(&settings.model)?,
    };
    let left_out = corpus.train.len() - train.len();
    let seed = mix(settings.trainer.seed, &[0]);
    let loader = Loader::new(
        Buckets::new(train, settings.batch_tokens, specials).splitting(splitter),
        1,
        seed,
        session.workers,
    );
    let learner = Learner {
        model: &model,
        validation: Buckets::new(validation, settings.batch_tokens, specials),
        smoothing: settings.smoothing,
        device: session.device,
    };
    let run = session.run(plan, &learner, &loader)?;
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
        left_out,
    })
}

/// The ids that frame sequences, as the model's configuration says.
fn specials(config: &Value) -> Result<Specials> {
    let id = |name: &str| {
        let id = config.get(name).and_then(Value::as_i64);
        id.ok_or_else(|| TrainError::Settings(format!("the model's config.json has no `{name}`")))
    };
    Ok(Specials {
        pad: id("pad_token_id")?,
        start: id("decoder_start_token_id")?,
    })
}

fn check(model: &Seq2SeqLm, settings: &Settings, tokenizer: &Tokenizer, left: [usize; 2]) -> Result<()> {
    let fail = |message: String| Err(TrainError::Settings(message));
    for (name, left) in ["training", "validation"].into_iter().zip(left) {
        if left == 0 {
            let longest = settings.longest;
            return fail(format!(
                "no {name} pair has both sides and at most {longest} tokens"
            ));
        }
    }
    let vocabulary = model.vocabulary().min(model.source_vocabulary());
    if tokenizer.vocab_size() as i64 > vocabulary {
        let found = tokenizer.vocab_size();
        return fail(format!(
            "the tokenizer has {found} tokens, the model {vocabulary}: they do not belong together"
        ));
    }
    Ok(())
}

/// `generation_config.json` of a translator: a beam of 5, never padding.
fn generation_config(model: &Value) -> Value {
    let id = |name: &str| model.get(name).cloned().unwrap_or(Value::Null);
    json!({
        "bad_words_ids": [[id("pad_token_id")]],
        "decoder_start_token_id": id("decoder_start_token_id"),
        "eos_token_id": id("eos_token_id"),
        "pad_token_id": id("pad_token_id"),
        "max_length": id("max_position_embeddings"),
        "num_beams": 5,
    })
}

struct Learner<'a> {
    model: &'a Seq2SeqLm,
    validation: Buckets,
    smoothing: f64,
    device: Device,
}

impl Learner<'_> {
    /// Mean loss of the labels of `batch`, and how many the model would have guessed.
    fn loss(&self, batch: &Batch, smoothing: f64, train: bool) -> (Tensor, usize) {
        let put = |tensor: &Tensor| tensor.to_device(self.device);
        let mask = batch.mask.as_ref().map(put);
        let options = ForwardOptions {
            mask: mask.as_ref(),
            train,
            ..ForwardOptions::default()
        };
        let forward = self
            .model
            .forward(&put(&batch.source), &put(&batch.decoder), options);
        let labels = put(&batch.labels).flatten(0, 1);
        let logits = forward.logits.flatten(0, 1).to_kind(Kind::Float);
        let loss = cross_entropy(&logits, &labels, smoothing);
        let guessed = logits.detach().argmax(-1, false).eq_tensor(&labels);
        (loss, guessed.sum(Kind::Int64).int64_value(&[]) as usize)
    }
}

impl Objective for Learner<'_> {
    type Batch = Batch;

    fn step(&self, batch: &Batch, _part: usize) -> StepOutput {
        debug_assert!(batch.labels.max().int64_value(&[]) > IGNORED);
        let (loss, correct) = self.loss(batch, self.smoothing, true);
        StepOutput {
            loss,
            examples: batch.tokens,
            correct,
        }
    }

    /// Cross-entropy and accuracy of the tokens of the validation texts, without smoothing.
    fn validate(&self) -> Scores {
        let mut mean = RunningMean::default();
        for batch in self.validation.batches() {
            let (loss, correct) = self.loss(&batch, 0.0, false);
            mean.add(batch.tokens, loss.double_value(&[]), correct);
        }
        mean.scores()
    }
}

#[cfg(test)]
mod tests;

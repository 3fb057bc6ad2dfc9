//! Fine-tuning Whisper (arXiv 2212.04356): the decoder learns to write what is said in recordings of at most a window.

mod data;

use sensorium_blocks::Params;
use sensorium_hub::Model;
use sensorium_metrics::normalize;
use sensorium_metrics::wer::{Errors, word_errors};
use sensorium_speech::features::Extractor;
use sensorium_speech::models::whisper::Whisper;
use sensorium_speech::whisper::{Task, WhisperRecognizer};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::Session;
use super::asr::{Batch, Corpus, Example, Recordings, Report, Shaping, SpecAugment, digest, examples, right};
use super::session::{Plan, described, pretty};
use crate::data::Loader;
use crate::error::{Result, TrainError};
use crate::history::Scores;
use crate::loss::cross_entropy;
use crate::metrics::correct;
use crate::recordings::Recording;
use crate::rng::mix;
use crate::trainer::{Objective, StepOutput, TrainerConfig};
use data::{Rows, rows};

/// Everything that shapes the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The model's `config.json`; where it has `apply_spec_augment`, that is done besides the masks of `shaping`.
    pub model: Value,
    /// What to call the data in the records.
    pub data: String,
    /// The language of the texts, as a code; none for models of English alone.
    pub language: Option<String>,
    /// The texts are translations into English.
    pub translate: bool,
    /// Only the decoder learns.
    pub freeze_encoder: bool,
    /// Strings of a step.
    pub batch_size: usize,
    /// What is learned from.
    pub shaping: Shaping,
    /// The training loop's settings.
    pub trainer: TrainerConfig,
}

/// Files of a model folder that belong to no weights and are the same after training.
const COPIED: &[&str] = &[
    "added_tokens.json",
    "generation_config.json",
    "merges.txt",
    "normalizer.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
];

/// Goes on training the checkpoint `model`. The run's folder becomes a model folder like it.
///
/// # Errors
/// If the settings make no sense, a recording cannot be decoded, none is left, the folder holds another run, the loss
/// diverges, or a file cannot be written.
pub fn train(settings: &Settings, model: &Model, corpus: &Corpus, session: Session<'_>) -> Result<Report> {
    let mut params = Params::trainable(model.weights()?)
        .on(session.device)
        .of_kind(Kind::Float);
    if settings.freeze_encoder {
        params = params.freezing("model.encoder.");
    }
    let recognizer = WhisperRecognizer::with_params(model, &settings.model, &params)?;
    let extractor = Extractor::Whisper(recognizer.features().clone());
    settings.shaping.check(&extractor)?;
    let teacher = Teacher::new(&recognizer, settings)?;
    let train = teacher.examples(&corpus.train)?;
    let validation = teacher.examples(&corpus.validation)?;
    if train.is_empty() || validation.is_empty() {
        let message = format!(
            "there is no recording to learn or none to validate on that has a text and at most {} seconds",
            recognizer.features().chunk_length
        );
        return Err(TrainError::Settings(message));
    }
    let mut config = settings.model.clone();
    for name in ["dtype", "torch_dtype"] {
        if let Some(kind) = config.get_mut(name) {
            *kind = "float32".into();
        }
    }
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described(settings, digest(&[&train, &validation]))?,
        params: &params,
        model: pretty(&config)?,
    };
    let left_out = corpus.train.len() - train.len();
    let augment =
        SpecAugment::of(&settings.model).map_err(|error| TrainError::Settings(error.to_string()))?;
    let recordings = |examples: Vec<Example>, shaping, augment| Recordings {
        joined: examples.len(),
        examples,
        extractor: extractor.clone(),
        shaping,
        batch_size: settings.batch_size.max(1),
        delimiter: None,
        edges: Default::default(),
        longest: Some(recognizer.features().window()),
        augment,
    };
    let learner = Learner {
        validation: recordings(validation, Shaping::PLAIN, None),
        freeze_encoder: settings.freeze_encoder,
        device: session.device,
        teacher,
    };
    if let Some(batch) = learner.validation.batches(0).next() {
        learner.errors(&batch)?; // before the hours of training
    }
    let seed = mix(settings.trainer.seed, &[0]);
    let recordings = recordings(train, settings.shaping, augment);
    let loader = Loader::new(recordings, 1, seed, session.workers);
    let run = session.run_with(plan, &learner, &loader, |folder| {
        for file in COPIED {
            if let Some(bytes) = model.read(file)? {
                sensorium_hub::atomic::write_bytes(&folder.join(file), &bytes)?;
            }
        }
        Ok(())
    })?;
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
        left_out,
    })
}

/// Knows what is to be written.
struct Teacher<'a> {
    recognizer: &'a WhisperRecognizer,
    language: Option<&'a str>,
    /// The tokens before the text.
    beginning: Vec<i64>,
}

impl<'a> Teacher<'a> {
    fn new(recognizer: &'a WhisperRecognizer, settings: &'a Settings) -> Result<Self> {
        let languages = &recognizer.tokens().languages;
        let fail = |message: String| Err(TrainError::Settings(message));
        if languages.is_empty() && settings.translate {
            return fail("the model knows English alone: it translates nothing".to_string());
        }
        if !languages.is_empty() && settings.language.is_none() {
            let known: Vec<&str> = languages.iter().map(|(code, _)| code.as_str()).collect();
            return fail(format!(
                "the model knows several languages: name the one that is spoken with --language, one of {}",
                known.join(", ")
            ));
        }
        let task = match settings.translate {
            true => Task::Translate,
            false => Task::Transcribe,
        };
        let language = settings.language.as_deref();
        Ok(Self {
            beginning: recognizer.beginning(language, task)?,
            recognizer,
            language: language.filter(|_| !settings.translate),
        })
    }

    /// Decodes recordings; those without a text, and those that are too long to be heard or written in one window, are
    /// left out.
    fn examples(&self, recordings: &[Recording]) -> Result<Vec<Example>> {
        let most = usize::try_from(self.recognizer.model().max_tokens()).unwrap_or(usize::MAX);
        let room = most.saturating_sub(self.beginning.len());
        let mut targets = Vec::with_capacity(recordings.len());
        for recording in recordings {
            let ids = self.recognizer.text_ids(&recording.text, self.language)?;
            let ids: Vec<usize> = ids.into_iter().filter_map(|id| id.try_into().ok()).collect();
            targets.push((1..=room).contains(&ids.len()).then_some(ids));
        }
        let mut targets = targets.into_iter();
        let examples = examples(recordings, self.recognizer.rate(), |_| targets.next().flatten())?;
        let window = self.recognizer.features().window();
        let heard = examples
            .into_iter()
            .filter(|example| example.samples.len() <= window);
        Ok(heard.collect())
    }

    /// What the decoder reads and what it shall write of `batch`.
    fn rows(&self, batch: &Batch) -> Rows {
        rows(
            &self.beginning,
            &batch.targets,
            self.recognizer.tokens().end,
            self.recognizer.model().max_tokens(),
        )
    }

    /// Words that can be compared: in small letters, without punctuation.
    fn words(&self, ids: &[i64]) -> Result<String> {
        Ok(normalize::basic(&self.recognizer.text(ids)?))
    }
}

/// What the decoder says where the tokens before each are given to it.
struct Taught {
    /// The mean loss of a token.
    loss: Tensor,
    /// Tokens.
    count: usize,
    /// Those that it would have written.
    correct: usize,
}

/// Teaches `rows` for the windows `mels` `[batch, mels, frames]`; the encoder learns, too, if it is to `hear` better.
fn taught(model: &Whisper, mels: &Tensor, rows: &Rows, hear: bool, train: bool) -> Taught {
    let states = match hear {
        true => model.encode_as(mels, train),
        false => tch::no_grad(|| model.encode_as(mels, train)),
    };
    let [read, labels] = [&rows.read, &rows.labels].map(|ids| ids.to_device(mels.device()));
    let (decoder, labels) = (model.decoder(), labels.flatten(0, 1));
    let memory = model.remember(&states);
    let states = decoder.forward(&read, Default::default(), &memory, None, train, None);
    let logits = decoder.logits(&states).flatten(0, 1).to_kind(Kind::Float);
    Taught {
        correct: correct(&logits.detach(), &labels),
        loss: cross_entropy(&logits, &labels, 0.0),
        count: rows.count,
    }
}

struct Learner<'a> {
    teacher: Teacher<'a>,
    validation: Recordings,
    freeze_encoder: bool,
    device: Device,
}

impl Learner<'_> {
    fn taught(&self, batch: &Batch, train: bool) -> Taught {
        let model = self.teacher.recognizer.model();
        let mels = batch.features.values.to_device(self.device);
        taught(
            model,
            &mels,
            &self.teacher.rows(batch),
            !self.freeze_encoder,
            train,
        )
    }

    /// Errors in what is written of `batch`, always the likeliest token.
    fn errors(&self, batch: &Batch) -> Result<Errors> {
        let teacher = &self.teacher;
        let written = teacher
            .recognizer
            .write_greedily(&batch.features.values, &teacher.beginning)?;
        let mut all = Errors::default();
        for (target, written) in batch.targets.iter().zip(written) {
            let said: Vec<i64> = target.iter().map(|&id| id as i64).collect();
            all = all.plus(&word_errors(&teacher.words(&said)?, &teacher.words(&written)?));
        }
        Ok(all)
    }
}

impl Objective for Learner<'_> {
    type Batch = Batch;

    fn step(&self, batch: &Batch, _part: usize) -> StepOutput {
        let taught = self.taught(batch, true);
        StepOutput {
            loss: taught.loss,
            examples: taught.count,
            correct: taught.correct,
        }
    }

    /// The loss of a token, and 1 less the word error rate.
    fn validate(&self) -> Scores {
        let (mut sum, mut tokens, mut errors) = (0.0, 0, Errors::default());
        for batch in self.validation.batches(0) {
            let taught = self.taught(&batch, false);
            sum += taught.loss.double_value(&[]) * taught.count as f64;
            tokens += taught.count;
            // A model whose scores are no numbers writes nothing; the loss says so, too.
            errors = errors.plus(&self.errors(&batch).unwrap_or_default());
        }
        Scores {
            loss: sum / tokens.max(1) as f64,
            accuracy: right(&errors) as f64 / errors.said().max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests;

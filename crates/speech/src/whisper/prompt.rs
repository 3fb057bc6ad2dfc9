//! What the model is told before it writes: what was said before, words to expect, what is wanted.

use sensorium_blocks::seq2seq::Memory;
use sensorium_blocks::{ConfigProblem, in_f32};
use sensorium_hub::Model;
use serde::Deserialize as _;
use serde_json::Value;
use tch::Tensor;

use super::write::part;
use super::{Task, Tokens, WhisperOptions, WhisperRecognizer};
use crate::error::Error;

impl WhisperRecognizer {
    /// The tokens that tell the model what was said before, or words to expect.
    ///
    /// # Errors
    /// If the tokenizer has no token that begins such a text.
    pub fn prompt(&self, text: &str) -> Result<Vec<i64>, Error> {
        let begin = self.tokenizer.id(BEFORE).ok_or(Error::NoPrompt)?;
        let ids = self.words(text)?;
        let last = ids[ids.len().saturating_sub(self.room())..].iter().copied();
        Ok(std::iter::once(begin).chain(last).collect())
    }

    /// The tokens of words to expect.
    ///
    /// # Errors
    /// If the tokenizer has no token that begins such a text.
    pub fn words(&self, text: &str) -> Result<Vec<i64>, Error> {
        self.tokenizer.id(BEFORE).ok_or(Error::NoPrompt)?;
        Ok(self.tokenizer.ids(&format!(" {}", text.trim()), false)?)
    }

    /// What was said, for the next window: no more than the model has room for.
    pub(super) fn remembered(&self, before: &[i64], said: impl Iterator<Item = i64>, sure: bool) -> Vec<i64> {
        let Some(mark) = self.tokenizer.id(BEFORE).filter(|_| sure) else {
            return Vec::new();
        };
        let words = before.iter().copied().filter(|&id| id != mark).chain(said);
        let words: Vec<i64> = words.collect();
        let last = words[words.len().saturating_sub(self.room())..].iter().copied();
        std::iter::once(mark).chain(last).collect()
    }

    /// What was said `before`, behind the words to expect; the oldest of it makes room for them.
    pub(super) fn reminded(&self, before: &[i64], words: &[i64]) -> Vec<i64> {
        let Some(mark) = self.tokenizer.id(BEFORE).filter(|_| !words.is_empty()) else {
            return before.to_vec();
        };
        let words = &words[..words.len().min(self.room())];
        let said: Vec<i64> = before.iter().copied().filter(|&id| id != mark).collect();
        let left = self.room() - words.len();
        let said = &said[said.len().saturating_sub(left)..];
        [&[mark], words, said].concat()
    }

    /// Tokens that may come before a window: half of what the model takes.
    fn room(&self) -> usize {
        (self.model.max_tokens() / 2 - 1).max(1) as usize
    }

    /// The tokens that say what is wanted of a recording whose language is `detected` if none is named.
    pub(super) fn wanted(
        &self,
        options: &WhisperOptions,
        timestamps: bool,
        detected: impl FnOnce() -> i64,
    ) -> Result<Vec<i64>, Error> {
        let mut ids = vec![self.tokens.start];
        // What is asked for takes the place of all that older settings force.
        let forced = (options.language.is_none() && options.task.is_none()).then_some(&self.named.forced);
        let named = match &options.language {
            Some(language) => Some(self.tokens.language(language)?),
            None => self.named.language,
        };
        let forced_language = forced.and_then(|forced| forced.0);
        match named.or(forced_language) {
            Some(language) => ids.push(language),
            None if !self.tokens.languages.is_empty() => ids.push(detected()),
            None => {}
        }
        // Without language and task the reference names the task that the model's settings do, if any; its program
        // always names one.
        let usual = named.is_some() || options.checks.is_some();
        let asked = options.task.or(self.named.task);
        let task = asked.or(forced.and_then(|forced| forced.1));
        let task = task.or(usual.then_some(Task::Transcribe));
        ids.extend(task.and_then(|task| self.tokens.task(task)));
        if !timestamps {
            ids.push(self.tokens.no_timestamps);
        }
        Ok(ids)
    }

    /// The token of the language that is spoken in window `row` of `memory`.
    pub(super) fn language(&self, memory: &Memory, row: usize) -> i64 {
        let logits = tch::no_grad(|| {
            let start = Tensor::from_slice(&[self.tokens.start])
                .view([1, 1])
                .to_device(self.device);
            let decoder = self.model.decoder();
            let memory = part(memory, &[row]);
            let states = decoder.forward(&start, Default::default(), &memory, None, false, None);
            in_f32(&decoder.logits(&states)).view([-1])
        });
        let score = |id: i64| logits.double_value(&[id]);
        let ids = self.tokens.languages.iter().map(|(_, id)| *id);
        ids.max_by(|&a, &b| score(a).total_cmp(&score(b)))
            .unwrap_or(self.tokens.start)
    }
}

/// The language and the task that a model's settings name.
#[derive(Debug, Default)]
pub(super) struct Named {
    language: Option<i64>,
    task: Option<Task>,
    /// What older settings force: they count only where the others name nothing.
    forced: (Option<i64>, Option<Task>),
}

impl Named {
    /// By `generation_config.json` with its `forced` tokens, or else those of `config.json`.
    pub fn new(
        model: &Model,
        settings: &Value,
        forced: Option<Vec<(usize, Option<i64>)>>,
        config: &Value,
        tokens: &Tokens,
    ) -> Result<Self, Error> {
        let text = |field: &str| settings.get(field).and_then(Value::as_str);
        let language = text("language").map(|name| tokens.language(name)).transpose()?;
        let task = match text("task") {
            None => None,
            Some("transcribe") => Some(Task::Transcribe),
            Some("translate") => Some(Task::Translate),
            Some(other) => {
                let problem = format!("`task` is `{other}`, expected `transcribe` or `translate`");
                return Err(Error::in_file(
                    model,
                    "generation_config.json",
                    ConfigProblem::Other(problem),
                ));
            }
        };
        if language.is_some() || task.is_some() {
            let forced = (None, None);
            return Ok(Self {
                language,
                task,
                forced,
            });
        }
        let older = || {
            let older = config.get("forced_decoder_ids")?;
            Vec::<(usize, Option<i64>)>::deserialize(older).ok()
        };
        let forced = forced.or_else(older).unwrap_or_default();
        let ids = || forced.iter().filter_map(|&(_, id)| id);
        let language = ids().find(|&id| tokens.language_of(id).is_some());
        let task = ids().find_map(|id| tokens.task_of(id));
        Ok(Self {
            forced: (language, task),
            ..Self::default()
        })
    }
}

/// The token that begins what was said before.
const BEFORE: &str = "<|startofprev|>";

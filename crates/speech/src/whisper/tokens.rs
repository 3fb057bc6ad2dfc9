//! Tokens that mean something special to Whisper.

use sensorium_blocks::ConfigProblem;
use sensorium_hub::Model;
use sensorium_tokenizer::Tokenizer;
use serde_json::Value;

use super::languages;
use crate::error::Error;

/// What is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// What is said.
    Transcribe,
    /// Its translation into English.
    Translate,
}

/// Ids of special tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Begins what is written.
    pub start: i64,
    /// Ends it.
    pub end: i64,
    /// Codes of languages with their tokens, as `("en", 50259)`; none in models of English alone.
    pub languages: Vec<(String, i64)>,
    /// Says that no times are wanted.
    pub no_timestamps: i64,
    /// The time 0; each following one is 0.02 seconds later.
    pub first_time: i64,
    /// The latest time that may come first, in steps.
    pub latest_first_time: Option<i64>,
    transcribe: Option<i64>,
    translate: Option<i64>,
}

impl Tokens {
    pub(super) fn new(model: &Model, settings: &Value, tokenizer: &Tokenizer) -> Result<Self, Error> {
        let named = |field: &str, token: &str| {
            let id = settings
                .get(field)
                .and_then(Value::as_i64)
                .or_else(|| tokenizer.id(token));
            id.ok_or_else(|| {
                let problem = format!("there is no `{field}`, and the tokenizer has no `{token}`");
                Error::in_file(model, "generation_config.json", ConfigProblem::Other(problem))
            })
        };
        let task = |name: &str| {
            let listed = settings.get("task_to_id").and_then(|tasks| tasks.get(name));
            listed.and_then(Value::as_i64)
        };
        let mut languages: Vec<(String, i64)> = settings
            .get("lang_to_id")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(token, id)| {
                let code = token.strip_prefix("<|")?.strip_suffix("|>")?;
                Some((code.to_string(), id.as_i64()?))
            })
            .collect();
        languages.sort_by_key(|(_, id)| *id);
        let no_timestamps = named("no_timestamps_token_id", "<|notimestamps|>")?;
        Ok(Self {
            start: named("decoder_start_token_id", "<|startoftranscript|>")?,
            end: named("eos_token_id", "<|endoftext|>")?,
            languages,
            no_timestamps,
            first_time: no_timestamps + 1,
            latest_first_time: settings
                .get("max_initial_timestamp_index")
                .and_then(Value::as_i64),
            transcribe: task("transcribe"),
            translate: task("translate"),
        })
    }

    /// The token of a language, by its code or its name.
    ///
    /// # Errors
    /// If the model does not know it.
    pub fn language(&self, code: &str) -> Result<i64, Error> {
        let code = languages::code(code);
        let known = self.languages.iter().find(|(known, _)| *known == code);
        known.map(|(_, id)| *id).ok_or_else(|| Error::Language {
            asked: code,
            known: match self.languages.as_slice() {
                [] => "English alone: name no language".to_string(),
                languages => languages
                    .iter()
                    .map(|(code, _)| code.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            },
        })
    }

    /// The code of the language of a token.
    pub(super) fn language_of(&self, token: i64) -> Option<&str> {
        let known = self.languages.iter().find(|(_, id)| *id == token);
        known.map(|(code, _)| code.as_str())
    }

    /// Whether the model can do so.
    pub fn can(&self, task: Task) -> bool {
        task == Task::Transcribe || self.task(task).is_some()
    }

    /// The task of a token.
    pub(super) fn task_of(&self, token: i64) -> Option<Task> {
        let tasks = [Task::Transcribe, Task::Translate];
        tasks.into_iter().find(|&task| self.task(task) == Some(token))
    }

    /// The token of a task, in models that have several.
    pub(super) fn task(&self, task: Task) -> Option<i64> {
        match task {
            Task::Transcribe => self.transcribe,
            Task::Translate => self.translate,
        }
    }
}

//! What the model is told before it writes: what was said before, words to expect, what is wanted.

use sensorium_blocks::in_f32;
use sensorium_blocks::seq2seq::Memory;
use tch::Tensor;

use super::write::part;
use super::{Task, WhisperOptions, WhisperRecognizer};
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
        match &options.language {
            Some(language) => ids.push(self.tokens.language(language)?),
            None if !self.tokens.languages.is_empty() => ids.push(detected()),
            None => {}
        }
        // Without language and task the reference names the task that the model's settings do, if any.
        let named = options.language.as_ref().map(|_| Task::Transcribe);
        let task = options.task.or(named).or(self.task);
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

/// The token that begins what was said before.
const BEFORE: &str = "<|startofprev|>";

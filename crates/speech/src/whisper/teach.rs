//! What the decoder is taught to write, and what it writes of its own accord.

use sensorium_generation::{DecoderSession, GenerationConfig, Options, Prompt, generate};
use tch::Tensor;

use super::words::UNBROKEN;
use super::{Task, WhisperRecognizer};
use crate::error::Error;

impl WhisperRecognizer {
    /// The tokens that begin what is written in `language`, without times; models of English alone take none.
    ///
    /// # Errors
    /// If the model does not know the language.
    pub fn beginning(&self, language: Option<&str>, task: Task) -> Result<Vec<i64>, Error> {
        let tokens = &self.tokens;
        let mut ids = vec![tokens.start];
        if let Some(language) = language {
            ids.push(tokens.language(language)?);
        }
        ids.extend(tokens.task(task));
        ids.push(tokens.no_timestamps);
        Ok(ids)
    }

    /// The tokens of a text in `language` as the model was taught to write it: behind a blank, where the language has
    /// them.
    ///
    /// # Errors
    /// If the tokenizer refuses it.
    pub fn text_ids(&self, text: &str, language: Option<&str>) -> Result<Vec<i64>, Error> {
        let unbroken = language.is_some_and(|language| UNBROKEN.contains(&language));
        let blank = if unbroken { "" } else { " " };
        Ok(self.tokenizer.ids(&format!("{blank}{}", text.trim()), false)?)
    }

    /// What follows `beginning` for each of the windows `[batch, mels, frames]`, always the likeliest token, without
    /// the end.
    ///
    /// # Errors
    /// If a setting of the checkpoint makes no sense.
    pub fn write_greedily(&self, mels: &Tensor, beginning: &[i64]) -> Result<Vec<Vec<i64>>, Error> {
        let config = GenerationConfig {
            num_beams: Some(1),
            do_sample: Some(false),
            max_new_tokens: None,
            max_length: usize::try_from(self.model.max_tokens()).ok(),
            ..GenerationConfig::default()
        }
        .merge(&self.published);
        let rows = usize::try_from(mels.size()[0]).unwrap_or(0);
        let memory = tch::no_grad(|| {
            let states = self.model.encode(&mels.to_device(self.device));
            self.model.remember(&states)
        });
        let mut session = DecoderSession::new(self.model.decoder(), memory, 0, self.device);
        let prompt = Prompt::start(rows, beginning)?;
        let written = generate(&mut session, &prompt, &config, Options::default())?;
        let without_end = |ids: Vec<i64>| ids.into_iter().take_while(|&id| id != self.tokens.end).collect();
        Ok(written
            .into_iter()
            .map(|written| without_end(written.ids))
            .collect())
    }
}

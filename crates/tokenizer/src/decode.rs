//! From ids to text.

use sensorium_generation::Detokenize;
use tokenizers::ModelWrapper;

use super::{Tokenizer, TokenizerError};

/// How ids are turned into text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Leaves out special tokens.
    pub skip_special_tokens: bool,
    /// Whether blanks before punctuation are removed; `None` for the tokenizer's own habit.
    ///
    /// Not done for byte-pair encodings, whatever is asked for: they write blanks exactly.
    pub clean_up: Option<bool>,
    /// Keeps the time stamps in what Whisper writes (`<|1.42|>`). Other tokenizers have none.
    pub timestamps: bool,
}

impl Default for DecodeOptions {
    /// Without special tokens and time stamps.
    fn default() -> Self {
        Self {
            skip_special_tokens: true,
            clean_up: None,
            timestamps: false,
        }
    }
}

impl DecodeOptions {
    /// Every token, special ones and time stamps included.
    pub fn verbatim() -> Self {
        Self {
            skip_special_tokens: false,
            clean_up: None,
            timestamps: true,
        }
    }
}

impl Tokenizer {
    /// The text of `ids`. Ids that the vocabulary does not have are left out; bytes that are no valid
    /// UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// If the tokenizer's decoder fails.
    pub fn decode(&self, ids: &[i64], options: &DecodeOptions) -> Result<String, TokenizerError> {
        let ids: Vec<u32> = ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
        let skip = options.skip_special_tokens;
        let mut text = match self.joint() {
            Some(joint) => self.decode_pieces(&ids, skip, joint),
            None => self.backend.decode(&ids, skip).map_err(TokenizerError::Decode)?,
        };
        let settings = &self.settings;
        let harmful = matches!(self.backend.get_model(), ModelWrapper::BPE(_)) && !settings.clean_up_anyway;
        if options.clean_up.unwrap_or(settings.clean_up_tokenization_spaces) && !harmful {
            text = clean_up(&text);
        }
        if settings.class == "WhisperTokenizer" && !options.timestamps {
            text = without_timestamps(&text);
        }
        Ok(text)
    }
}

impl Detokenize for Tokenizer {
    /// Special tokens are left out.
    fn decode(&self, ids: &[i64]) -> String {
        Tokenizer::decode(self, ids, &DecodeOptions::default()).unwrap_or_default()
    }
}

/// Removes blanks before punctuation and contractions, in this order.
fn clean_up(text: &str) -> String {
    const RULES: [(&str, &str); 10] = [
        (" .", "."),
        (" ?", "?"),
        (" !", "!"),
        (" ,", ","),
        (" ' ", "'"),
        (" n't", "n't"),
        (" 'm", "'m"),
        (" 's", "'s"),
        (" 've", "'ve"),
        (" 're", "'re"),
    ];
    RULES
        .iter()
        .fold(text.to_string(), |text, (from, to)| text.replace(from, to))
}

/// Removes `<|seconds.hundredths|>`.
fn without_timestamps(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("<|") {
        kept.push_str(&rest[..at]);
        let inside = &rest[at + 2..];
        match inside.find("|>") {
            Some(end) if is_time(&inside[..end]) => rest = &inside[end + 2..],
            _ => {
                kept.push_str("<|");
                rest = inside;
            }
        }
    }
    kept + rest
}

fn is_time(text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(s, h)| digits(s) && digits(h) && h.len() == 2)
}

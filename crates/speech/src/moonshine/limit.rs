//! How many tokens may be written: a model that goes in circles would not stop by itself.

use sensorium_generation::LogitsProcessor;
use sensorium_generation::processors::{Needs, Row};
use sensorium_tokenizer::{DecodeOptions, Tokenizer};

/// Tokens of a second of speech, as the published program of the English models has it.
const A_SECOND: f64 = 6.5;
/// The same for languages whose letters the tokenizer, made for English, spells in several tokens each.
const A_SECOND_SPELT: f64 = 13.0;
/// Tokens that there may be, however short a recording.
const LEAST: usize = 8;

/// Ends each row when it has as many tokens as can be said in its time.
pub(super) struct Limit<'a> {
    tokenizer: &'a Tokenizer,
    seconds: Vec<f64>,
    ends: Vec<i64>,
}

impl<'a> Limit<'a> {
    /// For recordings of so many `seconds`, each of which begins with one token; one of `ends` ends a row.
    pub fn new(tokenizer: &'a Tokenizer, seconds: Vec<f64>, ends: &[i64]) -> Self {
        Self {
            tokenizer,
            seconds,
            ends: ends.to_vec(),
        }
    }

    /// The most new tokens of a row, its end included.
    pub fn most(&self) -> usize {
        let longest = self.seconds.iter().copied().fold(0.0, f64::max);
        tokens(longest, A_SECOND_SPELT) + 1
    }

    /// Whether so many tokens are too many for row `number`.
    fn is_full(&self, number: usize, ids: &[i64]) -> bool {
        let seconds = self.seconds.get(number).copied().unwrap_or_default();
        if ids.len() < tokens(seconds, A_SECOND) {
            return false;
        }
        let text = || self.tokenizer.decode(ids, &DecodeOptions::default());
        ids.len() >= tokens(seconds, A_SECOND_SPELT) || !text().is_ok_and(|text| is_spelt(&text))
    }
}

impl LogitsProcessor for Limit<'_> {
    fn needs(&self) -> Needs {
        match self.ends.len() {
            1 => Needs::Nothing,
            _ => Needs::All, // more than one is left
        }
    }

    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        let written = row.ids.get(1..).unwrap_or_default();
        if self.ends.is_empty() || !self.is_full(row.prompt, written) {
            return;
        }
        scores.fill(f32::NEG_INFINITY);
        for &end in &self.ends {
            if let Some(score) = usize::try_from(end).ok().and_then(|end| scores.get_mut(end)) {
                *score = 0.0;
            }
        }
    }
}

/// Tokens that can be said in so many seconds.
fn tokens(seconds: f64, a_second: f64) -> usize {
    ((seconds * a_second) as usize).max(LEAST)
}

/// Whether more than a tenth of the letters are none of English.
fn is_spelt(text: &str) -> bool {
    let letters = || text.chars().filter(|letter| letter.is_alphabetic());
    let foreign = letters().filter(|letter| !letter.is_ascii()).count();
    10 * foreign > letters().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_tell_how_many_tokens_a_second_has() {
        assert!(!is_spelt(""));
        assert!(!is_spelt("The café is closed. – 42 °C"));
        assert!(is_spelt("Tôi không hiểu tiếng Việt"));
        assert!(is_spelt("Добрий день"));
        assert!(is_spelt("こんにちは"));
        assert_eq!(tokens(10.0, A_SECOND), 65);
        assert_eq!(tokens(0.2, A_SECOND), LEAST);
    }
}

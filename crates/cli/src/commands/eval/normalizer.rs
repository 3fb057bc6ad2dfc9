//! How texts are made alike before they are compared, and the errors in them.

use anyhow::Result;
use clap::ValueEnum;
use sensorium::hub::Model;
use sensorium::metrics::normalize;
use sensorium::metrics::wer::{Errors, character_errors, word_errors};
use serde_json::{Value, json};

use crate::table;

/// A way to make texts alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Normalizer {
    /// Not at all
    None,
    /// Small letters, no punctuation
    Plain,
    /// As Whisper's authors do for English: numbers as figures, contractions in full, and the spellings of the model's
    /// normalizer.json
    Whisper,
    /// As Whisper's authors do for other languages
    WhisperBasic,
}

impl Normalizer {
    /// All that results are told by: as they are, the `chosen` one, and Whisper's for the language that is spoken.
    pub fn all(chosen: Self, language: Option<&str>) -> Vec<Self> {
        let is_english = |language: &str| matches!(language.to_lowercase().as_str(), "en" | "english");
        let whispers = match language {
            _ if chosen == Self::WhisperBasic => chosen,
            Some(language) if chosen != Self::Whisper && !is_english(language) => Self::WhisperBasic,
            _ => Self::Whisper,
        };
        let mut all = vec![Self::None, chosen, whispers];
        all.dedup();
        all
    }

    /// What to call texts that are made by it.
    fn title(self) -> &'static str {
        match self {
            Self::None => "as they are",
            Self::Plain => "plain",
            Self::Whisper => "Whisper's, English",
            Self::WhisperBasic => "Whisper's, basic",
        }
    }

    /// What texts are made by it.
    fn function(self, model: &Model) -> Result<Normalize> {
        Ok(match self {
            Self::None => Box::new(str::to_string),
            Self::Plain => Box::new(plain),
            Self::WhisperBasic => Box::new(normalize::basic),
            Self::Whisper => {
                let file = "normalizer.json";
                let english = match model.read(file)? {
                    Some(_) => normalize::English::new(model.json_as(file)?),
                    None => normalize::English::default(),
                };
                Box::new(move |text| english.normalize(text))
            }
        })
    }
}

/// What makes a text comparable.
type Normalize = Box<dyn Fn(&str) -> String>;

/// The errors in texts that are made alike in one way.
pub struct Tally {
    by: Normalizer,
    normalize: Normalize,
    words: Errors,
    characters: Errors,
}

/// What is said in a recording and what was heard, made alike.
pub struct Compared {
    pub said: String,
    pub heard: String,
    pub words: Errors,
}

impl Tally {
    /// No errors yet.
    pub fn new(by: Normalizer, model: &Model) -> Result<Self> {
        Ok(Self {
            by,
            normalize: by.function(model)?,
            words: Errors::default(),
            characters: Errors::default(),
        })
    }

    /// The way.
    pub fn by(&self) -> Normalizer {
        self.by
    }

    /// Counts the errors in what was `heard`.
    pub fn add(&mut self, said: &str, heard: &str) -> Compared {
        let [said, heard] = [said, heard].map(|text| (self.normalize)(text));
        let words = word_errors(&said, &heard);
        self.words = self.words.plus(&words);
        self.characters = self.characters.plus(&character_errors(&said, &heard));
        Compared { said, heard, words }
    }

    /// The way's name and the rates, for a program.
    pub fn json(&self) -> (String, Value) {
        let name = self.by.to_possible_value();
        let name = name.map_or(String::new(), |value| value.get_name().to_string());
        let errors = json!({
            "wer": self.words.rate(), "cer": self.characters.rate(),
            "words": self.words, "characters": self.characters,
        });
        (name, errors)
    }

    /// The lines of the table that has `all` in it.
    pub fn table(all: &[Self]) -> String {
        let header = ["texts", "errors of", "rate", "said", "wrong", "missed", "added"];
        let mut rows = vec![header.map(str::to_string).to_vec()];
        for tally in all {
            rows.push(row(tally.by.title(), "words", &tally.words));
            rows.push(row("", "characters", &tally.characters));
        }
        table::aligned(&rows, None)
    }
}

fn row(texts: &str, of: &str, errors: &Errors) -> Vec<String> {
    let numbers = [
        errors.said(),
        errors.substitutions,
        errors.deletions,
        errors.insertions,
    ];
    let rate = format!("{:.2} %", 100.0 * errors.rate());
    let numbers = numbers.map(|number| table::thousands(number as u64));
    let names = [texts.to_string(), of.to_string(), rate];
    names.into_iter().chain(numbers).collect()
}

/// In small letters, words apart by single blanks, without punctuation but for apostrophes within words.
fn plain(text: &str) -> String {
    let kept: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' })
        .collect();
    let words = kept.split_whitespace().map(|word| word.trim_matches('\''));
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_does_not_count() {
        assert_eq!(plain("Don't -- stop, 'Élan'!"), "don't stop élan");
    }

    #[test]
    fn whispers_normaliser_is_always_there_once() {
        use Normalizer::{None as Raw, Plain, Whisper, WhisperBasic};
        for (chosen, language, expected) in [
            (Plain, None, &[Raw, Plain, Whisper][..]),
            (Raw, Some("English"), &[Raw, Whisper]),
            (Whisper, Some("de"), &[Raw, Whisper]),
            (WhisperBasic, None, &[Raw, WhisperBasic]),
            (Plain, Some("de"), &[Raw, Plain, WhisperBasic]),
        ] {
            assert_eq!(Normalizer::all(chosen, language), expected);
        }
    }
}

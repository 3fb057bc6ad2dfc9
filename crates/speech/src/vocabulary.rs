//! The letters of models that spell (CTC): `vocab.json`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use sensorium_blocks::ConfigProblem;
use sensorium_hub::Model;
use serde_json::{Value, json};

use crate::error::Error;

/// What is a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// A letter: any word can be written.
    Letters,
    /// A word: the words that were learned, never misspelt.
    Words,
}

/// Tokens and what they mean, as `Wav2Vec2CTCTokenizer` of the reference has them.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    tokens: Vec<String>,
    /// The token for "nothing new".
    pub blank: usize,
    /// The token between words.
    delimiter: String,
    /// Tokens that stand for no letter.
    special: Vec<String>,
    lower_case: bool,
}

impl Vocabulary {
    /// The one that belongs to `model`.
    ///
    /// # Errors
    /// If `vocab.json` is missing or damaged, or has no token for "nothing new".
    pub fn open(model: &Model) -> Result<Self, Error> {
        const FILE: &str = "vocab.json";
        let fail = |problem: String| Error::in_file(model, FILE, ConfigProblem::Other(problem));
        let vocab: HashMap<String, usize> = model.json_as(FILE)?;
        let settings: Value = match model.read("tokenizer_config.json")? {
            Some(_) => model.json_as("tokenizer_config.json")?,
            None => Value::Null,
        };
        let size = vocab.values().max().map_or(0, |id| id + 1);
        if size == 0 || size > 1 << 20 {
            return Err(fail(format!("it has {size} tokens, expected 1 to {}", 1 << 20)));
        }
        let mut tokens = vec![String::new(); size];
        for (token, &id) in &vocab {
            tokens[id].clone_from(token);
        }
        let named = |name: &str, default: &str| match settings.get(name) {
            Some(Value::Object(token)) => token
                .get("content")
                .and_then(Value::as_str)
                .unwrap_or(default)
                .to_string(),
            Some(Value::String(token)) => token.clone(),
            _ => default.to_string(),
        };
        let pad = named("pad_token", "<pad>");
        let blank = *vocab
            .get(&pad)
            .ok_or_else(|| fail(format!("it has no token `{pad}`")))?;
        let others = [
            ("bos_token", "<s>"),
            ("eos_token", "</s>"),
            ("unk_token", "<unk>"),
        ];
        let special = others.map(|(name, default)| named(name, default));
        Ok(Self {
            tokens,
            blank,
            delimiter: named("word_delimiter_token", "|"),
            special: special.into_iter().chain([pad]).collect(),
            lower_case: settings.get("do_lower_case") == Some(&Value::Bool(true)),
        })
    }

    /// One with every word of `texts`, or every letter.
    pub fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>, units: Units) -> Self {
        let mut known = BTreeSet::new();
        for word in texts.into_iter().flat_map(str::split_whitespace) {
            match units {
                Units::Words => {
                    known.insert(word.to_string());
                }
                Units::Letters => known.extend(word.chars().map(String::from)),
            }
        }
        let [pad, delimiter, unknown] = ["<pad>", "|", "<unk>"].map(String::from);
        known.remove(&delimiter);
        let special = vec![unknown.clone(), pad.clone()];
        let tokens = [pad, delimiter.clone(), unknown]
            .into_iter()
            .chain(known)
            .collect();
        Self {
            tokens,
            blank: 0,
            delimiter,
            special,
            lower_case: false,
        }
    }

    /// Writes `vocab.json` and `tokenizer_config.json` to a model's folder.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), Error> {
        let ids: BTreeMap<&String, usize> = self.tokens.iter().zip(0..).collect();
        let settings = json!({
            "tokenizer_class": "Wav2Vec2CTCTokenizer",
            "pad_token": self.tokens[self.blank],
            "unk_token": "<unk>",
            "word_delimiter_token": self.delimiter,
            "do_lower_case": self.lower_case,
        });
        for (file, value) in [("vocab.json", json!(ids)), ("tokenizer_config.json", settings)] {
            let text = format!("{value:#}\n");
            sensorium_hub::atomic::write_bytes(&folder.join(file), text.as_bytes())?;
        }
        Ok(())
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether each token that stands for something is a word, so that there is a space between any two.
    pub fn is_of_words(&self) -> bool {
        let named = |token: &&String| {
            !token.is_empty() && **token != self.delimiter && !self.special.contains(*token)
        };
        self.tokens
            .iter()
            .filter(named)
            .all(|token| token.chars().nth(1).is_some())
    }

    /// The token between words.
    pub fn delimiter(&self) -> Option<usize> {
        self.tokens.iter().position(|token| *token == self.delimiter)
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The tokens of a text, words apart; letters in the case that the vocabulary has. None if it has no token for
    /// something in it.
    pub fn encode(&self, text: &str) -> Option<Vec<usize>> {
        let delimiter = self.find(&self.delimiter);
        let mut ids = Vec::new();
        for (number, word) in text.split_whitespace().enumerate() {
            if number > 0 {
                ids.extend(delimiter);
            }
            match self.find(word) {
                Some(id) if word.chars().count() > 1 => ids.push(id),
                _ => {
                    for letter in word.chars() {
                        ids.push(self.find(&letter.to_string())?);
                    }
                }
            }
        }
        Some(ids)
    }

    /// The tokens of one word and what of it each stands for, without the characters that there is no token for.
    pub fn encode_known(&self, word: &str) -> Vec<(usize, String)> {
        let plain: String = word.chars().filter(|letter| letter.is_alphanumeric()).collect();
        let whole = [word, plain.as_str()]
            .into_iter()
            .filter(|word| word.chars().nth(1).is_some());
        match whole.into_iter().find_map(|word| self.find(word)) {
            Some(id) => vec![(id, word.to_string())],
            None if self.is_of_words() => Vec::new(),
            None => word
                .chars()
                .map(String::from)
                .filter_map(|letter| Some((self.find(&letter)?, letter)))
                .collect(),
        }
    }

    /// A token in the case that the vocabulary has.
    fn find(&self, token: &str) -> Option<usize> {
        let cases = [token.to_string(), token.to_uppercase(), token.to_lowercase()];
        let found = |case: &String| self.tokens.iter().position(|known| known == case);
        cases.iter().find_map(found)
    }

    /// What the token says; none if it stands for no letter.
    pub fn letter(&self, id: usize) -> String {
        let token = self.tokens.get(id).map_or("", String::as_str);
        let letter = if token == self.delimiter { " " } else { token };
        match self.lower_case {
            true => letter.to_lowercase(),
            false => letter.to_string(),
        }
    }

    /// Whether the token stands for no letter.
    pub fn is_special(&self, id: usize) -> bool {
        self.tokens
            .get(id)
            .is_none_or(|token| self.special.contains(token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_tokens() {
        let letters = Vocabulary::of_texts(["ab b", "ca"], Units::Letters);
        assert_eq!(letters.len(), 6);
        assert_eq!(letters.encode("ab  CA"), Some(vec![3, 4, 1, 5, 3]));
        assert_eq!(letters.encode("xa"), None);
        assert_eq!(letters.encode(""), Some(vec![]));
        let words = Vocabulary::of_texts(["one two", "two"], Units::Words);
        assert_eq!(words.encode("two one two"), Some(vec![4, 1, 3, 1, 4]));
        assert_eq!(words.letter(4), "two");
    }
}

//! A token for each character, with blanks in between: what VITS reads.

use std::collections::HashMap;

use sensorium_hub::Model;
use serde::Deserialize;

use crate::TokenizerError;

/// Turns text into the ids of its characters, as `VitsTokenizer` of the reference does.
#[derive(Debug, Clone)]
pub struct Characters {
    ids: HashMap<String, i64>,
    settings: Settings,
    /// Tokens of several characters that are kept as they are.
    longer: Vec<String>,
}

/// `tokenizer_config.json`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
struct Settings {
    add_blank: bool,
    normalize: bool,
    phonemize: bool,
    is_uroman: bool,
    language: Option<String>,
    added_tokens_decoder: HashMap<String, Added>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            add_blank: true,
            normalize: true,
            phonemize: true,
            is_uroman: false,
            language: None,
            added_tokens_decoder: HashMap::new(),
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
struct Added {
    content: String,
}

/// A text as characters that a model knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spelled {
    /// Ids, with blanks in between where the model has them.
    pub ids: Vec<i64>,
    /// The token of each id.
    pub tokens: Vec<String>,
    /// For each id the character of the text that it stands for, by its place in the text; none for blanks.
    pub places: Vec<Option<usize>>,
    /// Characters that the model does not know, and which were left out, in their order and once each.
    pub unknown: Vec<char>,
}

impl Characters {
    /// Reads `vocab.json`, `added_tokens.json` and `tokenizer_config.json`.
    ///
    /// # Errors
    /// If a file is missing or damaged.
    pub fn open(model: &Model) -> Result<Self, TokenizerError> {
        let mut ids: HashMap<String, i64> = model.json_as("vocab.json")?;
        let settings: Settings = match model.read("tokenizer_config.json")? {
            Some(_) => model.json_as("tokenizer_config.json")?,
            None => Settings::default(),
        };
        if model.read("added_tokens.json")?.is_some() {
            ids.extend(model.json_as::<HashMap<String, i64>>("added_tokens.json")?);
        }
        for (id, added) in &settings.added_tokens_decoder {
            if let Ok(id) = id.parse() {
                ids.entry(added.content.clone()).or_insert(id);
            }
        }
        let mut longer: Vec<String> = ids
            .keys()
            .filter(|token| token.chars().nth(1).is_some())
            .cloned()
            .collect();
        longer.sort();
        Ok(Self {
            ids,
            settings,
            longer,
        })
    }

    /// The language that the model speaks, as its own code.
    pub fn language(&self) -> Option<&str> {
        self.settings.language.as_deref()
    }

    /// Whether the model reads phonemes (IPA, as espeak writes them) and not letters.
    pub fn wants_phonemes(&self) -> bool {
        self.settings.phonemize
    }

    /// Whether the model reads Latin letters whatever the language's own are.
    pub fn wants_roman(&self) -> bool {
        self.settings.is_uroman
    }

    /// Whether there is a token for `letter`.
    pub fn knows(&self, letter: char) -> bool {
        self.ids.contains_key(letter.encode_utf8(&mut [0; 4]) as &str)
    }

    /// The ids of `text`.
    pub fn encode(&self, text: &str) -> Spelled {
        let mut spelled = Spelled::default();
        let mut letters: Vec<(usize, char)> = Vec::new();
        let mut rest = text;
        let mut place = 0;
        while let Some(first) = rest.chars().next() {
            // Tokens of several characters are not made small; then each of their characters counts.
            let longer = self.longer.iter().find(|token| rest.starts_with(token.as_str()));
            let len = longer.map_or(first.len_utf8(), String::len);
            for letter in rest[..len].chars() {
                match self.settings.normalize && longer.is_none() && !self.knows(letter) {
                    true => letters.extend(letter.to_lowercase().map(|small| (place, small))),
                    false => letters.push((place, letter)),
                }
                place += 1;
            }
            rest = &rest[len..];
        }
        for (_, letter) in &mut letters {
            if self.settings.language.as_deref() == Some("ron") && *letter == 'ț' {
                *letter = 'ţ';
            }
        }
        letters.retain(|&(_, letter)| {
            let known = self.knows(letter);
            if !known && !letter.is_whitespace() && !spelled.unknown.contains(&letter) {
                spelled.unknown.push(letter);
            }
            known
        });
        let blank = |(_, letter): &(usize, char)| letter.is_whitespace();
        let from = letters
            .iter()
            .position(|letter| !blank(letter))
            .unwrap_or(letters.len());
        let to = letters
            .iter()
            .rposition(|letter| !blank(letter))
            .map_or(from, |last| last + 1);
        let filler = self
            .ids
            .iter()
            .find(|(_, id)| **id == 0)
            .map(|(token, _)| token.clone());
        // The filler itself in a text is a token apart: none is put around it.
        let is_filler =
            |&(_, letter): &(usize, char)| filler.as_deref() == Some(letter.encode_utf8(&mut [0; 4]));
        let mut put = |token: String, place: Option<usize>| {
            spelled.ids.push(self.ids.get(&token).copied().unwrap_or(0));
            spelled.tokens.push(token);
            spelled.places.push(place);
        };
        let fill = |put: &mut dyn FnMut(String, Option<usize>)| {
            if self.settings.add_blank {
                put(filler.clone().unwrap_or_default(), None);
            }
        };
        for run in letters[from..to].chunk_by(|a, b| !is_filler(a) && !is_filler(b)) {
            if run.len() == 1 && is_filler(&run[0]) {
                put(run[0].1.to_string(), Some(run[0].0));
                continue;
            }
            fill(&mut put);
            for &(place, letter) in run {
                put(letter.to_string(), Some(place));
                fill(&mut put);
            }
        }
        spelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn characters(settings: serde_json::Value) -> Characters {
        let tokens = ["_", "a", "b", " ", "-"];
        Characters {
            ids: tokens.iter().map(|token| (*token).to_string()).zip(0..).collect(),
            settings: serde_json::from_value(settings).expect("settings"),
            longer: vec![],
        }
    }

    #[test]
    fn letters_are_made_small_and_blanks_put_between() {
        let found = characters(serde_json::json!({})).encode(" Ab! a?\n");
        assert_eq!(found.ids, [0, 1, 0, 2, 0, 3, 0, 1, 0]);
        assert_eq!(found.unknown, ['!', '?']);
        assert_eq!(found.places[1], Some(1));
        let plain = characters(serde_json::json!({ "add_blank": false })).encode("a-_b");
        assert_eq!(plain.ids, [1, 4, 0, 2]);
        assert_eq!(
            characters(serde_json::json!({})).encode("!!"),
            Spelled {
                unknown: vec!['!'],
                ..Spelled::default()
            }
        );
    }
}

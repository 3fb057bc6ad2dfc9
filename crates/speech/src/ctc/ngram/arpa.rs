//! ARPA's format: n-grams in lines of text.

use std::collections::HashMap;
use std::io::{BufRead, ErrorKind};

use super::Table;

const NEITHER: &str = "is neither an ARPA file, as it has no `\\1-grams:`, nor a binary file of KenLM";

/// The n-grams of a file.
#[derive(Debug, Default)]
pub(super) struct Arpa {
    words: HashMap<String, u32>,
    /// By the words' numbers: the logarithm of the probability, and what is added when a longer one is missing.
    grams: HashMap<Vec<u32>, (f32, f32)>,
    order: usize,
}

impl Arpa {
    pub fn read(lines: impl BufRead) -> Result<Self, String> {
        let mut model = Self::default();
        let mut length = None;
        for (number, line) in (1..).zip(lines.lines()) {
            let line = line.map_err(|error| match error.kind() {
                ErrorKind::InvalidData if model.grams.is_empty() => NEITHER.to_string(),
                ErrorKind::InvalidData => format!("is damaged: line {number} is no text in UTF-8"),
                _ => format!("is damaged: {error}"),
            })?;
            let line = line.trim();
            if let Some(name) = line.strip_prefix('\\') {
                length = name
                    .strip_suffix("-grams:")
                    .and_then(|length| length.parse::<usize>().ok());
                model.order = model.order.max(length.unwrap_or(0));
                continue;
            }
            let Some(length) = length.filter(|_| !line.is_empty()) else {
                continue;
            };
            let wrong = || format!("line {number} is no {length}-gram: `{line}`");
            let mut fields = line.split_whitespace();
            let score: f32 = fields
                .next()
                .and_then(|field| field.parse().ok())
                .ok_or_else(wrong)?;
            let words: Vec<&str> = fields.by_ref().take(length).collect();
            let backoff = match fields.next() {
                Some(field) => field.parse().map_err(|_| wrong())?,
                None => 0.0,
            };
            if words.len() < length || fields.next().is_some() {
                return Err(wrong());
            }
            let ids = words.into_iter().map(|word| model.number(word)).collect();
            model.grams.insert(ids, (score, backoff));
        }
        match model.grams.is_empty() {
            true => Err(NEITHER.to_string()),
            false => Ok(model),
        }
    }

    fn number(&mut self, word: &str) -> u32 {
        let next = self.words.len() as u32;
        *self.words.entry(word.to_string()).or_insert(next)
    }
}

impl Table for Arpa {
    fn order(&self) -> usize {
        self.order
    }

    fn word(&self, word: &str) -> Option<u32> {
        let known = self.words.get(word).copied();
        known.filter(|id| self.grams.contains_key([*id].as_slice()))
    }

    fn unseen(&self) -> Option<u32> {
        self.word("<unk>").or_else(|| self.word("<UNK>"))
    }

    fn score(&self, context: &[u32], word: u32) -> f32 {
        let mut score = 0.0;
        let mut context = context;
        loop {
            let gram = [context, &[word]].concat();
            match self.grams.get(&gram) {
                Some((probability, _)) => return score + probability,
                None if context.is_empty() => return f32::NEG_INFINITY,
                None => {
                    score += self.grams.get(context).map_or(0.0, |(_, backoff)| *backoff);
                    context = &context[1..];
                }
            }
        }
    }
}

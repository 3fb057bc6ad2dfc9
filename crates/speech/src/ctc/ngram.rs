//! N-gram language models in ARPA's format, as KenLM and SRILM write them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use crate::error::Error;

/// Probabilities of words after words, with back-off (Katz 1987).
#[derive(Debug, Clone)]
pub struct NGrams {
    words: HashMap<String, u32>,
    /// By the words' numbers: the logarithm of the probability, and what is added when a longer one is missing.
    grams: HashMap<Vec<u32>, (f32, f32)>,
    order: usize,
}

/// For words that the model has not seen and has no `<unk>` for.
const UNSEEN: f32 = -10.0;

impl NGrams {
    /// Reads an ARPA file, which may be packed with gzip.
    ///
    /// # Errors
    /// If it cannot be read or is something else.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let problem = |problem: String| Error::LanguageModel {
            path: path.to_path_buf(),
            problem,
        };
        let bytes = std::fs::read(path).map_err(|error| problem(format!("cannot be read: {error}")))?;
        let reader: Box<dyn Read> = match bytes.starts_with(&[0x1f, 0x8b]) {
            true => Box::new(GzDecoder::new(bytes.as_slice())),
            false => Box::new(bytes.as_slice()),
        };
        Self::read(BufReader::new(reader)).map_err(problem)
    }

    fn read(lines: impl BufRead) -> Result<Self, String> {
        let mut model = Self {
            words: HashMap::new(),
            grams: HashMap::new(),
            order: 0,
        };
        let mut length = None;
        for (number, line) in (1..).zip(lines.lines()) {
            let line = line.map_err(|error| format!("is damaged: {error}"))?;
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
            // Base 10 in the file.
            model.grams.insert(
                ids,
                (score * std::f32::consts::LN_10, backoff * std::f32::consts::LN_10),
            );
        }
        match model.grams.is_empty() {
            true => Err("is no ARPA file: it has no `\\1-grams:`".to_string()),
            false => Ok(model),
        }
    }

    fn number(&mut self, word: &str) -> u32 {
        let next = self.words.len() as u32;
        *self.words.entry(word.to_string()).or_insert(next)
    }

    /// Where a text begins.
    pub fn begin(&self) -> Vec<u32> {
        self.words.get("<s>").copied().into_iter().collect()
    }

    /// The logarithm of the probability of `word` after the words of `state`, which it is added to.
    pub fn score(&self, state: &mut Vec<u32>, word: &str) -> f32 {
        let known = self
            .words
            .get(word)
            .filter(|id| self.grams.contains_key([**id].as_slice()));
        let Some(&id) = known.or_else(|| self.words.get("<unk>")) else {
            state.clear();
            return UNSEEN;
        };
        let mut score = 0.0;
        let mut context = state.as_slice();
        let found = loop {
            let gram = [context, &[id]].concat();
            match self.grams.get(&gram) {
                Some((probability, _)) => break score + probability,
                None if context.is_empty() => break score + UNSEEN,
                None => {
                    score += self.grams.get(context).map_or(0.0, |(_, backoff)| *backoff);
                    context = &context[1..];
                }
            }
        };
        state.push(id);
        let keep = self.order.saturating_sub(1);
        let drop = state.len().saturating_sub(keep);
        state.drain(..drop);
        found
    }

    /// The same for the end of the text.
    pub fn end(&self, state: &[u32]) -> f32 {
        match self.words.contains_key("</s>") {
            true => self.score(&mut state.to_vec(), "</s>"),
            false => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const ARPA: &str = "\\data\\\nngram 1=5\nngram 2=2\n\n\\1-grams:\n-1.0\t<unk>\n-99\t<s>\t-0.5\n-0.7\t</s>\n\
        -0.5\tyes\t-0.2\n-0.6\tno\t-0.3\n\n\\2-grams:\n-0.1\t<s> yes\n-0.2\tyes no\n\n\\end\\\n";

    #[test]
    fn longer_grams_come_first_and_shorter_ones_cost_what_the_file_says() {
        let model = NGrams::read(ARPA.as_bytes()).unwrap();
        let tens = |score: f32| score / std::f32::consts::LN_10;
        let mut state = model.begin();
        assert!((tens(model.score(&mut state, "yes")) + 0.1).abs() < 1e-6);
        assert!((tens(model.score(&mut state, "no")) + 0.2).abs() < 1e-6);
        assert!((tens(model.score(&mut state, "yes")) + 0.3 + 0.5).abs() < 1e-6); // back-off of "no"
        assert!((tens(model.score(&mut state, "perhaps")) + 0.2 + 1.0).abs() < 1e-6);
        assert!((tens(model.end(&state)) + 0.7).abs() < 1e-6);
        for (bad, said) in [
            ("hello", "no ARPA file"),
            ("\\1-grams:\nx yes", "line 2"),
            ("\\2-grams:\n-1 yes", "line 2"),
        ] {
            assert!(NGrams::read(bad.as_bytes()).unwrap_err().contains(said), "{bad}");
        }
    }
}

//! N-gram language models: ARPA's format, as KenLM and SRILM write it, and KenLM's binary formats.

mod arpa;
mod kenlm;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use sensorium_kernels::MappedFile;

use crate::error::Error;

/// Probabilities of words after words, with back-off (Katz 1987).
#[derive(Debug, Clone)]
pub struct NGrams(Arc<dyn Table>);

/// For words that the model has not seen and has no `<unk>` for.
const UNSEEN: f32 = -10.0;

/// What a file knows of words.
trait Table: Debug + Send + Sync {
    /// The most words of an n-gram.
    fn order(&self) -> usize;

    /// The number of a word; none if the model has not seen it.
    fn word(&self, word: &str) -> Option<u32>;

    /// The number that stands for words that the model has not seen, if it has one.
    fn unseen(&self) -> Option<u32>;

    /// The logarithm of the probability of `word` after the words of `context`, with base 10.
    fn score(&self, context: &[u32], word: u32) -> f32;
}

impl NGrams {
    /// Reads an ARPA file, which may be packed with gzip, or opens a binary file of KenLM. That one stays mapped into
    /// memory: replace it by rename, and do not rewrite it in place.
    ///
    /// # Errors
    /// If it cannot be read or is something else.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let problem = |problem: String| Error::LanguageModel {
            path: path.to_path_buf(),
            problem,
        };
        let unreadable = |error: io::Error| problem(format!("cannot be read: {error}"));
        let file = File::open(path).map_err(unreadable)?;
        let is_file = file.metadata().map_err(unreadable)?.is_file();
        let (first, mut all) = begun(BufReader::new(file)).map_err(unreadable)?;
        let table: Arc<dyn Table> = if kenlm::is_one(&first) {
            let bytes = match is_file {
                true => MappedFile::open(path).map_err(unreadable)?.bytes().into(),
                false => {
                    let mut bytes = Vec::new();
                    all.read_to_end(&mut bytes).map_err(unreadable)?;
                    bytes.into()
                }
            };
            Arc::new(kenlm::KenLm::new(bytes).map_err(problem)?)
        } else if first.starts_with(&[0x1f, 0x8b]) {
            let damaged = |error: io::Error| problem(format!("is damaged: {error}"));
            let (first, all) = begun(MultiGzDecoder::new(all)).map_err(damaged)?;
            if kenlm::is_one(&first) {
                return Err(problem(
                    "is a packed binary file of KenLM: unpack it first".to_string(),
                ));
            }
            Arc::new(arpa::Arpa::read(BufReader::new(all)).map_err(problem)?)
        } else {
            Arc::new(arpa::Arpa::read(BufReader::new(all)).map_err(problem)?)
        };
        Ok(Self(table))
    }

    /// Where a text begins.
    pub fn begin(&self) -> Vec<u32> {
        self.0.word("<s>").into_iter().collect()
    }

    /// The logarithm of the probability of `word` after the words of `state`, which it is added to.
    pub fn score(&self, state: &mut Vec<u32>, word: &str) -> f32 {
        let Some(id) = self.0.word(word).or_else(|| self.0.unseen()) else {
            state.clear();
            return UNSEEN;
        };
        let score = self.0.score(state, id) * std::f32::consts::LN_10;
        state.push(id);
        let keep = self.0.order().saturating_sub(1);
        let drop = state.len().saturating_sub(keep);
        state.drain(..drop);
        // What is no number is of a damaged file.
        if score.is_finite() { score } else { UNSEEN }
    }

    /// The same for the end of the text.
    pub fn end(&self, state: &[u32]) -> f32 {
        match self.0.word("</s>") {
            Some(_) => self.score(&mut state.to_vec(), "</s>"),
            None => 0.0,
        }
    }
}

/// The first bytes of what is read, which tell what it is, and all of it.
fn begun(mut reader: impl Read) -> io::Result<(Vec<u8>, impl Read)> {
    let mut first = Vec::new();
    reader.by_ref().take(64).read_to_end(&mut first)?;
    Ok((first.clone(), Cursor::new(first).chain(reader)))
}

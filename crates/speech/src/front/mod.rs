//! From written text to what is said: words in place of figures and signs, and pieces that a voice can say in one go.

pub mod english;
mod initials;
mod pieces;
mod say_as;
pub mod ssml;

use std::ops::Range;

pub use pieces::{Pause, Piece, pieces};

/// A word or figure of a text, and how it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where it stands in the text, in bytes.
    pub written: Range<usize>,
    /// What is said: one or more words, with the punctuation around them.
    pub said: String,
}

/// The words of `text` as they stand there, between blanks.
pub fn verbatim(text: &str) -> Vec<Word> {
    words_between(text, 0..text.len())
}

/// The words in a part of `text`.
fn words_between(text: &str, range: Range<usize>) -> Vec<Word> {
    let mut words = Vec::new();
    let mut begin = None;
    let part = &text[range.clone()];
    for (at, letter) in part.char_indices().chain([(part.len(), ' ')]) {
        match (begin, letter.is_whitespace()) {
            (None, false) => begin = Some(at),
            (Some(from), true) => {
                words.push(Word {
                    written: range.start + from..range.start + at,
                    said: part[from..at].to_string(),
                });
                begin = None;
            }
            _ => {}
        }
    }
    words
}

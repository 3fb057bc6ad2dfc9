//! Decoding as the SentencePiece library does it, for the classes that transformers hands to it.
//!
//! Marian and M2M-100 come with SentencePiece models. Their special tokens part a text into stretches, each
//! of which is decoded by itself: the blank that begins every one of them is lost.

use super::Tokenizer;

/// What SentencePiece writes for a blank.
pub(super) const BLANK: char = '▁';

/// How a class puts special tokens between the stretches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// As it is.
    Bare,
    /// Followed by a blank.
    Blank,
}

impl Tokenizer {
    /// How the class of this tokenizer joins stretches, if it is one of these.
    pub(super) fn joint(&self) -> Option<Joint> {
        match self.settings.class.as_str() {
            "MarianTokenizer" => Some(Joint::Blank),
            "M2M100Tokenizer" => Some(Joint::Bare),
            _ => None,
        }
    }

    /// Special tokens are those that the settings name, whatever `tokenizer.json` says.
    pub(super) fn decode_pieces(&self, ids: &[u32], skip_special_tokens: bool, joint: Joint) -> String {
        let mut text = String::new();
        let mut stretch = Vec::new();
        for token in ids.iter().filter_map(|id| self.backend.id_to_token(*id)) {
            if self.settings.special_tokens().all(|t| t.content != token) {
                stretch.push(token);
            } else if !skip_special_tokens {
                text += &join(&stretch);
                stretch.clear();
                text += &token;
                if joint == Joint::Blank {
                    text.push(' ');
                }
            }
        }
        text += &join(&stretch);
        text.trim().to_string()
    }
}

/// Joins pieces; blanks at the beginning are dropped.
fn join(pieces: &[String]) -> String {
    let mut text = String::new();
    for piece in pieces {
        let piece = match text.is_empty() {
            true => piece.strip_prefix(BLANK).unwrap_or(piece),
            false => piece,
        };
        text += &piece.replace(BLANK, " ");
    }
    text
}

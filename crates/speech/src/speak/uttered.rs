//! What was said.

use crate::ctc::Piece as Timed;

/// When a phoneme or mark is said.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// What it is, and its time.
    pub piece: Timed,
    /// The word that it belongs to, by its number among the words.
    pub word: usize,
}

/// A piece of a text that was said, with the silence behind it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Uttered {
    /// Samples of one channel, of which 1 is the loudest.
    pub samples: Vec<f32>,
    /// What was said.
    pub text: String,
    /// When each word is said, in seconds from the text's beginning.
    pub words: Vec<Timed>,
    /// When each phoneme or mark is said, likewise.
    pub phonemes: Vec<Sound>,
    /// Characters that the voice does not know and which were left out.
    pub unknown: Vec<char>,
    /// Words that are in no dictionary and were spelled.
    pub spelled: Vec<String>,
}

impl Uttered {
    /// Puts what was said next behind it.
    pub(super) fn join(&mut self, next: Self) {
        let before = self.words.len();
        let in_all = |sound: Sound| Sound {
            word: before + sound.word,
            ..sound
        };
        self.phonemes.extend(next.phonemes.into_iter().map(in_all));
        self.words.extend(next.words);
        self.samples.extend(next.samples);
        self.unknown.extend(next.unknown);
        self.spelled.extend(next.spelled);
        if !self.text.is_empty() && !next.text.is_empty() {
            self.text.push(' ');
        }
        self.text += &next.text;
    }
}

//! What English text sounds like.

use std::cell::OnceCell;

use sensorium_blocks::Params;
use sensorium_hub::{Model, shipped};
use tch::Kind;

use crate::error::Error;
use crate::front::english::lexicon::Lexicon;
use crate::front::english::sounds::{Sounds, sounds};
use crate::models::speller::Speller;

/// Turns English text into phonemes: by a lexicon, the CMU Pronouncing Dictionary and, for words that are in neither,
/// the shipped speller.
#[derive(Debug, Default)]
pub struct English {
    lexicon: Lexicon,
    /// Opened for the first word that is in no dictionary; none if it cannot be.
    speller: OnceCell<Option<Speller>>,
}

impl English {
    /// The shipped model that knows how letters sound.
    const SPELLER: &'static str = "en-g2p";

    /// With words of one's own.
    pub fn new(lexicon: Lexicon) -> Self {
        Self {
            lexicon,
            ..Self::default()
        }
    }

    /// Phonemes and marks of `text`, in which figures and signs are words already. They end in a mark, at which a voice
    /// falls silent; there are none if nothing can be said.
    ///
    /// # Errors
    /// If phonemes in brackets make no sense.
    pub fn sounds(&self, text: &str) -> Result<Sounds, Error> {
        let mut found = sounds(text, &self.lexicon, &|word| self.guess(word))
            .map_err(|problem| Error::Phonemes { problem })?;
        let is_phoneme = |token: &String| token.starts_with(|letter: char| letter.is_alphabetic());
        if !found.tokens.iter().any(is_phoneme) {
            found.tokens.clear();
            found.places.clear();
        } else if found.tokens.last().is_some_and(is_phoneme) {
            found.tokens.push(".".to_string());
            found.places.push(text.chars().count().saturating_sub(1));
        }
        Ok(found)
    }

    fn guess(&self, word: &str) -> Option<Vec<String>> {
        let open = || {
            let model = Model::shipped(shipped::find(Self::SPELLER)?);
            let params = Params::stored(model.weights().ok()?).of_kind(Kind::Float);
            Speller::new(&model.config().ok()?, &params).ok()
        };
        let speller = self.speller.get_or_init(open).as_ref()?;
        Some(speller.sounds(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_ends_in_a_mark() {
        let tokens = |text| English::default().sounds(text).expect("sounds").tokens;
        assert_eq!(tokens("the tea"), ["DH", "AH0", "T", "IY1", "."]);
        assert_eq!(tokens("tea?"), ["T", "IY1", "?"]);
        assert!(tokens("— ... !").is_empty());
    }
}

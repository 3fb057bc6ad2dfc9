//! Texts as tokens, and windows of them.

use sensorium_text::tokenizer::Tokenizer;
use tch::Tensor;

use crate::corpus::Texts;
use crate::data::Dataset;
use crate::error::Result;
use crate::rng::mix;

/// The tokens to learn and to validate on.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// Token ids of the training text, documents one after the other.
    pub train: Vec<u32>,
    /// Token ids of the validation text.
    pub validation: Vec<u32>,
    /// Bytes of the validation text, for the bits per byte.
    pub validation_bytes: usize,
}

impl Corpus {
    /// The tokens of `texts`.
    ///
    /// # Errors
    /// If the tokenizer refuses a text.
    pub fn new(texts: &Texts, tokenizer: &Tokenizer) -> Result<Self> {
        Ok(Self {
            train: token_ids(&texts.train, tokenizer)?,
            validation: token_ids(&texts.validation, tokenizer)?,
            validation_bytes: texts.validation.iter().map(String::len).sum(),
        })
    }
}

/// The documents one after the other, with the end-of-text token between them where there is one.
///
/// # Errors
/// If the tokenizer refuses a text.
pub fn token_ids(documents: &[String], tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let end = tokenizer.eos().map(|(_, id)| id as u32);
    let mut ids = Vec::new();
    for (i, document) in documents.iter().enumerate() {
        if i > 0 {
            ids.extend(end);
        }
        let tokens = tokenizer
            .ids(document, false)
            .map_err(sensorium_text::Error::from)?;
        ids.extend(tokens.iter().map(|&id| id as u32));
    }
    Ok(ids)
}

/// Windows of a long text, at random places.
pub(super) struct Windows {
    pub tokens: Vec<u32>,
    pub block: usize,
    /// How many make an epoch.
    pub examples: usize,
}

impl Dataset for Windows {
    /// `[batch, block + 1]`: inputs are all but the last token, targets all but the first.
    type Batch = Tensor;

    fn len(&self) -> usize {
        self.examples
    }

    fn batch(&self, indices: &[usize], seed: u64) -> Tensor {
        let places = self.tokens.len() - self.block;
        let mut ids = Vec::with_capacity(indices.len() * (self.block + 1));
        for slot in 0..indices.len() {
            let start = (mix(seed, &[slot as u64]) % places as u64) as usize;
            ids.extend(
                self.tokens[start..=start + self.block]
                    .iter()
                    .map(|&id| i64::from(id)),
            );
        }
        Tensor::from_slice(&ids).view([indices.len() as i64, self.block as i64 + 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_pieces_of_the_text() {
        let windows = Windows {
            tokens: (0..50).collect(),
            block: 8,
            examples: 64,
        };
        let batch = windows.batch(&[0; 64], 3);
        assert_eq!(batch.size(), [64, 9]);
        let steps = batch.diff::<Tensor>(1, 1, None, None);
        assert!(bool::try_from(steps.eq(1).all()).unwrap());
        let starts = batch.select(1, 0);
        let (first, last) = (starts.min().int64_value(&[]), starts.max().int64_value(&[]));
        assert!(first >= 0 && last <= 41 && last - first > 20, "{first} {last}");
        assert!(batch.equal(&windows.batch(&[0; 64], 3)));
    }
}

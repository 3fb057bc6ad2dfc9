//! How well a language model predicts a text.

use serde::Serialize;
use tch::Tensor;

use crate::history::{RunningMean, Scores};

/// How well a language model predicts a text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quality {
    /// Mean negative log-likelihood of a token, nats.
    pub loss: f64,
    /// `exp(loss)`.
    pub perplexity: f64,
    /// Negative log-likelihood of the text in bits, by its length in bytes.
    pub bits_per_byte: f64,
}

impl Quality {
    /// From the mean loss of `tokens` tokens that stand for `bytes` bytes of text.
    pub fn new(loss: f64, tokens: usize, bytes: usize) -> Self {
        Self {
            loss,
            perplexity: loss.exp(),
            bits_per_byte: loss * tokens as f64 / bytes.max(1) as f64 / std::f64::consts::LN_2,
        }
    }
}

/// Windows of `block` tokens that are computed at once: their logits, of `vocabulary` numbers a token, are the
/// most that an evaluation holds.
pub(super) fn rows_at_once(block: usize, vocabulary: usize) -> usize {
    const LOGITS: usize = 1 << 26; // 256 MB in f32
    (LOGITS / vocabulary.max(8192) / block).max(1)
}

/// Mean loss and accuracy on a text: windows of `block` tokens, one after the other, `rows` at once. `loss` gives
/// those of windows `[rows, block + 1]`.
pub(super) fn over_windows(
    tokens: &[u32],
    block: usize,
    rows: usize,
    mut loss: impl FnMut(&Tensor) -> (f64, usize),
) -> Scores {
    let ids: Vec<i64> = tokens.iter().map(|&id| i64::from(id)).collect();
    let whole = (ids.len() - 1) / block; // blocks with a target for each token
    let mut mean = RunningMean::default();
    let mut add = |starts: &[usize], len: usize| {
        let windows: Vec<Tensor> = starts
            .iter()
            .map(|&s| Tensor::from_slice(&ids[s..=s + len]))
            .collect();
        let (loss, hits) = loss(&Tensor::stack(&windows, 0));
        mean.add(starts.len() * len, loss, hits);
    };
    let starts: Vec<usize> = (0..whole).map(|i| i * block).collect();
    for starts in starts.chunks(rows) {
        add(starts, block);
    }
    let rest = ids.len() - 1 - whole * block;
    if rest > 0 {
        add(&[whole * block], rest);
    }
    mean.scores()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_but_the_first_is_predicted_once() {
        for (count, block) in [(10, 3), (11, 5), (100, 7), (2, 1), (8200, 2)] {
            let tokens: Vec<u32> = (0..count).collect();
            let mut seen = Vec::new();
            over_windows(&tokens, block, rows_at_once(block, 50_257), |ids| {
                let len = ids.size()[1] - 1;
                seen.extend(Vec::<i64>::try_from(ids.narrow(1, 1, len).reshape([-1])).unwrap());
                (0.0, 0)
            });
            assert_eq!(seen, (1..i64::from(count)).collect::<Vec<_>>(), "{count} {block}");
        }
    }
}

//! Sequences of tokens that must not occur, or should.

use std::collections::HashMap;

use super::penalties::set;
use super::{LogitsProcessor, Needs, Row};

/// Forbids every run of tokens that occurred already: Paulus et al., *A deep reinforced model for
/// abstractive summarization* (2017), section 2.5.
#[derive(Debug, Clone, Copy)]
pub struct NoRepeatNGram {
    size: usize,
}

impl NoRepeatNGram {
    /// Forbids the repetition of runs of `size` tokens, at least 1.
    pub fn new(size: usize) -> Self {
        Self { size: size.max(1) }
    }
}

impl LogitsProcessor for NoRepeatNGram {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        let Some(begin) = (row.ids.len() + 1).checked_sub(self.size) else {
            return;
        };
        let last = &row.ids[begin..];
        for run in row.ids.windows(self.size) {
            if run[..self.size - 1] == *last {
                set(scores, run[self.size - 1], f32::NEG_INFINITY);
            }
        }
    }
}

/// What follows each run of tokens.
type Followers = HashMap<Vec<i64>, Vec<i64>>;

/// Forbids every run of tokens that the encoder's input has.
#[derive(Debug, Clone)]
pub struct EncoderNoRepeatNGram {
    size: usize,
    next: Vec<Followers>,
}

impl EncoderNoRepeatNGram {
    /// Forbids runs of `size` tokens, at least 1, that are in `encoder_ids`, a row for each row of the
    /// prompt.
    pub fn new(size: usize, encoder_ids: &[Vec<i64>]) -> Self {
        let size = size.max(1);
        let index = |ids: &Vec<i64>| {
            let mut next = Followers::new();
            for run in ids.windows(size) {
                let before = run[..size - 1].to_vec();
                next.entry(before).or_default().push(run[size - 1]);
            }
            next
        };
        Self {
            size,
            next: encoder_ids.iter().map(index).collect(),
        }
    }
}

impl LogitsProcessor for EncoderNoRepeatNGram {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        let Some(begin) = (row.ids.len() + 1).checked_sub(self.size) else {
            return;
        };
        for &id in self.next[row.prompt].get(&row.ids[begin..]).into_iter().flatten() {
            set(scores, id, f32::NEG_INFINITY);
        }
    }
}

/// Adds to the score of a sequence's last token where its other tokens precede.
#[derive(Debug, Clone)]
pub struct SequenceBias {
    /// The tokens before, the last token, the bias.
    biases: Vec<(Vec<i64>, i64, f32)>,
}

impl SequenceBias {
    /// Sequences with what is added; of equal sequences the last one counts, empty ones do not.
    pub fn new(biases: Vec<(Vec<i64>, f32)>) -> Self {
        let mut all: Vec<(Vec<i64>, i64, f32)> = Vec::new();
        for (mut ids, bias) in biases {
            let Some(last) = ids.pop() else { continue };
            match all
                .iter_mut()
                .find(|(before, id, _)| *before == ids && *id == last)
            {
                Some(known) => known.2 = bias,
                None => all.push((ids, last, bias)),
            }
        }
        Self { biases: all }
    }
}

impl LogitsProcessor for SequenceBias {
    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        for (before, id, bias) in &self.biases {
            if !row.ids.ends_with(before) {
                continue;
            }
            if let Some(score) = usize::try_from(*id).ok().and_then(|i| scores.get_mut(i)) {
                *score += bias;
            }
        }
    }
}

/// Forbids sequences of tokens, by forbidding the last one where the others precede.
#[derive(Debug, Clone)]
pub struct NoBadWords {
    words: Vec<Vec<i64>>,
}

impl NoBadWords {
    /// Forbids `words`, except the `eos` tokens by themselves.
    pub fn new(words: &[Vec<i64>], eos: &[i64]) -> Self {
        let is_end = |word: &[i64]| matches!(word, [id] if eos.contains(id));
        let words = words.iter().filter(|word| !is_end(word));
        Self {
            words: words.cloned().collect(),
        }
    }
}

impl LogitsProcessor for NoBadWords {
    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        for word in &self.words {
            let Some((last, before)) = word.split_last() else {
                continue;
            };
            if row.ids.ends_with(before) {
                set(scores, *last, f32::NEG_INFINITY);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO: f32 = f32::NEG_INFINITY;

    fn check(mut processor: impl LogitsProcessor, ids: &[i64], expected: [f32; 4]) {
        let mut scores = [0f32; 4];
        processor.process(&Row::new(ids), &mut scores);
        assert_eq!(scores, expected);
    }

    #[test]
    fn runs_are_not_repeated() {
        check(NoRepeatNGram::new(1), &[1, 3], [0., NO, 0., NO]);
        check(NoRepeatNGram::new(2), &[1, 2, 1], [0., 0., NO, 0.]);
        check(NoRepeatNGram::new(3), &[1], [0.; 4]);
        let encoder = [vec![1, 2, 1, 3]];
        check(EncoderNoRepeatNGram::new(2, &encoder), &[0, 1], [0., 0., NO, NO]);
        check(EncoderNoRepeatNGram::new(3, &encoder), &[1], [0.; 4]);
    }

    #[test]
    fn words_are_forbidden_or_favoured() {
        let words = [vec![0], vec![3], vec![1, 2]];
        check(NoBadWords::new(&words, &[3]), &[1], [NO, 0., NO, 0.]);
        check(NoBadWords::new(&words, &[3]), &[2], [NO, 0., 0., 0.]);
        let biases = vec![(vec![0], 1.), (vec![2, 0], 2.), (vec![0], 3.)];
        check(SequenceBias::new(biases), &[2], [5., 0., 0., 0.]);
    }
}

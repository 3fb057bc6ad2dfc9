//! How likely the tokens of sequences are that are being written, by the scores they are chosen by: rules applied,
//! temperature not.

use std::cell::RefCell;
use std::collections::HashMap;

use sensorium_generation::processors::{LogitsProcessor, Row};
use tch::Tensor;

/// A row of the prompt and what was written for it.
type Key = (usize, Vec<i64>);

/// What is known of sequences that grow side by side.
#[derive(Debug, Default)]
pub(super) struct LogProbs {
    /// The end's token.
    end: i64,
    /// Tokens of the prompt.
    begin: usize,
    /// Tokens written so far.
    length: usize,
    /// Sequences of this length, and of the length before.
    now: HashMap<Key, Step>,
    before: HashMap<Key, Step>,
    /// What there would be if the end came next.
    ended: HashMap<Key, Vec<f32>>,
}

#[derive(Debug)]
struct Step {
    /// Of the tokens written so far.
    chosen: Vec<f32>,
    /// Scores of the next one, and the logarithm of the sum of their exponentials.
    scores: Vec<f32>,
    total: f32,
}

impl Step {
    fn with(&self, token: i64) -> Vec<f32> {
        let score = usize::try_from(token).ok().and_then(|at| self.scores.get(at));
        let next = score.map_or(f32::NEG_INFINITY, |score| score - self.total);
        self.chosen.iter().copied().chain([next]).collect()
    }
}

impl LogProbs {
    pub fn new(begin: usize, end: i64) -> Self {
        Self {
            end,
            begin,
            ..Self::default()
        }
    }

    fn note(&mut self, row: &Row<'_>, scores: &[f32]) {
        let written = row.ids.get(self.begin..).unwrap_or_default();
        if written.len() != self.length {
            self.before = std::mem::take(&mut self.now);
            self.length = written.len();
        }
        let key = |ids: &[i64]| (row.prompt, ids.to_vec());
        let chosen = match written.split_last() {
            Some((&last, rest)) => self
                .before
                .get(&key(rest))
                .map_or(Vec::new(), |step| step.with(last)),
            None => Vec::new(),
        };
        let total = Tensor::from_slice(scores).logsumexp([0i64], false);
        let step = Step {
            chosen,
            scores: scores.to_vec(),
            total: total.double_value(&[]) as f32,
        };
        self.ended.insert(key(written), step.with(self.end));
        self.now.insert(key(written), step);
    }

    /// The logarithm of the probability of each of `ids`, which were written for the prompt's `row`.
    pub fn of(&self, row: usize, ids: &[i64]) -> Vec<f32> {
        let Some((&last, rest)) = ids.split_last() else {
            return Vec::new();
        };
        let key = (row, rest.to_vec());
        if last == self.end {
            return self.ended.get(&key).cloned().unwrap_or_default();
        }
        // The greatest length was reached: by all at once.
        self.now.get(&key).map_or(Vec::new(), |step| step.with(last))
    }
}

/// Notes what it sees, and changes nothing.
#[derive(Debug)]
pub(super) struct Watch<'a>(pub &'a RefCell<LogProbs>);

impl LogitsProcessor for Watch<'_> {
    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        self.0.borrow_mut().note(row, scores);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_followed_to_their_ends() {
        // One token before; 0 is the end.
        let log_probs = RefCell::new(LogProbs::new(1, 0));
        let note = |prompt: usize, ids: &[i64], probabilities: [f32; 3]| {
            let mut scores = probabilities.map(|p| p.ln() + 5.0);
            let row = Row {
                prompt,
                ..Row::new(ids)
            };
            Watch(&log_probs).process(&row, &mut scores);
        };
        note(0, &[9], [0.1, 0.4, 0.5]);
        note(1, &[9], [0.7, 0.2, 0.1]);
        note(0, &[9, 1], [0.25, 0.5, 0.25]);
        note(0, &[9, 2], [0.5, 0.25, 0.25]);
        note(0, &[9, 1, 1], [0.75, 0.125, 0.125]);
        let found = |row, ids: &[i64]| {
            let all = log_probs.borrow().of(row, ids);
            all.into_iter()
                .map(|log| (log.exp() * 1000.0).round() / 1000.0)
                .collect::<Vec<f32>>()
        };
        assert_eq!(found(0, &[1, 1, 0]), [0.4, 0.5, 0.75]);
        assert_eq!(found(0, &[2, 0]), [0.5, 0.5]);
        assert_eq!(found(0, &[1, 1, 2]), [0.4, 0.5, 0.125]);
        assert_eq!(found(1, &[0]), [0.7]);
        assert!(found(1, &[]).is_empty());
    }
}

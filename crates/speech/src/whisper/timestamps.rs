//! The rules of times: they come in pairs, never go back, and come where words are unlikely.

use sensorium_generation::processors::{LogitsProcessor, Needs, Row, log_sum_exp};

use super::Tokens;

/// `WhisperTimeStampLogitsProcessor` of the reference.
#[derive(Debug)]
pub(super) struct Timestamps {
    no_timestamps: usize,
    first_time: usize,
    end: usize,
    latest_first_time: Option<usize>,
    /// Tokens before the first that is written.
    begin: usize,
}

const NEVER: f32 = f32::NEG_INFINITY;

impl Timestamps {
    pub fn new(tokens: &Tokens, begin: usize) -> Self {
        let index = |id: i64| usize::try_from(id).unwrap_or(0);
        Self {
            no_timestamps: index(tokens.no_timestamps),
            first_time: index(tokens.first_time),
            end: index(tokens.end),
            latest_first_time: tokens.latest_first_time.map(index),
            begin,
        }
    }
}

impl LogitsProcessor for Timestamps {
    fn needs(&self) -> Needs {
        Needs::From(self.first_time)
    }

    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        let first = self.first_time.min(scores.len());
        if let Some(score) = scores.get_mut(self.no_timestamps) {
            *score = NEVER;
        }
        let written = &row.ids[self.begin.min(row.ids.len())..];
        let is_time = |id: &i64| *id >= first as i64;
        let last = written.last().is_some_and(is_time);
        let before = written.len() < 2 || is_time(&written[written.len() - 2]);
        if last {
            if before {
                scores[first..].fill(NEVER); // a pair is complete: words, or the end
            } else {
                scores[..self.end.min(first)].fill(NEVER); // its second half, or the end
            }
        }
        if let Some(&latest) = written.iter().rev().find(|id| is_time(id)) {
            // No segment without length, either.
            let least = latest as usize + usize::from(!last || before);
            let least = least.clamp(first, scores.len());
            scores[first..least].fill(NEVER);
        }
        if written.is_empty() {
            scores[..first].fill(NEVER);
            if let Some(latest) = self.latest_first_time {
                let after = (first + latest + 1).min(scores.len());
                scores[after..].fill(NEVER);
            }
        }
        // What all probabilities are divided by does not matter here.
        let word = scores[..first].iter().copied().fold(NEVER, f32::max);
        if log_sum_exp(&scores[first..]) > word {
            scores[..first].fill(NEVER);
        }
    }
}

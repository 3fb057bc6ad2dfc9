//! Tokens forbidden or forced at certain lengths.

use std::collections::HashMap;

use super::penalties::set;
use super::{LogitsProcessor, Needs, Row};

/// Forbids the end before a length is reached.
#[derive(Debug, Clone)]
pub struct MinLength {
    length: usize,
    eos: Vec<i64>,
}

impl MinLength {
    /// Forbids the `eos` tokens in sequences of less than `length` tokens, prompt included.
    pub fn new(length: usize, eos: Vec<i64>) -> Self {
        Self { length, eos }
    }
}

impl LogitsProcessor for MinLength {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        if row.ids.len() < self.length {
            forbid(scores, &self.eos);
        }
    }
}

/// Forces the token after the first one.
#[derive(Debug, Clone, Copy)]
pub struct ForcedBos {
    token: i64,
}

impl ForcedBos {
    /// After a single token comes `token`.
    pub fn new(token: i64) -> Self {
        Self { token }
    }
}

impl LogitsProcessor for ForcedBos {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        if row.ids.len() == 1 {
            force(scores, &[self.token]);
        }
    }
}

/// Forces the end where the greatest length is reached.
#[derive(Debug, Clone)]
pub struct ForcedEos {
    length: usize,
    eos: Vec<i64>,
}

impl ForcedEos {
    /// The last of `length` tokens is one of `eos`.
    pub fn new(length: usize, eos: Vec<i64>) -> Self {
        Self { length, eos }
    }
}

impl LogitsProcessor for ForcedEos {
    fn needs(&self) -> Needs {
        match self.eos.len() {
            1 => Needs::Nothing,
            _ => Needs::All, // which of them is a matter of scores
        }
    }

    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        if row.ids.len() + 1 == self.length {
            force(scores, &self.eos);
        }
    }
}

/// Forces tokens at positions.
#[derive(Debug, Clone)]
pub struct ForcedTokens {
    tokens: HashMap<usize, i64>,
}

impl ForcedTokens {
    /// Pairs of a position, counted from the sequence's first token, and the token there.
    pub fn new(tokens: impl IntoIterator<Item = (usize, i64)>) -> Self {
        Self {
            tokens: tokens.into_iter().collect(),
        }
    }
}

impl LogitsProcessor for ForcedTokens {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        if let Some(&token) = self.tokens.get(&row.ids.len()) {
            force(scores, &[token]);
        }
    }
}

/// Forbids tokens.
#[derive(Debug, Clone)]
pub struct Suppress {
    tokens: Vec<i64>,
}

impl Suppress {
    /// Forbids `tokens`.
    pub fn new(tokens: Vec<i64>) -> Self {
        Self { tokens }
    }
}

impl LogitsProcessor for Suppress {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        forbid(scores, &self.tokens);
    }
}

/// Forbids tokens at one position.
#[derive(Debug, Clone)]
pub struct SuppressAtBegin {
    tokens: Vec<i64>,
    begin: usize,
}

impl SuppressAtBegin {
    /// Forbids `tokens` after `begin` tokens, prompt included.
    pub fn new(tokens: Vec<i64>, begin: usize) -> Self {
        Self { tokens, begin }
    }
}

impl LogitsProcessor for SuppressAtBegin {
    fn needs(&self) -> Needs {
        Needs::Nothing
    }

    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        if row.ids.len() == self.begin {
            forbid(scores, &self.tokens);
        }
    }
}

fn forbid(scores: &mut [f32], tokens: &[i64]) {
    for &token in tokens {
        set(scores, token, f32::NEG_INFINITY);
    }
}

/// Forced tokens have the score 0, so that they cost a beam nothing.
fn force(scores: &mut [f32], tokens: &[i64]) {
    scores.fill(f32::NEG_INFINITY);
    for &token in tokens {
        set(scores, token, 0.);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO: f32 = f32::NEG_INFINITY;

    fn check(mut processor: impl LogitsProcessor, ids: &[i64], expected: [f32; 3]) {
        let mut scores = [1f32; 3];
        processor.process(&Row::new(ids), &mut scores);
        assert_eq!(scores, expected);
    }

    #[test]
    fn lengths_decide() {
        check(MinLength::new(2, vec![1]), &[0], [1., NO, 1.]);
        check(MinLength::new(2, vec![1]), &[0, 0], [1.; 3]);
        check(ForcedBos::new(2), &[0], [NO, NO, 0.]);
        check(ForcedBos::new(2), &[0, 0], [1.; 3]);
        check(ForcedEos::new(3, vec![0, 1]), &[0, 0], [0., 0., NO]);
        check(ForcedEos::new(3, vec![0, 1]), &[0], [1.; 3]);
        check(ForcedTokens::new([(2, 1)]), &[0, 0], [NO, 0., NO]);
        check(ForcedTokens::new([(2, 1)]), &[0], [1.; 3]);
        check(Suppress::new(vec![0, 7, -1]), &[0], [NO, 1., 1.]);
        check(SuppressAtBegin::new(vec![2], 1), &[0], [1., 1., NO]);
        check(SuppressAtBegin::new(vec![2], 1), &[0, 0], [1.; 3]);
    }
}

//! Arithmetic on a row of scores.
//!
//! A row is a plain slice: copying fifty thousand floats out of libtorch costs microseconds, and most
//! processors touch few of them.

use super::{LogitsProcessor, Row};

/// The index of the greatest score, the first of equals.
pub(crate) fn argmax(scores: &[f32]) -> usize {
    let max = greatest(scores);
    scores.iter().position(|&score| score == max).unwrap_or(0)
}

/// The greatest score. Side by side in lanes, which the compiler turns into vector instructions.
fn greatest(scores: &[f32]) -> f32 {
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; 16];
    let mut chunks = scores.chunks_exact(16);
    for chunk in &mut chunks {
        for (lane, &score) in lanes.iter_mut().zip(chunk) {
            *lane = greater(*lane, score);
        }
    }
    let rest = chunks.remainder().iter().copied();
    lanes.into_iter().chain(rest).fold(f32::NEG_INFINITY, greater)
}

/// The sum of the exponentials of `scores - max`, skipping what is forbidden.
fn exp_sum(scores: &[f32], max: f32) -> f64 {
    let allowed = scores.iter().filter(|&&score| score > f32::NEG_INFINITY);
    allowed.map(|&score| f64::from((score - max).exp())).sum()
}

/// The logarithm of the sum of the exponentials.
pub fn log_sum_exp(scores: &[f32]) -> f32 {
    let max = greatest(scores);
    if max == f32::NEG_INFINITY {
        return max;
    }
    max + exp_sum(scores, max).ln() as f32
}

/// Turns scores into probabilities. If every token is forbidden, all become 0.
pub fn softmax(scores: &mut [f32]) {
    let max = greatest(scores);
    let sum = exp_sum(scores, max);
    for score in scores {
        *score = if *score > f32::NEG_INFINITY {
            (f64::from((*score - max).exp()) / sum) as f32
        } else {
            0.
        };
    }
}

/// Turns scores into logarithms of probabilities.
pub fn log_softmax(scores: &mut [f32]) {
    let total = log_sum_exp(scores);
    if total > f32::NEG_INFINITY {
        scores.iter_mut().for_each(|score| *score -= total);
    }
}

/// The greatest `count` of `(score, index)`, in falling order, the earlier of equals first.
pub(crate) fn top(scores: impl Iterator<Item = (f32, usize)>, count: usize) -> Vec<(f32, usize)> {
    let mut top = Top::new(count);
    for (score, index) in scores {
        top.offer(score, index);
    }
    top.sorted()
}

/// Finds the greatest scores in one pass, without a copy of what it passes: keeps a short list of candidates
/// and cuts it when it has doubled.
pub(crate) struct Top {
    count: usize,
    best: Vec<(f32, usize)>,
    /// What is not above this need not be looked at, as `count` scores are at least as great.
    floor: Option<f32>,
}

impl Top {
    pub fn new(count: usize) -> Self {
        Self {
            count,
            best: Vec::new(),
            floor: None,
        }
    }

    /// Looks at a score; indices must rise from call to call.
    pub fn offer(&mut self, score: f32, index: usize) {
        if self.count == 0 || self.floor.is_some_and(|floor| score <= floor) {
            return;
        }
        self.best.push((score, index));
        if self.best.len() > 2 * self.count {
            self.best.select_nth_unstable_by(self.count - 1, Self::order);
            self.best.truncate(self.count);
            self.floor = Some(self.best[self.count - 1].0);
        }
    }

    /// Looks at `scores`, to each of which `shift` is added; the first has the index `first`. Most of a long row
    /// is passed over a block at a time.
    pub fn offer_all(&mut self, scores: &[f32], shift: f32, first: usize) {
        const BLOCK: usize = 64;
        for (block, first) in scores.chunks(BLOCK).zip((first..).step_by(BLOCK)) {
            if self.floor.is_some_and(|floor| greatest(block) + shift <= floor) {
                continue;
            }
            for (&score, index) in block.iter().zip(first..) {
                self.offer(score + shift, index);
            }
        }
    }

    /// The greatest scores with their indices, in falling order, the earlier of equals first.
    pub fn sorted(mut self) -> Vec<(f32, usize)> {
        self.best.sort_unstable_by(Self::order);
        self.best.truncate(self.count);
        self.best
    }

    fn order(a: &(f32, usize), b: &(f32, usize)) -> std::cmp::Ordering {
        b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
    }
}

/// The `count`-th greatest score.
pub(super) fn kth_greatest(scores: &[f32], count: usize) -> f32 {
    let mut top = Top::new(count);
    top.offer_all(scores, 0., 0);
    top.sorted().last().map_or(f32::NEG_INFINITY, |last| last.0)
}

/// Normalises the scores: logarithms of probabilities.
#[derive(Debug, Clone, Copy, Default)]
pub struct Normalize;

impl LogitsProcessor for Normalize {
    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        log_softmax(scores);
    }
}

/// Replaces what is not finite: NaN by 0, infinities by the greatest and least finite numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveInvalid;

impl LogitsProcessor for RemoveInvalid {
    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        for score in scores {
            *score = if score.is_nan() {
                0.
            } else {
                score.clamp(f32::MIN, f32::MAX)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_is_a_sorted_prefix() {
        let scores: Vec<f32> = (0..997u32)
            .map(|i| (i.wrapping_mul(2654435761) % 101) as f32)
            .collect();
        let mut all: Vec<(f32, usize)> = scores.iter().copied().zip(0..).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for count in [1, 2, 7, 50, 996, 997, 2000] {
            assert_eq!(top(scores.iter().copied().zip(0..), count), all[..count.min(997)]);
            let mut blocks = Top::new(count);
            blocks.offer_all(&scores[..400], 0., 0);
            blocks.offer_all(&scores[400..], 0., 400);
            assert_eq!(blocks.sorted(), all[..count.min(997)]);
        }
    }

    #[test]
    fn forbidden_tokens_have_no_probability() {
        let mut scores = [0., f32::NEG_INFINITY, 0.];
        softmax(&mut scores);
        assert_eq!(scores, [0.5, 0., 0.5]);
        let mut scores = [f32::NEG_INFINITY; 2];
        softmax(&mut scores);
        assert_eq!(scores, [0., 0.]);
        assert_eq!(argmax(&[1., f32::NAN, 3., 3.]), 2);
    }
}

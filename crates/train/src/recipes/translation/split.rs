//! Tokens that fall apart by chance, so that a model sees a word spelled in several ways.

use std::collections::HashMap;

use crate::rng::mix;

/// Takes tokens apart into the two that they were merged from, and those in turn, each with the same
/// probability.
///
/// What it gives a model is what BPE dropout gives (Provilkov et al., [arXiv 1910.13267]): rare words are made of
/// pieces that are often seen, and no spelling can be learned by heart. It begins with finished tokens instead
/// of leaving out merges on the way to them.
///
/// [arXiv 1910.13267]: https://arxiv.org/abs/1910.13267
#[derive(Debug, Default)]
pub(super) struct Splitter {
    pub merges: HashMap<i64, [i64; 2]>,
    pub probability: f64,
}

impl Splitter {
    /// `ids`, some of them taken apart; the draws follow from `seed`.
    pub fn apply(&self, ids: &[i64], seed: u64) -> Vec<i64> {
        if self.probability == 0.0 {
            return ids.to_vec();
        }
        let mut split = Vec::with_capacity(ids.len() * 3 / 2);
        let mut open: Vec<i64> = ids.iter().rev().copied().collect();
        let mut draws = 0;
        while let Some(id) = open.pop() {
            match self.merges.get(&id) {
                Some(&[left, right]) if self.draw(seed, draws) => open.extend([right, left]),
                _ => split.push(id),
            }
            draws += 1;
        }
        split
    }

    fn draw(&self, seed: u64, number: u64) -> bool {
        // 53 bits: a fraction from 0 to 1.
        let fraction = (mix(seed, &[number]) >> 11) as f64 / (1u64 << 53) as f64;
        fraction < self.probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_fall_apart_into_what_they_were_merged_from() {
        let splitter = |probability| Splitter {
            merges: [(10, [1, 2]), (11, [10, 3])].into(),
            probability,
        };
        assert_eq!(splitter(0.0).apply(&[11, 5, 10], 7), [11, 5, 10]);
        assert_eq!(splitter(1.0).apply(&[11, 5, 10], 7), [1, 2, 3, 5, 1, 2]);
        let (one, other) = (
            splitter(0.5).apply(&[10; 40], 1),
            splitter(0.5).apply(&[10; 40], 2),
        );
        assert_ne!(one, other);
        let apart = one.iter().filter(|&&id| id == 1).count();
        assert!((10..30).contains(&apart), "{apart} of 40");
    }
}

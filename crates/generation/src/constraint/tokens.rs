//! Sets of tokens.

/// A set of tokens of a vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSet {
    bits: Vec<u64>,
}

impl TokenSet {
    /// The empty set of a vocabulary of `size` tokens.
    pub fn new(size: usize) -> Self {
        Self {
            bits: vec![0; size.div_ceil(64)],
        }
    }

    /// Puts in a token.
    ///
    /// # Panics
    /// If the vocabulary is smaller.
    pub fn insert(&mut self, token: usize) {
        self.bits[token / 64] |= 1 << (token % 64);
    }

    /// Whether a token is in the set.
    pub fn contains(&self, token: usize) -> bool {
        self.bits
            .get(token / 64)
            .is_some_and(|word| word >> (token % 64) & 1 == 1)
    }

    /// Whether no token is in the set.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|&word| word == 0)
    }

    /// The number of tokens in the set.
    pub fn len(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Forbids all tokens but those in the set and `also`.
    pub(crate) fn restrict(&self, scores: &mut [f32], also: &[i64]) {
        let kept = |&id: &i64| Some((usize::try_from(id).ok()?, *scores.get(usize::try_from(id).ok()?)?));
        let kept: Vec<(usize, f32)> = also.iter().filter_map(kept).collect();
        for (chunk, i) in scores.chunks_mut(64).zip(0..) {
            match self.bits.get(i).copied().unwrap_or(0) {
                0 => chunk.fill(f32::NEG_INFINITY),
                u64::MAX => {}
                word => {
                    for (score, bit) in chunk.iter_mut().zip(0..) {
                        if word >> bit & 1 == 0 {
                            *score = f32::NEG_INFINITY;
                        }
                    }
                }
            }
        }
        for (id, score) in kept {
            scores[id] = score;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_forbidden() {
        let mut set = TokenSet::new(130);
        assert!(set.is_empty());
        for token in [0, 63, 64, 129] {
            set.insert(token);
        }
        assert_eq!(set.len(), 4);
        let mut scores = vec![1.; 140];
        set.restrict(&mut scores, &[139, 5, -1]);
        let left: Vec<usize> = (0..140).filter(|&i| scores[i] == 1.).collect();
        assert_eq!(left, [0, 5, 63, 64, 129, 139]);
        assert!(!set.contains(1000));
    }
}

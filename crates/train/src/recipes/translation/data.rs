//! Parallel texts as tokens, in batches of like length.

use sensorium_text::tokenizer::Tokenizer;
use tch::Tensor;

use crate::data::Dataset;
use crate::error::Result;
use crate::loss::IGNORED;
use crate::parallel::Pairs;
use crate::rng::{mix, permutation};

use super::split::Splitter;

/// A segment and its translation as ids; both end with the token that ends texts.
#[derive(Debug, Clone)]
pub(super) struct Example {
    pub source: Vec<i64>,
    pub target: Vec<i64>,
}

/// Encodes `pairs`; those that are longer than `longest` tokens on a side are left out, and so are empty ones.
pub(super) fn examples(pairs: &Pairs, tokenizer: &Tokenizer, longest: usize) -> Result<Vec<Example>> {
    let ids = |text: &String| {
        tokenizer
            .ids(text.trim(), true)
            .map_err(sensorium_text::Error::from)
    };
    let mut examples = Vec::with_capacity(pairs.len());
    for (source, target) in pairs.source.iter().zip(&pairs.target) {
        let (source, target) = (ids(source)?, ids(target)?);
        if (2..=longest).contains(&source.len()) && (2..=longest).contains(&target.len()) {
            examples.push(Example { source, target });
        }
    }
    Ok(examples)
}

/// Examples in batches of about `tokens` target tokens, padding included, of like length.
pub(super) struct Buckets {
    examples: Vec<Example>,
    /// The end of each batch in the order of lengths.
    cuts: Vec<usize>,
    ids: Specials,
    splitter: Splitter,
}

/// The ids that frame sequences.
#[derive(Debug, Clone, Copy)]
pub(super) struct Specials {
    /// Fills short rows up.
    pub pad: i64,
    /// Begins what the decoder writes.
    pub start: i64,
}

impl Buckets {
    pub fn new(examples: Vec<Example>, tokens: usize, ids: Specials) -> Self {
        let mut sizes: Vec<usize> = examples.iter().map(Example::size).collect();
        sizes.sort_unstable();
        let (mut cuts, mut begin) = (Vec::new(), 0);
        for (i, size) in sizes.iter().enumerate() {
            if i > begin && (i + 1 - begin) * size > tokens {
                cuts.push(i);
                begin = i;
            }
        }
        cuts.extend((!sizes.is_empty()).then_some(sizes.len()));
        Self {
            examples,
            cuts,
            ids,
            splitter: Splitter::default(),
        }
    }

    /// The same examples, whose tokens fall apart by chance.
    pub fn splitting(self, splitter: Splitter) -> Self {
        Self { splitter, ..self }
    }

    /// All batches, the shortest first.
    pub fn batches(&self) -> impl Iterator<Item = Batch> {
        let order = self.by_length(|_| 0);
        self.cut(&order)
            .into_iter()
            .map(|batch| self.batch(&batch, 0))
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Examples by length; `noise` is added to each.
    fn by_length(&self, noise: impl Fn(usize) -> usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.examples.len()).collect();
        order.sort_by_key(|&i| self.examples[i].size() * 4 + noise(i));
        order
    }

    fn cut(&self, order: &[usize]) -> Vec<Vec<usize>> {
        let begins = std::iter::once(0).chain(self.cuts.iter().copied());
        begins
            .zip(&self.cuts)
            .map(|(begin, &end)| order[begin..end].to_vec())
            .collect()
    }
}

impl Example {
    fn size(&self) -> usize {
        self.source.len().max(self.target.len())
    }
}

impl Dataset for Buckets {
    type Batch = Batch;

    fn len(&self) -> usize {
        self.examples.len()
    }

    /// Neighbours in length change places by chance, and batches come in any order.
    fn plan(&self, seed: u64) -> Option<Vec<Vec<usize>>> {
        let order = self.by_length(|i| (mix(seed, &[i as u64]) % 8) as usize);
        let batches = self.cut(&order);
        let shuffled = permutation(batches.len(), mix(seed, &[]));
        Some(shuffled.into_iter().map(|i| batches[i].clone()).collect())
    }

    fn batch(&self, indices: &[usize], seed: u64) -> Batch {
        let Specials { pad, start } = self.ids;
        let split = |side: u64, ids: &[i64], i: usize| self.splitter.apply(ids, mix(seed, &[side, i as u64]));
        let rows = indices.iter().map(|&i| (i, &self.examples[i]));
        let sources: Vec<Vec<i64>> = rows.clone().map(|(i, e)| split(0, &e.source, i)).collect();
        let labels: Vec<Vec<i64>> = rows.map(|(i, e)| split(1, &e.target, i)).collect();
        let shift = |ids: &Vec<i64>| {
            let before = &ids[..ids.len() - 1];
            std::iter::once(start).chain(before.iter().copied()).collect()
        };
        let shifted: Vec<Vec<i64>> = labels.iter().map(shift).collect();
        let source = padded(&sources, pad);
        let even = sources.iter().all(|row| row.len() == sources[0].len());
        Batch {
            mask: (!even).then(|| source.ne(pad)),
            source,
            decoder: padded(&shifted, pad),
            labels: padded(&labels, IGNORED),
            tokens: labels.iter().map(Vec::len).sum(),
        }
    }
}

/// What a step takes; everything is `[rows, tokens]`.
pub(super) struct Batch {
    pub source: Tensor,
    /// False at the source's padding; none where there is no padding.
    pub mask: Option<Tensor>,
    pub decoder: Tensor,
    pub labels: Tensor,
    /// Labels that count.
    pub tokens: usize,
}

fn padded(rows: &[Vec<i64>], with: i64) -> Tensor {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut flat = Vec::with_capacity(rows.len() * longest);
    for row in rows {
        flat.extend_from_slice(row);
        flat.extend(std::iter::repeat_n(with, longest - row.len()));
    }
    Tensor::from_slice(&flat).view([rows.len() as i64, longest as i64])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets() -> Buckets {
        let example = |n: usize| Example {
            source: (1..=(n % 11 + 2) as i64).collect(),
            target: (1..=(n % 7 + 2) as i64).collect(),
        };
        let ids = Specials { pad: 0, start: 99 };
        Buckets::new((0..200).map(example).collect(), 64, ids)
    }

    #[test]
    fn every_example_comes_once_an_epoch_in_as_many_batches() {
        let buckets = buckets();
        let (one, other) = (buckets.plan(1).unwrap(), buckets.plan(2).unwrap());
        assert_eq!(one.len(), other.len());
        assert_ne!(one, other);
        for plan in [one, other] {
            let mut all: Vec<usize> = plan.into_iter().flatten().collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..200));
        }
        assert_eq!(buckets.batches().count(), buckets.cuts.len());
    }

    #[test]
    fn rows_are_framed_and_padded() {
        let buckets = buckets();
        let batch = buckets.batch(&[0, 3], 0); // targets of 2 and 5 tokens
        assert_eq!(
            batch.decoder,
            Tensor::from_slice(&[99i64, 1, 0, 0, 0, 99, 1, 2, 3, 4]).view([2, 5])
        );
        let expected = [1i64, 2, IGNORED, IGNORED, IGNORED, 1, 2, 3, 4, 5];
        assert_eq!(batch.labels, Tensor::from_slice(&expected).view([2, 5]));
        assert_eq!(batch.tokens, 7);
        assert!(batch.mask.is_some());
    }
}

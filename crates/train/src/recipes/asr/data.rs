//! Recordings in batches of like length, joined to strings, distorted.

use sensorium_speech::features::{Extractor, Features};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::sound::{Distortion, Draws, string};
use crate::data::Dataset;
use crate::rng::{mix, permutation};

/// A recording, and what is to be learned from it.
#[derive(Debug, Clone)]
pub(in crate::recipes) struct Example {
    /// Of one channel at the model's rate.
    pub samples: Vec<f32>,
    /// Tokens of the text, or the class.
    pub target: Vec<usize>,
}

/// How examples become what is trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shaping {
    /// The most recordings that are joined to a string.
    pub join: usize,
    /// Silence is put around and between recordings.
    pub gaps: bool,
    /// What is done to the sound.
    pub distortion: Distortion,
    /// SpecAugment (arXiv 1904.08779): stretches of time and of the spectrum that are silenced.
    pub masks: usize,
}

impl Shaping {
    /// Recordings as they are.
    pub const PLAIN: Self = Self {
        join: 1,
        gaps: false,
        distortion: Distortion::NONE,
        masks: 0,
    };
}

/// Examples in batches.
#[derive(Debug)]
pub(in crate::recipes) struct Recordings {
    pub examples: Vec<Example>,
    pub extractor: Extractor,
    pub shaping: Shaping,
    pub batch_size: usize,
    /// The token between the texts of joined recordings.
    pub delimiter: Option<usize>,
}

/// What a step takes.
#[derive(Debug)]
pub(in crate::recipes) struct Batch {
    pub features: Features,
    /// Of each row.
    pub targets: Vec<Vec<usize>>,
}

impl Recordings {
    /// How many recordings the string has that begins with `first`.
    fn count(&self, first: usize, seed: u64) -> usize {
        1 + Draws::new(mix(seed, &[first as u64, 1])).below(self.shaping.join)
    }

    /// All examples, joined by `seed`: what is validated on.
    pub fn batches(&self, seed: u64) -> impl Iterator<Item = Batch> + '_ {
        let chunks = self.by_length(seed, 0);
        chunks.into_iter().map(move |chunk| self.make(&chunk, seed))
    }

    /// Batches of strings of like length. A string is the number of its first recording, and for each further one the
    /// number of all recordings more.
    fn by_length(&self, seed: u64, noise: usize) -> Vec<Vec<usize>> {
        let all = self.examples.len();
        let mean = self
            .examples
            .iter()
            .map(|example| example.samples.len())
            .sum::<usize>()
            / all.max(1);
        let strings = (0..all).map(|first| first + all * (self.count(first, seed) - 1));
        let length = |&string: &usize| {
            let noise = mix(seed, &[string as u64, 2]) % (noise as u64 + 1);
            self.examples[string % all].samples.len() + string / all * mean + noise as usize
        };
        let mut order: Vec<usize> = strings.collect();
        order.sort_by_cached_key(length);
        order.chunks(self.batch_size).map(<[usize]>::to_vec).collect()
    }

    /// What [`by_length`](Self::by_length) gives as one batch.
    fn make(&self, strings: &[usize], seed: u64) -> Batch {
        let rate = self.extractor.rate();
        let least = rate as usize / 10;
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for &first in strings {
            let all = self.examples.len();
            let mut draws = Draws::new(mix(seed, &[first as u64, 5]));
            let others = (0..first / all).map(|_| draws.below(all));
            let joined: Vec<usize> = std::iter::once(first % all).chain(others).collect();
            let parts: Vec<&[f32]> = joined
                .iter()
                .map(|&i| self.examples[i].samples.as_slice())
                .collect();
            let mut draws = Draws::new(mix(seed, &[first as u64, 3]));
            let mut samples = string(
                &parts,
                rate,
                self.shaping.distortion,
                self.shaping.gaps,
                &mut draws,
            );
            samples.resize(samples.len().max(least), 0.0);
            rows.push(samples);
            let mut target: Vec<usize> = Vec::new();
            for (number, &i) in joined.iter().enumerate() {
                target.extend(self.delimiter.filter(|_| number > 0));
                target.extend(&self.examples[i].target);
            }
            targets.push(target);
        }
        let mut features = self.extractor.features(&rows);
        for (row, &string) in strings.iter().enumerate() {
            let mut draws = Draws::new(mix(seed, &[string as u64, 4]));
            hide(&mut features, row as i64, self.shaping.masks, &mut draws);
        }
        Batch { features, targets }
    }
}

/// Silences `masks` stretches of time and as many of the spectrum, in features `[batch, steps, bands]`.
fn hide(features: &mut Features, row: i64, masks: usize, draws: &mut Draws) {
    let size = features.values.size();
    let [_, steps, bands] = size[..] else {
        return; // waveforms have no spectrum
    };
    let row = features.values.get(row);
    for _ in 0..masks {
        for (dim, size, most) in [(0, steps, (steps / 8).min(10)), (1, bands, bands / 6)] {
            let width = draws.below(most as usize + 1) as i64;
            let begin = draws.below((size - width).max(1) as usize) as i64;
            let _ = row.narrow(dim, begin, width).zero_();
        }
    }
}

impl Dataset for Recordings {
    type Batch = Batch;

    fn len(&self) -> usize {
        self.examples.len()
    }

    /// Neighbours in length change places by chance, and batches come in any order.
    fn plan(&self, seed: u64) -> Option<Vec<Vec<usize>>> {
        let noise = self.extractor.rate() as usize / 2;
        let batches = self.by_length(seed, noise);
        let shuffled = permutation(batches.len(), mix(seed, &[]));
        Some(shuffled.into_iter().map(|i| batches[i].clone()).collect())
    }

    fn batch(&self, indices: &[usize], seed: u64) -> Batch {
        self.make(indices, seed)
    }
}

/// The lengths and all tokens of `targets`, for libtorch's loss.
pub(super) fn flat(targets: &[Vec<usize>]) -> (Tensor, Vec<i64>) {
    let ids: Vec<i64> = targets.iter().flatten().map(|&id| id as i64).collect();
    let lengths = targets.iter().map(|target| target.len() as i64).collect();
    (Tensor::from_slice(&ids), lengths)
}

//! Recordings in batches of like length, joined to strings, distorted.

use sensorium_speech::features::{Extractor, Features};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::masks::{SpecAugment, hide};
use super::sound::{Distortion, Draws, string};
use super::throat::{warp, warped};
use crate::data::Dataset;
use crate::error::{Result, TrainError};
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
    /// Recordings are cut into their words where there are pauses between them, and those are joined in any order.
    pub cut: bool,
    /// The most recordings that are joined to a string.
    pub join: usize,
    /// Silence is put around and between recordings.
    pub gaps: bool,
    /// What is done to the sound.
    pub distortion: Distortion,
    /// SpecAugment (arXiv 1904.08779): stretches of time and of the spectrum that are silenced; of waveforms, of the
    /// states.
    pub masks: usize,
}

impl Shaping {
    /// Recordings as they are.
    pub const PLAIN: Self = Self {
        cut: false,
        join: 1,
        gaps: false,
        distortion: Distortion::NONE,
        masks: 0,
    };

    /// Whether all of it can be done to what `extractor` makes.
    ///
    /// # Errors
    /// If spectra are to be stretched that are no filter banks.
    pub(in crate::recipes) fn check(self, extractor: &Extractor) -> Result<()> {
        if self.distortion.warp > 0.0 && !matches!(extractor, Extractor::FilterBank(_)) {
            let message =
                "only the filter banks of new models and of w2v-BERT's can be stretched: leave the warp out";
            return Err(TrainError::Settings(message.to_string()));
        }
        Ok(())
    }

    /// What is validated on: strings without distortion, or whole recordings where words are learned from.
    pub(super) fn validated(self) -> Self {
        match self.cut {
            true => Self::PLAIN,
            false => Self {
                distortion: Distortion::NONE,
                masks: 0,
                ..self
            },
        }
    }
}

/// How recordings begin and end: what is heard before the first word and behind the last.
#[derive(Debug, Default)]
pub(in crate::recipes) struct Edges {
    pub begin: Vec<Vec<f32>>,
    pub end: Vec<Vec<f32>>,
}

/// Examples in batches.
#[derive(Debug)]
pub(in crate::recipes) struct Recordings {
    pub examples: Vec<Example>,
    /// So many of them, the first ones, are joined with each other.
    pub joined: usize,
    pub extractor: Extractor,
    pub shaping: Shaping,
    pub batch_size: usize,
    /// The token between the texts of joined recordings.
    pub delimiter: Option<usize>,
    /// Put around most strings of those that are joined.
    pub edges: Edges,
    /// The most samples of a string.
    pub longest: Option<usize>,
    /// SpecAugment as the model's configuration asks for it.
    pub augment: Option<SpecAugment>,
}

/// What a step takes.
#[derive(Debug)]
pub(in crate::recipes) struct Batch {
    pub features: Features,
    /// Of each row.
    pub targets: Vec<Vec<usize>>,
    /// For what is drawn of it later.
    pub seed: u64,
}

impl Recordings {
    /// How many recordings the string has that begins with `first`.
    fn count(&self, first: usize, seed: u64) -> usize {
        if first >= self.joined {
            return 1;
        }
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
        let lengths = self.examples[..self.joined]
            .iter()
            .map(|example| example.samples.len());
        let mean = lengths.sum::<usize>() / self.joined.max(1);
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
        let least = self.extractor.rate() as usize / 10;
        let (mut rows, mut targets) = (Vec::new(), Vec::new());
        for &first in strings {
            let all = self.examples.len();
            let mut draws = Draws::new(mix(seed, &[first as u64, 5]));
            let others = (0..first / all).map(|_| draws.below(self.joined));
            let joined: Vec<usize> = std::iter::once(first % all).chain(others).collect();
            let parts: Vec<&[f32]> = joined
                .iter()
                .map(|&i| self.examples[i].samples.as_slice())
                .collect();
            let mut draws = Draws::new(mix(seed, &[first as u64, 3]));
            let edged = joined[0] < self.joined;
            let (mut samples, count) = self.string(&parts, edged, &mut draws);
            samples.resize(samples.len().max(least), 0.0);
            rows.push(samples);
            let mut target: Vec<usize> = Vec::new();
            for (number, &i) in joined[..count].iter().enumerate() {
                target.extend(self.delimiter.filter(|_| number > 0));
                target.extend(&self.examples[i].target);
            }
            targets.push(target);
        }
        let features = self.extractor.features(&rows);
        for (row, (samples, &string)) in rows.iter().zip(strings).enumerate() {
            let mut draws = Draws::new(mix(seed, &[string as u64, 4]));
            let row = features.values.get(row as i64);
            self.warp(&row, &mut draws);
            self.hide(&row, samples.len(), &mut draws);
        }
        let first = strings.first().map_or(0, |&first| first as u64);
        Batch {
            features,
            targets,
            seed: mix(seed, &[first, 6]),
        }
    }

    /// Stretches a row's spectrum.
    fn warp(&self, row: &Tensor, draws: &mut Draws) {
        let Extractor::FilterBank(features) = &self.extractor else {
            return; // as `Shaping::check` has seen to
        };
        let most = self.shaping.distortion.warp;
        if most > 0.0 {
            let factor = 1.0 + draws.between(-most, most);
            let nyquist = f64::from(features.sampling_rate) / 2.0;
            warp(row, &warped(features.num_mel_bins, nyquist, factor));
        }
    }

    /// Silences parts of a row's spectrum.
    fn hide(&self, row: &Tensor, samples: usize, draws: &mut Draws) {
        let Extractor::Whisper(features) = &self.extractor else {
            // Who hides a whole word teaches to guess.
            return hide(row, self.shaping.masks, 5, draws);
        };
        // The bands come first, and behind the sound is padding.
        let heard = (samples / features.hop_length) as i64;
        let row = row.transpose(0, 1);
        let row = row.narrow(0, 0, heard.min(row.size()[0]));
        hide(&row, self.shaping.masks, 20, draws);
        if let Some(settings) = &self.augment {
            settings.apply(&row, draws);
        }
    }

    /// Recordings behind each other as they are learned, `edged` if they are words that were cut out, and how many: one
    /// alone where they are too long together.
    fn string(&self, parts: &[&[f32]], edged: bool, draws: &mut Draws) -> (Vec<f32>, usize) {
        let Shaping {
            cut,
            distortion,
            gaps,
            ..
        } = self.shaping;
        let rate = self.extractor.rate();
        let fits = |samples: &Vec<f32>| self.longest.is_none_or(|longest| samples.len() <= longest);
        let joined = match cut {
            // Words of one voice in one room are changed alike.
            true => {
                let [begin, end] = [&self.edges.begin, &self.edges.end].map(|edges| {
                    let edge = draws.below(edges.len() + edges.len() / 3);
                    edges.get(edge).filter(|_| edged).map_or(&[][..], Vec::as_slice)
                });
                let whole = [begin, &parts.concat(), end].concat();
                string(&[&whole], rate, distortion, gaps, draws)
            }
            false => string(parts, rate, distortion, gaps, draws),
        };
        if fits(&joined) {
            return (joined, parts.len());
        }
        let single = string(&parts[..1], rate, distortion, false, draws);
        if fits(&single) {
            return (single, 1);
        }
        (parts[0].to_vec(), 1)
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

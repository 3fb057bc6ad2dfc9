//! Mel filter banks.

use std::f64::consts::LN_10;

/// How frequencies become pitches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MelScale {
    /// Of HTK: 2595 log₁₀(1 + f/700).
    Htk,
    /// Of Kaldi: 1127 ln(1 + f/700).
    Kaldi,
    /// Of Slaney's Auditory Toolbox: linear to 1 kHz, logarithmic above.
    Slaney,
}

impl MelScale {
    /// The mels of a frequency in Hz.
    pub fn mel(self, hertz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 / LN_10 * (hertz / 700.0).ln_1p(),
            Self::Kaldi => 1127.0 * (hertz / 700.0).ln_1p(),
            Self::Slaney if hertz < 1000.0 => 3.0 * hertz / 200.0,
            Self::Slaney => 15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4f64.ln(),
        }
    }

    /// The frequency of `mel`, in Hz.
    pub fn hertz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (mel * LN_10 / 2595.0).exp_m1(),
            Self::Kaldi => 700.0 * (mel / 1127.0).exp_m1(),
            Self::Slaney if mel < 15.0 => 200.0 * mel / 3.0,
            Self::Slaney => 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp(),
        }
    }
}

/// How filters of different widths are made equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MelNorm {
    /// All peaks are 1.
    Peak,
    /// All areas over Hz are 1 (Slaney).
    Area,
}

/// A bank of triangular filters.
#[derive(Debug, Clone, PartialEq)]
pub struct Mels {
    /// For each filter the first bin that it hears, and its weights.
    filters: Vec<(usize, Vec<f64>)>,
}

/// What a bank of filters is to be like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bank {
    /// Of the samples, in Hz.
    pub rate: u32,
    /// Of the spectrum: half the FFT, and one.
    pub bins: usize,
    pub mels: usize,
    /// Of the lowest filter's foot, in Hz.
    pub low: f64,
    /// Of the highest filter's foot, in Hz.
    pub high: f64,
    pub scale: MelScale,
    pub norm: MelNorm,
    /// The flanks are straight over mels, not over Hz.
    pub straight_in_mels: bool,
}

impl Mels {
    pub(crate) fn new(bank: Bank) -> Self {
        let Bank { scale, .. } = bank;
        let (low, high) = (scale.mel(bank.low), scale.mel(bank.high));
        let step = (high - low) / (bank.mels + 1) as f64;
        let mels: Vec<f64> = (0..bank.mels + 2).map(|i| low + step * i as f64).collect();
        let hertz: Vec<f64> = mels.iter().map(|&mel| scale.hertz(mel)).collect();
        let width = f64::from(bank.rate) / ((bank.bins - 1) * 2) as f64;
        let bins = (0..bank.bins).map(|bin| width * bin as f64);
        let (corners, places): (&[f64], Vec<f64>) = if bank.straight_in_mels {
            (&mels, bins.map(|bin| scale.mel(bin)).collect())
        } else {
            (&hertz, bins.collect())
        };
        let filter = |m: usize| {
            let [left, peak, right] = [corners[m], corners[m + 1], corners[m + 2]];
            let area = match bank.norm {
                MelNorm::Peak => 1.0,
                MelNorm::Area => 2.0 / (hertz[m + 2] - hertz[m]),
            };
            let weight = |&at: &f64| {
                let flanks = ((at - left) / (peak - left)).min((right - at) / (right - peak));
                flanks.max(0.0) * area
            };
            let weights: Vec<f64> = places.iter().map(weight).collect();
            let heard = |weight: &f64| *weight > 0.0;
            let first = weights.iter().position(heard).unwrap_or(0);
            let end = weights.iter().rposition(heard).map_or(first, |last| last + 1);
            (first, weights[first..end].to_vec())
        };
        Self {
            filters: (0..bank.mels).map(filter).collect(),
        }
    }

    /// The weights of each filter for each of `bins`, one filter behind the other.
    pub(crate) fn matrix(&self, bins: usize) -> Vec<f32> {
        let row = |(first, weights): &(usize, Vec<f64>)| {
            let mut row = vec![0.0f32; bins];
            row[*first..first + weights.len()]
                .iter_mut()
                .zip(weights)
                .for_each(|(to, &from)| *to = from as f32);
            row
        };
        self.filters.iter().flat_map(row).collect()
    }

    /// The number of filters.
    pub fn len(&self) -> usize {
        self.filters.len()
    }

    /// Whether there are no filters.
    pub fn is_empty(&self) -> bool {
        self.filters.is_empty()
    }

    /// What each filter hears of `spectrum`, a value for each bin.
    pub fn apply<'a>(&'a self, spectrum: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.filters.iter().map(|(first, weights)| {
            let pairs = weights.iter().zip(&spectrum[*first..]);
            pairs.map(|(weight, value)| weight * value).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_inverted() {
        assert!((MelScale::Slaney.mel(8000.0) - 45.245_640_471_924_965).abs() < 1e-9);
        assert!((MelScale::Htk.mel(1000.0) - 999.985_537).abs() < 1e-5);
        for scale in [MelScale::Htk, MelScale::Kaldi, MelScale::Slaney] {
            for hertz in [0.0, 20.0, 999.0, 1000.0, 4321.0, 8000.0] {
                assert!(
                    (scale.hertz(scale.mel(hertz)) - hertz).abs() < 1e-8,
                    "{scale:?} {hertz}"
                );
            }
        }
    }

    #[test]
    fn areas_are_one() {
        let mels = Mels::new(Bank {
            rate: 16000,
            bins: 8001,
            mels: 40,
            low: 0.0,
            high: 8000.0,
            scale: MelScale::Slaney,
            norm: MelNorm::Area,
            straight_in_mels: false,
        });
        let flat = vec![1.0; 8001]; // a bin for each Hz
        assert!(mels.apply(&flat).all(|area| (area - 1.0).abs() < 1e-3));
    }
}

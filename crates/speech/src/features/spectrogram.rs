//! Spectrograms of recordings of any length, of which only the part that is being heard is in memory.

use tch::{Device, Kind, Tensor};

use super::WhisperFeatures;
use super::spectrum::mirrored;
use super::{Padding, Spectrum};
use crate::audio::AudioError;
use crate::error::Error;

/// Samples of one channel, read where they are needed.
pub trait Samples {
    /// How many there are.
    fn count(&self) -> usize;

    /// Fills `into` with those from `from` on, which are all there.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read(&mut self, from: usize, into: &mut [f32]) -> Result<(), AudioError>;
}

impl Samples for &[f32] {
    fn count(&self) -> usize {
        self.len()
    }

    fn read(&mut self, from: usize, into: &mut [f32]) -> Result<(), AudioError> {
        into.copy_from_slice(&self[from..from + into.len()]);
        Ok(())
    }
}

impl Samples for Vec<f32> {
    fn count(&self) -> usize {
        self.len()
    }

    fn read(&mut self, from: usize, into: &mut [f32]) -> Result<(), AudioError> {
        self.as_slice().read(from, into)
    }
}

/// A spectrogram that is asked for part by part.
pub trait Spectrogram {
    /// Frames, padding included.
    fn frames(&self) -> i64;

    /// The first ones, which are no padding.
    fn sound(&self) -> i64;

    /// `frames` frames from `from` on, which are all there: `[mels, frames]`.
    ///
    /// # Errors
    /// If the recording cannot be read.
    fn part(&mut self, from: i64, frames: i64) -> Result<Tensor, Error>;
}

impl<S: Spectrogram + ?Sized> Spectrogram for &mut S {
    fn frames(&self) -> i64 {
        (**self).frames()
    }

    fn sound(&self) -> i64 {
        (**self).sound()
    }

    fn part(&mut self, from: i64, frames: i64) -> Result<Tensor, Error> {
        (**self).part(from, frames)
    }
}

/// A spectrogram in memory.
#[derive(Debug)]
pub struct WholeSpectrogram {
    /// `[mels, frames]`.
    pub mels: Tensor,
    /// Frames that are no padding.
    pub sound: i64,
}

impl Spectrogram for WholeSpectrogram {
    fn frames(&self) -> i64 {
        self.mels.size()[1]
    }

    fn sound(&self) -> i64 {
        self.sound
    }

    fn part(&mut self, from: i64, frames: i64) -> Result<Tensor, Error> {
        Ok(self.mels.narrow(1, from, frames))
    }
}

/// Frames that are looked at together while the loudest is sought.
const BLOCK: usize = 4096;

/// A spectrogram that is computed from samples where it is asked for; equal to
/// [`WhisperFeatures::spectrogram`] of all of them.
#[derive(Debug)]
pub struct SpectrogramParts<'a, S> {
    features: &'a WhisperFeatures,
    samples: S,
    frames: usize,
    /// The logarithm of the loudest value.
    loudest: f32,
}

impl<'a, S: Samples> SpectrogramParts<'a, S> {
    /// Reads all of `samples` once, to find the loudest.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn new(features: &'a WhisperFeatures, samples: S) -> Result<Self, AudioError> {
        let frames = samples.count() / features.hop_length; // the last one is dropped
        let mut parts = Self {
            features,
            samples,
            frames,
            loudest: f32::NEG_INFINITY,
        };
        let (spectrum, bank) = (features.spectrum(Padding::None), features.bank());
        let mut most = 0f64;
        for from in (0..frames).step_by(BLOCK) {
            let around = parts.around(from, BLOCK.min(frames - from))?;
            if is_silent(&around) {
                continue;
            }
            spectrum.powers(&around, |_, powers| {
                most = bank.apply(powers).fold(most, f64::max);
            });
        }
        if frames > 0 {
            parts.loudest = WhisperFeatures::logarithm(most);
        }
        Ok(parts)
    }

    /// The samples of `frames` frames from `from` on; what is beyond the recording's ends is mirrored.
    fn around(&mut self, from: usize, frames: usize) -> Result<Vec<f32>, AudioError> {
        let WhisperFeatures {
            n_fft, hop_length, ..
        } = *self.features;
        let last = self.samples.count() as isize - 1;
        let begin = (from * hop_length) as isize - (n_fft / 2) as isize;
        let end = begin + ((frames.max(1) - 1) * hop_length + n_fft) as isize;
        let places: Vec<usize> = (begin..end).map(|i| mirrored(i, last)).collect();
        let first = places.iter().copied().min().unwrap_or(0);
        let count = places.iter().copied().max().map_or(0, |last| last + 1 - first);
        let mut read = vec![0.0; count];
        self.samples.read(first, &mut read)?;
        Ok(places.into_iter().map(|place| read[place - first]).collect())
    }
}

/// Nothing at all is heard, not even noise.
fn is_silent(samples: &[f32]) -> bool {
    samples.iter().all(|&sample| sample == 0.0)
}

impl<S: Samples> Spectrogram for SpectrogramParts<'_, S> {
    fn frames(&self) -> i64 {
        self.frames as i64
    }

    fn sound(&self) -> i64 {
        self.frames as i64
    }

    fn part(&mut self, from: i64, frames: i64) -> Result<Tensor, Error> {
        let mels = self.features.feature_size as i64;
        if frames == 0 {
            return Ok(Tensor::zeros([mels, 0], (Kind::Float, Device::Cpu)));
        }
        let around = self.around(from as usize, frames as usize)?;
        if is_silent(&around) {
            let value = WhisperFeatures::scaled(WhisperFeatures::logarithm(0.0), self.loudest);
            return Ok(Tensor::full(
                [mels, frames],
                f64::from(value),
                (Kind::Float, Device::Cpu),
            ));
        }
        let spectrum: Spectrum = self.features.spectrum(Padding::None);
        let values = self
            .features
            .logarithms(&spectrum, &around, frames as usize, Some(self.loudest));
        Ok(Tensor::from_slice(&values).view([mels, frames]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features() -> WhisperFeatures {
        serde_json::from_str("{}").unwrap()
    }

    /// Speech-like: loud here, quiet there.
    fn samples(count: usize) -> Vec<f32> {
        let value = |i: usize| {
            let seconds = i as f32 / 16_000.0;
            let tone = (seconds * 700.0 * (1.0 + seconds)).sin();
            tone * (seconds * 3.0).sin().max(0.0) + 1e-3 * ((i * 7919 % 1009) as f32 / 1009.0 - 0.5)
        };
        (0..count).map(value).collect()
    }

    #[test]
    fn parts_are_those_of_the_whole() {
        let features = features();
        for count in [
            0, 1, 100, 159, 160, 161, 399, 400, 1_000, 16_000, 100_123, 700_000,
        ] {
            let samples = samples(count);
            let whole = features.spectrogram(&samples);
            let mut parts = SpectrogramParts::new(&features, samples.as_slice()).unwrap();
            let frames = whole.size()[1];
            assert_eq!(parts.frames(), frames, "{count}");
            let cuts = [0, frames / 7, frames / 3, frames - frames / 50, frames];
            for pair in cuts.windows(2) {
                let (from, length) = (pair[0], pair[1] - pair[0]);
                let part = parts.part(from, length).unwrap();
                assert!(
                    part.equal(&whole.narrow(1, from, length)),
                    "{count} {from} {length}"
                );
            }
        }
    }
}

//! Sound: samples with their rate, from files of all kinds.

mod compressed;
mod cut;
mod damage;
mod edit;
mod error;
mod resample;
mod spool;
mod stream;
mod wav;
mod write;

use std::path::Path;

pub use damage::Damage;
pub use error::AudioError;
pub(crate) use resample::Resampler;
pub(crate) use spool::Spool;
pub use stream::AudioStream;
pub use write::{SampleKind, WavFile, WavStream};

/// A recording in memory: `frames × channels` samples, of which 1 is the loudest.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    /// Interleaved.
    samples: Vec<f32>,
    channels: usize,
    rate: u32,
}

/// The lowest and the highest rates that are taken, in Hz.
const RATES: std::ops::RangeInclusive<u32> = 100..=1_536_000;
/// The most channels that are taken.
const MOST_CHANNELS: usize = 256;

impl Audio {
    /// A recording of interleaved `samples` at `rate` Hz.
    ///
    /// # Errors
    /// If rate or channels make no sense, the samples do not divide by the channels, or one is not a number.
    pub fn new(samples: Vec<f32>, channels: usize, rate: u32) -> Result<Self, AudioError> {
        if !RATES.contains(&rate) {
            return Err(AudioError::Rate { rate });
        }
        if channels == 0 || channels > MOST_CHANNELS || !samples.len().is_multiple_of(channels) {
            return Err(AudioError::Channels { channels });
        }
        if let Some(at) = samples.iter().position(|sample| !sample.is_finite()) {
            return Err(AudioError::NotANumber { frame: at / channels });
        }
        Ok(Self {
            samples,
            channels,
            rate,
        })
    }

    /// Reads a file of any format that [`decode`](Self::decode) knows.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), and if the file cannot be read.
    pub fn open(path: &Path) -> Result<Self, AudioError> {
        AudioStream::open(path)?.collect()
    }

    /// Decodes WAV (8 to 32-bit integers, 32 and 64-bit floats), FLAC, MP3, Ogg Vorbis, and AAC in MP4; the format
    /// is found from the content.
    ///
    /// # Errors
    /// If it is none of these, or damaged so that nothing can be heard.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, AudioError> {
        AudioStream::decode(bytes)?.collect()
    }

    /// Interleaved samples, `frames × channels`.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// Samples per second of each channel, in Hz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Samples of each channel.
    pub fn frames(&self) -> usize {
        self.samples.len() / self.channels
    }

    /// The length, in seconds.
    pub fn seconds(&self) -> f64 {
        self.frames() as f64 / f64::from(self.rate)
    }

    /// The mean of all channels.
    pub fn mono(&self) -> Vec<f32> {
        if self.channels == 1 {
            return self.samples.clone();
        }
        let frames = self.samples.chunks_exact(self.channels);
        frames
            .map(|frame| frame.iter().sum::<f32>() / self.channels as f32)
            .collect()
    }

    /// One channel, from 0.
    ///
    /// # Errors
    /// If there is no such channel.
    pub fn channel(&self, number: usize) -> Result<Self, AudioError> {
        if number >= self.channels {
            return Err(AudioError::NoChannel {
                number,
                channels: self.channels,
            });
        }
        Ok(Self {
            samples: self.samples[number..]
                .iter()
                .step_by(self.channels)
                .copied()
                .collect(),
            channels: 1,
            rate: self.rate,
        })
    }

    /// From `start` to `end`, in seconds; what lies outside the recording is left out.
    pub fn clip(&self, start: f64, end: Option<f64>) -> Self {
        self.clips(&[(start, end.unwrap_or(f64::INFINITY))])
    }

    /// Several such parts, one behind the other.
    pub fn clips(&self, spans: &[(f64, f64)]) -> Self {
        // Infinity becomes the largest number.
        let frame =
            |seconds: f64| ((seconds.max(0.0) * f64::from(self.rate)).round() as usize).min(self.frames());
        let part = |&(start, end): &(f64, f64)| {
            let from = frame(start);
            &self.samples[from * self.channels..frame(end).max(from) * self.channels]
        };
        Self {
            samples: spans.iter().map(part).collect::<Vec<_>>().concat(),
            ..*self
        }
    }

    /// The mean of all channels at `rate` Hz.
    ///
    /// # Errors
    /// If the rate makes no sense.
    pub fn mono_at(&self, rate: u32) -> Result<Vec<f32>, AudioError> {
        resample::resample(self.mono(), self.rate, rate)
    }
}

/// Samples of one channel at another rate.
pub(crate) fn resampled(samples: Vec<f32>, from: u32, to: u32) -> Result<Vec<f32>, AudioError> {
    resample::resample(samples, from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_and_clips() {
        let audio = Audio::new(vec![0.0, 1.0, 0.5, 0.5, -1.0, 0.0], 2, 100).unwrap();
        assert_eq!(audio.frames(), 3);
        assert_eq!(audio.mono(), [0.5, 0.5, -0.5]);
        assert_eq!(audio.channel(1).unwrap().samples(), [1.0, 0.5, 0.0]);
        assert!(matches!(audio.channel(2), Err(AudioError::NoChannel { .. })));
        assert_eq!(audio.clip(0.01, Some(0.02)).samples(), [0.5, 0.5]);
        assert_eq!(audio.clip(0.02, Some(9.0)).frames(), 1);
        assert_eq!(audio.clip(5.0, Some(1.0)).frames(), 0);
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        assert!(matches!(
            Audio::new(vec![], 0, 8000),
            Err(AudioError::Channels { .. })
        ));
        assert!(matches!(
            Audio::new(vec![0.0; 3], 2, 8000),
            Err(AudioError::Channels { .. })
        ));
        assert!(matches!(Audio::new(vec![], 1, 0), Err(AudioError::Rate { .. })));
        let nan = Audio::new(vec![0.0, 0.0, 0.0, f32::NAN], 2, 8000);
        assert!(matches!(nan, Err(AudioError::NotANumber { frame: 1 })));
        assert!(matches!(
            Audio::decode(b"hello".to_vec()),
            Err(AudioError::Unknown)
        ));
        assert!(matches!(Audio::decode(Vec::new()), Err(AudioError::Unknown)));
    }
}

//! Whisper's mel spectrogram (arXiv 2212.04356).

use sensorium_blocks::{ConfigProblem, size};
use serde::Deserialize;
use tch::{Kind, Tensor};

use super::mel::Bank;
use super::{Features, Frames, MelNorm, MelScale, Mels, Padding, Spectrum, Window};

/// `WhisperFeatureExtractor` of the reference.
#[derive(Debug, Clone, Deserialize)]
pub struct WhisperFeatures {
    /// In Hz.
    #[serde(default = "rate")]
    pub sampling_rate: u32,
    /// Mel bands: 80, or 128 of the third generation.
    #[serde(default = "mels")]
    pub feature_size: usize,
    /// Samples from frame to frame.
    #[serde(default = "hop")]
    pub hop_length: usize,
    /// Samples of a frame.
    #[serde(default = "fft")]
    pub n_fft: usize,
    /// Seconds of a window.
    #[serde(default = "seconds")]
    pub chunk_length: usize,
}

fn rate() -> u32 {
    16_000
}

fn mels() -> usize {
    80
}

fn hop() -> usize {
    160
}

fn fft() -> usize {
    400
}

fn seconds() -> usize {
    30
}

impl WhisperFeatures {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        let check = |field, value: usize, most| size(field, value as i64, most).map(|_| ());
        check("sampling_rate", self.sampling_rate as usize, 1 << 20)?;
        check("feature_size", self.feature_size, 1 << 10)?;
        check("hop_length", self.hop_length, 1 << 14)?;
        check("n_fft", self.n_fft, 1 << 14)?;
        check("chunk_length", self.chunk_length, 1 << 10)
    }

    /// Samples of a window.
    pub fn window(&self) -> usize {
        self.chunk_length * self.sampling_rate as usize
    }

    /// The spectrograms of the recordings' first windows, `[batch, mels, frames]`; shorter recordings are padded with
    /// silence.
    pub fn windows(&self, recordings: &[Vec<f32>]) -> Features {
        let window = self.window();
        let spectrograms = recordings.iter().map(|recording| {
            let mut samples = recording[..recording.len().min(window)].to_vec();
            samples.resize(window, 0.0);
            self.spectrogram(&samples)
        });
        Features {
            values: Tensor::stack(&spectrograms.collect::<Vec<_>>(), 0),
            mask: None,
        }
    }

    /// The spectrograms of whole recordings, `[batch, mels, frames]`, padded to the longest, and which frames are
    /// heard, `[batch, frames]`.
    pub fn whole(&self, recordings: &[Vec<f32>]) -> Features {
        let longest = recordings.iter().map(Vec::len).max().unwrap_or(0);
        let frames = (longest / self.hop_length) as i64;
        let (mut all, mut masks) = (Vec::new(), Vec::new());
        for recording in recordings {
            let mut samples = recording.clone();
            samples.resize(longest, 0.0);
            all.push(self.spectrogram(&samples));
            let heard = recording.len().div_ceil(self.hop_length) as i64;
            let frame = Tensor::arange(frames, (Kind::Int64, tch::Device::Cpu));
            masks.push(frame.lt(heard).to_kind(Kind::Int64));
        }
        Features {
            values: Tensor::stack(&all, 0),
            mask: Some(Tensor::stack(&masks, 0)),
        }
    }

    /// `[mels, frames]` of `samples`: a frame for each hop; logarithms, at most 8 decades below the loudest, shifted
    /// and scaled to about −1 to 1.
    pub fn spectrogram(&self, samples: &[f32]) -> Tensor {
        let frames = samples.len() / self.hop_length; // the last one is dropped
        let values = match samples {
            [] => Vec::new(),
            samples => self.logarithms(&self.spectrum(Padding::Reflect), samples, frames, None),
        };
        Tensor::from_slice(&values).view([self.feature_size as i64, frames as i64])
    }

    /// The values of the first `frames` frames, mel by mel; the loudest of all is theirs unless given.
    pub(super) fn logarithms(
        &self,
        spectrum: &Spectrum,
        samples: &[f32],
        frames: usize,
        loudest: Option<f32>,
    ) -> Vec<f32> {
        let bank = self.bank();
        let mut values = vec![0f32; frames * bank.len()];
        spectrum.powers(samples, |frame, powers| {
            if frame < frames {
                for (mel, value) in bank.apply(powers).enumerate() {
                    values[mel * frames + frame] = Self::logarithm(value);
                }
            }
        });
        let loudest = loudest.unwrap_or_else(|| values.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        for value in &mut values {
            *value = Self::scaled(*value, loudest);
        }
        values
    }

    /// A logarithm as the model takes it.
    pub(super) fn scaled(value: f32, loudest: f32) -> f32 {
        (value.max(loudest - 8.0) + 4.0) / 4.0
    }

    pub(super) fn logarithm(value: f64) -> f32 {
        value.max(1e-10).log10() as f32
    }

    pub(super) fn spectrum(&self, padding: Padding) -> Spectrum {
        Spectrum::new(Frames {
            length: self.n_fft,
            hop: self.hop_length,
            fft: self.n_fft,
            window: Window::Hann,
            padding,
            emphasis: None,
        })
    }

    pub(super) fn bank(&self) -> Mels {
        Mels::new(Bank {
            rate: self.sampling_rate,
            bins: self.n_fft / 2 + 1,
            mels: self.feature_size,
            low: 0.0,
            high: f64::from(self.sampling_rate) / 2.0,
            scale: MelScale::Slaney,
            norm: MelNorm::Area,
            straight_in_mels: false,
        })
    }
}

//! Filter banks of the Audio Spectrogram Transformer (arXiv 2104.01778), after Kaldi's.

use sensorium_blocks::{ConfigProblem, size};
use serde::Deserialize;
use tch::Tensor;

use super::mel::Bank;
use super::{Features, Frames, MelNorm, MelScale, Mels, Padding, Spectrum, Window};

/// `ASTFeatureExtractor` of the reference.
#[derive(Debug, Clone, Deserialize)]
pub struct AstFeatures {
    /// In Hz.
    #[serde(default = "rate")]
    pub sampling_rate: u32,
    /// Mel bands.
    #[serde(default = "mels")]
    pub num_mel_bins: usize,
    /// Frames; shorter recordings are padded, longer ones cut.
    #[serde(default = "frames")]
    pub max_length: usize,
    /// Values are shifted and scaled to the statistics of the training data.
    #[serde(default = "yes")]
    pub do_normalize: bool,
    /// Of the training data.
    #[serde(default = "mean")]
    pub mean: f64,
    /// Of the training data.
    #[serde(default = "deviation")]
    pub std: f64,
}

fn rate() -> u32 {
    16_000
}

fn mels() -> usize {
    128
}

fn frames() -> usize {
    1024
}

fn yes() -> bool {
    true
}

fn mean() -> f64 {
    -4.267_739_3
}

fn deviation() -> f64 {
    4.568_997_4
}

/// The least power whose logarithm is taken: the distance of 1 to the next `f32`.
const FLOOR: f64 = f32::EPSILON as f64;

impl AstFeatures {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        size("sampling_rate", i64::from(self.sampling_rate), 1 << 20)?;
        size("num_mel_bins", self.num_mel_bins as i64, 1 << 10)?;
        size("max_length", self.max_length as i64, 1 << 20)?;
        Ok(())
    }

    /// `[batch, frames, mels]`.
    pub fn features(&self, recordings: &[Vec<f32>]) -> Features {
        let spectrum = Spectrum::new(Frames {
            length: 400,
            hop: 160,
            fft: 512,
            window: Window::HannSymmetric,
            padding: Padding::None,
            emphasis: Some(0.97),
        });
        let bank = Mels::new(Bank {
            rate: self.sampling_rate,
            bins: 257,
            mels: self.num_mel_bins,
            low: 20.0,
            high: f64::from(self.sampling_rate / 2),
            scale: MelScale::Kaldi,
            norm: MelNorm::Peak,
            straight_in_mels: true,
        });
        let one = |recording: &Vec<f32>| {
            let mut values = Vec::with_capacity(self.max_length * bank.len());
            spectrum.powers(recording, |frame, powers| {
                if frame < self.max_length {
                    values.extend(bank.apply(powers).map(|value| value.max(FLOOR).ln()));
                }
            });
            values.resize(self.max_length * bank.len(), 0.0);
            if self.do_normalize {
                values
                    .iter_mut()
                    .for_each(|value| *value = (*value - self.mean) / (self.std * 2.0));
            }
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            Tensor::from_slice(&values).view([self.max_length as i64, bank.len() as i64])
        };
        Features {
            values: Tensor::stack(&recordings.iter().map(one).collect::<Vec<_>>(), 0),
            mask: None,
        }
    }
}

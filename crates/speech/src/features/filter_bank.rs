//! Filter banks after Kaldi's, each normalised over the recording: w2v-BERT 2.0 (arXiv 2312.05187).

use sensorium_blocks::{ConfigProblem, size};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::mel::Bank;
use super::{Features, Frames, MelNorm, MelScale, Mels, Padding, Spectrum, Window};

/// `SeamlessM4TFeatureExtractor` of the reference.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FilterBank {
    /// In Hz.
    #[serde(default = "rate")]
    pub sampling_rate: u32,
    /// Mel bands.
    #[serde(default = "mels")]
    pub num_mel_bins: usize,
    /// Frames that are one step of the model.
    #[serde(default = "stride")]
    pub stride: usize,
    /// Put behind shorter recordings.
    #[serde(default)]
    pub padding_value: f32,
    /// The least power of a band, where a sample of 1 has the power 2³⁰. The reference knows only its own floor, at
    /// which a silence of zeros is far below the softest room.
    #[serde(default = "floor")]
    pub mel_floor: f64,
}

fn rate() -> u32 {
    16_000
}

fn mels() -> usize {
    80
}

fn stride() -> usize {
    2
}

/// The distance of 1 to the next `f32`.
fn floor() -> f64 {
    f64::from(f32::EPSILON)
}

/// Samples of a frame.
const LENGTH: usize = 400;
/// Samples from frame to frame.
const HOP: usize = 160;

impl FilterBank {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        size("sampling_rate", i64::from(self.sampling_rate), 1 << 20)?;
        size("num_mel_bins", self.num_mel_bins as i64, 1 << 10)?;
        if !(self.mel_floor > 0.0 && self.mel_floor.is_finite()) {
            return Err(ConfigProblem::Other(format!(
                "`mel_floor` is {}, expected more than 0",
                self.mel_floor
            )));
        }
        match self.stride {
            2.. => size("stride", self.stride as i64, 1 << 10).map(|_| ()),
            _ => Err(ConfigProblem::Other(format!(
                "`stride` is {}, expected 2 or more",
                self.stride
            ))),
        }
    }

    /// Samples from step to step.
    pub fn hop(&self) -> usize {
        HOP * self.stride
    }

    /// The fewest samples that make a step with something in it.
    pub fn least_samples(&self) -> usize {
        LENGTH + HOP * (self.stride - 1)
    }

    /// Steps of that many samples, padding at the end included.
    pub fn steps(&self, samples: usize) -> usize {
        let frames = (samples + HOP).saturating_sub(LENGTH) / HOP;
        frames.next_multiple_of(2) / self.stride
    }

    /// `[batch, steps, stride · mels]`.
    pub fn features(&self, recordings: &[Vec<f32>]) -> Features {
        let spectrum = Spectrum::new(Frames {
            length: LENGTH,
            hop: HOP,
            fft: 512,
            window: Window::Povey,
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
        let width = bank.len();
        let rows: Vec<Vec<f32>> = recordings
            .iter()
            .map(|recording| normal_bands(recording, &spectrum, &bank, self.mel_floor))
            .collect();
        // The reference fills up to an even number of frames, then leaves out what is no whole step.
        let longest = rows.iter().map(|row| row.len() / width).max().unwrap_or(0);
        let steps = longest.next_multiple_of(2) / self.stride;
        let step = width * self.stride;
        let mut values = Vec::with_capacity(rows.len() * steps * step);
        let mut mask = Vec::with_capacity(rows.len() * steps);
        for row in &rows {
            let begin = values.len();
            values.extend_from_slice(&row[..row.len().min(steps * step)]);
            values.resize(begin + steps * step, self.padding_value);
            // A step counts where its second frame does.
            let frames = row.len() / width;
            mask.extend((0..steps).map(|i| i64::from(i * self.stride + 1 < frames)));
        }
        let shape = [rows.len() as i64, steps as i64];
        Features {
            values: Tensor::from_slice(&values).view([shape[0], shape[1], step as i64]),
            mask: Some(Tensor::from_slice(&mask).view(shape).to_kind(Kind::Int64)),
        }
    }
}

/// The logarithms of the bands, frame by frame; each band has mean 0 and variance 1.
fn normal_bands(recording: &[f32], spectrum: &Spectrum, bank: &Mels, floor: f64) -> Vec<f32> {
    let scaled: Vec<f32> = recording.iter().map(|x| x * 32768.0).collect(); // Kaldi's samples are 16-bit integers
    let width = bank.len();
    let mut bands = Vec::with_capacity(spectrum.count(scaled.len()) * width);
    spectrum.powers(&scaled, |_, powers| {
        bands.extend(bank.apply(powers).map(|power| power.max(floor).ln()));
    });
    let frames = bands.len() / width;
    for band in 0..width {
        let places = || (band..frames * width).step_by(width);
        let mean = places().map(|i| bands[i]).sum::<f64>() / frames as f64;
        let squares: f64 = places().map(|i| (bands[i] - mean).powi(2)).sum();
        let variance = squares / (frames.max(2) - 1) as f64;
        let scale = (variance + 1e-7).sqrt().recip();
        for i in places() {
            bands[i] = (bands[i] - mean) * scale;
        }
    }
    bands.into_iter().map(|band| band as f32).collect()
}

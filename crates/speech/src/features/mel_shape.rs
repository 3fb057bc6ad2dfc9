//! Mel spectrograms as vocoders take them.

use sensorium_blocks::ConfigProblem;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::{Bank, MelNorm, MelScale, Mels};

/// What a spectrogram was made with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MelShape {
    /// Samples per second, in Hz.
    pub rate: u32,
    /// Samples of a frame; its window is Hann's.
    pub fft: i64,
    /// Samples from frame to frame.
    pub hop: i64,
    /// Bands.
    pub bands: usize,
    /// The lowest and the highest frequency, in Hz.
    pub range: (f64, f64),
    /// The base of the logarithms that the magnitudes were made.
    pub base: f64,
}

impl MelShape {
    /// Those of SpeechT5.
    pub const SPEECHT5: Self = Self {
        rate: 16_000,
        fft: 1024,
        hop: 256,
        bands: 80,
        range: (80.0, 7600.0),
        base: 10.0,
    };

    fn bank(&self) -> Mels {
        Mels::new(Bank {
            rate: self.rate,
            bins: self.fft as usize / 2 + 1,
            mels: self.bands,
            low: self.range.0,
            high: self.range.1,
            scale: MelScale::Slaney,
            norm: MelNorm::Area,
            straight_in_mels: false,
        })
    }

    /// `[bands, bins]`
    pub(crate) fn filters(&self) -> Tensor {
        let bins = self.fft as usize / 2 + 1;
        Tensor::from_slice(&self.bank().matrix(bins)).view([self.bands as i64, bins as i64])
    }

    pub(crate) fn window(&self, device: Device) -> Tensor {
        Tensor::hann_window(self.fft, (Kind::Float, device))
    }

    /// # Errors
    /// If it makes no sense.
    pub fn check(&self) -> Result<(), ConfigProblem> {
        let (low, high) = self.range;
        let sound = (1_000..=384_000).contains(&self.rate)
            && (8..=1 << 16).contains(&self.fft)
            && (1..=self.fft).contains(&self.hop)
            && (1..=1 << 12).contains(&self.bands)
            && 0.0 <= low
            && low < high
            && high <= f64::from(self.rate) / 2.0
            && self.base > 1.0;
        match sound {
            true => Ok(()),
            false => Err(ConfigProblem::Other("`mel` makes no sense".to_string())),
        }
    }

    /// Complex, `[bins, frames]`.
    pub(crate) fn transform(&self, samples: &Tensor) -> Tensor {
        let half = self.fft / 2;
        let missing = (half + 1 - samples.size()[0]).max(0); // to be mirrored
        let samples = samples.constant_pad_nd([0, missing]);
        let padded = samples.view([1, 1, -1]).reflection_pad1d([half, half]).view([-1]);
        padded.stft(
            self.fft,
            self.hop,
            self.fft,
            Some(self.window(samples.device())),
            false,
            true,
            true,
            false,
        )
    }

    /// The spectrogram `[frames, bands]` of `samples` `[samples]`.
    pub fn spectrogram(&self, samples: &Tensor) -> Tensor {
        let heard = self.filters().matmul(&self.transform(samples).abs());
        (heard.clamp_min(1e-10).log() / self.base.ln()).transpose(0, 1)
    }
}

//! Spectrograms to samples without a network: phases that fit together are found step by step (Griffin and Lim 1984,
//! with the momentum of Perraudin et al. 2013).

use tch::{Device, Kind, Tensor};

use super::Vocoder;
use crate::features::{Bank, MelNorm, MelScale, Mels};

/// What a spectrogram was made with.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    fn filters(&self) -> Tensor {
        let bins = self.fft as usize / 2 + 1;
        Tensor::from_slice(&self.bank().matrix(bins)).view([self.bands as i64, bins as i64])
    }

    fn window(&self) -> Tensor {
        Tensor::hann_window(self.fft, (Kind::Float, Device::Cpu))
    }

    /// Complex, `[bins, frames]`.
    fn transform(&self, samples: &Tensor) -> Tensor {
        let half = self.fft / 2;
        let missing = (half + 1 - samples.size()[0]).max(0); // to be mirrored
        let samples = samples.constant_pad_nd([0, missing]);
        let padded = samples.view([1, 1, -1]).reflection_pad1d([half, half]).view([-1]);
        padded.stft(
            self.fft,
            self.hop,
            self.fft,
            Some(self.window()),
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

/// Makes sound of spectrograms without having learned it: understandable, not beautiful.
#[derive(Debug)]
pub struct GriffinLim {
    shape: MelShape,
    /// What undoes the filters, `[bins, bands]`.
    inverse: Tensor,
    steps: usize,
}

impl GriffinLim {
    /// For spectrograms of this kind, with as many `steps` as are worth their time: 32.
    pub fn new(shape: MelShape) -> Self {
        Self {
            shape,
            inverse: shape.filters().linalg_pinv(1e-5, false),
            steps: 32,
        }
    }
}

impl Vocoder for GriffinLim {
    fn samples(&self, spectrogram: &Tensor) -> Tensor {
        const MOMENTUM: f64 = 0.99;
        let shape = &self.shape;
        let heard = (spectrogram.transpose(0, 1).to_kind(Kind::Float) * shape.base.ln()).exp();
        let sizes = self.inverse.matmul(&heard).clamp_min(1e-8); // [bins, frames]
        let frames = sizes.size()[1];
        if frames < 4 {
            return Tensor::zeros([frames * shape.hop], (Kind::Float, Device::Cpu));
        }
        let window = shape.window();
        let sound = |sizes: &Tensor, phases: &Tensor| {
            let length = (frames - 1) * shape.hop;
            let window = Some(&window);
            Tensor::polar(sizes, phases)
                .unsqueeze(0)
                .istft(
                    shape.fft, shape.hop, shape.fft, window, true, false, true, length, false,
                )
                .squeeze_dim(0)
        };
        let mut phases = Tensor::rand_like(&sizes) * std::f64::consts::TAU;
        let mut before: Option<Tensor> = None;
        for _ in 0..self.steps {
            let found = shape.transform(&sound(&sizes, &phases));
            let ahead = match &before {
                Some(before) => &found + (&found - before) * MOMENTUM,
                None => found.shallow_clone(),
            };
            phases = ahead.angle();
            before = Some(found);
        }
        sound(&sizes, &phases)
    }

    fn rate(&self) -> u32 {
        self.shape.rate
    }

    fn bands(&self) -> i64 {
        self.shape.bands as i64
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Audio;

    #[test]
    fn a_spectrogram_sounds_like_what_it_was_made_of() {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/samples/speech/pi.wav");
        let samples = Audio::open(&sample)
            .expect("the sample")
            .mono_at(16_000)
            .expect("samples");
        let shape = MelShape::SPEECHT5;
        let spectrogram = shape.spectrogram(&Tensor::from_slice(&samples));
        tch::manual_seed(0);
        let again = GriffinLim::new(shape).samples(&spectrogram);
        assert!((again.size()[0] - samples.len() as i64).abs() <= shape.hop);
        // Where there is sound at all, bands differ by a few decibels.
        let found = shape.spectrogram(&again);
        let frames = found.size()[0].min(spectrogram.size()[0]);
        let (found, expected) = (found.narrow(0, 0, frames), spectrogram.narrow(0, 0, frames));
        let loud = expected.gt(-1.5);
        let off = ((found - &expected) * 20.0)
            .abs()
            .masked_select(&loud)
            .mean(Kind::Float);
        assert!(off.double_value(&[]) < 3.0, "{} dB", off.double_value(&[]));
    }
}

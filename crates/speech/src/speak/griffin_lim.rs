//! Spectrograms to samples without a network: phases that fit together are found step by step (Griffin and Lim 1984,
//! with the momentum of Perraudin et al. 2013).

use tch::{Device, Kind, Tensor};

use super::Vocoder;
use crate::features::MelShape;

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
        // The filters are on the CPU, the voice need not be.
        let spectrogram = spectrogram.to_device(Device::Cpu);
        let heard = (spectrogram.transpose(0, 1).to_kind(Kind::Float) * shape.base.ln()).exp();
        let sizes = self.inverse.matmul(&heard).clamp_min(1e-8); // [bins, frames]
        let frames = sizes.size()[1];
        if frames < 4 {
            return Tensor::zeros([frames * shape.hop], (Kind::Float, Device::Cpu));
        }
        let window = shape.window(Device::Cpu);
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

    fn hop(&self) -> i64 {
        self.shape.hop
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

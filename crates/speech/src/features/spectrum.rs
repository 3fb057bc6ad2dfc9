//! Short-time spectra: frames, windows, Fourier transforms.

use std::f64::consts::TAU;
use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

/// The shape of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Hann's, whose period is the frame.
    Hann,
    /// Hann's, zero at both ends.
    HannSymmetric,
    /// Kaldi's: the symmetric one to the power of 0.85.
    Povey,
}

impl Window {
    fn values(self, length: usize) -> Vec<f64> {
        let period = match self {
            Self::Hann => length,
            Self::HannSymmetric | Self::Povey => length.max(2) - 1,
        };
        let power = if self == Self::Povey { 0.85 } else { 1.0 };
        let value = |i: usize| 0.5 - 0.5 * (TAU * i as f64 / period as f64).cos();
        (0..length).map(|i| value(i).powf(power)).collect()
    }
}

/// What is beyond a recording's ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The first frame begins at the first sample, and no frame goes beyond the end.
    None,
    /// The first frame has its middle at the first sample; what is beyond is mirrored.
    Reflect,
}

/// How a recording is cut into frames.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frames {
    /// Samples of a frame.
    pub length: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Samples that are transformed: a frame and zeros.
    pub fft: usize,
    /// The frame's shape.
    pub window: Window,
    /// What is beyond the ends.
    pub padding: Padding,
    /// A frame's mean is taken away, and this share of each sample from the next one (Kaldi).
    pub emphasis: Option<f64>,
}

/// Computes power spectra.
pub struct Spectrum {
    frames: Frames,
    window: Vec<f64>,
    transform: Arc<dyn RealToComplex<f64>>,
}

impl std::fmt::Debug for Spectrum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spectrum")
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

impl Spectrum {
    /// A transform for frames of this kind.
    pub fn new(frames: Frames) -> Self {
        Self {
            frames,
            window: frames.window.values(frames.length),
            transform: RealFftPlanner::new().plan_fft_forward(frames.fft),
        }
    }

    /// The number of frames in `samples` samples.
    pub fn count(&self, samples: usize) -> usize {
        let Frames { length, hop, fft, .. } = self.frames;
        match self.frames.padding {
            Padding::None => (samples + hop).saturating_sub(length) / hop,
            Padding::Reflect => (samples + fft / 2 * 2 + hop).saturating_sub(length) / hop,
        }
    }

    /// Calls `body` with the number of each frame and its power spectrum: a value for each of `fft / 2 + 1` bins.
    pub fn powers(&self, samples: &[f32], mut body: impl FnMut(usize, &[f64])) {
        let mut buffer = self.transform.make_input_vec();
        let mut spectrum = self.transform.make_output_vec();
        let mut scratch = self.transform.make_scratch_vec();
        let mut powers = vec![0.0; spectrum.len()];
        for frame in 0..self.count(samples.len()) {
            self.fill(samples, frame, &mut buffer);
            // Lengths are the plan's own: this cannot fail.
            let done = self
                .transform
                .process_with_scratch(&mut buffer, &mut spectrum, &mut scratch);
            debug_assert!(done.is_ok());
            for (power, value) in powers.iter_mut().zip(&spectrum) {
                *power = value.norm_sqr();
            }
            body(frame, &powers);
        }
    }

    fn fill(&self, samples: &[f32], frame: usize, buffer: &mut [f64]) {
        let Frames { length, hop, fft, .. } = self.frames;
        let shift = match self.frames.padding {
            Padding::None => 0,
            Padding::Reflect => fft / 2,
        };
        let (last, begin) = (
            samples.len() as isize - 1,
            (frame * hop) as isize - shift as isize,
        );
        let (values, rest) = buffer.split_at_mut(length);
        for (i, value) in (begin..).zip(values.iter_mut()) {
            *value = f64::from(samples[mirrored(i, last)]);
        }
        rest.fill(0.0);
        if let Some(share) = self.frames.emphasis {
            let mean = values.iter().sum::<f64>() / length as f64;
            values.iter_mut().for_each(|value| *value -= mean);
            for i in (1..length).rev() {
                values[i] -= share * values[i - 1];
            }
            values[0] *= 1.0 - share;
        }
        for (value, window) in values.iter_mut().zip(&self.window) {
            *value *= window;
        }
    }
}

/// The place of `i` among `0..=last`, which is mirrored at its ends.
pub(super) fn mirrored(i: isize, last: isize) -> usize {
    if last <= 0 {
        return 0;
    }
    let period = 2 * last;
    let i = i.rem_euclid(period);
    i.min(period - i) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_in_its_bin() {
        let frames = Frames {
            length: 400,
            hop: 160,
            fft: 400,
            window: Window::Hann,
            padding: Padding::Reflect,
            emphasis: None,
        };
        let spectrum = Spectrum::new(frames);
        let tone: Vec<f32> = (0..1600)
            .map(|i| (TAU * 1000.0 * f64::from(i) / 16000.0).cos() as f32)
            .collect();
        let mut count = 0;
        spectrum.powers(&tone, |frame, powers| {
            count += 1;
            if (2..8).contains(&frame) {
                let loudest = (0..powers.len()).max_by(|&a, &b| powers[a].total_cmp(&powers[b]));
                assert_eq!(loudest, Some(25)); // 40 Hz a bin
                assert!((powers[25].sqrt() - 100.0).abs() < 1e-3); // half the window's sum
            }
        });
        assert_eq!(count, 11);
        let places: Vec<usize> = (-3..7).map(|i| mirrored(i, 3)).collect();
        assert_eq!(places, [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
    }
}

//! Another rate, by `rubato`: a windowed sinc, applied in the frequency domain.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

use super::{AudioError, RATES};

/// Frames of the lower rate that are transformed at a time, at least; the filter is as long.
const LEAST_CHUNK: usize = 1024;

/// `samples` of one channel, recorded at `from` Hz, at `to` Hz: as long, and not delayed.
pub(super) fn resample(samples: Vec<f32>, from: u32, to: u32) -> Result<Vec<f32>, AudioError> {
    let mut resampler = Resampler::new(from, to)?;
    if resampler.fft.is_none() {
        return Ok(samples);
    }
    let mut resampled = Vec::new();
    resampler.push(&samples, &mut resampled)?;
    resampler.finish(&mut resampled)?;
    Ok(resampled)
}

/// Samples of one channel at another rate, as they come. How they are cut changes nothing.
pub(crate) struct Resampler {
    /// None where the rate stays.
    fft: Option<Fft<f32>>,
    from: u32,
    to: u32,
    /// What does not fill a chunk yet.
    waiting: Vec<f32>,
    /// A chunk at the new rate.
    chunk: Vec<f32>,
    /// Frames that are still to be left out at the beginning, as the filter delays.
    delay: usize,
    /// Frames that came.
    came: usize,
    /// Frames that were given.
    gave: usize,
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resampler")
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl Resampler {
    /// From `from` to `to` Hz.
    pub fn new(from: u32, to: u32) -> Result<Self, AudioError> {
        if let Some(&rate) = [from, to].iter().find(|rate| !RATES.contains(rate)) {
            return Err(AudioError::Rate { rate });
        }
        let fft = Fft::<f32>::new_custom(
            from as usize,
            to as usize,
            chunk(from, to),
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        );
        let fft = match from == to {
            true => None,
            false => Some(fft.map_err(|error| failed(from, to, error))?),
        };
        Ok(Self {
            chunk: vec![0.0; fft.as_ref().map_or(0, |fft| fft.output_frames_max())],
            delay: fft.as_ref().map_or(0, |fft| fft.output_delay()),
            fft,
            from,
            to,
            waiting: Vec::new(),
            came: 0,
            gave: 0,
        })
    }

    /// Takes samples; puts those that they make behind the ones in `resampled`.
    pub fn push(&mut self, samples: &[f32], resampled: &mut Vec<f32>) -> Result<(), AudioError> {
        self.came += samples.len();
        let Some(fft) = &self.fft else {
            resampled.extend_from_slice(samples);
            return Ok(());
        };
        let length = fft.input_frames_next();
        let mut left = samples;
        while self.waiting.len() + left.len() >= length {
            let (now, later) = left.split_at(length - self.waiting.len());
            left = later;
            self.waiting.extend_from_slice(now);
            self.transform(resampled)?;
            self.waiting.clear();
        }
        self.waiting.extend_from_slice(left);
        Ok(())
    }

    /// The end: what is still in the filter.
    pub fn finish(&mut self, resampled: &mut Vec<f32>) -> Result<(), AudioError> {
        let Some(fft) = &self.fft else {
            return Ok(());
        };
        let expected = (fft.resample_ratio() * self.came as f64).ceil() as usize;
        while self.gave < expected {
            self.transform(resampled)?;
            self.waiting.clear();
        }
        resampled.truncate(resampled.len() - (self.gave - expected));
        self.gave = expected;
        Ok(())
    }

    /// Transforms what is waiting, as a whole chunk.
    fn transform(&mut self, resampled: &mut Vec<f32>) -> Result<(), AudioError> {
        let Some(fft) = &mut self.fft else {
            return Ok(());
        };
        let (from, to) = (self.from, self.to);
        let (count, room) = (self.waiting.len(), self.chunk.len());
        let input =
            InterleavedSlice::new(&self.waiting, 1, count).map_err(|error| failed(from, to, error))?;
        let mut output =
            InterleavedSlice::new_mut(&mut self.chunk, 1, room).map_err(|error| failed(from, to, error))?;
        let part = Indexing {
            input_offset: 0,
            output_offset: 0,
            partial_len: Some(count),
            active_channels_mask: None,
        };
        let (_, count) = fft
            .process_into_buffer(&input, &mut output, Some(&part))
            .map_err(|error| failed(from, to, error))?;
        let late = self.delay.min(count);
        self.delay -= late;
        self.gave += count - late;
        resampled.extend_from_slice(&self.chunk[late..count]);
        Ok(())
    }
}

fn failed(from: u32, to: u32, error: impl ToString) -> AudioError {
    AudioError::Damaged {
        problem: format!("cannot go from {from} to {to} Hz: {}", error.to_string()),
    }
}

/// Frames that are transformed at a time: whole periods of both rates, and an even number of them, as the middle of
/// the filter must be a frame, or the result is half a frame late.
fn chunk(from: u32, to: u32) -> usize {
    let period = (from / gcd(from, to)) as usize;
    let least = LEAST_CHUNK * (from.div_ceil(to) as usize);
    period * least.div_ceil(period).next_multiple_of(2)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rubato::Resampler as _;

    use super::*;

    fn tone(frequency: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let step = std::f64::consts::TAU * frequency / f64::from(rate);
        let count = (f64::from(rate) * seconds) as usize;
        (0..count).map(|i| (step * i as f64).sin() as f32).collect()
    }

    /// Decibels of the difference, below the signal, away from the ends.
    fn error(found: &[f32], expected: &[f32]) -> f64 {
        let middle = 2000..expected.len() - 2000;
        let power = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
        let pairs = found[middle.clone()].iter().zip(&expected[middle.clone()]);
        let wrong = power(&mut pairs.map(|(a, b)| f64::from(a - b)));
        let right = power(&mut expected[middle].iter().map(|&x| f64::from(x)));
        10.0 * (wrong / right).log10()
    }

    #[test]
    fn tones_stay_what_and_where_they_are() {
        for from in [8000, 11025, 22050, 44100, 48000, 96000] {
            let highest = f64::from(from.min(16000)) * 0.45;
            for frequency in [60.0, 440.0, 3000.0, highest] {
                let found = resample(tone(frequency, from, 1.0), from, 16000).unwrap();
                assert!(found.len().abs_diff(16000) <= 1, "{from}: {}", found.len());
                let level = error(&found, &tone(frequency, 16000, 1.0)[..found.len().min(16000)]);
                assert!(level < -80.0, "{frequency} Hz from {from}: {level:.1} dB");
            }
        }
    }

    /// `rubato`'s own way for recordings that are there as a whole.
    fn at_once(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
        let mut fft = Resampler::new(from, to).unwrap().fft.unwrap();
        let input = InterleavedSlice::new(samples, 1, samples.len()).unwrap();
        fft.process_all(&input, samples.len(), None).unwrap().take_data()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn how_samples_come_changes_nothing(
            seed in any::<u32>(),
            cuts in prop::collection::vec(0..3_000usize, 0..12),
            (from, to) in prop::sample::select(vec![
                (8_000, 16_000), (16_000, 8_000), (44_100, 16_000), (22_050, 16_000), (11_025, 8_000),
                (48_000, 16_000), (192_000, 16_000), (7_919, 16_000), (16_000, 16_000),
            ]),
        ) {
            let count = cuts.iter().sum::<usize>();
            let noise = |i: usize| (seed.wrapping_add(i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0;
            let samples: Vec<f32> = (0..count).map(noise).collect();
            let mut resampler = Resampler::new(from, to).unwrap();
            let (mut found, mut left) = (Vec::new(), samples.as_slice());
            for cut in cuts {
                let (now, later) = left.split_at(cut);
                resampler.push(now, &mut found).unwrap();
                left = later;
            }
            resampler.finish(&mut found).unwrap();
            let expected = match from == to || count == 0 {
                true => samples,
                false => at_once(&samples, from, to),
            };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_gone() {
        for frequency in [9000.0, 12000.0, 20000.0] {
            let found = resample(tone(frequency, 48000, 1.0), 48000, 16000).unwrap();
            let middle = &found[2000..14000];
            let loudest = middle.iter().fold(0.0f32, |most, x| most.max(x.abs()));
            assert!(loudest < 1e-4, "{frequency} Hz: {loudest}");
        }
    }
}

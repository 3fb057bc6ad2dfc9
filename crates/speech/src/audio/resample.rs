//! Another rate, by `rubato`: a windowed sinc, applied in the frequency domain.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler, WindowFunction};

use super::{AudioError, RATES};

/// Frames of the lower rate that are transformed at a time, at least; the filter is as long.
const LEAST_CHUNK: usize = 1024;

/// `samples` of one channel, recorded at `from` Hz, at `to` Hz: as long, and not delayed.
pub(super) fn resample(samples: Vec<f32>, from: u32, to: u32) -> Result<Vec<f32>, AudioError> {
    if !RATES.contains(&to) {
        return Err(AudioError::Rate { rate: to });
    }
    if from == to || samples.is_empty() {
        return Ok(samples);
    }
    let failed = |error: &dyn ToString| AudioError::Damaged {
        problem: format!("cannot go from {from} to {to} Hz: {}", error.to_string()),
    };
    let resampler = Fft::<f32>::new_custom(
        from as usize,
        to as usize,
        chunk(from, to),
        1,
        1,
        WindowFunction::BlackmanHarris2,
        FixedSync::Both,
    );
    let mut resampler = resampler.map_err(|error| failed(&error))?;
    let len = samples.len();
    let input = InterleavedSlice::new(&samples, 1, len).map_err(|error| failed(&error))?;
    let output = resampler
        .process_all(&input, len, None)
        .map_err(|error| failed(&error))?;
    Ok(output.take_data())
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

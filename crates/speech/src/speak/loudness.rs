//! One loudness for all voices, and no clicks.

use ebur128::{EbuR128, Mode};

/// Of speech, in LUFS (EBU R 128, raised for voices that are heard alone).
const LOUDNESS: f64 = -19.0;
/// The highest true peak: one decibel below full scale.
const PEAK: f64 = 0.891;
/// Milliseconds over which a piece begins and ends.
const FADE: usize = 5;

/// Brings pieces to one loudness: what the first one needs, all get.
#[derive(Debug)]
pub struct Leveller {
    rate: u32,
    gain: Option<f64>,
}

impl Leveller {
    /// For samples at `rate` Hz.
    pub fn new(rate: u32) -> Self {
        Self { rate, gain: None }
    }

    /// Sets the loudness of a piece, softens its ends, and keeps its true peak below full scale.
    pub fn level(&mut self, samples: &mut [f32]) {
        let (loudness, peak) = measured(samples, self.rate);
        let wanted = match loudness.is_finite() && loudness > -60.0 {
            true => 10f64.powf((LOUDNESS - loudness) / 20.0),
            false => 1.0, // too short or too soft to tell
        };
        let gain = match self.gain {
            Some(gain) => gain,
            None => {
                self.gain = loudness.is_finite().then_some(wanted);
                wanted
            }
        };
        let gain = gain.min(PEAK / peak.max(1e-9)) as f32;
        let fade = (self.rate as usize * FADE / 1000).min(samples.len() / 2).max(1);
        let last = samples.len().saturating_sub(1);
        for (i, sample) in samples.iter_mut().enumerate() {
            let edge = i.min(last - i);
            *sample *= gain * (edge as f32 / fade as f32).min(1.0);
        }
    }
}

/// Integrated loudness in LUFS and the true peak.
fn measured(samples: &[f32], rate: u32) -> (f64, f64) {
    let plain = samples.iter().fold(0f32, |most, sample| most.max(sample.abs()));
    let Ok(mut meter) = EbuR128::new(1, rate, Mode::I | Mode::TRUE_PEAK) else {
        return (f64::NEG_INFINITY, f64::from(plain));
    };
    if meter.add_frames_f32(samples).is_err() {
        return (f64::NEG_INFINITY, f64::from(plain));
    }
    let loudness = meter.loudness_global().unwrap_or(f64::NEG_INFINITY);
    (loudness, meter.true_peak(0).unwrap_or(f64::from(plain)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_and_loud_voices_become_equal_and_peaks_stay_below_full_scale() {
        let tone = |level: f32| -> Vec<f32> { (0..32000).map(|i| (i as f32 * 0.3).sin() * level).collect() };
        let mut results = Vec::new();
        for level in [0.01, 0.1, 0.99] {
            let mut samples = tone(level);
            Leveller::new(16000).level(&mut samples);
            let (loudness, peak) = measured(&samples, 16000);
            assert!(
                (loudness - LOUDNESS).abs() < 0.3 && peak < 0.9,
                "{level}: {loudness} {peak}"
            );
            assert_eq!((samples[0], samples[31999]), (0.0, 0.0));
            results.push(loudness);
        }
        // Clicks in a soft voice: the peak decides.
        let mut samples = tone(0.01);
        samples[9000] = 1.0;
        Leveller::new(16000).level(&mut samples);
        assert!(measured(&samples, 16000).1 <= 0.9);
        Leveller::new(16000).level(&mut []);
    }
}

//! Other voices, other rooms: what is done to recordings before they are learned.

use serde::{Deserialize, Serialize};

use super::room::{echo, equalise, knocks};
use crate::rng::mix;

/// How much recordings are changed; each draws its own amounts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distortion {
    /// Played up to this share faster or slower, and higher or lower with it (Ko et al. 2015).
    pub speed: f64,
    /// Half of the strings get noise, at least this many decibels below the sound.
    pub noise: Option<f64>,
    /// Louder or softer by up to this many decibels.
    pub gain: f64,
    /// The spectrum is stretched or squeezed by up to this share, as if throats were shorter or longer.
    #[serde(default)]
    pub warp: f64,
    /// Other microphones, walls, and knocks in the pauses.
    #[serde(default)]
    pub rooms: bool,
}

impl Distortion {
    /// Nothing is changed.
    pub const NONE: Self = Self {
        speed: 0.0,
        noise: None,
        gain: 0.0,
        warp: 0.0,
        rooms: false,
    };
}

/// Numbers from a seed, one after the other.
#[derive(Debug)]
pub(super) struct Draws {
    seed: u64,
    count: u64,
}

impl Draws {
    pub fn new(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// From 0 to below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.count += 1;
        (mix(self.seed, &[self.count]) % n.max(1) as u64) as usize
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        self.count += 1;
        let unit = (mix(self.seed, &[self.count]) >> 11) as f64 / (1u64 << 53) as f64;
        low + (high - low) * unit
    }
}

/// The recordings of a string, one behind the other with silence in between, distorted.
pub(super) fn string(
    parts: &[&[f32]],
    rate: u32,
    distortion: Distortion,
    gaps: bool,
    draws: &mut Draws,
) -> Vec<f32> {
    let mut samples = Vec::new();
    // Recordings also come cut to the word.
    let gaps = gaps && draws.below(4) > 0;
    let single = parts.len() == 1;
    let silence = |seconds: f64, draws: &mut Draws| {
        let mut silence = vec![0.0f32; (seconds * f64::from(rate)) as usize];
        if distortion.rooms {
            knocks(&mut silence, rate, draws);
        }
        silence
    };
    for (number, part) in parts.iter().enumerate() {
        let lead = if number == 0 { 0.3 } else { 0.5 };
        if gaps {
            samples.extend(silence(pause(lead, single, draws), draws));
        }
        // Those who speak a string speak it in one manner: most of the change is the same for all.
        let speed = 1.0 + draws.between(-distortion.speed, distortion.speed);
        let gain = decibels(draws.between(-6.0, 6.0) * f64::from(distortion.gain > 0.0));
        samples.extend(stretched(part, speed).into_iter().map(|x| x * gain));
    }
    if gaps {
        samples.extend(silence(pause(0.3, single, draws), draws));
    }
    if distortion.rooms {
        echo(&mut samples, rate, draws);
        equalise(&mut samples, rate, draws);
    }
    // Few rooms are as silent as the zeros between joined recordings.
    if gaps && draws.below(5) > 0 {
        let below = draws.between(40.0, 90.0);
        add_noise(&mut samples, below, draws);
    }
    if let Some(least) = distortion.noise.filter(|_| draws.below(2) == 0) {
        let below = draws.between(least, least + 30.0);
        add_noise(&mut samples, below, draws);
    }
    let gain = decibels(draws.between(-distortion.gain, distortion.gain));
    samples.iter_mut().for_each(|x| *x = (*x * gain).clamp(-1.0, 1.0));
    samples
}

/// Seconds of silence: mostly at most `short`, now and then up to two; around a `single` recording that is rarer.
fn pause(short: f64, single: bool, draws: &mut Draws) -> f64 {
    let rare = if single { 20 } else { 5 };
    let longest = if draws.below(rare) == 0 { 2.0 } else { short };
    draws.between(0.0, longest)
}

fn decibels(value: f64) -> f32 {
    10f64.powf(value / 20.0) as f32
}

/// Played `speed` times as fast, by cubic interpolation (Catmull and Rom 1974).
fn stretched(samples: &[f32], speed: f64) -> Vec<f32> {
    if samples.is_empty() || (speed - 1.0).abs() < 1e-3 {
        return samples.to_vec();
    }
    let last = samples.len() - 1;
    let at = |i: isize| samples[i.clamp(0, last as isize) as usize];
    let count = (samples.len() as f64 / speed) as usize;
    let sample = |i: usize| {
        let place = i as f64 * speed;
        let (whole, t) = (place as isize, place.fract() as f32);
        let [a, b, c, d] = [at(whole - 1), at(whole), at(whole + 1), at(whole + 2)];
        let (first, second, third) = (c - a, 2.0 * a - 5.0 * b + 4.0 * c - d, 3.0 * (b - c) + d - a);
        b + 0.5 * t * (first + t * (second + t * third))
    };
    (0..count).map(sample).collect()
}

/// Noise of a colour between white and brown, `below` decibels softer than the sound where there is any.
fn add_noise(samples: &mut [f32], below: f64, draws: &mut Draws) {
    let heard: Vec<f64> = samples
        .iter()
        .map(|&x| f64::from(x).powi(2))
        .filter(|x| *x > 0.0)
        .collect();
    let power = heard.iter().sum::<f64>() / heard.len().max(1) as f64;
    let colour = draws.between(0.0, 0.98);
    let mut last = 0.0;
    let noise: Vec<f64> = samples
        .iter()
        .map(|_| {
            // The sum of three even numbers is nearly normal.
            let white: f64 = (0..3).map(|_| draws.between(-1.0, 1.0)).sum();
            last = colour * last + white;
            last
        })
        .collect();
    let own = noise.iter().map(|x| x * x).sum::<f64>() / noise.len().max(1) as f64;
    let gain = (power / own.max(1e-12) * 10f64.powf(-below / 10.0)).sqrt();
    for (sample, noise) in samples.iter_mut().zip(noise) {
        *sample += (noise * gain) as f32;
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(hertz: f64, count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| (TAU * hertz * i as f64 / 8000.0).sin() as f32 * 0.5)
            .collect()
    }

    #[test]
    fn faster_is_shorter_and_higher() {
        let fast = stretched(&tone(500.0, 4000), 1.25);
        assert_eq!(fast.len(), 3200);
        let expected = tone(625.0, 3200);
        // Beyond the end there is nothing to interpolate with.
        let worst = fast[..3196]
            .iter()
            .zip(&expected)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f32::max);
        assert!(worst < 5e-3, "{worst}");
    }

    #[test]
    fn noise_is_as_soft_as_asked() {
        let clean = tone(500.0, 8000);
        let mut noisy = clean.clone();
        add_noise(&mut noisy, 20.0, &mut Draws::new(1));
        let power = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>();
        let noise = power(&mut noisy.iter().zip(&clean).map(|(a, b)| a - b));
        let ratio = 10.0 * (power(&mut clean.iter().copied()) / noise).log10();
        assert!((ratio - 20.0).abs() < 0.1, "{ratio}");
    }

    #[test]
    fn a_string_holds_its_parts_and_repeats_itself() {
        let parts = [tone(300.0, 800), tone(700.0, 400)];
        let parts: Vec<&[f32]> = parts.iter().map(Vec::as_slice).collect();
        let plain = string(&parts, 8000, Distortion::NONE, false, &mut Draws::new(5));
        assert_eq!(plain, parts.concat());
        let changed = Distortion {
            speed: 0.1,
            noise: Some(10.0),
            gain: 6.0,
            warp: 0.0,
            rooms: true,
        };
        let make = |seed| string(&parts, 8000, changed, true, &mut Draws::new(seed));
        assert_eq!(make(7), make(7));
        assert_ne!(make(7), make(8));
        assert!((0..9).any(|seed| make(seed).len() > 2000));
        assert!(make(7).iter().all(|x| x.abs() <= 1.0));
    }
}

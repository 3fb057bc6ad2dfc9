//! Other microphones, walls, and what is heard in a room where nobody speaks.

use std::f64::consts::TAU;

use super::sound::Draws;

/// Puts knocks, clicks and breaths into a silence: short noises of any colour, about one a second.
pub(super) fn knocks(silence: &mut [f32], rate: u32, draws: &mut Draws) {
    let rate = f64::from(rate);
    for _ in 0..draws.below(2 + (silence.len() as f64 / rate * 2.0) as usize) {
        let length = ((draws.between(0.002, 0.15) * rate) as usize).min(silence.len());
        if length < 2 {
            return;
        }
        let begin = draws.below(silence.len() - length + 1);
        let loudness = 10f64.powf(draws.between(-50.0, -22.0) / 20.0);
        let (colour, attack) = (draws.between(-0.9, 0.95), draws.between(0.05, 0.5));
        let mut last = 0.0;
        for (i, sample) in silence[begin..begin + length].iter_mut().enumerate() {
            let place = i as f64 / length as f64;
            let envelope = (place / attack).min((1.0 - place) / (1.0 - attack));
            last = colour * last + draws.between(-1.0, 1.0);
            *sample += (last * (1.0 - colour.abs()).sqrt() * envelope * loudness) as f32;
        }
    }
}

/// Half of the strings: a few walls, from near ones to those of a hall.
pub(super) fn echo(samples: &mut [f32], rate: u32, draws: &mut Draws) {
    if draws.below(2) == 0 {
        return;
    }
    let decay = draws.between(0.02, 0.2);
    let loudness = draws.between(0.1, 0.6);
    let dry = samples.to_vec();
    for _ in 0..4 + draws.below(9) {
        let seconds = draws.between(0.001, decay);
        let delay = (seconds * f64::from(rate)) as usize;
        let sign = draws.between(-1.0, 1.0).signum();
        let gain = (sign * loudness * (-3.0 * seconds / decay).exp()) as f32;
        for (sample, &past) in samples.iter_mut().skip(delay).zip(&dry) {
            *sample += past * gain;
        }
    }
}

/// Two bands of an equaliser, each up to 9 decibels up or down (R. Bristow-Johnson's peaking filter).
pub(super) fn equalise(samples: &mut [f32], rate: u32, draws: &mut Draws) {
    let highest = f64::from(rate) * 0.45;
    for _ in 0..2 {
        // Evenly over pitches.
        let hertz = 80.0 * (highest / 80.0).powf(draws.between(0.0, 1.0));
        let amplitude = 10f64.powf(draws.between(-9.0, 9.0) / 40.0);
        let omega = TAU * hertz / f64::from(rate);
        let alpha = omega.sin() / (2.0 * draws.between(0.4, 2.0));
        let (up, down) = (alpha * amplitude, alpha / amplitude);
        let (b, a) = (
            [1.0 + up, -2.0 * omega.cos(), 1.0 - up],
            [-2.0 * omega.cos(), 1.0 - down],
        );
        let whole = 1.0 + down;
        let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
        for sample in samples.iter_mut() {
            let x = f64::from(*sample);
            let y = (b[0] * x + b[1] * x1 + b[2] * x2 - a[0] * y1 - a[1] * y2) / whole;
            (x2, x1, y2, y1) = (x1, x, y1, y);
            *sample = y as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(samples: &[f32]) -> f64 {
        samples.iter().map(|&x| f64::from(x).powi(2)).sum()
    }

    #[test]
    fn knocks_are_soft_and_short() {
        let mut heard = 0;
        for seed in 0..20 {
            let mut silence = vec![0.0; 8000];
            knocks(&mut silence, 8000, &mut Draws::new(seed));
            assert!(silence.iter().all(|x| x.abs() < 0.3));
            heard += silence.iter().filter(|&&x| x != 0.0).count();
        }
        assert!((1000..80_000).contains(&heard), "{heard}");
        knocks(&mut [], 8000, &mut Draws::new(1));
    }

    #[test]
    fn equalisers_and_walls_leave_the_sound_about_as_loud() {
        for seed in 0..20 {
            let mut noise: Vec<f32> = {
                let mut draws = Draws::new(seed + 100);
                (0..8000).map(|_| draws.between(-0.5, 0.5) as f32).collect()
            };
            let before = power(&noise);
            let draws = &mut Draws::new(seed);
            equalise(&mut noise, 8000, draws);
            echo(&mut noise, 8000, draws);
            let decibels = 10.0 * (power(&noise) / before).log10();
            assert!(decibels.abs() < 12.0, "{decibels}");
            assert_eq!(noise.len(), 8000);
        }
    }
}

//! Random distortion of training pictures.

use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// Height and width of a picture.
const SIDE: usize = 28;

/// The largest distortions of a picture; each is drawn uniformly between its limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AugmentConfig {
    /// Rotation to either side, degrees.
    pub rotation: f32,
    /// Change of the size, separately for height and width, as a share of 1.
    pub scale: f32,
    /// Slant: pixels to the side per pixel of height.
    pub shear: f32,
    /// Shift in each direction, pixels.
    pub shift: f32,
    /// Whether to mirror half of the pictures.
    pub mirror: bool,
}

impl AugmentConfig {
    /// What leaves a handwritten digit readable.
    pub fn digits() -> Self {
        Self { rotation: 12.0, scale: 0.12, shear: 0.15, shift: 2.0, mirror: false }
    }

    /// A little of it, for networks too small to learn more.
    pub fn gentle() -> Self {
        Self { rotation: 6.0, scale: 0.06, shear: 0.06, shift: 0.8, mirror: false }
    }

    /// What leaves a piece of clothing what it is.
    pub fn clothes() -> Self {
        Self { rotation: 5.0, scale: 0.1, shear: 0.05, shift: 2.0, mirror: true }
    }
}

/// Writes a randomly distorted copy of `image` to `out`, scaled to `[0, 1]`.
///
/// Both are 28×28, row by row. The distortion follows from `seed` alone. Each value is interpolated
/// bilinearly; beyond the border the picture is black.
///
/// # Panics
/// If `image` or `out` is not 28×28.
pub fn augment(image: &[u8], config: &AugmentConfig, seed: u64, out: &mut [f32]) {
    assert!(image.len() == SIDE * SIDE && out.len() == SIDE * SIDE, "pictures are 28×28");
    let mut rng = rand_pcg::Pcg64Mcg::seed_from_u64(seed);
    let mut draw = |limit: f32| rng.random_range(-1.0..=1.0f32) * limit;

    // The matrix [[a, b], [c, d]] and the shift lead from a place in the result to one in the picture.
    let (sin, cos) = draw(config.rotation).to_radians().sin_cos();
    let (width, height) = (1.0 + draw(config.scale), 1.0 + draw(config.scale));
    let slant = draw(config.shear);
    let (dx, dy) = (draw(config.shift), draw(config.shift));
    let flip = if config.mirror && draw(1.0) < 0.0 { -1.0 } else { 1.0 };
    let (a, b) = (flip * cos * width, slant - sin * height);
    let (c, d) = (flip * sin * width, cos * height);

    // A border of zeros stands for all that lies beyond the picture.
    const PADDED: usize = SIDE + 3;
    let mut padded = [0.0f32; PADDED * PADDED];
    for (row, line) in image.chunks_exact(SIDE).enumerate() {
        for (to, &byte) in padded[(row + 1) * PADDED + 1..][..SIDE].iter_mut().zip(line) {
            *to = f32::from(byte) / 255.0;
        }
    }
    let centre = (SIDE - 1) as f32 / 2.0;
    let last = (SIDE + 1) as f32;
    for (row, line) in out.chunks_exact_mut(SIDE).enumerate() {
        let y = row as f32 - centre;
        for (column, value) in line.iter_mut().enumerate() {
            let x = column as f32 - centre;
            let from_x = (a * x + b * y + centre + dx + 1.0).clamp(0.0, last);
            let from_y = (c * x + d * y + centre + dy + 1.0).clamp(0.0, last);
            let (left, top) = (from_x as usize, from_y as usize);
            let (right_share, lower_share) = (from_x - left as f32, from_y - top as f32);
            let at = top * PADDED + left;
            let upper = padded[at] + right_share * (padded[at + 1] - padded[at]);
            let lower = padded[at + PADDED] + right_share * (padded[at + PADDED + 1] - padded[at + PADDED]);
            *value = upper + lower_share * (lower - upper);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Vec<u8> {
        let mut image = vec![0u8; SIDE * SIDE];
        for row in 6..22 {
            for column in 12..15 {
                image[row * SIDE + column] = 200;
            }
        }
        image
    }

    fn run(config: &AugmentConfig, seed: u64) -> Vec<f32> {
        let mut out = vec![f32::NAN; SIDE * SIDE];
        augment(&picture(), config, seed, &mut out);
        out
    }

    #[test]
    fn no_distortion_is_the_identity() {
        let still = AugmentConfig { rotation: 0.0, scale: 0.0, shear: 0.0, shift: 0.0, mirror: false };
        let expected: Vec<f32> = picture().iter().map(|&b| f32::from(b) / 255.0).collect();
        let out = run(&still, 3);
        assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5));
    }

    #[test]
    fn the_seed_alone_decides() {
        let config = AugmentConfig::digits();
        assert_eq!(run(&config, 1), run(&config, 1));
        assert_ne!(run(&config, 1), run(&config, 2));
    }

    #[test]
    fn ink_is_kept_and_values_stay_in_range() {
        let ink: f32 = picture().iter().map(|&b| f32::from(b) / 255.0).sum();
        for seed in 0..200 {
            let out = run(&AugmentConfig::digits(), seed);
            assert!(out.iter().all(|v| (0.0..=1.0).contains(v)));
            let share = out.iter().sum::<f32>() / ink;
            assert!((0.7..1.4).contains(&share), "seed {seed}: {share}");
        }
    }

    #[test]
    fn wild_limits_read_nothing_beyond_the_picture() {
        let wild = AugmentConfig { rotation: 180.0, scale: 5.0, shear: 9.0, shift: 100.0, mirror: true };
        for seed in 0..500 {
            assert!(run(&wild, seed).iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}

//! Random distortion of 28×28 grey pictures for training.
//!
//! An affine map and, on request, a smooth elastic one, as Simard et al. (2003, "Best Practices for
//! Convolutional Neural Networks", section 3) distorted MNIST. Their displacement field is noise under a
//! Gaussian blur; here it is noise on a coarse grid with cubic interpolation between (Keys 1981), which
//! looks the same and costs a tenth.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::mnist::SIDE;

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
    /// Standard deviation of the elastic displacements, pixels; 0 turns them off.
    #[serde(default)]
    pub elastic: f32,
    /// Share of the pictures that are distorted; the others stay as they are.
    #[serde(default = "all")]
    pub share: f32,
}

fn all() -> f32 {
    1.0
}

impl AugmentConfig {
    /// What leaves a handwritten digit readable.
    pub fn digits() -> Self {
        Self {
            rotation: 12.0,
            scale: 0.12,
            shear: 0.15,
            shift: 2.0,
            mirror: false,
            elastic: 0.5,
            share: 1.0,
        }
    }

    /// A little of it, and half of the pictures as they are, for networks too small to learn more.
    pub fn gentle() -> Self {
        Self {
            rotation: 9.0,
            scale: 0.09,
            shear: 0.09,
            shift: 1.2,
            mirror: false,
            elastic: 0.0,
            share: 0.5,
        }
    }

    /// The same distortions, each `factor` times as strong.
    pub fn scaled(self, factor: f32) -> Self {
        Self {
            rotation: self.rotation * factor,
            scale: self.scale * factor,
            shear: self.shear * factor,
            shift: self.shift * factor,
            elastic: self.elastic * factor,
            ..self
        }
    }

    /// What leaves a piece of clothing what it is.
    pub fn clothes() -> Self {
        Self {
            rotation: 5.0,
            scale: 0.1,
            shear: 0.05,
            shift: 2.0,
            mirror: true,
            elastic: 0.0,
            share: 1.0,
        }
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
    assert!(
        image.len() == SIDE * SIDE && out.len() == SIDE * SIDE,
        "pictures are 28×28"
    );
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    if config.share < 1.0 && rng.random::<f32>() >= config.share {
        for (value, &byte) in out.iter_mut().zip(image) {
            *value = f32::from(byte) / 255.0;
        }
        return;
    }
    let affine = Affine::random(config, &mut rng);
    let elastic = (config.elastic > 0.0).then(|| Elastic::random(config.elastic, &mut rng));
    let picture = Padded::new(image);
    for (row, line) in out.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
        let (mut x, mut y) = affine.row(row);
        if let Some(elastic) = &elastic {
            elastic.displace(row, &mut x, &mut y);
        }
        picture.sample(&x, &y, line);
    }
}

/// The matrix `[[a, b], [c, d]]` about the centre and the shift that lead from a place in the result to
/// one in the picture.
struct Affine {
    matrix: [[f32; 2]; 2],
    shift: [f32; 2],
}

impl Affine {
    fn random(config: &AugmentConfig, rng: &mut Pcg64Mcg) -> Self {
        let mut draw = |limit: f32| rng.random_range(-1.0..=1.0f32) * limit;
        let (sin, cos) = draw(config.rotation).to_radians().sin_cos();
        let (width, height) = (1.0 + draw(config.scale), 1.0 + draw(config.scale));
        let slant = draw(config.shear);
        let shift = [draw(config.shift), draw(config.shift)];
        let flip = if config.mirror && draw(1.0) < 0.0 {
            -1.0
        } else {
            1.0
        };
        let matrix = [
            [flip * cos * width, slant - sin * height],
            [flip * sin * width, cos * height],
        ];
        Self { matrix, shift }
    }

    /// Where the pixels of a row come from.
    fn row(&self, row: usize) -> ([f32; SIDE], [f32; SIDE]) {
        const CENTRE: f32 = (SIDE - 1) as f32 / 2.0;
        let [[a, b], [c, d]] = self.matrix;
        let y = row as f32 - CENTRE;
        let along = |step: f32, start: f32, shift: f32| {
            std::array::from_fn(|i| step * (i as f32 - CENTRE) + start + CENTRE + shift)
        };
        (along(a, b * y, self.shift[0]), along(c, d * y, self.shift[1]))
    }
}

/// Displacements at the points of a coarse grid, pixels.
struct Elastic {
    x: [[f32; Elastic::KNOTS]; Elastic::KNOTS],
    y: [[f32; Elastic::KNOTS]; Elastic::KNOTS],
}

impl Elastic {
    /// Points along each axis, from the first pixel to the last: a bit under seven pixels apart.
    const KNOTS: usize = 5;

    /// What each point along an axis adds to each pixel.
    const WEIGHTS: [[f32; SIDE]; Self::KNOTS] = cubic_weights();

    fn random(deviation: f32, rng: &mut Pcg64Mcg) -> Self {
        // The sum of four is close to normal, within 3.5 deviations, and needs no logarithm.
        let mut draw = || deviation * 3f32.sqrt() * (0..4).map(|_| rng.random::<f32>() - 0.5).sum::<f32>();
        let mut grid = || std::array::from_fn(|_| std::array::from_fn(|_| draw()));
        Self { x: grid(), y: grid() }
    }

    /// Adds the displacements of a row.
    fn displace(&self, row: usize, x: &mut [f32; SIDE], y: &mut [f32; SIDE]) {
        for (k, weights) in Self::WEIGHTS.iter().enumerate() {
            let (mut dx, mut dy) = (0.0, 0.0);
            for (j, down) in Self::WEIGHTS.iter().enumerate() {
                dx += down[row] * self.x[j][k];
                dy += down[row] * self.y[j][k];
            }
            for i in 0..SIDE {
                x[i] += weights[i] * dx;
                y[i] += weights[i] * dy;
            }
        }
    }
}

/// Keys' cubic convolution from the knots to the pixels; beyond the ends the last knot repeats.
const fn cubic_weights() -> [[f32; SIDE]; Elastic::KNOTS] {
    let mut weights = [[0.0; SIDE]; Elastic::KNOTS];
    let mut pixel = 0;
    while pixel < SIDE {
        let at = (pixel * (Elastic::KNOTS - 1)) as f32 / (SIDE - 1) as f32;
        let before = at as usize;
        let t = at - before as f32;
        let taps = [
            t * (-0.5 + t * (1.0 - 0.5 * t)),
            1.0 + t * t * (-2.5 + 1.5 * t),
            t * (0.5 + t * (2.0 - 1.5 * t)),
            t * t * (-0.5 + 0.5 * t),
        ];
        let mut i = 0;
        while i < 4 {
            let knot = (before + i).saturating_sub(1);
            let knot = if knot < Elastic::KNOTS {
                knot
            } else {
                Elastic::KNOTS - 1
            };
            weights[knot][pixel] += taps[i];
            i += 1;
        }
        pixel += 1;
    }
    weights
}

/// The picture in `[0, 1]` within zeros that stand for all that lies beyond it.
struct Padded([f32; Padded::STRIDE * Padded::STRIDE]);

impl Padded {
    /// One before, two after, and one more to make it a power of two.
    const STRIDE: usize = 32;

    fn new(image: &[u8]) -> Self {
        let mut padded = [0.0; Self::STRIDE * Self::STRIDE];
        for (line, to) in image
            .chunks_exact(SIDE)
            .zip(padded.chunks_exact_mut(Self::STRIDE).skip(1))
        {
            for (to, &byte) in to[1..].iter_mut().zip(line) {
                *to = f32::from(byte) / 255.0;
            }
        }
        Self(padded)
    }

    /// The values at the given places. Three loops, so that all but the reads is vectorised.
    fn sample(&self, x: &[f32; SIDE], y: &[f32; SIDE], to: &mut [f32; SIDE]) {
        let mut at = [0u32; SIDE];
        let (mut right_share, mut lower_share) = ([0.0; SIDE], [0.0; SIDE]);
        for i in 0..SIDE {
            let ((column, right), (row, lower)) = (split(x[i]), split(y[i]));
            at[i] = row * Self::STRIDE as u32 + column;
            (right_share[i], lower_share[i]) = (right, lower);
        }
        let mut corners = [[0.0; SIDE]; 4];
        for i in 0..SIDE {
            // The mask changes nothing; it shows the compiler that both rows are inside.
            let at = at[i] as usize & (Self::STRIDE * Self::STRIDE - 1);
            let (upper, lower) = (&self.0[at..], &self.0[(at + Self::STRIDE)..]);
            corners[0][i] = upper[0];
            corners[1][i] = upper[1];
            corners[2][i] = lower[0];
            corners[3][i] = lower[1];
        }
        let [a, b, c, d] = &corners;
        for i in 0..SIDE {
            let upper = a[i] + right_share[i] * (b[i] - a[i]);
            let lower = c[i] + right_share[i] * (d[i] - c[i]);
            to[i] = upper + lower_share[i] * (lower - upper);
        }
    }
}

/// The padded cell that `place` is in, and how far into it, 0 to 1.
#[inline]
fn split(place: f32) -> (u32, f32) {
    // Adding 2^23 rounds to a whole number and leaves it in the lowest bits: a checked conversion is not
    // vectorised as well. A tie may go to the cell before, whose far end has the same value.
    const WHOLE: f32 = 8_388_608.0;
    let place = (place + 1.0).max(0.0).min((SIDE + 1) as f32);
    let cell = (place - 0.5).max(0.0) + WHOLE;
    (cell.to_bits() & 0x1f, place - (cell - WHOLE))
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
        let still = AugmentConfig {
            rotation: 0.0,
            scale: 0.0,
            shear: 0.0,
            shift: 0.0,
            mirror: false,
            elastic: 0.0,
            share: 1.0,
        };
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
        let wild = AugmentConfig {
            rotation: 180.0,
            scale: 5.0,
            shear: 9.0,
            shift: 100.0,
            mirror: true,
            elastic: 50.0,
            share: 1.0,
        };
        for seed in 0..500 {
            assert!(run(&wild, seed).iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }

    #[test]
    fn elastic_displacements_are_smooth_and_of_the_size_asked_for() {
        for pixel in 0..SIDE {
            let sum: f32 = Elastic::WEIGHTS.iter().map(|w| w[pixel]).sum();
            assert!(
                (sum - 1.0).abs() < 1e-5,
                "moving every knot moves every pixel alike"
            );
        }
        let mut squares = 0.0;
        for seed in 0..400 {
            let elastic = Elastic::random(0.5, &mut Pcg64Mcg::seed_from_u64(seed));
            let (mut x, mut y) = ([0.0; SIDE], [0.0; SIDE]);
            elastic.displace(0, &mut x, &mut y);
            squares += x[0] * x[0] + y[SIDE - 1] * y[SIDE - 1];
            assert!(
                x.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.75),
                "seed {seed}: {x:?}"
            );
        }
        let deviation = (squares / 800.0).sqrt();
        assert!((0.45..0.55).contains(&deviation), "{deviation}");
    }

    /// `cargo test -p sensorium-vision --release -- --ignored --nocapture speed`
    #[test]
    #[ignore = "prints a time, proves nothing"]
    fn speed() {
        let mut out = [0.0; SIDE * SIDE];
        let image = picture();
        for elastic in [0.0, 0.5] {
            let config = AugmentConfig {
                elastic,
                ..AugmentConfig::digits()
            };
            let start = std::time::Instant::now();
            let count = 50_000;
            (0..count).for_each(|seed| augment(std::hint::black_box(&image), &config, seed, &mut out));
            let each = start.elapsed().as_secs_f64() * 1e6 / count as f64;
            println!("elastic {elastic}: {each:.1} µs a picture");
        }
    }
}

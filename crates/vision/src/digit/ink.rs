//! Which pixels are ink, and how much of it.

use super::NoDigit;
use super::grey::{Plane, bounds};
use super::parts::without_specks;

/// Ink that stands out by less, of black to white, is none.
const FAINTEST: f32 = 0.03;

/// The part of `grey` that holds the digit: 0 paper, 1 ink, anti-aliased edges between.
pub(super) fn find(grey: &Plane) -> Result<Plane, NoDigit> {
    if grey
        .values
        .iter()
        .all(|v| (v - grey.values[0]).abs() < 0.5 / 255.0)
    {
        return Err(NoDigit::Blank);
    }
    let contrast = contrast(grey);
    let noise = noise(&contrast);
    // Noise is averaged away before asking what is ink, as far as strokes allow.
    let side = grey.width.max(grey.height);
    let smooth = if noise > 0.02 {
        contrast.blurred((side / 200).max(1))
    } else {
        contrast.clone()
    };
    let dark = strongest(&smooth, -1.0);
    let light = strongest(&smooth, 1.0);
    let sign = if dark > light { -1.0 } else { 1.0 };
    let peak = dark.max(light);
    let remaining = background_noise(&smooth, 0.5 * peak);
    if peak < FAINTEST || peak < 5.0 * remaining {
        return Err(if noise > FAINTEST {
            NoDigit::Noise
        } else {
            NoDigit::Blank
        });
    }
    let threshold = (THRESHOLD * peak).max(4.0 * remaining);
    let mask: Vec<bool> = smooth.values.iter().map(|v| sign * v > threshold).collect();
    let kept = without_specks(&mask, grey.width, grey.height);
    let kept = Plane::new(
        grey.width,
        grey.height,
        kept.iter().map(|&k| f32::from(u8::from(k))).collect(),
    );
    let (columns, rows) = bounds(&kept, |v| v > 0.5);

    // Edges fade out beyond the mask; all else beyond it is noise or specks.
    let reach = 1 + side / 200;
    let near = kept.blurred(reach);
    let floor = 2.5 * noise;
    // Half of the ink is at full strength: MNIST's strokes are all but black and white.
    let inked = contrast
        .values
        .iter()
        .zip(&kept.values)
        .filter(|(_, kept)| **kept > 0.5);
    let full = median(inked.map(|(v, _)| sign * v).collect()).max(threshold + floor);
    let ink = contrast.values.iter().zip(&near.values).map(|(v, near)| {
        let ink = ((sign * v - floor) / (full - floor)).clamp(0.0, 1.0);
        if *near > 0.0 { ink } else { 0.0 }
    });
    let ink = Plane::new(grey.width, grey.height, ink.collect());
    if ink.values.iter().all(|v| *v == 0.0) {
        return Err(NoDigit::Noise);
    }
    Ok(ink.crop(columns, rows))
}

/// Where, between paper and ink, the edge of the digit's box lies.
const THRESHOLD: f32 = 0.3;

/// The difference to the background, a quadratic surface: light falls unevenly, but smoothly.
fn contrast(grey: &Plane) -> Plane {
    let (width, height) = (grey.width, grey.height);
    // The border shows the background; its outliers, and then those of the whole, do not.
    let frame = (width.min(height) / 20).max(1);
    let is_border = |x: usize, y: usize| x < frame || y < frame || x >= width - frame || y >= height - frame;
    let step = ((width * height) as f32 / 40_000.0).sqrt().ceil().max(1.0) as usize;
    let sample = |border: bool| -> Vec<([f32; 6], f32)> {
        let step = if border { (step / 3).max(1) } else { step };
        (0..height)
            .step_by(step)
            .flat_map(|y| (0..width).step_by(step).map(move |x| (x, y)))
            .filter(|&(x, y)| !border || is_border(x, y))
            .map(|(x, y)| (terms(grey, x, y), grey.values[y * width + x]))
            .collect()
    };
    let border = sample(true);
    let middle = median(border.iter().map(|(_, v)| *v).collect());
    let mut surface = [middle, 0.0, 0.0, 0.0, 0.0, 0.0];
    let inside = sample(false);
    for points in [&border, &border, &inside, &inside, &inside] {
        let off = |(terms, value): &([f32; 6], f32)| (value - evaluate(&surface, terms)).abs();
        // Half of the border at least is background.
        let spread = median(points.iter().map(off).collect());
        let limit = (4.0 * spread).clamp(0.02, 0.15);
        let background: Vec<_> = points
            .iter()
            .filter(|point| off(point) <= limit)
            .copied()
            .collect();
        if background.len() * 4 < points.len() {
            break; // too little is smooth: keep what there is
        }
        match fit(&background) {
            Some(better) => surface = better,
            None => break,
        }
    }
    let values = (0..width * height)
        .map(|i| grey.values[i] - evaluate(&surface, &terms(grey, i % width, i / width)))
        .collect();
    Plane::new(width, height, values)
}

/// 1, x, y, x², xy, y² with x and y from -1 to 1.
fn terms(plane: &Plane, x: usize, y: usize) -> [f32; 6] {
    let x = 2.0 * (x as f32 + 0.5) / plane.width as f32 - 1.0;
    let y = 2.0 * (y as f32 + 0.5) / plane.height as f32 - 1.0;
    [1.0, x, y, x * x, x * y, y * y]
}

fn evaluate(surface: &[f32; 6], terms: &[f32; 6]) -> f32 {
    surface.iter().zip(terms).map(|(a, b)| a * b).sum()
}

/// Least squares by the normal equations; `None` if the points do not decide the surface.
fn fit(points: &[([f32; 6], f32)]) -> Option<[f32; 6]> {
    let mut system = [[0f64; 7]; 6];
    for (terms, value) in points {
        for i in 0..6 {
            for j in 0..6 {
                system[i][j] += f64::from(terms[i] * terms[j]);
            }
            system[i][6] += f64::from(terms[i] * value);
        }
    }
    for pivot in 0..6 {
        let best = (pivot..6).max_by(|&i, &j| system[i][pivot].abs().total_cmp(&system[j][pivot].abs()))?;
        system.swap(pivot, best);
        if system[pivot][pivot].abs() < 1e-6 * points.len() as f64 {
            return None;
        }
        let pivot_row = system[pivot];
        for (_, row) in system.iter_mut().enumerate().filter(|(i, _)| *i != pivot) {
            let factor = row[pivot] / pivot_row[pivot];
            for (value, other) in row.iter_mut().zip(pivot_row) {
                *value -= factor * other; // zero left of the pivot
            }
        }
    }
    Some(std::array::from_fn(|i| (system[i][6] / system[i][i]) as f32))
}

/// The level that the strongest contrast of this sign reaches: not of single pixels, which may be specks.
fn strongest(contrast: &Plane, sign: f32) -> f32 {
    let mut values: Vec<f32> = contrast
        .values
        .iter()
        .map(|v| sign * v)
        .filter(|v| *v > 0.0)
        .collect();
    let rank = (contrast.values.len() / 2000).max(4);
    if values.len() <= rank {
        return 0.0;
    }
    let (_, level, _) = values.select_nth_unstable_by(rank, |a, b| b.total_cmp(a));
    *level
}

/// The standard deviation of noise: from differences of neighbours, most of which have no edge between.
fn noise(plane: &Plane) -> f32 {
    let differences: Vec<f32> = plane
        .values
        .chunks_exact(plane.width)
        .flat_map(|row| row.windows(2).map(|pair| (pair[1] - pair[0]).abs()))
        .collect();
    if differences.is_empty() {
        return 0.0;
    }
    // The difference of two has √2 times the deviation of one.
    1.4826 * median(differences) / std::f32::consts::SQRT_2
}

/// The deviation of the background, slow changes included: of all that differs from it by less than `limit`.
fn background_noise(contrast: &Plane, limit: f32) -> f32 {
    1.4826
        * median(
            contrast
                .values
                .iter()
                .map(|v| v.abs())
                .filter(|v| *v < limit)
                .collect(),
        )
}

fn median(mut values: Vec<f32>) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

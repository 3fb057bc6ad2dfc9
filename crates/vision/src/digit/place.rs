//! Fitting the ink to MNIST's frame.

use super::grey::Plane;
use crate::mnist::{PIXELS, SIDE};

/// Where the centre of mass of an MNIST picture lies, in pixels from the first one's centre.
pub(super) const CENTRE: f32 = 14.0;
/// The longer side of the digit's box, in pixels.
const BOX: f32 = 20.0;
/// Work is done on a canvas so many times finer than the result.
const FINE: usize = 4;
/// Thinner strokes are thickened to it, in pixels of the result: thinner ones are rare in MNIST.
const THINNEST: f32 = 2.0;

/// `ink`, cropped to the digit, fitted to the box and centred by mass.
pub(super) fn normalize(ink: &Plane) -> [u8; PIXELS] {
    let longer = ink.width.max(ink.height) as f32;
    let fine_box = BOX * FINE as f32;
    let mut fine = resized(ink, fine_box / longer);
    let thinnest = THINNEST * FINE as f32;
    let width = stroke_width(&fine);
    if width > 0.0 && width < thinnest {
        // The strokes grow by the radius on either side, and the digit with them. Shrinking makes them thinner.
        let shrink = (fine_box - thinnest + width) / fine_box;
        let radius = (thinnest - width * shrink) / 2.0;
        fine = dilated(&resized(ink, (fine_box - 2.0 * radius) / longer), radius);
    }
    let small = framed(&fine);
    let strongest = small.iter().copied().fold(0.0, f32::max).max(1e-6);
    std::array::from_fn(|i| (small[i] / strongest * 255.0).round() as u8)
}

/// Where the mass of a picture of `width` columns lies, in pixels; `None` if it has none.
pub(super) fn centre_of_mass(values: &[f32], width: usize) -> Option<(f32, f32)> {
    let (mut mass, mut x, mut y) = (0f64, 0f64, 0f64);
    for (i, &value) in values.iter().enumerate() {
        let value = f64::from(value);
        mass += value;
        x += value * (i % width) as f64;
        y += value * (i / width) as f64;
    }
    (mass > 0.0).then(|| ((x / mass) as f32, (y / mass) as f32))
}

/// The fine canvas, averaged down and shifted so that its centre of mass is the frame's.
fn framed(fine: &Plane) -> [f32; PIXELS] {
    let mut frame = [0.0; PIXELS];
    let Some((x, y)) = centre_of_mass(&fine.values, fine.width) else {
        return frame;
    };
    let columns = cells(x, fine.width);
    let rows = cells(y, fine.height);
    for (line, row) in fine.values.chunks_exact(fine.width).zip(&rows) {
        for (value, column) in line.iter().zip(&columns) {
            for (y, height) in row {
                for (x, width) in column {
                    frame[y * SIDE + x] += value * height * width;
                }
            }
        }
    }
    frame
}

/// For each fine pixel along an axis, the two pixels of the frame that it lies in and how much of them it
/// fills, with the one at `mass` at the frame's centre.
fn cells(mass: f32, length: usize) -> Vec<[(usize, f32); 2]> {
    let fine = FINE as f32;
    let (length, frame) = (length as f32 / fine, SIDE as f32);
    // From the first edge, where the centre of the first pixel is half of one away. However lopsided
    // the digit is, it stays inside.
    let start = (CENTRE + 0.5 - (mass + 0.5) / fine).clamp(0.0, (frame - length).max(0.0));
    (0..(length * fine) as usize)
        .map(|i| {
            let (from, to) = (start + i as f32 / fine, start + (i + 1) as f32 / fine);
            let first = (from as usize).min(SIDE - 1);
            let edge = (first + 1) as f32;
            let second = (first + 1).min(SIDE - 1);
            [
                (first, to.min(edge) - from.min(edge)),
                (second, (to - edge).max(0.0)),
            ]
        })
        .collect()
}

/// The picture at `scale` times its size: means over areas when shrinking, linear between when growing.
fn resized(plane: &Plane, scale: f32) -> Plane {
    let across = weights(plane.width, scale);
    let down = weights(plane.height, scale);
    let rows: Vec<Vec<f32>> = plane
        .values
        .chunks_exact(plane.width)
        .map(|row| across.iter().map(|w| w.apply(|x| row[x])).collect())
        .collect();
    let mut values = Vec::with_capacity(across.len() * down.len());
    for w in &down {
        values.extend((0..across.len()).map(|x| w.apply(|y| rows[y][x])));
    }
    Plane::new(across.len(), down.len(), values)
}

/// What each place of the original adds to one of the result.
struct Weights {
    first: usize,
    parts: Vec<f32>,
}

impl Weights {
    fn apply(&self, value: impl Fn(usize) -> f32) -> f32 {
        self.parts
            .iter()
            .enumerate()
            .map(|(i, w)| w * value(self.first + i))
            .sum()
    }
}

/// Beyond the ends there is paper, so that weights there are left out and edges fade.
fn weights(length: usize, scale: f32) -> Vec<Weights> {
    let target = (length as f32 * scale).ceil().max(1.0);
    // A part of a pixel left over is shared between both ends.
    let offset = (target - length as f32 * scale) / 2.0;
    (0..target as usize)
        .map(|i| {
            let from = (i as f32 - offset) / scale;
            let to = (i as f32 + 1.0 - offset) / scale;
            let (first, end, weight): (f32, f32, Box<dyn Fn(f32) -> f32>) = if scale < 1.0 {
                let overlap = move |x: f32| ((x + 1.0).min(to) - x.max(from)).max(0.0) * scale;
                (from.floor(), to.ceil(), Box::new(overlap))
            } else {
                let centre = (from + to) / 2.0 - 0.5;
                (
                    centre.floor(),
                    centre.floor() + 2.0,
                    Box::new(move |x: f32| (1.0 - (x - centre).abs()).max(0.0)),
                )
            };
            let first = first.max(0.0) as usize;
            let end = (end.max(0.0) as usize).min(length);
            Weights {
                first,
                parts: (first..end.max(first)).map(|x| weight(x as f32)).collect(),
            }
        })
        .collect()
}

/// The mean width of strokes: a long band has twice its area over its outline.
fn stroke_width(plane: &Plane) -> f32 {
    let peak = plane.values.iter().copied().fold(0.0, f32::max);
    let inside = |x: isize, y: isize| {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return false;
        };
        x < plane.width && y < plane.height && plane.values[y * plane.width + x] > 0.5 * peak
    };
    let (mut area, mut outline) = (0, 0);
    for y in -1..plane.height as isize {
        for x in -1..plane.width as isize {
            let here = inside(x, y);
            area += usize::from(here);
            outline += usize::from(here != inside(x + 1, y)) + usize::from(here != inside(x, y + 1));
        }
    }
    // Steps along the axes overstate a slanting outline, by 4/π on average.
    2.0 * area as f32 / (outline.max(1) as f32 * std::f32::consts::FRAC_PI_4)
}

/// Grey dilation by a disc: each pixel takes the strongest within `radius`, the picture grows by it.
fn dilated(plane: &Plane, radius: f32) -> Plane {
    let reach = radius.ceil() as usize;
    let (width, height) = (plane.width + 2 * reach, plane.height + 2 * reach);
    let mut values = vec![0f32; width * height];
    for dy in 0..=2 * reach {
        for dx in 0..=2 * reach {
            let away = (dx as f32 - reach as f32).hypot(dy as f32 - reach as f32);
            // The rim of the disc counts in part, so that the radius need not be whole.
            let part = (radius + 0.5 - away).clamp(0.0, 1.0);
            if part == 0.0 {
                continue;
            }
            for y in 0..plane.height {
                let to = &mut values[(y + dy) * width + dx..][..plane.width];
                for (to, value) in to.iter_mut().zip(&plane.values[y * plane.width..]) {
                    *to = to.max(part * value);
                }
            }
        }
    }
    Plane::new(width, height, values)
}

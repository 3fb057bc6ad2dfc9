//! From a picture of any kind to one plane of grey in which the ink stands out.

use image::{DynamicImage, RgbaImage};

/// One value per pixel, row by row, in `[0, 1]` unless said otherwise.
#[derive(Debug, Clone)]
pub(super) struct Plane {
    pub width: usize,
    pub height: usize,
    pub values: Vec<f32>,
}

/// Larger pictures are shrunk to this many pixels along their longer side: a digit needs no more.
const WORKING_SIDE: usize = 1000;

impl Plane {
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len(), width * height);
        Self {
            width,
            height,
            values,
        }
    }

    /// The grey in which the picture's contents differ most, which is its luma unless that hides them.
    pub fn from_image(image: &DynamicImage) -> Self {
        let pixels = Pixels::shrunk(&image.to_rgba8());
        if pixels.alpha.values.iter().all(|&a| a > 0.999) {
            return pixels.grey();
        }
        pixels.grey_of_transparent()
    }

    /// The part of `columns` and `rows`.
    pub fn crop(&self, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> Self {
        let mut values = Vec::with_capacity(columns.len() * rows.len());
        for row in rows.clone() {
            values.extend_from_slice(&self.values[row * self.width..][columns.clone()]);
        }
        Self::new(columns.len(), rows.len(), values)
    }

    /// The mean over squares of `2 * radius + 1` pixels, fewer at the border.
    pub fn blurred(&self, radius: usize) -> Self {
        let across = blur_rows(&self.values, self.width, radius);
        let down = blur_rows(&transposed(&across, self.width), self.height, radius);
        Self::new(self.width, self.height, transposed(&down, self.height))
    }
}

fn blur_rows(values: &[f32], width: usize, radius: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width) {
        // The sum runs in f64, so that what is added is taken away again without a trace.
        let mut sum: f64 = row.iter().take(radius).map(|&v| f64::from(v)).sum();
        for x in 0..width {
            if let Some(&v) = row.get(x + radius) {
                sum += f64::from(v);
            }
            let first = x.saturating_sub(radius);
            let last = (x + radius).min(width - 1);
            out.push((sum / (last - first + 1) as f64) as f32);
            if x >= radius {
                sum -= f64::from(row[x - radius]);
            }
        }
    }
    out
}

fn transposed(values: &[f32], width: usize) -> Vec<f32> {
    let height = values.len() / width;
    (0..values.len())
        .map(|i| values[i % height * width + i / height])
        .collect()
}

/// Colour, multiplied by alpha, and alpha.
struct Pixels {
    colour: Vec<[f32; 3]>,
    alpha: Plane,
}

impl Pixels {
    /// The picture in `[0, 1]`, each pixel the mean of a square of the original's.
    fn shrunk(image: &RgbaImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let factor = width.max(height).div_ceil(WORKING_SIDE).max(1);
        let (small_width, small_height) = (width.div_ceil(factor), height.div_ceil(factor));
        let mut colour = Vec::with_capacity(small_width * small_height);
        let mut alpha = Vec::with_capacity(small_width * small_height);
        let mut sums = vec![[0u32; 5]; small_width]; // r, g, b times alpha; alpha; count
        for (y, row) in image.rows().enumerate() {
            for (x, pixel) in row.enumerate() {
                let [r, g, b, a] = pixel.0.map(u32::from);
                let sum = &mut sums[x / factor];
                for (sum, value) in sum.iter_mut().zip([r * a, g * a, b * a, a, 1]) {
                    *sum += value;
                }
            }
            if (y + 1) % factor == 0 || y + 1 == height {
                for [r, g, b, a, count] in sums.drain(..) {
                    let scale = 1.0 / (255.0 * count as f32);
                    colour.push([r, g, b].map(|sum| sum as f32 / 255.0 * scale));
                    alpha.push(a as f32 * scale);
                }
                sums.resize(small_width, [0; 5]);
            }
        }
        Self {
            colour,
            alpha: Plane::new(small_width, small_height, alpha),
        }
    }

    /// Luma, or the axis along which the colours differ most if they differ there twice as much.
    fn grey(&self) -> Plane {
        /// BT.601, as the grey of most programs.
        const LUMA: [f32; 3] = [0.299, 0.587, 0.114];
        let (mean, covariance) = moments(&self.colour);
        let axis = principal_axis(&covariance);
        let variance = |axis: [f32; 3]| {
            let along: f32 = (0..3).map(|i| axis[i] * dot(covariance[i], axis)).sum();
            along / dot(axis, axis)
        };
        let project = |axis: [f32; 3], offset: f32| {
            self.colour
                .iter()
                .map(|&c| (dot(c, axis) + offset).clamp(0.0, 1.0))
                .collect()
        };
        let values = if variance(axis) > 4.0 * variance(LUMA) {
            // The middle of the colours becomes middle grey.
            project(axis, 0.5 - dot(mean, axis))
        } else {
            project(LUMA, 0.0)
        };
        Plane::new(self.alpha.width, self.alpha.height, values)
    }

    /// Either what is visible is the ink, or a picture in itself whose corners, say, are cut away.
    fn grey_of_transparent(self) -> Plane {
        let visible = |a: f32| a > 0.5;
        let seen: Vec<[f32; 3]> = std::iter::zip(&self.colour, &self.alpha.values)
            .filter(|(_, a)| visible(**a))
            .map(|(c, a)| c.map(|v| v / a))
            .collect();
        if seen.is_empty() {
            return self.alpha; // nothing but traces, if anything
        }
        let (columns, rows) = bounds(&self.alpha, visible);
        let share = seen.len() as f32 / (columns.len() * rows.len()) as f32;
        let (mean, covariance) = moments(&seen);
        let spread: f32 = (0..3).map(|i| covariance[i][i]).sum();
        if share < 0.7 || spread < 0.05 * 0.05 {
            return self.alpha;
        }
        let mut opaque = self;
        for (colour, a) in opaque.colour.iter_mut().zip(&opaque.alpha.values) {
            *colour = std::array::from_fn(|i| colour[i] + (1.0 - a) * mean[i]);
        }
        opaque.grey().crop(columns, rows)
    }
}

/// The columns and rows that hold every value that `is_in`; all of them if none does.
pub(super) fn bounds(
    plane: &Plane,
    is_in: impl Fn(f32) -> bool,
) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let (mut left, mut right, mut top, mut bottom) = (plane.width, 0, plane.height, 0);
    for (y, row) in plane.values.chunks_exact(plane.width).enumerate() {
        for (x, _) in row.iter().enumerate().filter(|(_, v)| is_in(**v)) {
            (left, right) = (left.min(x), right.max(x + 1));
            (top, bottom) = (top.min(y), bottom.max(y + 1));
        }
    }
    if right == 0 {
        (0..plane.width, 0..plane.height)
    } else {
        (left..right, top..bottom)
    }
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Mean and covariance.
fn moments(colours: &[[f32; 3]]) -> ([f32; 3], [[f32; 3]; 3]) {
    let count = colours.len().max(1) as f64;
    let mut mean = [0f64; 3];
    for colour in colours {
        (0..3).for_each(|i| mean[i] += f64::from(colour[i]) / count);
    }
    let mut covariance = [[0f64; 3]; 3];
    for colour in colours {
        let off: [f64; 3] = std::array::from_fn(|i| f64::from(colour[i]) - mean[i]);
        for i in 0..3 {
            (0..3).for_each(|j| covariance[i][j] += off[i] * off[j] / count);
        }
    }
    (
        mean.map(|v| v as f32),
        covariance.map(|row| row.map(|v| v as f32)),
    )
}

/// The unit vector along which the variance is largest (power iteration), pointing to the light.
fn principal_axis(covariance: &[[f32; 3]; 3]) -> [f32; 3] {
    // The column with the largest variance is not orthogonal to the axis.
    let largest = (0..3)
        .max_by(|&i, &j| covariance[i][i].total_cmp(&covariance[j][j]))
        .unwrap_or(0);
    let mut axis = covariance[largest];
    for _ in 0..50 {
        let length = dot(axis, axis).sqrt();
        if length < 1e-12 {
            return [1.0 / 3f32.sqrt(); 3];
        }
        axis = axis.map(|v| v / length);
        axis = std::array::from_fn(|i| dot(covariance[i], axis));
    }
    let length = dot(axis, axis).sqrt();
    if length < 1e-12 {
        return [1.0 / 3f32.sqrt(); 3];
    }
    let sign = if axis.iter().sum::<f32>() < 0.0 { -1.0 } else { 1.0 };
    axis.map(|v| sign * v / length)
}

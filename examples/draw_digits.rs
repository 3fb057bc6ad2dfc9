//! Draws the ten sample digits: handwriting made by code, so that the samples are the project's own.
//!
//! ```text
//! cargo run --example draw_digits -- examples/samples/digits
//! ```

use std::f32::consts::PI;
use std::path::PathBuf;

use anyhow::{Context, Result};
use image::{Rgb, RgbImage};

type Point = (f32, f32);

/// Size, ink and paper of each picture: any size, colour and polarity will do.
const STYLES: [(u32, [u8; 3], [u8; 3]); 10] = [
    (280, [20, 20, 30], [250, 248, 240]),  // fountain pen
    (200, [245, 245, 240], [30, 60, 45]),  // chalk
    (96, [10, 40, 160], [255, 255, 255]),  // ballpoint
    (340, [180, 30, 30], [235, 230, 215]), // red pencil
    (128, [60, 60, 60], [200, 200, 205]),  // pencil on grey
    (400, [255, 220, 90], [25, 25, 60]),   // neon
    (64, [0, 0, 0], [255, 255, 255]),      // small
    (240, [15, 90, 40], [250, 250, 245]),  // green felt-tip
    (300, [90, 40, 110], [240, 235, 250]), // violet ink
    (180, [255, 255, 255], [0, 0, 0]),     // white on black
];

fn main() -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| temporary.path().to_path_buf(), PathBuf::from);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for (digit, (size, ink, paper)) in STYLES.into_iter().enumerate() {
        let path = folder.join(format!("{digit}.png"));
        draw(&strokes(digit), size, ink, paper)
            .save(&path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// The strokes of a digit in the unit square, y downwards.
fn strokes(digit: usize) -> Vec<Vec<Point>> {
    match digit {
        0 => vec![arc((0.5, 0.5), (0.22, 0.33), -0.55 * PI, 1.5 * PI)],
        1 => vec![vec![(0.38, 0.3), (0.52, 0.16), (0.5, 0.5), (0.49, 0.85)]],
        2 => vec![joined(&[
            arc((0.5, 0.34), (0.2, 0.18), -PI, 0.25 * PI),
            vec![(0.3, 0.82), (0.5, 0.8), (0.74, 0.83)],
        ])],
        3 => vec![joined(&[
            arc((0.47, 0.33), (0.19, 0.17), -0.85 * PI, 0.5 * PI),
            arc((0.47, 0.67), (0.22, 0.18), -0.5 * PI, 0.85 * PI),
        ])],
        4 => vec![
            vec![(0.4, 0.16), (0.3, 0.55), (0.72, 0.53)],
            vec![(0.62, 0.35), (0.58, 0.86)],
        ],
        5 => vec![
            joined(&[
                vec![(0.36, 0.2), (0.34, 0.46)],
                arc((0.47, 0.63), (0.21, 0.2), -0.7 * PI, 0.8 * PI),
            ]),
            vec![(0.36, 0.2), (0.68, 0.17)],
        ],
        6 => vec![joined(&[
            vec![(0.62, 0.15), (0.45, 0.3), (0.33, 0.5)],
            arc((0.49, 0.65), (0.18, 0.18), PI, 3.1 * PI),
        ])],
        7 => vec![vec![(0.27, 0.22), (0.72, 0.2), (0.55, 0.5), (0.43, 0.85)]],
        8 => vec![joined(&[
            arc((0.5, 0.32), (0.16, 0.15), 0.5 * PI, 2.5 * PI),
            arc((0.5, 0.66), (0.2, 0.19), -0.5 * PI, 1.5 * PI),
        ])],
        _ => vec![joined(&[
            arc((0.49, 0.35), (0.18, 0.18), 0.0, -2.0 * PI),
            vec![(0.66, 0.5), (0.6, 0.86)],
        ])],
    }
}

/// An arc about `centre`, angles in radians, clockwise from the right.
fn arc(centre: Point, radius: Point, from: f32, to: f32) -> Vec<Point> {
    const STEPS: usize = 40;
    let point = |i: usize| {
        let angle = from + (to - from) * i as f32 / STEPS as f32;
        (
            centre.0 + radius.0 * angle.cos(),
            centre.1 + radius.1 * angle.sin(),
        )
    };
    (0..=STEPS).map(point).collect()
}

fn joined(parts: &[Vec<Point>]) -> Vec<Point> {
    parts.concat()
}

/// Draws strokes with a round pen whose pressure varies a little.
fn draw(strokes: &[Vec<Point>], size: u32, ink: [u8; 3], paper: [u8; 3]) -> RgbImage {
    let scale = size as f32;
    RgbImage::from_fn(size, size, |x, y| {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        let pen = scale * (0.036 + 0.008 * (6.0 * x / scale + 4.0 * y / scale).sin());
        let segments = strokes.iter().flat_map(|stroke| stroke.windows(2));
        let distances = segments.map(|ends| distance((x, y), ends[0], ends[1], scale));
        let distance = distances.fold(f32::INFINITY, f32::min);
        let cover = (pen - distance + 0.5).clamp(0.0, 1.0);
        Rgb(std::array::from_fn(|c| {
            (f32::from(paper[c]) + cover * (f32::from(ink[c]) - f32::from(paper[c]))).round() as u8
        }))
    })
}

/// How far `point` is from the segment between two points of the unit square, in pixels.
fn distance(point: Point, from: Point, to: Point, scale: f32) -> f32 {
    let (ax, ay) = (from.0 * scale, from.1 * scale);
    let (dx, dy) = (to.0 * scale - ax, to.1 * scale - ay);
    let (px, py) = (point.0 - ax, point.1 - ay);
    let along = ((px * dx + py * dy) / (dx * dx + dy * dy).max(1e-9)).clamp(0.0, 1.0);
    (px - along * dx).hypot(py - along * dy)
}

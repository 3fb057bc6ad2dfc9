//! Digits drawn by code, the way that people make pictures of them.

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

/// Pixels along the sides of the picture, the digit's box within it, and the pen.
#[derive(Debug, Clone, Copy)]
pub struct Sketch {
    /// 0 to 9.
    pub digit: usize,
    pub width: u32,
    pub height: u32,
    /// Left and top of the box.
    pub at: [f32; 2],
    /// Height of the box, twice its width.
    pub size: f32,
    /// Width of the strokes.
    pub pen: f32,
}

impl Sketch {
    /// A digit in the middle of a square picture.
    pub fn centred(digit: usize, side: u32) -> Self {
        let size = side as f32 * 0.6;
        let at = [(side as f32 - size / 2.0) / 2.0, (side as f32 - size) / 2.0];
        Self {
            digit,
            width: side,
            height: side,
            at,
            size,
            pen: size / 8.0,
        }
    }

    /// How much ink is at a pixel, 0 to 1.
    pub fn ink(&self, x: u32, y: u32) -> f32 {
        let reach = self.pen / 2.0 + 1.0;
        let outside = |at: f32, from: f32, size: f32| at < from - reach || at > from + size + reach;
        if outside(x as f32, self.at[0], self.size / 2.0) || outside(y as f32, self.at[1], self.size) {
            return 0.0;
        }
        let place = [x as f32 + 0.5 - self.at[0], y as f32 + 0.5 - self.at[1]].map(|v| v / self.size);
        let away = strokes(self.digit)
            .iter()
            .map(|line| distance(place, *line))
            .fold(f32::MAX, f32::min);
        (self.pen / 2.0 - away * self.size + 0.5).clamp(0.0, 1.0)
    }

    /// In one colour on another.
    pub fn paint(&self, paper: [u8; 3], ink: [u8; 3]) -> DynamicImage {
        let mix =
            |share: f32, a: u8, b: u8| (f32::from(a) * (1.0 - share) + f32::from(b) * share).round() as u8;
        RgbImage::from_fn(self.width, self.height, |x, y| {
            let share = self.ink(x, y);
            Rgb(std::array::from_fn(|i| mix(share, paper[i], ink[i])))
        })
        .into()
    }

    /// Black on white.
    pub fn plain(&self) -> DynamicImage {
        self.paint([255; 3], [0; 3])
    }
}

/// Every way of making a picture of the sketch that should not matter, with its name.
pub fn variants(sketch: &Sketch) -> Vec<(&'static str, DynamicImage)> {
    let (width, height) = (sketch.width, sketch.height);
    let mut noise = noise(sketch.digit as u64 + 1);
    let mut noisy = |level: f32, deviation: f32| (level + deviation * noise()).clamp(0.0, 255.0) as u8;
    let lit = |x: u32, y: u32| {
        let (x, y) = (x as f32 / width as f32, y as f32 / height as f32);
        220.0 - 70.0 * x - 40.0 * y * y
    };
    let photo = GrayImage::from_fn(width, height, |x, y| {
        Luma([noisy(lit(x, y) * (1.0 - 0.7 * sketch.ink(x, y)), 4.0)])
    });
    let grainy = GrayImage::from_fn(width, height, |x, y| {
        Luma([noisy(60.0 + 130.0 * sketch.ink(x, y), 12.0)])
    });
    let transparent = |ink: u8| {
        RgbaImage::from_fn(width, height, |x, y| {
            Rgba([ink, ink, ink, (255.0 * sketch.ink(x, y)).round() as u8])
        })
    };
    vec![
        ("black on white", sketch.plain()),
        ("white on black", sketch.paint([0; 3], [255; 3])),
        ("grey on grey", sketch.paint([150; 3], [110; 3])),
        ("blue on yellow", sketch.paint([250, 240, 150], [20, 40, 160])),
        (
            "red on green of the same luma",
            sketch.paint([40, 130, 60], [230, 30, 30]),
        ),
        ("black on nothing", transparent(0).into()),
        ("white on nothing", transparent(255).into()),
        ("a photo in uneven light", photo.into()),
        ("grainy, light on dark", grainy.into()),
    ]
}

/// Close to normal, deviation 1, always the same for the same seed.
pub fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut even = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    move || 3f32.sqrt() * (0..4).map(|_| even()).sum::<f32>()
}

/// Lines `[x0, y0, x1, y1]` in a box half as wide as high.
fn strokes(digit: usize) -> Vec<[f32; 4]> {
    let arc = |cx: f32, cy: f32, rx: f32, ry: f32, from: f32, to: f32| -> Vec<[f32; 4]> {
        let point = |i: f32| {
            let turn = (from + (to - from) * i / 24.0).to_radians();
            [cx + rx * turn.cos(), cy + ry * turn.sin()]
        };
        (0..24)
            .map(|i| (point(i as f32), point(i as f32 + 1.0)))
            .map(|(a, b)| [a[0], a[1], b[0], b[1]])
            .collect()
    };
    match digit {
        0 => arc(0.25, 0.5, 0.25, 0.5, 0.0, 360.0),
        1 => vec![[0.1, 0.2, 0.28, 0.0], [0.28, 0.0, 0.28, 1.0]],
        2 => [
            arc(0.25, 0.25, 0.25, 0.25, -170.0, 40.0),
            vec![[0.44, 0.41, 0.0, 1.0], [0.0, 1.0, 0.5, 1.0]],
        ]
        .concat(),
        3 => [
            arc(0.22, 0.25, 0.25, 0.25, -140.0, 90.0),
            arc(0.22, 0.75, 0.28, 0.25, -90.0, 140.0),
        ]
        .concat(),
        4 => vec![
            [0.35, 0.0, 0.0, 0.65],
            [0.0, 0.65, 0.5, 0.65],
            [0.37, 0.3, 0.37, 1.0],
        ],
        5 => [
            vec![[0.45, 0.0, 0.08, 0.0], [0.08, 0.0, 0.04, 0.42]],
            arc(0.2, 0.68, 0.3, 0.32, -120.0, 130.0),
        ]
        .concat(),
        6 => [
            arc(0.25, 0.7, 0.24, 0.3, 0.0, 360.0),
            arc(0.5, 0.6, 0.49, 0.6, 170.0, 260.0),
        ]
        .concat(),
        7 => vec![[0.0, 0.0, 0.5, 0.0], [0.5, 0.0, 0.15, 1.0]],
        8 => [
            arc(0.25, 0.24, 0.2, 0.24, 0.0, 360.0),
            arc(0.25, 0.74, 0.25, 0.26, 0.0, 360.0),
        ]
        .concat(),
        _ => [
            arc(0.24, 0.27, 0.24, 0.27, 0.0, 360.0),
            vec![[0.48, 0.27, 0.4, 1.0]],
        ]
        .concat(),
    }
}

fn distance([x, y]: [f32; 2], [x0, y0, x1, y1]: [f32; 4]) -> f32 {
    let (dx, dy) = (x1 - x0, y1 - y0);
    let along = (((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy).max(1e-12)).clamp(0.0, 1.0);
    (x - x0 - along * dx).hypot(y - y0 - along * dy)
}

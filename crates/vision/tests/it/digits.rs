//! Any picture of a digit becomes the picture that MNIST would have made of it.

use image::{DynamicImage, GrayImage, Luma, RgbImage};
use proptest::prelude::*;
use sensorium_vision::digit::{NoDigit, to_mnist};
use sensorium_vision::mnist::{PIXELS, SIDE};

use crate::drawing::{Sketch, noise, variants};

/// The mean absolute difference, in grey levels of 255. Two hand-written sevens differ by some 35; the
/// same digit shifted by half a pixel by some 9.
fn difference(a: &[u8; PIXELS], b: &[u8; PIXELS]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f32::from(a.abs_diff(*b)))
        .sum::<f32>()
        / PIXELS as f32
}

fn check_close(name: &str, image: &DynamicImage, expected: &[u8; PIXELS], limit: f32) {
    let found = to_mnist(image).unwrap_or_else(|e| panic!("{name}: {e}"));
    let off = difference(&found, expected);
    assert!(
        off <= limit,
        "{name}: differs by {off:.1}\n{}\n{}",
        text(&found),
        text(expected)
    );
}

fn text(picture: &[u8; PIXELS]) -> String {
    let shade = |v: &u8| [' ', '.', '+', '#', '@'][usize::from(*v) / 52];
    picture
        .chunks(SIDE)
        .map(|row| row.iter().map(shade).collect::<String>() + "\n")
        .collect()
}

fn as_image(picture: &[u8; PIXELS]) -> DynamicImage {
    GrayImage::from_fn(28, 28, |x, y| Luma([picture[y as usize * SIDE + x as usize]])).into()
}

#[test]
fn the_ink_fills_a_box_of_20_pixels_and_is_centred_by_mass() {
    for digit in 0..10 {
        let picture = to_mnist(&Sketch::centred(digit, 200).plain()).unwrap();
        let rows: Vec<usize> = (0..PIXELS)
            .filter(|&i| picture[i] > 64)
            .map(|i| i / SIDE)
            .collect();
        let height = rows.iter().max().unwrap() - rows.iter().min().unwrap() + 1;
        assert!(
            (19..=21).contains(&height),
            "{digit} is {height} pixels high\n{}",
            text(&picture)
        );
        let mass: f32 = picture.iter().map(|&v| f32::from(v)).sum();
        let mean = |place: fn(usize) -> usize| {
            picture
                .iter()
                .enumerate()
                .map(|(i, &v)| place(i) as f32 * f32::from(v))
                .sum::<f32>()
                / mass
        };
        let (x, y) = (mean(|i| i % SIDE), mean(|i| i / SIDE));
        assert!(
            (x - 14.0).abs() < 0.3 && (y - 14.0).abs() < 0.3,
            "{digit}: {x} {y}"
        );
        assert_eq!(picture.iter().max(), Some(&255));
    }
}

#[test]
fn colour_light_and_noise_do_not_matter() {
    for digit in 0..10 {
        let sketch = Sketch::centred(digit, 240);
        let expected = to_mnist(&sketch.plain()).unwrap();
        for (name, image) in variants(&sketch) {
            check_close(&format!("{digit}, {name}"), &image, &expected, 6.0);
        }
    }
}

#[test]
fn size_does_not_matter() {
    for digit in [0, 2, 4, 5, 7] {
        let expected = to_mnist(&Sketch::centred(digit, 300).plain()).unwrap();
        for (side, limit) in [(1100, 3.0), (100, 3.0), (48, 6.0), (24, 12.0), (16, 20.0)] {
            let image = Sketch::centred(digit, side).plain();
            check_close(&format!("{digit} in {side} pixels"), &image, &expected, limit);
        }
    }
}

#[test]
fn a_thin_pen_in_a_large_picture_becomes_a_stroke_of_usual_width() {
    for digit in [1, 3, 6, 8] {
        let sketch = Sketch {
            pen: 4.0,
            ..Sketch::centred(digit, 1200)
        };
        let usual = Sketch {
            pen: sketch.size / 10.0,
            ..sketch
        };
        check_close(
            &format!("{digit}"),
            &sketch.plain(),
            &to_mnist(&usual.plain()).unwrap(),
            14.0,
        );
    }
}

#[test]
fn place_does_not_matter_even_at_the_border() {
    for digit in 0..10 {
        let sketch = Sketch {
            width: 320,
            height: 240,
            ..Sketch::centred(digit, 160)
        };
        let expected = to_mnist(&sketch.plain()).unwrap();
        for at in [[12.0, 12.0], [250.0, 12.0], [100.0, 130.0], [250.0, 130.0]] {
            check_close(
                &format!("{digit} at {at:?}"),
                &Sketch { at, ..sketch }.plain(),
                &expected,
                3.0,
            );
        }
        let tight = Sketch {
            width: 60,
            height: 108,
            at: [6.0, 6.0],
            ..sketch
        };
        check_close(&format!("{digit}, cut tight"), &tight.plain(), &expected, 4.0);
    }
}

#[test]
fn a_table_edge_and_specks_are_not_the_digit() {
    for digit in 0..10 {
        let sketch = Sketch::centred(digit, 300);
        let expected = to_mnist(&sketch.plain()).unwrap();
        let mut image: RgbImage = sketch.plain().to_rgb8();
        for (x, y, pixel) in image.enumerate_pixels_mut() {
            let speck = |at: [u32; 2]| x.abs_diff(at[0]) < 2 && y.abs_diff(at[1]) < 2;
            if x < 12 || speck([280, 20]) || speck([40, 250]) || speck([260, 270]) {
                pixel.0 = [20; 3];
            }
        }
        check_close(&format!("{digit}"), &image.into(), &expected, 3.0);
    }
}

#[test]
fn a_picture_in_the_form_of_mnist_comes_back_as_it_is() {
    for digit in 0..10 {
        let picture = to_mnist(&Sketch::centred(digit, 200).plain()).unwrap();
        assert_eq!(to_mnist(&as_image(&picture)).unwrap(), picture);
        let mut negative = as_image(&picture);
        negative.invert();
        assert_eq!(to_mnist(&negative).unwrap(), picture);
    }
}

#[test]
fn a_picture_without_a_digit_is_an_error() {
    let blank = |value| DynamicImage::from(GrayImage::from_pixel(50, 40, Luma([value])));
    for value in [0, 128, 255] {
        assert_eq!(to_mnist(&blank(value)), Err(NoDigit::Blank));
    }
    assert_eq!(to_mnist(&DynamicImage::new_rgba8(20, 20)), Err(NoDigit::Blank));
    let gradient = GrayImage::from_fn(200, 200, |x, y| Luma([(255 - x / 2 - y / 3) as u8]));
    assert_eq!(to_mnist(&gradient.into()), Err(NoDigit::Blank));
    let mut noise = noise(1);
    let snow = GrayImage::from_fn(200, 200, |_, _| Luma([(128.0 + 20.0 * noise()) as u8]));
    assert_eq!(to_mnist(&snow.into()), Err(NoDigit::Noise));
    assert_eq!(to_mnist(&DynamicImage::new_luma8(1, 1)), Err(NoDigit::Blank));
    assert_eq!(to_mnist(&DynamicImage::new_luma8(0, 0)), Err(NoDigit::Blank));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_negative_gives_the_same(
        digit in 0..10usize,
        side in 20..400u32,
        x in 0.0..0.4f32,
        y in 0.0..0.3f32,
        paper in 140..=255u8,
        ink in 0..80u8,
    ) {
        let side_f = side as f32;
        let sketch = Sketch { at: [0.1 * side_f + x * side_f, 0.05 * side_f + y * side_f], ..Sketch::centred(digit, side) };
        let image = sketch.paint([paper; 3], [ink; 3]);
        let mut negative = image.clone();
        negative.invert();
        let (a, b) = (to_mnist(&image).unwrap(), to_mnist(&negative).unwrap());
        prop_assert!(difference(&a, &b) < 2.0, "{} {}", text(&a), text(&b));
    }

    #[test]
    fn no_picture_causes_a_panic(width in 1..40u32, height in 1..40u32, seed: u64, levels in 1..=255u8) {
        let mut noise = noise(seed);
        let mut value = || (128.0 + 60.0 * noise()).clamp(0.0, 255.0) as u8 / levels * levels;
        if let Ok(picture) = to_mnist(&GrayImage::from_fn(width, height, |_, _| Luma([value()])).into()) {
            prop_assert!(picture.contains(&255), "{}", text(&picture));
        }
    }
}

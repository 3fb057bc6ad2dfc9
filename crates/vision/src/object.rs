//! From any picture of one object to the picture that Fashion-MNIST would have made of it.

use image::DynamicImage;
use image::imageops::{FilterType, crop_imm, overlay, resize};

use crate::mnist::{PIXELS, SIDE};

/// The 28×28 picture of the object that `image` shows, as in Fashion-MNIST: row by row, 0 background.
///
/// As in arXiv 1708.07747, figure 1: grey, light on black, trimmed to the object, the longer side
/// scaled to 28 pixels, and centred. A 28×28 picture with a dark corner comes back as it is.
pub fn to_fashion_mnist(image: &DynamicImage) -> [u8; PIXELS] {
    let mut grey = image.to_luma8();
    let side = SIDE as u32;
    if border_mean(&grey) > 127 {
        image::imageops::invert(&mut grey);
    }
    if grey.dimensions() != (side, side) {
        let (x, y, width, height) = bounds(&grey);
        let trimmed = crop_imm(&grey, x, y, width, height).to_image();
        let scaled = |n: u32| (n * side / width.max(height)).clamp(1, side);
        let small = resize(&trimmed, scaled(width), scaled(height), FilterType::Triangle);
        grey = image::GrayImage::new(side, side);
        let (left, top) = ((side - small.width()) / 2, (side - small.height()) / 2);
        overlay(&mut grey, &small, left.into(), top.into());
    }
    std::array::from_fn(|i| grey.as_raw()[i])
}

/// The mean grey level along the four edges.
fn border_mean(grey: &image::GrayImage) -> u32 {
    let (right, bottom) = (grey.width() - 1, grey.height() - 1);
    let edge = grey
        .enumerate_pixels()
        .filter(|(x, y, _)| *x == 0 || *y == 0 || *x == right || *y == bottom);
    let (sum, count) = edge.fold((0u64, 0u64), |(sum, count), (_, _, p)| {
        (sum + u64::from(p.0[0]), count + 1)
    });
    (sum / count.max(1)) as u32
}

/// The box around all that is clearly lighter than black; the whole picture if nothing is.
fn bounds(grey: &image::GrayImage) -> (u32, u32, u32, u32) {
    const LIT: u8 = 24;
    let lit = || grey.enumerate_pixels().filter(|(_, _, p)| p.0[0] > LIT);
    let (left, right) = lit().fold((u32::MAX, 0), |(low, high), (x, _, _)| (low.min(x), high.max(x)));
    let (top, bottom) = lit().fold((u32::MAX, 0), |(low, high), (_, y, _)| (low.min(y), high.max(y)));
    if left > right {
        return (0, 0, grey.width(), grey.height());
    }
    (left, top, right - left + 1, bottom - top + 1)
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};

    use super::*;

    #[test]
    fn an_object_fills_the_frame_whatever_its_place_and_polarity() {
        let shoe = |light: bool, size: u32| {
            let (paper, ink) = if light { (255, 30) } else { (0, 225) };
            GrayImage::from_fn(size, size, |x, y| {
                let inside = x > size / 4 && x < size / 2 && y > size / 8 && y < size / 8 * 5;
                Luma([if inside { ink } else { paper }])
            })
        };
        let dark = to_fashion_mnist(&shoe(false, 200).into());
        let light = to_fashion_mnist(&shoe(true, 200).into());
        assert_eq!(dark, light);
        // Twice as high as wide: full height, half the width, centred.
        assert!(dark[14] > 200 && dark[27 * SIDE + 14] > 200 && dark[14 * SIDE + 2] == 0);
    }

    #[test]
    fn a_data_set_picture_comes_back_as_it_is() {
        let dark_edge = GrayImage::from_fn(28, 28, |x, y| {
            Luma([if (5..20).contains(&x) && y > 3 { 99 } else { 0 }])
        });
        assert_eq!(
            to_fashion_mnist(&dark_edge.clone().into()).as_slice(),
            dark_edge.as_raw().as_slice()
        );
    }
}

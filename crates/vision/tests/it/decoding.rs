//! Image files, whole and broken.

use std::fs;
use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use proptest::prelude::*;
use sensorium_vision::decode::{Limits, decode_image, open_image};

fn picture() -> DynamicImage {
    RgbImage::from_fn(40, 30, |x, y| Rgb([x as u8 * 6, y as u8 * 8, (x * y) as u8])).into()
}

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

const FORMATS: [ImageFormat; 8] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::Gif,
    ImageFormat::WebP,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
    ImageFormat::Pnm,
    ImageFormat::Qoi,
];

fn refused(bytes: &[u8], expected: &str) {
    let message = decode_image(bytes, "a.png", &Limits::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("a.png ") && message.contains(expected),
        "{message}"
    );
}

#[test]
fn the_content_decides_the_format() {
    for format in FORMATS {
        let bytes = encoded(&picture(), format);
        let image = decode_image(&bytes, "x.txt", &Limits::default()).unwrap();
        assert_eq!((image.width(), image.height()), (40, 30), "{format:?}");
    }
    let tga = encoded(&picture(), ImageFormat::Tga);
    assert_eq!(
        decode_image(&tga, "X.TGA", &Limits::default()).unwrap().width(),
        40
    );
}

#[test]
fn a_truncated_image_is_refused_in_every_format() {
    for format in FORMATS {
        let bytes = encoded(&picture(), format);
        for part in [4, 10] {
            let error = decode_image(&bytes[..bytes.len() * part / 12], "a", &Limits::default());
            assert!(error.is_err(), "{format:?}: {part} of 12 parts");
        }
    }
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let bytes = encoded(&picture(), format);
        refused(&bytes[..bytes.len() / 2], "it ends in the middle of the image");
    }
}

#[test]
fn what_is_no_image_is_named() {
    refused(b"", "is empty, expected an image");
    refused(
        b"Dear all,\nplease find attached",
        "is text; expected an image: PNG",
    );
    refused("BMW und Größe".as_bytes(), "is text");
    refused(b"%PDF-1.7\n%\xe2\xe3", "is a PDF document");
    refused(b"RIFF\x24\0\0\0WAVEfmt ", "is audio");
    refused(b"<?xml version=\"1.0\"?><svg/>", "is an SVG drawing");
    refused(b"<!doctype html>", "is HTML or XML text");
    refused(b"\0\0\0\x20ftypheic\0\0", "is an HEIC image");
    refused(&[0; 100], "holds NUL bytes");
    refused(b"\x89PNG\r\n\x1a\nnot really a PNG, though", "a.png is a ");
}

#[test]
fn limits_hold_before_anything_is_decoded() {
    let limits = Limits {
        file_bytes: 100,
        ..Limits::default()
    };
    let message = decode_image(&[0; 101], "a", &limits).unwrap_err().to_string();
    assert_eq!(message, "a has more than 100 bytes, the limit for an image file");

    let limits = Limits {
        pixels: 1199,
        ..Limits::default()
    };
    for format in FORMATS {
        let message = decode_image(&encoded(&picture(), format), "a", &limits)
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "a is an image of 40×30 pixels, more than the limit of 1199 in all"
        );
    }

    // A header that claims 60 000 × 60 000 pixels, which would be 10 GB.
    let mut bomb = encoded(&picture(), ImageFormat::Bmp);
    bomb[18..22].copy_from_slice(&60_000u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&60_000u32.to_le_bytes());
    refused(&bomb, "60000×60000 pixels, more than the limit of 64000000");
    refused(b"P5 60000 60000 255\n", "60000×60000 pixels");
}

#[test]
fn a_photo_is_turned_upright() {
    let jpeg = encoded(&picture(), ImageFormat::Jpeg);
    // An EXIF segment whose only entry is orientation 6: turn a quarter clockwise.
    let exif = b"\xff\xe1\0\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = [&jpeg[..2], exif, &jpeg[2..]].concat();
    let image = decode_image(&turned, "a", &Limits::default()).unwrap();
    assert_eq!((image.width(), image.height()), (30, 40));
    assert_eq!(
        image,
        decode_image(&jpeg, "a", &Limits::default()).unwrap().rotate90()
    );
}

#[test]
fn files_are_opened_and_folders_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    fs::write(&path, encoded(&picture(), ImageFormat::Png)).unwrap();
    assert_eq!(open_image(&path, &Limits::default()).unwrap(), picture());
    let message = |path| open_image(path, &Limits::default()).unwrap_err().to_string();
    assert!(message(folder.path()).ends_with("is a folder, expected an image file"));
    assert!(message(&folder.path().join("none.png")).starts_with("cannot read "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_damage_causes_a_panic(format in 0..FORMATS.len(), places in proptest::collection::vec(any::<(u16, u8)>(), 1..6)) {
        let mut bytes = encoded(&picture(), FORMATS[format]);
        for (at, value) in places {
            // Most of the damage where the headers are.
            let range = if at % 2 == 0 { bytes.len().min(64) } else { bytes.len() };
            bytes[usize::from(at) % range] = value;
        }
        let limits = Limits { pixels: 1_000_000, ..Limits::default() };
        let _ = decode_image(&bytes, "a", &limits);
    }
}

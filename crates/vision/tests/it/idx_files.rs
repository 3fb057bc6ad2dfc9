//! IDX files and the data sets made of them.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use sensorium_vision::idx::{self, IdxImages};
use sensorium_vision::mnist::{Digits, PIXELS, Split};

fn pictures(count: usize, rows: usize, cols: usize) -> IdxImages {
    let pixels = (0..count * rows * cols).map(|i| (i * 7) as u8).collect();
    IdxImages {
        count,
        rows,
        cols,
        pixels,
    }
}

fn bytes(images: &IdxImages) -> Vec<u8> {
    let mut bytes = Vec::new();
    idx::write_images(&mut bytes, images).unwrap();
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Checks that the pictures in `bytes` are refused with a message that says `expected`.
fn refused(bytes: &[u8], expected: &str) {
    let message = idx::images_from("a.idx", bytes).unwrap_err().to_string();
    assert!(
        message.starts_with("a.idx ") && message.contains(expected),
        "{message}"
    );
}

#[test]
fn a_header_that_lies_is_refused() {
    let good = bytes(&pictures(3, 4, 5));
    refused(&[], "it is empty");
    refused(&good[..9], "it ends after 9 bytes, within its header of 16");
    refused(
        &good[..70],
        "claims 60 bytes of data, but only 54 follow; it was cut short",
    );
    refused(&[&good[..], &[0]].concat(), "more follows the 60 bytes of data");
    refused(
        b"PK\x03\x04 a ZIP",
        "begins with the number 1347093252 where 2051 (pictures) should be",
    );
    let mut labels = Vec::new();
    idx::write_labels(&mut labels, &[1, 2, 3]).unwrap();
    refused(
        &labels,
        "begins with 2049 (labels) where 2051 (pictures) should be",
    );

    let claim = |sizes: [u32; 3]| {
        let sizes = sizes.iter().flat_map(|s| s.to_be_bytes());
        2051u32
            .to_be_bytes()
            .into_iter()
            .chain(sizes)
            .collect::<Vec<u8>>()
    };
    refused(
        &claim([u32::MAX; 3]),
        "bytes of data; at most 2147483648 are read",
    );
    refused(
        &claim([2_000_000, 28, 28]),
        "claims 1568000000 bytes of data, but only 0 follow",
    );
    refused(&claim([u32::MAX, 0, 28]), "claims pictures of 0×28 pixels");
}

#[test]
fn damaged_compression_is_refused() {
    let good = gzip(&bytes(&pictures(20, 28, 28)));
    assert!(idx::images_from("a.idx", &good[..]).is_ok());
    refused(&good[..good.len() / 2], "its gzip compression is damaged");
    refused(&good[..good.len() - 6], "its gzip compression is damaged");
    let mut wrong_sum = good.clone();
    let at = good.len() - 7; // within the CRC
    wrong_sum[at] ^= 1;
    refused(&wrong_sum, "its gzip compression is damaged");
    refused(&[&good[..], b"surplus"].concat(), "is damaged");
    refused(&gzip(&bytes(&pictures(3, 4, 5))[..70]), "only 54 follow");
    // A megabyte of zeros in a kilobyte, behind a header that asks for less.
    refused(
        &gzip(&[bytes(&pictures(1, 2, 2)), vec![0; 1 << 20]].concat()),
        "more follows the 4 bytes",
    );
}

#[test]
fn a_missing_file_and_a_folder_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("none"), folder.path().to_path_buf()] {
        let error = idx::read_images(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read {}", path.display()));
        assert!(std::error::Error::source(&error).is_some());
    }
}

proptest! {
    #[test]
    fn written_pictures_are_read_back(count in 0..5usize, rows in 1..6usize, cols in 1..6usize) {
        let images = pictures(count, rows, cols);
        let plain = bytes(&images);
        prop_assert_eq!(&idx::images_from("a", &plain[..]).unwrap(), &images);
        prop_assert_eq!(&idx::images_from("a", &gzip(&plain)[..]).unwrap(), &images);
    }

    #[test]
    fn no_bytes_cause_a_panic(mut noise in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..4usize) {
        let start: &[u8] = [&[0, 0, 8, 3], &[0, 0, 8, 1], &[0x1f, 0x8b, 8, 0], &[][..]][kind];
        noise.splice(0..0, start.iter().copied());
        let _ = idx::images_from("a", &noise[..]);
        let _ = idx::labels_from("a", &noise[..]);
        let _ = idx::images_from("a", &gzip(&noise)[..]);
    }
}

/// Writes a data set of `count` pictures and these labels.
fn write_set(folder: &Path, [images, labels]: [&str; 2], count: usize, values: &[u8]) {
    let mut file = Vec::new();
    idx::write_labels(&mut file, values).unwrap();
    let packed = |name: &str, bytes: Vec<u8>| {
        if name.ends_with(".gz") {
            gzip(&bytes)
        } else {
            bytes
        }
    };
    fs::write(
        folder.join(images),
        packed(images, bytes(&pictures(count, 28, 28))),
    )
    .unwrap();
    fs::write(folder.join(labels), packed(labels, file)).unwrap();
}

#[test]
fn a_data_set_is_found_under_any_of_its_names() {
    for names in [
        ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"],
        ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"],
        ["train-images.idx3-ubyte", "train-labels.idx1-ubyte.gz"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path(), names, 3, &[7, 0, 9]);
        let digits = Digits::load(folder.path(), Split::Train).unwrap();
        assert_eq!((digits.images.len(), digits.labels), (3 * PIXELS, vec![7, 0, 9]));
        let missing = Digits::load(folder.path(), Split::Test).unwrap_err().to_string();
        assert!(missing.contains("has no t10k-images-idx3-ubyte"), "{missing}");
    }
}

#[test]
fn pictures_and_labels_must_belong_together() {
    let names = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
    let folder = tempfile::tempdir().unwrap();
    let check = |count: usize, labels: &[u8], expected: &str| {
        write_set(folder.path(), names, count, labels);
        let message = Digits::load(folder.path(), Split::Test).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    check(3, &[1, 2], "has 3 pictures, but ");
    check(3, &[1, 2, 10], "label 2 is 10, expected 0 to 9");
    fs::write(folder.path().join(names[0]), bytes(&pictures(3, 8, 8))).unwrap();
    let message = Digits::load(folder.path(), Split::Test).unwrap_err().to_string();
    assert!(
        message.contains("has pictures of 8×8 pixels, expected 28×28"),
        "{message}"
    );
}

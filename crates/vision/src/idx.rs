//! The IDX files of MNIST: big-endian header, then bytes; gzip-compressed or not.
//!
//! The format is described at the foot of LeCun's MNIST page: a magic number (2051 for pictures, 2049
//! for labels), the size of each dimension, the values.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, IdxProblem, Result};

/// The magic number of pictures: unsigned bytes in three dimensions.
pub const IMAGES_MAGIC: u32 = 0x0803;
/// The magic number of labels: unsigned bytes in one dimension.
pub const LABELS_MAGIC: u32 = 0x0801;

/// The most data that is read, in bytes: two gigabytes, three times the largest data set of this kind (EMNIST).
const LIMIT: u64 = 1 << 31;

/// Grey pictures of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdxImages {
    /// How many.
    pub count: usize,
    /// Height in pixels.
    pub rows: usize,
    /// Width in pixels.
    pub cols: usize,
    /// `[count, rows, cols]`, 0 black, 255 white.
    pub pixels: Vec<u8>,
}

/// Reads a file of pictures.
///
/// # Errors
/// If the file cannot be read, is not of this format, or its size is not what its header says.
pub fn read_images(path: &Path) -> Result<IdxImages> {
    let file = File::open(path).map_err(|source| Error::Read {
        path: path.to_path_buf(),
        source,
    })?;
    images_from(&path.display().to_string(), file)
}

/// Reads a file of labels.
///
/// # Errors
/// As [`read_images`].
pub fn read_labels(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|source| Error::Read {
        path: path.to_path_buf(),
        source,
    })?;
    labels_from(&path.display().to_string(), file)
}

/// Reads pictures from any source; `name` stands for it in errors.
///
/// # Errors
/// As [`read_images`].
pub fn images_from(name: &str, source: impl Read) -> Result<IdxImages> {
    let ([count, rows, cols], pixels) = read(name, source, IMAGES_MAGIC)?;
    Ok(IdxImages {
        count: count as usize,
        rows: rows as usize,
        cols: cols as usize,
        pixels,
    })
}

/// Reads labels from any source; `name` stands for it in errors.
///
/// # Errors
/// As [`read_images`].
pub fn labels_from(name: &str, source: impl Read) -> Result<Vec<u8>> {
    let ([_count], labels) = read(name, source, LABELS_MAGIC)?;
    Ok(labels)
}

/// Writes pictures, uncompressed.
///
/// # Errors
/// If `to` cannot be written to.
///
/// # Panics
/// If `images` has not the pixels that its sizes ask for, or a size above what the format holds.
pub fn write_images(to: &mut impl Write, images: &IdxImages) -> io::Result<()> {
    assert_eq!(
        images.pixels.len(),
        images.count * images.rows * images.cols,
        "[count, rows, cols]"
    );
    write(
        to,
        IMAGES_MAGIC,
        &[images.count, images.rows, images.cols],
        &images.pixels,
    )
}

/// Writes labels, uncompressed.
///
/// # Errors
/// If `to` cannot be written to.
///
/// # Panics
/// If there are more labels than the format holds.
pub fn write_labels(to: &mut impl Write, labels: &[u8]) -> io::Result<()> {
    write(to, LABELS_MAGIC, &[labels.len()], labels)
}

fn write(to: &mut impl Write, magic: u32, sizes: &[usize], data: &[u8]) -> io::Result<()> {
    to.write_all(&magic.to_be_bytes())?;
    for &size in sizes {
        let size = u32::try_from(size).expect("the format holds sizes below 2^32");
        to.write_all(&size.to_be_bytes())?;
    }
    to.write_all(data)
}

/// The sizes and the data of a file with `D` dimensions.
fn read<const D: usize>(name: &str, source: impl Read, magic: u32) -> Result<([u32; D], Vec<u8>)> {
    let mut source = BufReader::new(source);
    let unreadable = |source| Error::Read {
        path: name.into(),
        source,
    };
    let compressed = source.fill_buf().map_err(unreadable)?.starts_with(&[0x1f, 0x8b]);
    if !compressed {
        return parse(&mut source, magic).map_err(|e| e.naming(name, unreadable));
    }
    let gzip = |source: io::Error| {
        // The decoder's own errors carry no number from the system.
        if source.raw_os_error().is_some() {
            return Error::Read {
                path: name.into(),
                source,
            };
        }
        Error::Idx {
            file: name.to_string(),
            problem: IdxProblem::Gzip(source),
        }
    };
    parse(&mut MultiGzDecoder::new(source), magic).map_err(|e| e.naming(name, gzip))
}

/// A problem of the format, or of reading at all.
enum Failure {
    Format(IdxProblem),
    Io(io::Error),
}

impl Failure {
    fn naming(self, name: &str, io: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Failure::Format(problem) => Error::Idx {
                file: name.to_string(),
                problem,
            },
            Failure::Io(source) => io(source),
        }
    }
}

impl From<IdxProblem> for Failure {
    fn from(problem: IdxProblem) -> Self {
        Failure::Format(problem)
    }
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        Failure::Io(source)
    }
}

fn parse<const D: usize>(source: &mut impl Read, magic: u32) -> Result<([u32; D], Vec<u8>), Failure> {
    let header_len = 4 * (1 + D);
    let mut header = Vec::with_capacity(header_len);
    source.take(header_len as u64).read_to_end(&mut header)?;
    if header.is_empty() {
        return Err(IdxProblem::Empty.into());
    }
    let (numbers, _) = header.as_chunks::<4>();
    if let Some(found) = numbers
        .first()
        .map(|n| u32::from_be_bytes(*n))
        .filter(|n| *n != magic)
    {
        return Err(IdxProblem::Magic {
            expected: magic,
            found,
        }
        .into());
    }
    if header.len() < header_len {
        return Err(IdxProblem::ShortHeader {
            expected: header_len,
            found: header.len(),
        }
        .into());
    }
    let sizes: [u32; D] = std::array::from_fn(|i| u32::from_be_bytes(numbers[i + 1]));
    if let [_, rows, cols] = sizes[..]
        && (rows == 0 || cols == 0)
    {
        return Err(IdxProblem::NoPixels { rows, cols }.into());
    }
    let claimed: u128 = sizes.iter().map(|&size| u128::from(size)).product();
    if claimed > u128::from(LIMIT) {
        return Err(IdxProblem::TooLarge {
            claimed,
            limit: LIMIT,
        }
        .into());
    }
    let claimed = claimed as u64;
    // What the header claims is not allocated before it has come: a short file may claim anything. One
    // byte more is asked for, which finds surplus data and lets gzip check its sum.
    let mut data = Vec::with_capacity(claimed.min(1 << 20) as usize);
    source.take(claimed + 1).read_to_end(&mut data)?;
    let found = data.len() as u64;
    if found < claimed {
        return Err(IdxProblem::Truncated { claimed, found }.into());
    }
    if found > claimed {
        return Err(IdxProblem::Surplus { claimed }.into());
    }
    Ok((sizes, data))
}

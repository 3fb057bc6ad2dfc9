//! What can be wrong with pictures and the files that hold them.

use std::io;
use std::path::PathBuf;

use image::{ImageError, ImageFormat};
use sensorium_hub::image_format_name;

/// The result of everything in this crate that reads pictures.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that names the file, what was wrong and what would be right.
///
/// A cause, where there is one, is the [`source`](std::error::Error::source): print the whole chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file that should be IDX is not, or is damaged.
    #[error("{file} is not a usable IDX file: {problem}")]
    Idx {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: IdxProblem,
    },
    /// A data set's file is not where it should be.
    #[error("{} has no {name} (nor the same with `.gz`, or with `.` before `idx`)", dir.display())]
    MissingData {
        /// The folder.
        dir: PathBuf,
        /// The file's name, in its plainest spelling.
        name: String,
    },
    /// The pictures of a data set do not have the size they should.
    #[error("{} has pictures of {rows}×{cols} pixels, expected 28×28", path.display())]
    PictureSize {
        /// The file of pictures.
        path: PathBuf,
        /// Height in pixels.
        rows: usize,
        /// Width in pixels.
        cols: usize,
    },
    /// Pictures and labels do not belong together.
    #[error(
        "{} has {image_count} pictures, but {} has {label_count} labels; expected as many",
        images.display(),
        labels.display()
    )]
    Unpaired {
        /// The file of pictures.
        images: PathBuf,
        /// Its count.
        image_count: usize,
        /// The file of labels.
        labels: PathBuf,
        /// Its count.
        label_count: usize,
    },
    /// A label is not one of the classes.
    #[error("{}: label {index} is {label}, expected 0 to 9", path.display())]
    Label {
        /// The file of labels.
        path: PathBuf,
        /// Which label, from 0.
        index: usize,
        /// Its value.
        label: u8,
    },
    /// A file that should be an image cannot be used.
    #[error("{name} {problem}")]
    Image {
        /// The file.
        name: String,
        /// What is wrong with it, as the rest of a sentence.
        problem: ImageProblem,
    },
    /// A data set's file has a right form and nothing in it.
    #[error("{} has no pictures", path.display())]
    NoPictures {
        /// The file.
        path: PathBuf,
    },
}

/// What is wrong with an IDX file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdxProblem {
    /// No bytes at all.
    #[error("it is empty")]
    Empty,
    /// It ends within the header.
    #[error("it ends after {found} bytes, within its header of {expected}")]
    ShortHeader {
        /// Bytes of a whole header.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// The first four bytes are not those of the kind asked for.
    #[error("it begins with {} where {} should be", magic(*found), magic(*expected))]
    Magic {
        /// The magic number of what was asked for.
        expected: u32,
        /// The number found.
        found: u32,
    },
    /// Pictures without pixels.
    #[error("its header claims pictures of {rows}×{cols} pixels")]
    NoPixels {
        /// Claimed height.
        rows: u32,
        /// Claimed width.
        cols: u32,
    },
    /// More data than anyone should hold in memory.
    #[error("its header claims {claimed} bytes of data; at most {limit} are read")]
    TooLarge {
        /// Bytes claimed.
        claimed: u128,
        /// The most that is read.
        limit: u64,
    },
    /// Less data than the header claims.
    #[error("its header claims {claimed} bytes of data, but only {found} follow; it was cut short")]
    Truncated {
        /// Bytes claimed.
        claimed: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// More data than the header claims.
    #[error("more follows the {claimed} bytes of data that its header claims")]
    Surplus {
        /// Bytes claimed.
        claimed: u64,
    },
    /// The compressed stream is damaged.
    #[error("its gzip compression is damaged ({0}); download it again")]
    Gzip(#[source] io::Error),
}

fn magic(number: u32) -> String {
    match number {
        crate::idx::IMAGES_MAGIC => format!("{number} (pictures)"),
        crate::idx::LABELS_MAGIC => format!("{number} (labels)"),
        _ => format!("the number {number}"),
    }
}

/// Why a file cannot be used as an image, as the rest of a sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageProblem {
    /// A folder was given for a file.
    #[error("is a folder, expected an image file")]
    Folder,
    /// No bytes at all.
    #[error("is empty, expected an image")]
    Empty,
    /// More bytes than are read.
    #[error("has more than {limit} bytes, the limit for an image file")]
    TooManyBytes {
        /// The limit.
        limit: u64,
    },
    /// More pixels than are decoded.
    #[error("is an image of {width}×{height} pixels, more than the limit of {limit} in all")]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit.
        limit: u64,
    },
    /// Decoding would take too much memory, whatever the size says.
    #[error("is {} image that would take too much memory to decode", article(*format))]
    TooMuchMemory {
        /// The format.
        format: ImageFormat,
    },
    /// Another kind of file.
    #[error("{looks_like}; expected an image: PNG, JPEG, GIF, WebP, BMP, TIFF, TGA or another common format")]
    NotAnImage {
        /// What it is instead, as the end of a sentence: "is a PDF document".
        looks_like: &'static str,
    },
    /// The file ends too early.
    #[error("is a truncated {} file: it ends in the middle of the image", image_format_name(*format))]
    Truncated {
        /// The format.
        format: ImageFormat,
    },
    /// The format is known, but not this use of it.
    #[error("is {} image of a kind that cannot be read ({source})", article(*format))]
    Unsupported {
        /// The format.
        format: ImageFormat,
        /// What is not supported.
        #[source]
        source: ImageError,
    },
    /// The decoder found something wrong.
    #[error("is a damaged {} file ({source})", image_format_name(*format))]
    Damaged {
        /// The format.
        format: ImageFormat,
        /// What is wrong.
        #[source]
        source: ImageError,
    },
}

fn article(format: ImageFormat) -> String {
    let name = image_format_name(format);
    let article = if name.starts_with(['A', 'E', 'I', 'O']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {name}")
}

//! From the bytes of an image file to its pixels, within limits.

use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use sensorium_hub::{Sniffed, sniff};

use crate::error::{Error, ImageProblem, Result};

/// How large an image may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Width times height, as the file's header has them: a few kilobytes can decompress to gigabytes.
    pub pixels: u64,
}

impl Default for Limits {
    /// 64 MiB and 64 megapixels, enough for any camera's picture.
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            pixels: 64_000_000,
        }
    }
}

/// Reads an image file: any format that the `image` crate decodes, found from its content.
///
/// # Errors
/// If it cannot be read, is over the limits, or is not an image or a damaged one.
pub fn open_image(path: &Path, limits: &Limits) -> Result<DynamicImage> {
    let name = path.display().to_string();
    let unreadable = |source| Error::Read {
        path: path.to_path_buf(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Error::Image {
            name,
            problem: ImageProblem::Folder,
        });
    }
    // Not the size in the metadata: a pipe has none.
    let mut bytes = Vec::new();
    file.take(limits.file_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    decode_image(&bytes, &name, limits)
}

/// Decodes an image and turns it upright, as its EXIF orientation says; `name` stands for it in errors.
///
/// # Errors
/// If it is over the limits, not an image, or a damaged one.
pub fn decode_image(bytes: &[u8], name: &str, limits: &Limits) -> Result<DynamicImage> {
    decode(bytes, name, limits).map_err(|problem| Error::Image {
        name: name.to_string(),
        problem,
    })
}

fn decode(bytes: &[u8], name: &str, limits: &Limits) -> Result<DynamicImage, ImageProblem> {
    if bytes.is_empty() {
        return Err(ImageProblem::Empty);
    }
    if bytes.len() as u64 > limits.file_bytes {
        return Err(ImageProblem::TooManyBytes {
            limit: limits.file_bytes,
        });
    }
    let format = match sniff(bytes, Some(Path::new(name))) {
        Sniffed::Image(format) if format.reading_enabled() => format,
        Sniffed::Image(_) => {
            return Err(ImageProblem::NotAnImage {
                looks_like: "is an image of a format that is not read here",
            });
        }
        Sniffed::Audio(_) => {
            return Err(ImageProblem::NotAnImage {
                looks_like: "is audio",
            });
        }
        Sniffed::Text => {
            return Err(ImageProblem::NotAnImage {
                looks_like: kind_of_text(bytes),
            });
        }
        Sniffed::Other(looks_like) => return Err(ImageProblem::NotAnImage { looks_like }),
    };
    let failed = |error| problem(format, error);
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(ImageProblem::Truncated { format });
    }

    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut memory = image::Limits::no_limits();
    // The most a pixel takes is four floats; the rest is the decoder's own.
    memory.max_alloc = Some(limits.pixels.saturating_mul(16).saturating_add(64 << 20));
    reader.limits(memory);
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.pixels {
        return Err(ImageProblem::TooManyPixels {
            width,
            height,
            limit: limits.pixels,
        });
    }
    // A picture with a broken note on its orientation is still a picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn problem(format: ImageFormat, error: ImageError) -> ImageProblem {
    match error {
        ImageError::Limits(_) => ImageProblem::TooMuchMemory { format },
        source @ ImageError::Unsupported(_) => ImageProblem::Unsupported { format, source },
        source if ends_early(&source) => ImageProblem::Truncated { format },
        source => ImageProblem::Damaged { format, source },
    }
}

/// Whether the file's end came unexpected, which the decoders say in many ways.
fn ends_early(error: &ImageError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == ErrorKind::UnexpectedEof) {
            return true;
        }
        let text = error.to_string().to_lowercase();
        if ["unexpected end", "unexpected eof", "failed to fill whole buffer"]
            .iter()
            .any(|t| text.contains(t))
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether a JPEG has its end marker: the decoder would fill a missing half with grey and say nothing.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    // Segments, which may hold a thumbnail with an end of its own, up to the first scan.
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == 0xff {
            at += 1; // padding
            continue;
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == 0xda {
            break;
        }
    }
    bytes
        .get(at..)
        .is_some_and(|scans| scans.windows(2).any(|pair| pair == [0xff, 0xd9]))
}

/// What a text is: some look like pictures on a screen.
fn kind_of_text(bytes: &[u8]) -> &'static str {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]);
    if start.contains("<svg") {
        "is an SVG drawing"
    } else if start.trim_start().starts_with('<') {
        "is HTML or XML text"
    } else {
        "is text"
    }
}

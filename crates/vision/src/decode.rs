//! From the bytes of an image file to its pixels, within limits.

use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

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

/// Whether `bytes`, the beginning of a file will do, look like an image that can be decoded.
pub fn looks_like_image(bytes: &[u8]) -> bool {
    image_format(bytes).is_some()
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
    // TGA alone has no magic number.
    let tga = || name.to_lowercase().ends_with(".tga").then_some(ImageFormat::Tga);
    let format = image_format(bytes)
        .or_else(tga)
        .ok_or_else(|| ImageProblem::NotAnImage {
            looks_like: describe(bytes),
        })?;
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

/// The format, if there is a decoder for it.
fn image_format(bytes: &[u8]) -> Option<ImageFormat> {
    let format = image::guess_format(bytes)
        .ok()
        .filter(ImageFormat::reading_enabled)?;
    // Two letters are all the magic that these have: "BMW" and "P2P" are words.
    let plausible = match format {
        ImageFormat::Bmp => bytes.get(15..18).is_some_and(|size| size == [0; 3]),
        ImageFormat::Pnm => bytes.get(2).is_some_and(u8::is_ascii_whitespace),
        _ => true,
    };
    plausible.then_some(format)
}

/// What a file that is no image looks like.
fn describe(bytes: &[u8]) -> &'static str {
    const KNOWN: &[(usize, &[u8], &str)] = &[
        (0, b"%PDF", "a PDF document"),
        (0, b"<svg", "an SVG drawing"),
        (4, b"ftypheic", "an HEIC image"),
        (4, b"ftypmif1", "an HEIC image"),
        (4, b"ftypavif", "an AVIF image"),
        (4, b"ftyp", "an MP4 file"),
        (8, b"WAVE", "WAV audio"),
        (0, b"fLaC", "FLAC audio"),
        (0, b"OggS", "Ogg audio"),
        (0, b"ID3", "MP3 audio"),
        (0, b"PK\x03\x04", "a ZIP archive"),
        (0, b"\x1f\x8b", "gzip-compressed data"),
        (0, b"\x93NUMPY", "a NumPy array"),
        (0, b"\x00\x00\x08\x03", "an IDX file of many pictures"),
        (0, b"\x7fELF", "a program"),
    ];
    let known = KNOWN
        .iter()
        .find(|(at, magic, _)| bytes.get(*at..).is_some_and(|b| b.starts_with(magic)));
    if let Some((_, _, description)) = known {
        return description;
    }
    // A character may be cut at the end of the piece.
    let start = &bytes[..bytes.len().min(1024)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&start[..e.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => "",
    };
    match text {
        "" => "binary data of an unknown format",
        text if text.contains('\0') => "binary data of an unknown format",
        text if text.contains("<svg") => "an SVG drawing",
        text if text.trim_start().starts_with('<') => "HTML or XML text",
        _ => "text",
    }
}

//! What kind of data some bytes are, from the bytes alone.

use std::path::Path;

use image::ImageFormat;

/// What bytes were recognised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sniffed {
    /// An image file.
    Image(ImageFormat),
    /// An audio file of the format named.
    Audio(&'static str),
    /// UTF-8 text.
    Text,
    /// Nothing that a model takes; what it looks like, as the end of a sentence: "is a PDF document".
    Other(&'static str),
}

/// What `bytes` are. Their file's name counts only for TGA, the one image format without a magic number.
pub fn sniff(bytes: &[u8], path: Option<&Path>) -> Sniffed {
    if let Some(format) = image_format(bytes) {
        return Sniffed::Image(format);
    }
    if let Some(format) = audio_format(bytes) {
        return Sniffed::Audio(format);
    }
    if path
        .and_then(Path::extension)
        .is_some_and(|ending| ending.eq_ignore_ascii_case("tga"))
    {
        return Sniffed::Image(ImageFormat::Tga);
    }
    if let Some(description) = other_format(bytes) {
        return Sniffed::Other(description);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Sniffed::Text,
        Ok(_) => Sniffed::Other("holds NUL bytes, so it is not text"),
        Err(_) => Sniffed::Other("is of no format known here"),
    }
}

/// The name of an image format, as people write it.
pub fn image_format_name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Gif => "GIF",
        ImageFormat::WebP => "WebP",
        ImageFormat::Pnm => "PNM",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Tga => "TGA",
        ImageFormat::Dds => "DDS",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Ico => "ICO",
        ImageFormat::Hdr => "Radiance HDR",
        ImageFormat::OpenExr => "OpenEXR",
        ImageFormat::Farbfeld => "farbfeld",
        ImageFormat::Avif => "AVIF",
        ImageFormat::Qoi => "QOI",
        _ => "image",
    }
}

fn image_format(bytes: &[u8]) -> Option<ImageFormat> {
    let format = image::guess_format(bytes).ok()?;
    // Two letters are all the magic that these have: "BMW" and "P2P" are words.
    let plausible = match format {
        ImageFormat::Bmp => matches!(u32_at(bytes, 14), Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124)),
        ImageFormat::Pnm => bytes.get(2).is_some_and(|b| b.is_ascii_whitespace()) && pnm_header(&bytes[2..]),
        _ => true,
    };
    plausible.then_some(format)
}

/// A PNM header goes on with a number, a comment, or (PAM) a keyword.
fn pnm_header(rest: &[u8]) -> bool {
    let first = rest.iter().find(|b| !b.is_ascii_whitespace());
    first.is_some_and(|b| b.is_ascii_digit() || *b == b'#') || rest.starts_with(b"\nWIDTH")
}

fn audio_format(bytes: &[u8]) -> Option<&'static str> {
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|b| b.starts_with(magic));
    if (at(0, b"RIFF") || at(0, b"RF64")) && at(8, b"WAVE") {
        Some("WAV")
    } else if at(0, b"fLaC") {
        Some("FLAC")
    } else if at(0, b"OggS") {
        Some("Ogg")
    } else if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        Some("AIFF")
    } else if at(0, b"ID3") || mpeg_frame(bytes) {
        Some("MP3")
    } else if at(4, b"ftyp")
        && [b"M4A ", b"M4B ", b"mp41", b"mp42", b"isom"]
            .iter()
            .any(|m| at(8, *m))
    {
        Some("MP4")
    } else {
        None
    }
}

/// An MPEG audio frame header, layer II or III, with a valid bit rate and sampling rate.
fn mpeg_frame(bytes: &[u8]) -> bool {
    let [0xff, version, rates, ..] = *bytes else {
        return false;
    };
    let layer = (version >> 1) & 3; // 1: III, 2: II
    version & 0xe0 == 0xe0
        && (version >> 3) & 3 != 1 // reserved version
        && (layer == 1 || layer == 2)
        && rates >> 4 != 15
        && (rates >> 2) & 3 != 3
}

/// Files that people give by mistake, as the end of a sentence.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    const MAGIC: &[(usize, &[u8], &str)] = &[
        (0, b"%PDF", "is a PDF document"),
        (
            0,
            b"PK\x03\x04",
            "is a ZIP archive (or a document or checkpoint packed as one)",
        ),
        (0, b"\x1f\x8b", "is gzip-compressed"),
        (0, b"BZh", "is bzip2-compressed"),
        (0, b"\xfd7zXZ", "is xz-compressed"),
        (0, b"\x28\xb5\x2f\xfd", "is zstd-compressed"),
        (0, b"7z\xbc\xaf", "is a 7-Zip archive"),
        (0, b"Rar!", "is a RAR archive"),
        (257, b"ustar", "is a tar archive"),
        (0, b"\x7fELF", "is an ELF program"),
        (0, b"MZ\x90", "is a Windows program"),
        (0, b"\xcf\xfa\xed\xfe", "is a macOS program"),
        (0, b"SQLite format 3", "is an SQLite database"),
        (0, b"\x93NUMPY", "is a NumPy array"),
        (0, b"\x89HDF", "is an HDF5 file"),
        (
            4,
            b"ftyphei",
            "is an HEIC image, which cannot be read here (PNG or JPEG can)",
        ),
        (4, b"ftypqt", "is a QuickTime video"),
        (0, b"\x1a\x45\xdf\xa3", "is a Matroska or WebM video"),
        (0, b"\xff\xfe", "is UTF-16 text"),
        (0, b"\xfe\xff", "is UTF-16 text"),
        (0, b"\x00\x00\x08\x01", "is an IDX label file"),
        (0, b"\x00\x00\x08\x03", "is an IDX image file"),
    ];
    let found = MAGIC
        .iter()
        .find(|(at, magic, _)| bytes.get(*at..).is_some_and(|b| b.starts_with(magic)));
    found.map(|(_, _, description)| *description)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let four = bytes.get(offset..offset + 4)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn check(bytes: &[u8], expected: Sniffed) {
        let found = sniff(bytes, Some(Path::new("file.png")));
        assert_eq!(found, expected, "{:?}", bytes.escape_ascii().to_string());
    }

    #[test]
    fn images_as_the_image_crate_writes_them() {
        let image = image::DynamicImage::new_rgb8(3, 2);
        for format in ImageFormat::all().filter(ImageFormat::writing_enabled) {
            let mut bytes = Cursor::new(Vec::new());
            if image.write_to(&mut bytes, format).is_err() {
                continue; // wants pixels of another kind
            }
            if format == ImageFormat::Tga {
                let name = Some(Path::new("holiday.TGA"));
                assert_eq!(sniff(bytes.get_ref(), name), Sniffed::Image(format));
            } else {
                check(bytes.get_ref(), Sniffed::Image(format));
            }
        }
    }

    #[test]
    fn audio_by_its_first_bytes() {
        check(b"RIFF\x24\0\0\0WAVEfmt ", Sniffed::Audio("WAV"));
        check(b"fLaC\0\0\0\x22", Sniffed::Audio("FLAC"));
        check(b"OggS\0\x02", Sniffed::Audio("Ogg"));
        check(b"ID3\x04\0\0", Sniffed::Audio("MP3"));
        check(b"\xff\xfb\x90\x64", Sniffed::Audio("MP3"));
        check(b"\0\0\0\x20ftypM4A \0\0\0\0", Sniffed::Audio("MP4"));
        check(b"FORM\0\0\0\0AIFFCOMM", Sniffed::Audio("AIFF"));
    }

    #[test]
    fn words_that_begin_like_a_format_are_text() {
        for text in [
            "BMW builds cars",
            "P2P networks",
            "P5",
            "RIFFs of 1970",
            "GI",
            "é",
            " ",
            "BM",
        ] {
            check(text.as_bytes(), Sniffed::Text);
        }
    }

    #[test]
    fn what_else_it_may_be() {
        check(b"%PDF-1.4", Sniffed::Other("is a PDF document"));
        check(b"\x7fELF\x02", Sniffed::Other("is an ELF program"));
        check(b"\x1f\x8b\x08", Sniffed::Other("is gzip-compressed"));
        check(b"\xff\xfeh\0i\0", Sniffed::Other("is UTF-16 text"));
        check(b"a\0b", Sniffed::Other("holds NUL bytes, so it is not text"));
        check(b"\xc3(", Sniffed::Other("is of no format known here"));
    }
}

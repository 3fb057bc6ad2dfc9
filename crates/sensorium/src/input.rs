//! What a pipeline is given: text, an image or audio, and where it came from.

mod recording;

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use image::DynamicImage;

pub use self::recording::Recording;
use crate::hub::{Sniffed, image_format_name, sniff};

/// The most bytes that are read for one input unless told otherwise: 256 MiB. Recordings have no limit: they are read
/// while they are heard.
pub const MAX_INPUT_BYTES: u64 = 256 << 20;

/// Bytes of the beginning, by which recordings are recognised.
const HEAD: u64 = 1 << 12;

/// One thing to run a pipeline on.
///
/// Its kind is found from its bytes, never from a file name (but for TGA pictures, which have no mark).
///
/// ```
/// use sensorium::{Input, InputKind, Origin};
///
/// let input = Input::from_bytes(b"ID3\x04...".to_vec(), Origin::Memory)?;
/// assert_eq!(input.kind(), InputKind::Audio);
/// # Ok::<(), sensorium::InputError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Input {
    /// Where it came from, for messages.
    pub origin: Origin,
    /// The format its bytes were recognised as ("PNG", "WAV", "UTF-8"), or "decoded" for a
    /// value made in memory.
    pub format: &'static str,
    /// What it holds.
    pub content: Content,
}

/// What an [`Input`] holds.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Content {
    /// Text.
    Text(String),
    /// The bytes of an image file, not decoded yet.
    ImageFile(Vec<u8>),
    /// A decoded image.
    Image(DynamicImage),
    /// A recording, not read yet.
    Audio(Recording),
}

/// The kinds of input that tasks take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum InputKind {
    /// UTF-8 text.
    Text,
    /// An image.
    Image,
    /// Sound.
    Audio,
}

/// Where an input came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A file.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// The program itself.
    Memory,
}

/// Why something is not a usable input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// It could not be read.
    #[error("cannot read {origin}")]
    Read {
        /// What was read.
        origin: Origin,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// It is a folder where one file is needed.
    #[error("{} is a folder; a file is needed here", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// It holds nothing.
    #[error("{origin} is empty; text, an image or audio is needed")]
    Empty {
        /// What was read.
        origin: Origin,
    },
    /// It holds more bytes than allowed.
    #[error("{origin} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// What was read.
        origin: Origin,
        /// The limit, in bytes.
        limit: u64,
    },
    /// It is something else than text, an image or audio.
    #[error("{origin} {looks_like}; UTF-8 text, an image or audio is needed")]
    Unrecognized {
        /// What was read.
        origin: Origin,
        /// What its bytes look like, as the end of a sentence: "is a PDF document".
        looks_like: &'static str,
    },
}

impl Input {
    /// Text that the program holds.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            origin: Origin::Memory,
            format: "decoded",
            content: Content::Text(text.into()),
        }
    }

    /// An image that the program has decoded.
    pub fn image(image: DynamicImage) -> Self {
        Self {
            origin: Origin::Memory,
            format: "decoded",
            content: Content::Image(image),
        }
    }

    /// Recognises the bytes of a file.
    ///
    /// # Errors
    /// If they are empty, or neither UTF-8 text nor an image or audio format that is known.
    pub fn from_bytes(bytes: Vec<u8>, origin: Origin) -> Result<Self, InputError> {
        if bytes.is_empty() {
            return Err(InputError::Empty { origin });
        }
        let path = match &origin {
            Origin::Path(path) => Some(path.as_path()),
            _ => None,
        };
        let (format, content) = match sniff(&bytes, path) {
            Sniffed::Image(format) => (image_format_name(format), Content::ImageFile(bytes)),
            Sniffed::Audio(format) => (format, Content::Audio(Recording::bytes(bytes))),
            Sniffed::Text => {
                let text = String::from_utf8_lossy(&bytes); // which it is
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
                ("UTF-8", Content::Text(text.to_owned()))
            }
            Sniffed::Other(looks_like) => return Err(InputError::Unrecognized { origin, looks_like }),
        };
        Ok(Self {
            origin,
            format,
            content,
        })
    }

    /// Reads and recognises the file at `path`, of at most `max_bytes` bytes. A recording may be larger: only its
    /// beginning is read.
    ///
    /// # Errors
    /// If it cannot be read, is larger than allowed, or is not recognised.
    pub fn read(path: &Path, max_bytes: u64) -> Result<Self, InputError> {
        let origin = Origin::Path(path.to_path_buf());
        if path.is_dir() {
            return Err(InputError::Folder {
                path: path.to_path_buf(),
            });
        }
        let file = File::open(path).map_err(|source| InputError::Read {
            origin: origin.clone(),
            source,
        })?;
        let stays = file.metadata().is_ok_and(|metadata| metadata.is_file());
        let mut input = Self::read_from(file, origin, max_bytes)?;
        if let (Content::Audio(recording), true) = (&mut input.content, stays) {
            *recording = Recording::file(path);
        }
        Ok(input)
    }

    /// Reads and recognises at most `max_bytes` bytes of `reader`, to its end; of a recording only the beginning.
    ///
    /// # Errors
    /// As [`Input::read`].
    pub fn read_from(
        mut reader: impl Read + Send + Sync + 'static,
        origin: Origin,
        max_bytes: u64,
    ) -> Result<Self, InputError> {
        let mut bytes = Vec::new();
        let mut read = |most: u64| reader.by_ref().take(most).read_to_end(&mut bytes);
        if let Err(source) = read(HEAD) {
            return Err(InputError::Read { origin, source });
        }
        if let Sniffed::Audio(format) = sniff(&bytes, None) {
            let recording = Recording::pipe(Cursor::new(bytes).chain(reader));
            return Ok(Self {
                origin,
                format,
                content: Content::Audio(recording),
            });
        }
        let mut read = |most: u64| reader.by_ref().take(most).read_to_end(&mut bytes);
        match read(max_bytes.saturating_add(1).saturating_sub(HEAD)) {
            Err(source) => Err(InputError::Read { origin, source }),
            Ok(_) if bytes.len() as u64 > max_bytes => Err(InputError::TooLarge {
                origin,
                limit: max_bytes,
            }),
            Ok(_) => Self::from_bytes(bytes, origin),
        }
    }

    /// What kind of input this is.
    pub fn kind(&self) -> InputKind {
        match self.content {
            Content::Text(_) => InputKind::Text,
            Content::ImageFile(_) | Content::Image(_) => InputKind::Image,
            Content::Audio(_) => InputKind::Audio,
        }
    }
}

impl From<DynamicImage> for Input {
    fn from(image: DynamicImage) -> Self {
        Self::image(image)
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl InputKind {
    /// The kind's name: `text`, `image` or `audio`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
        }
    }

    /// The kind with its article, for sentences: "an image".
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "an image",
            Self::Audio => "audio",
        }
    }
}

impl fmt::Display for InputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
            Self::Memory => f.write_str("the input"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], max: u64) -> Result<Input, InputError> {
        Input::read_from(Cursor::new(bytes.to_vec()), Origin::Stdin, max)
    }

    #[test]
    fn text_loses_its_byte_order_mark() {
        let input = read("\u{feff}été".as_bytes(), 100).unwrap();
        assert!(matches!(input.content, Content::Text(text) if text == "été"));
    }

    #[test]
    fn each_bad_input_says_what_is_wrong() {
        let check = |bytes: &[u8], expected: &str| {
            assert_eq!(read(bytes, 20).unwrap_err().to_string(), expected);
        };
        check(b"", "standard input is empty; text, an image or audio is needed");
        check(&[b'a'; 21], "standard input is larger than the limit of 20 bytes");
        check(
            b"%PDF-1.7",
            "standard input is a PDF document; UTF-8 text, an image or audio is needed",
        );
    }

    #[test]
    fn a_missing_file_and_a_folder_are_told_apart() {
        let missing = Input::read(Path::new("no/such/file"), 10).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read no/such/file");
        assert!(matches!(
            Input::read(Path::new("."), 10),
            Err(InputError::Folder { .. })
        ));
    }
}

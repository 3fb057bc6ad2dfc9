//! Recordings that are read when they are heard.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A recording that is read when it is heard, however long it is.
#[derive(Clone)]
pub struct Recording(Place);

#[derive(Clone)]
enum Place {
    /// The bytes of a file.
    Bytes(Arc<[u8]>),
    File(PathBuf),
    /// A pipe, until it is read.
    Pipe(Arc<Mutex<Option<Box<dyn Read + Send + Sync>>>>),
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Bytes(bytes) => write!(f, "Recording({} bytes)", bytes.len()),
            Place::File(path) => write!(f, "Recording({})", path.display()),
            Place::Pipe(_) => f.write_str("Recording(a pipe)"),
        }
    }
}

impl Recording {
    /// The bytes of a file.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(Place::Bytes(bytes.into()))
    }

    /// A file that stays where it is.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self(Place::File(path.as_ref().to_path_buf()))
    }

    /// A pipe, which can be heard once.
    pub fn pipe(reader: impl Read + Send + Sync + 'static) -> Self {
        Self(Place::Pipe(Arc::new(Mutex::new(Some(Box::new(reader))))))
    }

    /// Begins to read it.
    ///
    /// # Errors
    /// If it cannot be read, is no sound, or a pipe that was read already.
    #[cfg(feature = "speech")]
    pub fn open(&self) -> Result<crate::speech::AudioStream, crate::speech::AudioError> {
        use std::io::{Error, ErrorKind};
        use std::sync::PoisonError;

        use crate::speech::AudioStream;

        match &self.0 {
            Place::Bytes(bytes) => AudioStream::decode(Arc::clone(bytes)),
            Place::File(path) => AudioStream::open(path),
            Place::Pipe(pipe) => {
                let reader = pipe.lock().unwrap_or_else(PoisonError::into_inner).take();
                AudioStream::new(reader.ok_or_else(|| {
                    Error::new(ErrorKind::UnexpectedEof, "it is a pipe and was read already")
                })?)
            }
        }
    }
}

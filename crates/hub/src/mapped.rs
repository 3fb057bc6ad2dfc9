//! Opening checkpoints.

use std::fs;
use std::io;
use std::path::Path;

use sensorium_kernels::MappedFile;

use crate::{Error, Result};

/// Maps the regular file at `path`.
///
/// # Errors
/// [`Error::Read`] if there is none.
pub(crate) fn open(path: &Path) -> Result<MappedFile> {
    // Looked at before it is opened: opening a pipe would wait for a writer.
    let meta = fs::metadata(path).map_err(Error::read(path))?;
    if !meta.is_file() {
        let reason = io::Error::new(io::ErrorKind::InvalidInput, "not a regular file");
        return Err(Error::read(path)(reason));
    }
    MappedFile::open(path).map_err(Error::read(path))
}

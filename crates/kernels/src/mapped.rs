//! Files mapped into memory, and tensors that live in them.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::SystemTime;

use memmap2::MmapMut;
use tch::{Device, Kind, Tensor};

/// A file mapped into memory for the rest of the process.
///
/// The mapping is private (copy on write), and is never undone, because a libtorch tensor may point
/// into it for as long as the process lives; pages that nobody touches cost no memory. Opening the
/// same unchanged file again reuses the mapping.
#[derive(Debug, Clone, Copy)]
pub struct MappedFile {
    bytes: &'static [u8],
}

/// What makes a file "the same file, unchanged": path, inode, length, time of the last change.
///
/// A file that is replaced by rename right after it was written can have the same length and time
/// as before. Its inode tells: that of a mapped file is not given out again.
type Key = (PathBuf, u64, u64, Option<SystemTime>);

static OPEN: LazyLock<Mutex<HashMap<Key, MappedFile>>> = LazyLock::new(Mutex::default);

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    /// If the file cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let key = (
            path.canonicalize()?,
            inode(&meta),
            meta.len(),
            meta.modified().ok(),
        );
        let mut open = OPEN.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(mapped) = open.get(&key) {
            return Ok(*mapped);
        }
        let bytes: &'static [u8] = if meta.len() == 0 {
            &[] // an empty file cannot be mapped
        } else {
            // SAFETY: the mapping is private, so writes by other programs to the file's pages are
            // the only hazard; checkpoints and binary language models must be replaced by rename,
            // never rewritten in place. What tools rewrite in place, as ARPA files, is not mapped.
            let map = unsafe { memmap2::MmapOptions::new().map_copy(&file)? };
            let map: &'static mut MmapMut = Box::leak(Box::new(map));
            map
        };
        let mapped = Self { bytes };
        open.insert(key, mapped);
        Ok(mapped)
    }

    /// Wraps bytes that are part of the program itself (`include_bytes!`).
    pub fn from_static(bytes: &'static [u8]) -> Self {
        Self { bytes }
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &'static [u8] {
        self.bytes
    }

    /// A CPU tensor over the bytes `start..start + len`, without a copy where alignment allows.
    ///
    /// Returns `None` if the range is out of bounds or does not hold exactly `shape` elements.
    /// The tensor must not be written in place.
    pub fn tensor(&self, start: usize, len: usize, shape: &[i64], kind: Kind) -> Option<Tensor> {
        let bytes = self.bytes.get(start..start.checked_add(len)?)?;
        let mut needed = kind.elt_size_in_bytes();
        for &dim in shape {
            needed = needed.checked_mul(usize::try_from(dim).ok()?)?;
        }
        if needed != len {
            return None;
        }
        if len == 0 || !bytes.as_ptr().addr().is_multiple_of(kind.elt_size_in_bytes()) {
            return Some(copied(bytes, shape, kind));
        }
        // SAFETY: the bytes live for the rest of the process, are aligned for `kind`, and hold
        // exactly the elements of the contiguous `shape` (checked above).
        Some(unsafe {
            Tensor::from_blob(
                bytes.as_ptr(),
                shape,
                &contiguous_strides(shape),
                kind,
                Device::Cpu,
            )
        })
    }
}

#[cfg(unix)]
fn inode(meta: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(meta)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

fn copied(bytes: &[u8], shape: &[i64], kind: Kind) -> Tensor {
    Tensor::from_data_size(bytes, shape, kind)
}

fn contiguous_strides(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i].max(1);
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_a_tensor_without_copying() {
        let dir = std::env::temp_dir().join(format!("sensorium-mapped-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join("x");
        let data: Vec<u8> = [1f32, 2., 3., 4.].iter().flat_map(|x| x.to_le_bytes()).collect();
        std::fs::write(&path, &data).unwrap();
        let file = MappedFile::open(&path).unwrap();
        let t = file.tensor(0, 16, &[2, 2], Kind::Float).unwrap();
        assert_eq!(t.data_ptr() as usize, file.bytes().as_ptr() as usize);
        assert_eq!(Vec::<f32>::try_from(t.flatten(0, -1)).unwrap(), [1., 2., 3., 4.]);
        // unaligned: copied, same values
        let t = file.tensor(4, 8, &[2], Kind::Float).unwrap();
        assert_eq!(Vec::<f32>::try_from(t).unwrap(), [2., 3.]);
        assert!(file.tensor(8, 16, &[4], Kind::Float).is_none());
        assert!(file.tensor(0, 16, &[3], Kind::Float).is_none());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}

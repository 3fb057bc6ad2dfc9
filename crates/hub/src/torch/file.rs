//! A PyTorch checkpoint as a source of tensors.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use sensorium_blocks::TensorSource;
use sensorium_kernels::MappedFile;
use tch::{Kind, Tensor};

use super::nodes::Pickle;
use super::{TorchProblem, legacy, pickle, state, zip};
use crate::{Error, Result, mapped};

/// A checkpoint that `torch.save` has written, mapped into memory.
///
/// Nothing in it is executed. Tensors are handed out without a copy where their layout and their place in
/// the file allow; they must not be written in place.
#[derive(Debug)]
pub struct TorchFile {
    file: MappedFile,
    origin: String,
    tensors: BTreeMap<String, Entry>,
}

/// A tensor's type and layout, and the bytes from its first element to its last.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    shape: Vec<i64>,
    strides: Vec<i64>,
    start: usize,
    len: usize,
}

/// A tensor may be larger than its file by repeating elements (`expand`), up to so many bytes.
const MAX_REPEATED: usize = 1 << 24;

/// More dimensions than any model has.
const MAX_RANK: usize = 64;

impl TorchFile {
    /// Maps the file at `path` and reads which tensors it has: each must lie within the file.
    ///
    /// # Errors
    /// [`Error::Read`] if there is no such regular file; [`Error::Torch`] if it is damaged, or holds
    /// anything but weights.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(path.display().to_string(), mapped::open(path)?)
    }

    /// Reads a checkpoint that is part of the program (`include_bytes!`); `origin` names it in messages.
    ///
    /// # Errors
    /// [`Error::Torch`], as [`open`](Self::open).
    pub fn from_static(origin: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::new(origin.to_string(), MappedFile::from_static(bytes))
    }

    /// The stored dtype of `name`, if there is such a tensor.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.tensors.get(name).map(|entry| entry.kind)
    }

    fn new(origin: String, file: MappedFile) -> Result<Self> {
        match parse(file.bytes()) {
            Ok(tensors) => Ok(Self {
                file,
                origin,
                tensors,
            }),
            Err(problem) => Err(Error::Torch {
                file: origin,
                problem,
            }),
        }
    }
}

impl TensorSource for TorchFile {
    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<i64>> {
        self.tensors.get(name).map(|entry| entry.shape.clone())
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        let entry = self.tensors.get(name)?;
        if is_contiguous(&entry.shape, &entry.strides) {
            return self.file.tensor(entry.start, entry.len, &entry.shape, entry.kind);
        }
        let numel = (entry.len / entry.kind.elt_size_in_bytes()) as i64;
        let flat = self.file.tensor(entry.start, entry.len, &[numel], entry.kind)?;
        let view = flat.f_as_strided(&entry.shape, &entry.strides, 0).ok()?;
        view.f_contiguous().ok()
    }

    fn origin(&self) -> String {
        self.origin.clone()
    }
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, TorchProblem> {
    if bytes.is_empty() {
        return Err(TorchProblem::Empty);
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(TorchProblem::LfsPointer);
    }
    let (pickle, storages) = if bytes.starts_with(b"PK\x03\x04") {
        archive(bytes)?
    } else if bytes.starts_with(legacy::MAGIC) {
        legacy::read(bytes)?
    } else {
        return Err(TorchProblem::Format);
    };
    let mut tensors = BTreeMap::new();
    for tensor in state::tensors(&pickle)? {
        let entry = entry(&tensor, &storages, bytes.len())?;
        tensors.insert(tensor.name, entry);
    }
    Ok(tensors)
}

/// The pickle of an archive, and where each storage's numbers are.
fn archive(bytes: &[u8]) -> Result<(Pickle, BTreeMap<String, Range<usize>>), TorchProblem> {
    let parts = zip::parts(bytes).map_err(|problem| match problem {
        TorchProblem::Compressed { part } if part.contains("/code/") => TorchProblem::TorchScript,
        problem => problem,
    })?;
    // Everything is in one folder, whose name is the one that the file had when it was saved.
    let root = parts
        .keys()
        .filter_map(|name| name.strip_suffix("data.pkl"))
        .find(|root| root.is_empty() || (root.ends_with('/') && root.matches('/').count() == 1));
    let root = root.ok_or(TorchProblem::Archive("it holds no list of tensors"))?;
    let part = |name: &str| {
        parts
            .get(&format!("{root}{name}"))
            .map(|range| &bytes[range.clone()])
    };
    if part("constants.pkl").is_some() {
        return Err(TorchProblem::TorchScript);
    }
    if part("byteorder").is_some_and(|order| order == b"big") {
        return Err(TorchProblem::BigEndian);
    }
    let pickle = pickle::read(part("data.pkl").unwrap_or_default())?;
    let folder = format!("{root}data/");
    let storages = parts
        .iter()
        .filter_map(|(name, range)| Some((name.strip_prefix(&folder)?.to_string(), range.clone())))
        .collect();
    Ok((pickle, storages))
}

/// Where a tensor's bytes are, if they are within its storage.
fn entry(
    tensor: &state::Tensor,
    storages: &BTreeMap<String, Range<usize>>,
    file_len: usize,
) -> Result<Entry, TorchProblem> {
    let wrong = |problem| TorchProblem::Tensor {
        tensor: tensor.name.clone(),
        problem,
    };
    let storage = storages
        .get(&tensor.storage.key)
        .ok_or_else(|| wrong("its storage is missing"))?;
    let (shape, strides) = (&tensor.shape, &tensor.strides);
    if shape.len() != strides.len() || shape.len() > MAX_RANK {
        return Err(wrong("its shape makes no sense"));
    }
    let numbers = [&[tensor.offset, tensor.storage.first], &shape[..], &strides[..]].concat();
    if numbers.iter().any(|n| *n < 0) {
        return Err(wrong("its shape or place is negative"));
    }
    let size = tensor.kind.elt_size_in_bytes();
    let numel = shape.iter().try_fold(1i64, |n, dim| n.checked_mul(*dim));
    let bytes = numel.and_then(|n| usize::try_from(n).ok()?.checked_mul(size));
    let bytes = bytes.ok_or_else(|| wrong("its size is impossible"))?;
    // From the first element to behind the last.
    let extent = if bytes == 0 {
        Some(0)
    } else {
        let steps = shape.iter().zip(strides);
        steps
            .map(|(dim, stride)| (dim - 1).checked_mul(*stride))
            .try_fold(1i64, |n, step| n.checked_add(step?))
    };
    let in_bytes = |n: i64| usize::try_from(n).ok()?.checked_mul(size);
    let place = tensor.offset.checked_add(tensor.storage.first).and_then(in_bytes);
    let range = place.zip(extent.and_then(in_bytes)).and_then(|(start, len)| {
        let start = storage.start.checked_add(start)?;
        Some(start..start.checked_add(len)?)
    });
    let range = match range {
        Some(range) if range.end <= storage.end => range,
        Some(range) if range.is_empty() => storage.start..storage.start,
        _ => return Err(wrong("it lies beyond its storage")),
    };
    if bytes > range.len() && bytes > file_len.max(MAX_REPEATED) {
        return Err(wrong("it repeats its elements too often"));
    }
    Ok(Entry {
        kind: tensor.kind,
        shape: shape.clone(),
        strides: strides.clone(),
        start: range.start,
        len: range.len(),
    })
}

/// Whether elements follow each other row by row.
fn is_contiguous(shape: &[i64], strides: &[i64]) -> bool {
    let mut expected = 1;
    for (dim, stride) in shape.iter().zip(strides).rev() {
        if *dim == 0 {
            return true;
        }
        if *dim != 1 {
            if *stride != expected {
                return shape.contains(&0);
            }
            expected *= dim;
        }
    }
    true
}

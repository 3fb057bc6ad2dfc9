//! Reading: the header is checked once, the tensors stay in the file.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::Metadata;
use sensorium_blocks::TensorSource;
use sensorium_kernels::MappedFile;
use tch::{Kind, Tensor};

use super::{MAX_HEADER, kind_of};
use crate::{Error, Result, SafetensorsProblem, mapped};

/// A safetensors file mapped into memory.
///
/// Tensors are handed out without a copy where their place in the file allows; they must not be
/// written in place.
#[derive(Debug)]
pub struct SafetensorsFile {
    file: MappedFile,
    origin: String,
    tensors: BTreeMap<String, Entry>,
    metadata: BTreeMap<String, String>,
}

/// A tensor's type, shape and bytes, the offsets counted from the start of the file.
#[derive(Debug)]
struct Entry {
    kind: Kind,
    shape: Vec<i64>,
    start: usize,
    len: usize,
}

impl SafetensorsFile {
    /// Maps the file at `path` and checks its header: types, shapes and offsets must agree with
    /// each other and with the file's length.
    ///
    /// # Errors
    /// [`Error::Read`] if there is no such regular file, [`Error::Safetensors`] if it is damaged or
    /// holds a type that libtorch does not have.
    pub fn open(path: &Path) -> Result<Self> {
        Self::new(path.display().to_string(), mapped::open(path)?)
    }

    /// Reads a checkpoint that is part of the program (`include_bytes!`); `origin` names it in
    /// messages.
    ///
    /// # Errors
    /// [`Error::Safetensors`], as [`open`](Self::open).
    pub fn from_static(origin: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::new(origin.to_string(), MappedFile::from_static(bytes))
    }

    /// The file's own key/value pairs (`__metadata__`), e.g. `format: pt`.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The stored dtype of `name`, if there is such a tensor.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.tensors.get(name).map(|entry| entry.kind)
    }

    fn new(origin: String, file: MappedFile) -> Result<Self> {
        match parse(file.bytes()) {
            Ok((tensors, metadata)) => Ok(Self {
                file,
                origin,
                tensors,
                metadata,
            }),
            Err(problem) => Err(Error::Safetensors {
                file: origin,
                problem,
            }),
        }
    }
}

impl TensorSource for SafetensorsFile {
    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<i64>> {
        self.tensors.get(name).map(|entry| entry.shape.clone())
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        let Entry {
            kind,
            shape,
            start,
            len,
        } = self.tensors.get(name)?;
        self.file.tensor(*start, *len, shape, *kind)
    }

    fn origin(&self) -> String {
        self.origin.clone()
    }
}

type Header = (BTreeMap<String, Entry>, BTreeMap<String, String>);

fn parse(bytes: &[u8]) -> Result<Header, SafetensorsProblem> {
    use SafetensorsProblem as Problem;
    let found = bytes.len() as u64;
    if bytes.is_empty() {
        return Err(Problem::Empty);
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(Problem::LfsPointer);
    }
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(Problem::Truncated { needed: 8, found });
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return Err(Problem::HeaderLength {
            length,
            limit: MAX_HEADER,
        });
    }
    let data_start = 8 + length as usize;
    let Some(header) = rest.get(..length as usize) else {
        return Err(Problem::Truncated {
            needed: data_start as u64,
            found,
        });
    };
    // `Metadata` checks that the tensors lie one after the other and have the size of their shape.
    // Whether the file is as long is compared here and not by `SafeTensors::read_metadata`, whose
    // sum can overflow.
    let header: Metadata = serde_json::from_slice(header).map_err(Problem::Header)?;
    let needed = (data_start as u64).saturating_add(header.data_len() as u64);
    if needed > found {
        return Err(Problem::Truncated { needed, found });
    }
    if needed < found {
        return Err(Problem::Surplus {
            extra: found - needed,
        });
    }
    let mut tensors = BTreeMap::new();
    for (name, info) in header.tensors() {
        let Some(kind) = kind_of(info.dtype) else {
            return Err(Problem::Dtype {
                tensor: name,
                dtype: format!("{:?}", info.dtype),
            });
        };
        let shape: Result<Vec<i64>, _> = info.shape.iter().map(|&dim| i64::try_from(dim)).collect();
        let Ok(shape) = shape else {
            return Err(Problem::Shape {
                tensor: name,
                shape: info.shape.clone(),
            });
        };
        let (start, end) = info.data_offsets;
        tensors.insert(
            name,
            Entry {
                kind,
                shape,
                start: data_start + start,
                len: end - start,
            },
        );
    }
    let metadata = header.metadata().clone().unwrap_or_default();
    Ok((tensors, metadata.into_iter().collect()))
}

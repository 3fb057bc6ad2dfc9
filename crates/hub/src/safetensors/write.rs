//! Writing: the same tensors always make the same bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use safetensors::tensor::TensorInfo;
use tch::{Device, Kind, TchError, Tensor};

use super::{MAX_HEADER, dtype_of};
use crate::{Error, Result, SafetensorsProblem, SaveProblem, atomic};

/// The header's entry for the file's own key/value pairs.
const METADATA: &str = "__metadata__";

/// Saves named tensors, of any device and layout, and `metadata` at `path`: whole, or not at all.
///
/// The same tensors give the same bytes, in whatever order they come: they are stored by falling
/// size of their element type, then by name, as the reference implementation does, so that each is
/// aligned. The file is written beside `path` and renamed (see [`atomic`]).
///
/// # Errors
/// [`Error::SaveTensor`] for a type that safetensors does not have or a name given twice, before
/// anything is written; [`Error::Write`] if the disk is full or the folder cannot be written.
pub fn save_safetensors(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let (header, order) = header(tensors, metadata).map_err(|(tensor, problem)| Error::SaveTensor {
        path: path.to_path_buf(),
        tensor: tensor.to_string(),
        problem,
    })?;
    if header.len() as u64 > MAX_HEADER {
        let problem = SafetensorsProblem::HeaderLength {
            length: header.len() as u64,
            limit: MAX_HEADER,
        };
        return Err(Error::Safetensors {
            file: path.display().to_string(),
            problem,
        });
    }
    atomic::write(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        order.iter().try_for_each(|&tensor| write_tensor(out, tensor))
    })
}

type Planned<'a> = (Vec<u8>, Vec<&'a Tensor>);

/// The JSON header, padded to a multiple of eight bytes, and the tensors in the order of the file.
fn header<'a>(
    tensors: &'a [(String, Tensor)],
    metadata: &BTreeMap<String, String>,
) -> Result<Planned<'a>, (&'a str, SaveProblem)> {
    let mut entries = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let kind = tensor
            .f_kind()
            .map_err(|e| (name.as_str(), SaveProblem::Libtorch(e)))?;
        let dtype = dtype_of(kind).ok_or((name.as_str(), SaveProblem::Kind(kind)))?;
        if name == METADATA {
            return Err((name, SaveProblem::Reserved));
        }
        entries.push((dtype, name.as_str(), tensor));
    }
    entries.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));

    let mut json = serde_json::Map::new(); // keeps the order of insertion
    if !metadata.is_empty() {
        let pairs = metadata.iter().map(|(k, v)| (k.clone(), v.clone().into()));
        json.insert(METADATA.to_string(), serde_json::Value::Object(pairs.collect()));
    }
    let mut offset = 0;
    for (dtype, name, tensor) in &entries {
        let shape: Vec<usize> = tensor.size().iter().map(|&dim| dim as usize).collect();
        let end = offset + shape.iter().product::<usize>() * (dtype.bitsize() / 8);
        let info = TensorInfo {
            dtype: *dtype,
            shape,
            data_offsets: (offset, end),
        };
        let info = serde_json::to_value(&info).unwrap_or_default(); // plain numbers: cannot fail
        if json.insert(name.to_string(), info).is_some() {
            return Err((name, SaveProblem::Twice));
        }
        offset = end;
    }
    let mut header = serde_json::Value::Object(json).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok((header, entries.into_iter().map(|(_, _, tensor)| tensor).collect()))
}

fn write_tensor(out: &mut dyn Write, tensor: &Tensor) -> io::Result<()> {
    let bytes = tensor_bytes(tensor).map_err(io::Error::other)?;
    out.write_all(&bytes)
}

fn tensor_bytes(tensor: &Tensor) -> Result<Vec<u8>, TchError> {
    // The bit pattern is copied, not the number, so that a NaN keeps its payload.
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let numel = tensor.numel();
    let kind: Kind = tensor.f_kind()?;
    let mut bytes = vec![0; numel * kind.elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, numel)?;
    Ok(bytes)
}

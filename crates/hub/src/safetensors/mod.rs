//! Checkpoints in the safetensors format: <https://huggingface.co/docs/safetensors>.
//!
//! A file is eight bytes with the header's length, a JSON header with the type, shape and offsets
//! of each tensor, and the tensors' bytes, little-endian and row by row.

mod read;
mod write;

use safetensors::Dtype;
use tch::Kind;

pub use read::SafetensorsFile;
pub use write::save_safetensors;

/// The longest header that the reference implementation reads.
const MAX_HEADER: u64 = 100_000_000;

/// The types that libtorch and safetensors share.
const TYPES: &[(Dtype, Kind)] = &[
    (Dtype::F64, Kind::Double),
    (Dtype::F32, Kind::Float),
    (Dtype::F16, Kind::Half),
    (Dtype::BF16, Kind::BFloat16),
    (Dtype::I64, Kind::Int64),
    (Dtype::I32, Kind::Int),
    (Dtype::I16, Kind::Int16),
    (Dtype::I8, Kind::Int8),
    (Dtype::U8, Kind::Uint8),
    (Dtype::BOOL, Kind::Bool),
];

fn kind_of(dtype: Dtype) -> Option<Kind> {
    TYPES.iter().find(|(d, _)| *d == dtype).map(|(_, k)| *k)
}

fn dtype_of(kind: Kind) -> Option<Dtype> {
    TYPES.iter().find(|(_, k)| *k == kind).map(|(d, _)| *d)
}

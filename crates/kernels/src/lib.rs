//! The one crate with `unsafe` code: memory-mapped tensors and CPU kernels.
//!
//! **Invariant:** every `unsafe` block in the project lives here, each with a `SAFETY` note.

mod mapped;

pub use mapped::MappedFile;

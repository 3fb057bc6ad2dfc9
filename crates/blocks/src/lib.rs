//! Tensors in, tensors out: parameters, layers and initialisers shared by text, vision and speech.
//!
//! **Invariant:** this crate reads no file and knows no task.

mod source;

pub use source::{MemorySource, TensorSource};

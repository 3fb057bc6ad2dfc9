//! Tensors in, tensors out: parameters, initialisers and layers shared by text, vision and speech.
//!
//! **Invariant:** this crate reads no file and knows no task.

mod conv;
mod init;
mod linear;
mod norm;
mod params;
mod source;

pub use conv::{Conv2d, ConvReluPool};
pub use init::Init;
pub use linear::Linear;
pub use norm::BatchNorm2d;
pub use params::{Param, Params, ParamsError, Role};
pub use source::{MemorySource, TensorSource};

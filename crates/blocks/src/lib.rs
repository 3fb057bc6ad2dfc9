//! Tensors in, tensors out: parameters, initialisers and layers shared by text, vision and speech.
//!
//! **Invariant:** this crate reads no file and knows no task.

/// The release of libtorch that this version of Sensorium is built for and tested with.
pub const LIBTORCH_VERSION: &str = "2.11.0";

mod activation;
mod attention;
mod block;
mod cache;
mod config;
mod conformer;
mod conv;
mod conv1d;
mod cross_attention;
mod distance_attention;
mod embedding;
mod gated_attention;
mod head;
mod init;
mod kind;
mod linear;
mod mask;
mod mlp;
mod norm;
mod params;
mod relative;
mod rope;
pub mod seq2seq;
mod shifted_attention;
mod source;

pub use activation::{Activation, UnknownActivation};
pub use attention::{Attention, Heads, Pass, Projections};
pub use block::{Block, CrossBlock, SelfAttention, Wiring};
pub use cache::KvCache;
pub use config::{BuildError, ConfigProblem, divide, size};
pub use conformer::{ConformerBlock, ConvModule, ConvNorm};
pub use conv::{Conv2d, ConvReluPool};
pub use conv1d::{Conv1d, Conv1dShape, Upsample1d};
pub use cross_attention::CrossAttention;
pub use distance_attention::DistanceAttention;
pub use embedding::Embedding;
pub use gated_attention::GatedAttention;
pub use head::Head;
pub use init::Init;
pub use kind::in_f32;
pub use linear::Linear;
pub use mask::Mask;
pub use mlp::Mlp;
pub use norm::{BatchNorm, GroupNorm, LayerNorm, Norm, RmsNorm};
pub use params::{Param, Params, ParamsError, Role};
pub use relative::RelativeBias;
pub use rope::{Rope, RopeError, RopeShape, Rotation, sinusoidal};
pub use sensorium_kernels::{Guess, Pairs, keep_compiled_shapes, keep_freed_memory};
pub use shifted_attention::ShiftedAttention;
pub use source::{MemorySource, TensorSource};

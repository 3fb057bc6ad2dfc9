//! The one crate with `unsafe` code and C++: memory-mapped tensors, CPU kernels, the C++ bridge.
//!
//! **Invariant:** every `unsafe` block in the project lives here, each with a `SAFETY` note.

mod allocator;
mod attend;
mod attend_many;
mod bridge;
mod conv_line;
mod conv_pool;
mod few_rows;
mod gated;
mod gelu;
mod linear_columns;
mod linear_rows;
mod linear_tiles;
mod mapped;
mod memory;
mod norms;
mod rotate;
mod screen;
mod seen;
mod simd;
mod strided;
mod team;
mod widen;

pub use allocator::{keep_compiled_shapes, keep_freed_memory};
pub use attend::attend_one;
pub use attend_many::attend_many;
pub use bridge::{grad_enabled, on_one_thread, parallel_for, with_backward};
pub use conv_line::LineConv;
pub use conv_pool::conv_relu_pool;
pub use gated::silu_mul;
pub use gelu::{Normal, gelu};
pub use linear_columns::linear_columns;
pub use linear_rows::linear_rows;
pub use mapped::MappedFile;
pub use norms::{Gain, layer_norm, rms_norm};
pub use rotate::{Pairs, rotate};
pub use screen::{Guess, Screen};
pub use seen::Seen;
pub use simd::widening_is_fastest;
pub use widen::widen;

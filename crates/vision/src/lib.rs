//! Vision: pictures in, tensors and labels out.
//!
//! From files to pixels ([`decode`], [`idx`], [`mnist`]), from pixels to what a network was trained on
//! ([`digit`], [`augment`](mod@augment)), and the networks ([`models`]).

pub mod augment;
mod classify;
pub mod decode;
pub mod digit;
mod error;
pub mod idx;
pub mod mnist;
pub mod models;
pub mod object;

pub use classify::{BuildError, Builder, ClassifyError, ImageClassifier, Label};
pub use error::{Error, IdxProblem, ImageProblem, Result};

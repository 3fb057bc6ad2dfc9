//! Text: tokenizers, model families, pipelines.
//!
//! **Invariant:** this crate knows nothing of vision and speech.

pub mod causal;
mod error;
mod generator;
pub mod tokenizer;

pub use error::{ConfigProblem, Error};
pub use generator::{Completion, GenerateOptions, OnText, TextGenerator};

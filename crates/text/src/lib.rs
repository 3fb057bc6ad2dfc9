//! Text: tokenizers, model families, pipelines.
//!
//! **Invariant:** this crate knows nothing of vision and speech.

pub mod causal;
mod error;
mod family;
mod generator;
pub mod seq2seq;
mod text_to_text;
pub mod tokenizer;

pub use error::{ConfigProblem, Error};
pub use family::NewError;
pub use generator::{Completion, GenerateOptions, OnText, TextGenerator};
pub use text_to_text::{TextToText, WriteOptions, Written};

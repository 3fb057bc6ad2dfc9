//! Text: model families, pipelines.
//!
//! **Invariant:** this crate knows nothing of vision and speech.

pub mod causal;
pub mod document;
mod error;
mod family;
mod generator;
pub mod seq2seq;
mod summarize;
mod text_to_text;
mod translate;

pub use error::Error;
pub use family::NewError;
pub use generator::{Completion, GenerateOptions, OnText, TextGenerator};
pub use sensorium_blocks::ConfigProblem;
pub use sensorium_tokenizer as tokenizer;
pub use summarize::Summarizer;
pub use text_to_text::{TextToText, WriteOptions, Written};
pub use translate::{Languages, TranslateOptions, Translator, same_language};

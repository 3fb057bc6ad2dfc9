//! Networks of speech models, a file a family.

pub mod ast;
pub mod wav2vec2;
pub mod whisper;

//! Networks of speech models, a file a family.

pub mod aligner;
pub mod ast;
pub mod classifier;
pub mod ctc;
mod encoder;
pub mod fastspeech2;
pub mod hifi_gan;
pub mod moonshine;
pub mod silero;
pub mod speecht5;
pub mod speller;
pub mod vits;
pub mod vocos;
pub mod wav2vec2;
pub mod wav2vec2_bert;
pub mod whisper;

pub use encoder::{Hidden, MODEL_TYPES, SpeechEncoder, States};

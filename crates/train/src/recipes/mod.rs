//! Ready recipes: a data set, a network and settings that work together.

pub mod asr;
pub mod g2p;
pub mod lm;
pub mod mnist;
mod recorder;
mod session;
pub mod sounds;
pub mod translation;
pub mod tts;
pub mod whisper;

pub use session::Session;

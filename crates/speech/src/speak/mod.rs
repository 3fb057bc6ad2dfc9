//! Text to speech.

mod speecht5;
mod vits;
mod vocoder;

pub use speecht5::{Ending, SpeechT5Voice};
pub use vits::VitsVoice;
pub use vocoder::{HifiGanVocoder, Vocoder};

//! Speech: sound files, features, speech to text, classes of sounds.
//!
//! **Invariant:** this crate knows nothing of text pipelines and vision.

pub mod audio;
mod classify;
pub mod ctc;
mod error;
pub mod features;
pub mod front;
mod intake;
mod live;
pub mod models;
pub mod moonshine;
mod options;
mod recognize;
mod several;
pub mod speak;
pub mod subtitles;
mod teller;
pub mod vocabulary;
pub mod voice;
mod warp;
pub mod whisper;

pub use audio::{Audio, AudioError, AudioStream, Damage};
pub use classify::{AudioClassifier, Function, Label};
pub use ctc::{Aligned, BeamSearch, CtcRecognizer, NGrams, Piece};
pub use error::Error;
pub use live::LiveTranscriber;
pub use moonshine::{MoonshineOptions, MoonshineRecognizer};
pub use options::SpeechToTextOptions;
pub use recognize::{SpeechToText, Spoken};
pub use speak::{Sound, SpeakOptions, Speaker, TextToSpeech, Uttered};
pub use teller::News;
pub use voice::{Silero, VoiceActivity};
pub use whisper::{WhisperOptions, WhisperRecognizer};

//! Training voices: the network that makes spectrograms of phonemes, and the vocoder that makes sound of them.

pub mod aligner;
pub mod alignment;
mod corpus;
mod lines;
mod samples;
pub mod vocoder;
mod voice;

pub use corpus::{Corpus, Spectrogram, Utterance};
pub use voice::{Settings, train, vocabulary};

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// Finished or stopped.
    pub outcome: crate::trainer::Outcome,
    /// What is also in `training.json`.
    pub record: crate::record::TrainingRecord,
}

//! `sensorium train`: from data to a model folder.

mod aligner;
mod asr;
mod display;
mod g2p;
mod lm;
mod mnist;
mod options;
mod sound_args;
mod sounds;
mod translation;
mod tts;

use std::process::ExitCode;

use anyhow::Result;
use sensorium::train::recipes::mnist::DataName;

use crate::context::Context;

pub use sounds::LabelName;

/// What to train on.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Handwritten digits
    Mnist(mnist::Args),
    /// Pictures of clothes, 28×28 like MNIST
    FashionMnist(mnist::Args),
    /// A language model, from scratch or from a checkpoint
    Lm(Box<lm::Args>),
    /// A recogniser of speech, from scratch or from a checkpoint
    Asr(Box<asr::Args>),
    /// A classifier of recordings: what is said, or who says it
    Sounds(Box<sounds::Args>),
    /// A translator, from scratch or from a checkpoint
    Translation(Box<translation::Args>),
    /// A speller: from letters to phonemes
    G2p(Box<g2p::Args>),
    /// When each phoneme of a voice's recordings is said: alignments for `train tts`
    Aligner(Box<aligner::Args>),
    /// A voice: from phonemes to spectrograms
    Tts(Box<tts::VoiceArgs>),
    /// A vocoder: from spectrograms to sound
    Vocoder(Box<tts::VocoderArgs>),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<ExitCode> {
    match command {
        Command::Mnist(args) => mnist::run(DataName::Mnist, args, context),
        Command::FashionMnist(args) => mnist::run(DataName::FashionMnist, args, context),
        Command::Lm(args) => lm::run(args, context),
        Command::Asr(args) => asr::run(args, context),
        Command::Sounds(args) => sounds::run(args, context),
        Command::Translation(args) => translation::run(args, context),
        Command::G2p(args) => g2p::run(args, context),
        Command::Aligner(args) => aligner::run(args, context),
        Command::Tts(args) => tts::voice(args, context),
        Command::Vocoder(args) => tts::vocoder(args, context),
    }
}

//! `sensorium eval`: how good a model is on a test set.

mod asr;
mod confusion;
mod digits;
mod lm;
mod normalizer;
mod recordings;
mod sounds;
mod translation;

use std::process::ExitCode;

use anyhow::Result;
use sensorium::train::recipes::mnist::DataName;

use crate::context::Context;

/// What to evaluate on.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The 10,000 test digits
    Mnist(digits::Args),
    /// The 10,000 test pictures of clothes
    FashionMnist(digits::Args),
    /// A text: how well a language model predicts it
    Lm(lm::Args),
    /// Recordings: errors of words and characters
    Asr(Box<asr::Args>),
    /// Recordings: how often their classes are found
    Sounds(sounds::Args),
    /// Translations: BLEU, chrF, TER beside references
    Translation(Box<translation::Args>),
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<ExitCode> {
    match command {
        Command::Mnist(args) => digits::run(DataName::Mnist, args, context),
        Command::FashionMnist(args) => digits::run(DataName::FashionMnist, args, context),
        Command::Lm(args) => lm::run(args, context),
        Command::Asr(args) => asr::run(args, context),
        Command::Sounds(args) => sounds::run(args, context),
        Command::Translation(args) => translation::run(args, context),
    }
}

//! The commands, one file each.

pub mod align;
pub mod chat;
pub mod classify;
pub mod completions;
mod convert;
pub mod datasets;
pub mod doctor;
pub mod eval;
pub mod generate;
mod live;
pub mod models;
pub mod run;
pub mod speak;
pub mod summarize;
pub mod tasks;
pub mod train;
pub mod transcribe;
pub mod translate;
pub mod version;

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Command;
use crate::context::Context;
use crate::interrupt;

/// Runs a command.
pub fn run(command: Command, context: &Context) -> Result<ExitCode> {
    if !command.listens() {
        interrupt::clean_up();
    }
    match command {
        Command::Run(args) => run::run(&args, context),
        Command::Tasks => tasks::run(context),
        Command::Classify(args) => classify::run(&args, context),
        Command::Chat(args) => chat::run(&args, context),
        Command::Generate(args) => generate::run(&args, context),
        Command::Translate(args) => translate::run(&args, context),
        Command::Summarize(args) => summarize::run(&args, context),
        Command::Transcribe(args) => transcribe::run(&args, context),
        Command::Align(args) => align::run(&args, context),
        Command::Speak(args) => speak::run(&args, context),
        Command::Train(command) => train::run(&command, context),
        Command::Eval(command) => eval::run(&command, context),
        Command::Models(command) => models::run(&command, context),
        Command::Datasets(command) => datasets::run(&command, context),
        Command::Doctor => doctor::run(context),
        Command::Completions(args) => completions::run(&args),
    }
}

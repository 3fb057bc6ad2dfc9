//! The flags that every command has, and the list of commands.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use sensorium::{DType, Device};

use crate::commands;

/// One toolkit for text, vision and speech: run, train and evaluate models.
#[derive(Debug, Parser)]
#[command(name = "sensorium", max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print the version, and libtorch's
    #[arg(short = 'V', long)]
    pub version: bool,

    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Print JSON, a value a line
    #[arg(long, global = true)]
    pub json: bool,

    /// Where tensors live: auto, cpu, cuda or cuda:N
    #[arg(long, global = true, default_value = "auto", value_name = "DEVICE")]
    pub device: Device,

    /// The precision of weights: f32, bf16 or f16 [default: as stored]
    #[arg(long, global = true, value_name = "DTYPE")]
    pub dtype: Option<DType>,

    /// Threads of one operation [default: libtorch's choice]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// The seed of everything random
    #[arg(long, global = true, value_name = "N")]
    pub seed: Option<u64>,

    /// Never use the network
    #[arg(long, global = true)]
    pub offline: bool,

    /// Say more on standard error
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,

    /// Say only errors on standard error
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// Where inputs come from.
#[derive(Debug, Args)]
pub struct InputArgs {
    /// Files, folders, glob patterns, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
}

/// The commands, in the order of `--help`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run whatever task fits the input
    Run(commands::run::Args),
    /// List every task
    Tasks,
    /// Say which class each input belongs to
    Classify(commands::classify::Args),
    /// Write on from the beginning of a text
    Generate(Box<commands::generate::Args>),
    /// Talk with a language model
    Chat(Box<commands::chat::Args>),
    /// Put texts into another language
    Translate(Box<commands::translate::Args>),
    /// Say what is in texts in fewer words
    Summarize(Box<commands::summarize::Args>),
    /// Write down what is said in recordings
    Transcribe(Box<commands::transcribe::Args>),
    /// Find when each word of a known text is said in a recording
    Align(commands::align::Args),
    /// Say texts aloud
    Speak(commands::speak::Args),
    /// Train a model
    #[command(subcommand)]
    Train(commands::train::Command),
    /// Measure a model on a test set
    #[command(subcommand)]
    Eval(commands::eval::Command),
    /// Manage models: list, show, pull, rm
    #[command(subcommand)]
    Models(commands::models::Command),
    /// Manage data sets: list, show, pull
    #[command(subcommand)]
    Datasets(commands::datasets::Command),
    /// Show what this installation has and lacks
    Doctor,
    /// Print the completions of a shell
    Completions(commands::completions::Args),
}

impl Command {
    /// Whether it does something else than to end when Ctrl-C comes.
    pub fn listens(&self) -> bool {
        match self {
            Self::Chat(_) | Self::Train(_) => true,
            Self::Transcribe(args) => args.is_live(),
            _ => false,
        }
    }
}

//! `sensorium run`: whatever task fits the input.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::context::Context;
use crate::predict::{self, Request};

/// The flags of `run`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, folders, glob patterns, - for standard input, or a text itself
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    /// The task, by name (see `sensorium tasks`) [default: from the model or the input]
    #[arg(short, long)]
    task: Option<String>,

    /// A folder, a shipped model or a hub id [default: the task's own]
    #[arg(short, long)]
    model: Option<String>,

    /// How many classes to show [default: 10, of several inputs 1 each]
    #[arg(short = 'k', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,

    /// The most tokens that a text is continued by [default: 128]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: Option<u32>,

    /// Say which task and model would run, and why
    #[arg(long)]
    explain: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let request = Request {
        inputs: &args.inputs,
        task: args.task.as_deref(),
        model: args.model.as_deref(),
        output: None,
        top_k: args.top_k.and_then(|k| usize::try_from(k).ok()),
        max_new_tokens: args.max_new_tokens.and_then(|n| usize::try_from(n).ok()),
        explain: args.explain,
        ..Request::default()
    };
    predict::run(&request, context)
}

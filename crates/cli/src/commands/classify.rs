//! `sensorium classify`: the class of an image, a text or a sound.

use std::process::ExitCode;

use anyhow::Result;
use sensorium::OutputKind;

use crate::args::InputArgs;
use crate::context::Context;
use crate::predict::{self, Request};

/// The flags of `classify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: InputArgs,

    /// A folder, a shipped model or a hub id [default: the shipped one for this kind of input]
    #[arg(short, long)]
    model: Option<String>,

    /// How many classes to show, best first
    #[arg(short = 'k', long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: u32,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let request = Request {
        inputs: &args.inputs.inputs,
        model: args.model.as_deref(),
        output: Some(OutputKind::Classification),
        top_k: usize::try_from(args.top_k).ok(),
        ..Request::default()
    };
    predict::run(&request, context)
}

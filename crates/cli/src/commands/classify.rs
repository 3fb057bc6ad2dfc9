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

    /// How many classes to show, best first [default: 10, of several inputs 1 each]
    #[arg(short = 'k', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let request = Request {
        inputs: &args.inputs.inputs,
        model: args.model.as_deref(),
        output: Some(OutputKind::Classification),
        top_k: args.top_k.and_then(|k| usize::try_from(k).ok()),
        ..Request::default()
    };
    predict::run(&request, context)
}

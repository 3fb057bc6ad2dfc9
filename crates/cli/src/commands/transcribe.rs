//! `sensorium transcribe`: what is said in recordings.

use std::process::ExitCode;

use anyhow::Result;
use sensorium::{OutputKind, SpeechOptions};

use crate::args::InputArgs;
use crate::context::Context;
use crate::predict::{self, Request};

/// The flags of `transcribe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: InputArgs,

    /// A folder, a shipped model or a hub id
    #[arg(short, long)]
    model: String,

    /// The language that is spoken, e.g. en [default: the model finds it]
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,

    /// Write an English translation
    #[arg(long)]
    translate: bool,

    /// Also say when things are said (with --json)
    #[arg(long)]
    timestamps: bool,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let request = Request {
        inputs: &args.inputs.inputs,
        task: Some("automatic-speech-recognition"),
        model: Some(&args.model),
        output: Some(OutputKind::Transcription),
        speech: SpeechOptions {
            language: args.language.clone(),
            translate: args.translate,
            timestamps: args.timestamps,
        },
        ..Request::default()
    };
    predict::run(&request, context)
}

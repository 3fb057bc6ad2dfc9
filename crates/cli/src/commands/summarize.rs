//! `sensorium summarize`.

use std::process::ExitCode;

use anyhow::Result;
use sensorium::Output;
use sensorium::generation::GenerationConfig;
use sensorium::text::Summarizer;

use crate::context::Context;
use crate::rewrite::{self, RewriteArgs};

/// Flags of `sensorium summarize`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    rewrite: RewriteArgs,
    /// A model folder, a shipped model's name or a hub id
    #[arg(short, long, value_name = "MODEL")]
    model: String,
    /// Beams that are searched [default: the model's]
    #[arg(long, value_name = "N")]
    num_beams: Option<usize>,
    /// The most new tokens of a summary
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// The fewest new tokens of a summary
    #[arg(long, value_name = "N")]
    min_new_tokens: Option<usize>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let config = GenerationConfig {
        num_beams: args.num_beams,
        max_new_tokens: args.max_new_tokens,
        min_new_tokens: args.min_new_tokens,
        seed: context.global.seed,
        ..Default::default()
    };
    config.validate()?;
    let device = context.device()?;
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let summarizer = Summarizer::open(&context.hub()?.resolve(&args.model)?, device, kind)?;
    rewrite::run(&args.rewrite, context, |text, _| {
        let summary_text = summarizer.summarize(&[text], &config)?.concat();
        Ok(Output::Summary { summary_text })
    })
}

//! `sensorium translate`.

use std::process::ExitCode;

use anyhow::Result;
use sensorium::Output;
use sensorium::text::{Languages, TranslateOptions, Translator};

use crate::context::Context;
use crate::progress;
use crate::rewrite::{self, RewriteArgs};

/// Flags of `sensorium translate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    rewrite: RewriteArgs,
    /// The language of the texts, e.g. en, if the model cannot know
    #[arg(long, value_name = "LANGUAGE")]
    from: Option<String>,
    /// The language that is wanted, e.g. de, if the model has several
    #[arg(long, value_name = "LANGUAGE")]
    to: Option<String>,
    /// A model folder, a shipped model's name or a hub id [default: the shipped one for the two languages]
    #[arg(short, long, value_name = "MODEL")]
    model: Option<String>,
    /// Beams that are searched [default: the model's]
    #[arg(long, value_name = "N")]
    num_beams: Option<usize>,
    /// Power of the length that divides the beams' scores
    #[arg(long, value_name = "X")]
    length_penalty: Option<f32>,
    /// Lines are not cut into sentences
    #[arg(long)]
    whole_lines: bool,
    /// The most new tokens of a sentence
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let languages = Languages {
        from: args.from.as_deref(),
        to: args.to.as_deref(),
    };
    let hub = context.hub()?;
    let name = match &args.model {
        Some(name) => name.clone(),
        None => sensorium::translation_model(&hub, languages)?.to_string(),
    };
    let config = sensorium::generation::GenerationConfig {
        num_beams: args.num_beams,
        length_penalty: args.length_penalty,
        max_new_tokens: args.max_new_tokens,
        seed: context.global.seed,
        ..Default::default()
    };
    config.validate()?;
    let device = context.device()?;
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let translator = Translator::open(&hub.resolve(&name)?, device, kind)?;
    translator.check(languages)?;
    rewrite::run(&args.rewrite, context, |text, format| {
        let bar = progress::items(0, "sentences", context.shows_progress());
        let mut on_progress = |done: usize, all: usize| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        };
        let options = TranslateOptions {
            format: Some(format),
            whole_lines: args.whole_lines,
            on_progress: Some(&mut on_progress),
        };
        let translated = translator.translate_with(&[text], languages, &config, options);
        bar.finish_and_clear();
        let translation_text = translated?.concat();
        Ok(Output::Translation { translation_text })
    })
}

//! `sensorium train aligner`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use sensorium::speech::features::MelShape;
use sensorium::speech::front::english;
use sensorium::speech::front::english::lexicon::Lexicon;
use sensorium::speech::speak::English;
use sensorium::tch::Kind;
use sensorium::train::Outcome;
use sensorium::train::recipes::tts::aligner::{self, Settings};
use serde_json::json;

use super::display::Display;
use super::options::{RunArgs, stopped};
use super::tts::{SpeakerArgs, fresh, trainer};
use crate::context::Context;
use crate::numbers::count;
use crate::print;

/// The settings of a run.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    speaker: SpeakerArgs,
    /// How words are said, a word and its phonemes a line: `hello  HH AH0 L OW1`
    #[arg(long, value_name = "FILE")]
    lexicon: Option<PathBuf>,
    /// Passes over the recordings
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 20)]
    epochs: usize,
    /// Recordings a step
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 8)]
    batch_size: usize,
    /// Features of a phoneme, and of a frame
    #[arg(long, value_name = "N", default_value_t = 96, value_parser = clap::value_parser!(u32).range(2..=4096))]
    width: u32,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    context.only_f32("training of aligners")?;
    let device = context.device()?;
    let lexicon = match &args.lexicon {
        Some(path) => Lexicon::open(path)?,
        None => Lexicon::default(),
    };
    let folder = args.run.folder()?;
    let corpus = args.speaker.corpus(None, context)?;
    let english = English::new(lexicon);
    let sounds = corpus.utterances().map(|utterance| {
        let found = english.sounds(&english::say(&utterance.text));
        let found = found.with_context(|| format!("the text of {}", utterance.name))?;
        Ok((utterance.name.clone(), found.tokens))
    });
    let sounds: HashMap<String, Vec<String>> = sounds.collect::<Result<_>>()?;
    let settings = Settings {
        model: json!({
            "model_type": sensorium::speech::models::aligner::MODEL_TYPE, "hidden_size": args.width,
            "vocab_size": aligner::vocabulary(&corpus, &sounds).len(), "num_mel_bins": MelShape::SPEECHT5.bands,
        }),
        data: args.speaker.name(),
        batch_size: args.batch_size,
        trainer: trainer(&args.run, args.epochs, 6e-3, context),
    };
    let params = fresh(context).on(device).of_kind(Kind::Float);
    let mut display = Display::new(context, "frames");
    let session = args.run.session(folder, device, &mut display)?;
    let report = aligner::train(&settings, &params, corpus, &sounds, session)?;
    display.finish();
    let out = args.run.out();
    if report.outcome == Outcome::Stopped {
        return Ok(stopped(report.record.epochs.len(), out));
    }
    let alignments = out.join("alignments");
    let sure = report.record.epochs.last().map(|epoch| epoch.validation.accuracy);
    if context.global.json {
        print::json(&json!({
            "out": out, "alignments": alignments, "sure_frames": sure,
            "parameters": report.record.parameters, "seconds": report.record.seconds,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    if let Some(sure) = sure {
        text += &format!("sure             {:.1} % of the frames held out\n", 100.0 * sure);
    }
    text += &format!("parameters       {}\n", report.record.parameters);
    text += &format!("training time    {:.1} s\n", report.record.seconds);
    text += &format!("alignments       {}\n", alignments.display());
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

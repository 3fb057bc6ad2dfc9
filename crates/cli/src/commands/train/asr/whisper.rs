//! `sensorium train asr --init` with a Whisper model.

use std::process::ExitCode;

use anyhow::{Result, bail};
use sensorium::hub::Model;
use sensorium::train::recipes::asr::Shaping;
use sensorium::train::recipes::whisper::{self, Settings};
use sensorium::train::{LearningRate, Optimizer, Schedule, TrainerConfig};
use serde_json::json;

use super::{Args, TaskName, finish, shaping};
use crate::commands::train::display::Display;
use crate::context::Context;

/// Runs the command.
pub fn run(args: &Args, model: &Model, context: &Context) -> Result<ExitCode> {
    if args.cut {
        bail!(
            "--cut is for recognisers that spell: Whisper learns to write whole recordings, or --join of them"
        );
    }
    if args.units.is_some() {
        bail!("--units is for recognisers that spell: Whisper keeps its tokens");
    }
    let device = context.device()?;
    let folder = args.run.folder()?;
    let corpus = args.data.corpus(context)?;
    context.detail(&format!(
        "{} recordings to learn, {} to validate on",
        corpus.train.len(),
        corpus.validation.len()
    ));
    let settings = settings(args, model, context)?;
    let mut display = Display::new(context, "tokens");
    let session = args.run.session(folder, device, &mut display)?;
    let report = whisper::train(&settings, model, &corpus, session)?;
    display.finish();
    let why = "without text, or longer than the model hears or writes at once";
    finish(&report, why, args, context)
}

fn settings(args: &Args, model: &Model, context: &Context) -> Result<Settings> {
    let mut config = model.config()?;
    if let Some(dropout) = args.dropout {
        config["dropout"] = json!(dropout);
    }
    let mut shaping = shaping(args);
    match args.change.masks {
        Some(_) => config["apply_spec_augment"] = json!(false),
        None if config["apply_spec_augment"] == true => shaping = Shaping { masks: 0, ..shaping },
        None => {}
    }
    let mut trainer = TrainerConfig {
        epochs: args.epochs,
        optimizer: Optimizer::ADAMW,
        learning_rate: LearningRate {
            peak: 1e-5,
            schedule: Schedule::Cosine,
            warmup: 0.1,
        },
        clip_norm: Some(1.0),
        ema_decay: None,
        seed: context.global.seed.unwrap_or(0),
    };
    args.run.apply(&mut trainer);
    Ok(Settings {
        model: config,
        data: args.data.name(),
        language: args.language.clone(),
        translate: args.task == Some(TaskName::Translate),
        freeze_encoder: args.freeze_encoder,
        batch_size: args.batch_size,
        shaping,
        trainer,
    })
}

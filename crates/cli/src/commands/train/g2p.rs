//! `sensorium train g2p`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use sensorium::blocks::Params;
use sensorium::speech::front::english::lexicon::{Lexicon, PHONEMES, is_phoneme};
use sensorium::tch::Kind;
use sensorium::train::recipes::g2p::{self, Entry, Settings};
use sensorium::train::{LearningRate, Optimizer, Outcome, Schedule, Trainer, TrainerConfig};
use serde_json::{Value, json};

use super::display::Display;
use super::options::{RunArgs, share, stopped};
use crate::context::Context;
use crate::numbers::count;
use crate::print;

/// The settings of a run.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Words and their phonemes, a word a line: `hello  HH AH0 L OW1` [default: the CMU Pronouncing Dictionary that the
    /// program carries]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// One in so many words is validated on
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..))]
    held_out: u32,
    /// Passes over the words
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 15)]
    epochs: usize,
    /// Words a step
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 256)]
    batch_size: usize,
    /// Features of a state
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(4..=4096))]
    width: u32,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 4)]
    layers: u32,
    /// Attention heads of a layer
    #[arg(long, value_name = "N", default_value_t = 4)]
    heads: u32,
    /// Share of the features dropped in training
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.1)]
    dropout: f64,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    context.only_f32("training of spellers")?;
    let device = context.device()?;
    let folder = args.run.folder()?;
    let words: Vec<Entry> = match &args.data {
        Some(path) => Lexicon::entries(path)?,
        None => Lexicon::dictionary()
            .map(|(word, phonemes)| {
                (
                    word.to_string(),
                    phonemes.into_iter().map(str::to_string).collect(),
                )
            })
            .collect(),
    };
    let seed = context.global.seed.unwrap_or(0);
    let mut trainer = TrainerConfig {
        epochs: args.epochs,
        optimizer: Optimizer::MUON,
        learning_rate: LearningRate {
            peak: 4e-3,
            schedule: Schedule::Cosine,
            warmup: 0.05,
        },
        clip_norm: Some(1.0),
        ema_decay: Some(0.998),
        seed,
    };
    args.run.apply(&mut trainer);
    let settings = Settings {
        model: config(args),
        data: args
            .data
            .as_deref()
            .and_then(|path| path.file_name())
            .map_or("cmudict".to_string(), |name| name.to_string_lossy().into_owned()),
        batch_size: args.batch_size,
        held_out: args.held_out as usize,
        trainer,
    };
    let params = Params::fresh(seed as i64).on(device).of_kind(Kind::Float);
    let mut display = Display::new(context, "words");
    let session = args.run.session(folder, device, &mut display)?;
    let report = g2p::train(&settings, &params, &words, session)?;
    display.finish();
    let out = args.run.out();
    if report.outcome == Outcome::Stopped {
        return Ok(stopped(report.record.epochs.len(), out));
    }
    let epochs = report.record.epochs.iter();
    let best = epochs.min_by(|a, b| a.validation.loss.total_cmp(&b.validation.loss));
    if context.global.json {
        print::json(&json!({
            "out": out, "validation_loss": best.map(|epoch| epoch.validation.loss),
            "validation_accuracy": best.map(|epoch| epoch.validation.accuracy),
            "parameters": report.record.parameters, "seconds": report.record.seconds, "left_out": report.left_out,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    if let Some(best) = best {
        text += &format!(
            "words right      {:.2} % of those held out\n",
            100.0 * best.validation.accuracy
        );
    }
    text += &format!("parameters       {}\n", report.record.parameters);
    text += &format!("training time    {:.1} s\n", report.record.seconds);
    text += &format!("model            {}\n", out.join(Trainer::MODEL).display());
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// `config.json` of a new speller.
fn config(args: &Args) -> Value {
    let stressed = |phoneme: &&str| match is_phoneme(&format!("{phoneme}0")) {
        true => ["0", "1", "2"]
            .map(|stress| format!("{phoneme}{stress}"))
            .to_vec(),
        false => vec![(*phoneme).to_string()],
    };
    let none = std::iter::once(String::new());
    let phonemes: Vec<String> = none.chain(PHONEMES.iter().flat_map(stressed)).collect();
    json!({
        "model_type": "ctc_speller", "letters": "abcdefghijklmnopqrstuvwxyz'", "phonemes": phonemes,
        "hidden_size": args.width, "intermediate_size": 2 * args.width, "num_hidden_layers": args.layers,
        "num_attention_heads": args.heads, "conv_kernel_size": 9, "states": 2, "hidden_dropout": args.dropout,
    })
}

//! `sensorium train asr`.

mod whisper;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use sensorium::blocks::Params;
use sensorium::speech::vocabulary::{Units, Vocabulary};
use sensorium::train::recipes::asr::{self, Report, Settings, Shaping, Start};
use sensorium::train::{LearningRate, Optimizer, Outcome, Schedule, Trainer, TrainerConfig};
use serde_json::{Value, json};

use super::display::Display;
use super::options::{RunArgs, factor, share, stopped};
use super::sound_args::{ChangeArgs, DataArgs, fresh_features};
use crate::context::Context;
use crate::numbers::count;
use crate::print;

/// The settings of a run.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Go on training this checkpoint: a folder, a shipped model, a hub id; what has no head that can write the texts,
    /// as a pretrained encoder, gets a new one
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["layers", "heads", "width", "rate", "bands", "inner"])]
    init: Option<String>,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 4)]
    layers: u32,
    /// Attention heads of a layer
    #[arg(long, value_name = "N", default_value_t = 4)]
    heads: u32,
    /// Features of a state
    #[arg(long, value_name = "N", default_value_t = 144)]
    width: u32,
    /// What is a token [default: letters; with --init what the checkpoint has, if it can write the texts]
    #[arg(long, value_enum)]
    units: Option<UnitName>,
    /// The rate that recordings are brought to, in Hz
    #[arg(long, value_name = "HZ", default_value_t = 16_000, value_parser = clap::value_parser!(u32).range(4000..=48_000))]
    rate: u32,
    /// Bands of the spectrum
    #[arg(long, value_name = "N", default_value_t = 80, value_parser = clap::value_parser!(u32).range(8..=256))]
    bands: u32,
    /// Passes over the recordings
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 30)]
    epochs: usize,
    /// Recordings (or strings of them) a step
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 16)]
    batch_size: usize,
    /// Join up to this many recordings with silence in between
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 1)]
    join: usize,
    /// Cut recordings into words where there are pauses between all of them, which --join puts together anew;
    /// whole recordings validate
    #[arg(long)]
    cut: bool,
    #[command(flatten)]
    change: ChangeArgs,
    /// Share of the features dropped in training [default: 0.1; of Whisper what its checkpoint says]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    dropout: Option<f64>,
    /// Features within a feed-forward, as a multiple of the width
    #[arg(long, value_name = "X", value_parser = factor, default_value_t = 4.0)]
    inner: f64,
    /// With Whisper: the language of the texts, e.g. en
    #[arg(long, value_name = "LANGUAGE", requires = "init")]
    language: Option<String>,
    /// With Whisper: what the texts are [default: transcribe]
    #[arg(long, value_enum, requires = "init")]
    task: Option<TaskName>,
    /// With Whisper: only the decoder learns
    #[arg(long, requires = "init")]
    freeze_encoder: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TaskName {
    /// What is said
    Transcribe,
    /// Its translation into English
    Translate,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum UnitName {
    /// Letters: any word can be written
    Letters,
    /// Words: those of the data, never misspelt
    Words,
}

impl From<UnitName> for Units {
    fn from(name: UnitName) -> Self {
        match name {
            UnitName::Letters => Self::Letters,
            UnitName::Words => Self::Words,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    context.only_f32("training of recognisers")?;
    let device = context.device()?;
    let init = match &args.init {
        Some(name) => Some(context.hub()?.resolve(name)?),
        None => None,
    };
    if let Some(model) = &init
        && model.config()?["model_type"] == "whisper"
    {
        return whisper::run(args, model, context);
    }
    for (flag, given) in [
        ("--language", args.language.is_some()),
        ("--task", args.task.is_some()),
        ("--freeze-encoder", args.freeze_encoder),
    ] {
        if given {
            bail!("{flag} is for --init with a Whisper model, which this is not");
        }
    }
    let folder = args.run.folder()?;
    let corpus = args.data.corpus(context)?;
    let dropout = args.dropout.unwrap_or(0.1);
    let texts: Vec<&str> = corpus
        .train
        .iter()
        .map(|recording| recording.text.as_str())
        .collect();
    let units = args.units.map(Units::from);
    let seed = context.global.seed.unwrap_or(0);
    let mut shaping = shaping(args);
    let (config, features, params, vocabulary) = match &init {
        Some(model) => {
            let mut start = Start::of(model, &texts, units, seed)?;
            if let Some(why) = &start.new_head {
                context.note(&format!(
                    "the head is a new one, of {} tokens: {why}",
                    start.vocabulary.len()
                ));
            }
            start.model["hidden_dropout"] = json!(dropout);
            hide_states(args, &mut start.model, &mut shaping);
            let features = model.json_as("preprocessor_config.json")?;
            (start.model, features, start.params, start.vocabulary)
        }
        None => {
            let vocabulary = Vocabulary::of_texts(texts, units.unwrap_or(Units::Letters));
            (
                fresh_config(args, &vocabulary, dropout),
                fresh_features(args.rate, args.bands),
                Params::fresh(seed as i64),
                vocabulary,
            )
        }
    };
    context.detail(&format!(
        "{} recordings to learn, {} to validate on, {} tokens",
        corpus.train.len(),
        corpus.validation.len(),
        vocabulary.len()
    ));
    let settings = settings(args, config, features, shaping, context);
    let mut display = Display::new(context, "words");
    let session = args.run.session(folder, device, &mut display)?;
    let report = asr::train(&settings, params, &vocabulary, &corpus, session)?;
    display.finish();
    let why = "without text, or with letters that the vocabulary has not";
    finish(&report, why, args, context)
}

/// Says what a run came to, and `why` recordings were left out.
fn finish(report: &Report, why: &str, args: &Args, context: &Context) -> Result<ExitCode> {
    if report.outcome == Outcome::Stopped {
        return Ok(stopped(report.record.epochs.len(), args.run.out()));
    }
    if report.left_out > 0 {
        context.note(&format!("{} recordings were left out: {why}", report.left_out));
    }
    tell(report, args, context)?;
    Ok(ExitCode::SUCCESS)
}

fn settings(args: &Args, model: Value, features: Value, shaping: Shaping, context: &Context) -> Settings {
    let fine_tuned = args.init.is_some();
    let mut trainer = TrainerConfig {
        epochs: args.epochs,
        optimizer: if fine_tuned {
            Optimizer::ADAMW
        } else {
            Optimizer::MUON
        },
        learning_rate: LearningRate {
            peak: if fine_tuned { 1e-4 } else { 5e-3 },
            schedule: Schedule::Cosine,
            warmup: 0.1,
        },
        clip_norm: Some(1.0),
        ema_decay: Some(0.999),
        seed: context.global.seed.unwrap_or(0),
    };
    args.run.apply(&mut trainer);
    Settings {
        model,
        features,
        data: args.data.name(),
        batch_size: args.batch_size,
        shaping,
        trainer,
    }
}

fn shaping(args: &Args) -> Shaping {
    Shaping {
        cut: args.cut,
        join: args.join,
        gaps: args.join > 1 && !args.cut, // words bring their pauses
        distortion: args.change.distortion(),
        masks: args.change.masks(),
    }
}

/// A model that hears samples has states hidden as its configuration says, or else as the flag does.
fn hide_states(args: &Args, model: &mut Value, shaping: &mut Shaping) {
    let hears_samples = ["hubert", "wav2vec2", "wavlm"]
        .map(Value::from)
        .contains(&model["model_type"]);
    match args.change.masks {
        _ if !hears_samples => {}
        Some(_) => model["apply_spec_augment"] = json!(false),
        None => shaping.masks = 0,
    }
}

/// `config.json` of a new model: a Conformer over filter banks, which the reference opens, too.
fn fresh_config(args: &Args, vocabulary: &Vocabulary, dropout: f64) -> Value {
    json!({
        "architectures": ["Wav2Vec2BertForCTC"], "model_type": "wav2vec2-bert", "vocab_size": vocabulary.len(),
        "hidden_size": args.width, "num_hidden_layers": args.layers, "num_attention_heads": args.heads,
        "intermediate_size": (f64::from(args.width) * args.inner).round().max(1.0) as u32,
        "feature_projection_input_dim": 2 * args.bands, "hidden_act": "swish", "hidden_dropout": dropout,
        "final_dropout": dropout, "position_embeddings_type": "relative_key",
        "left_max_position_embeddings": 32, "right_max_position_embeddings": 8, "conv_depthwise_kernel_size": 15,
        "pad_token_id": vocabulary.blank, "add_adapter": false,
    })
}

fn tell(report: &Report, args: &Args, context: &Context) -> Result<()> {
    let out = args.run.out();
    let epochs = report.record.epochs.iter();
    let best = epochs.min_by(|a, b| a.validation.loss.total_cmp(&b.validation.loss));
    if context.global.json {
        return print::json(&json!({
            "out": out, "validation_loss": best.map(|epoch| epoch.validation.loss),
            "validation_word_accuracy": best.map(|epoch| epoch.validation.accuracy),
            "parameters": report.record.parameters, "seconds": report.record.seconds,
        }));
    }
    let mut text = String::new();
    if let Some(best) = best {
        text += &format!("validation loss  {:.4} (best)\n", best.validation.loss);
        text += &format!(
            "word error rate  {:.2} %\n",
            100.0 * (1.0 - best.validation.accuracy)
        );
    }
    text += &format!("parameters       {}\n", report.record.parameters);
    text += &format!("training time    {:.1} s\n", report.record.seconds);
    text += &format!("model            {}\n", out.join(Trainer::MODEL).display());
    text += &format!("plot             {}\n", out.join(Trainer::PLOT).display());
    print::text(&text)
}

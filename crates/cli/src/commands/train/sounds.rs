//! `sensorium train sounds`.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use sensorium::blocks::Params;
use sensorium::train::recipes::asr::Shaping;
use sensorium::train::recipes::sounds::{self, Label, Settings};
use sensorium::train::{LearningRate, Optimizer, Outcome, Schedule, Trainer, TrainerConfig};
use serde_json::{Map, Value, json};

use super::display::Display;
use super::options::{RunArgs, share, stopped};
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
    /// What recordings are told apart by
    #[arg(long, value_enum, default_value = "text")]
    label: LabelName,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 3)]
    layers: u32,
    /// Attention heads of a layer
    #[arg(long, value_name = "N", default_value_t = 4)]
    heads: u32,
    /// Features of a state
    #[arg(long, value_name = "N", default_value_t = 96)]
    width: u32,
    /// The rate that recordings are brought to, in Hz
    #[arg(long, value_name = "HZ", default_value_t = 16_000, value_parser = clap::value_parser!(u32).range(4000..=48_000))]
    rate: u32,
    /// Bands of the spectrum
    #[arg(long, value_name = "N", default_value_t = 80, value_parser = clap::value_parser!(u32).range(8..=256))]
    bands: u32,
    /// Passes over the recordings
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 30)]
    epochs: usize,
    /// Recordings a step
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 16)]
    batch_size: usize,
    #[command(flatten)]
    change: ChangeArgs,
    /// Share of the features dropped in training
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.1)]
    dropout: f64,
    /// Share of each target that is spread over all classes
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.1)]
    smoothing: f64,
}

/// What recordings are told apart by.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LabelName {
    /// What is said
    Text,
    /// Who says it
    Speaker,
}

impl From<LabelName> for Label {
    fn from(name: LabelName) -> Self {
        match name {
            LabelName::Text => Self::Text,
            LabelName::Speaker => Self::Speaker,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    context.only_f32("training of classifiers")?;
    let device = context.device()?;
    let folder = args.run.folder()?;
    let corpus = args.data.corpus(context)?;
    let label = Label::from(args.label);
    let classes = label.classes(&corpus.train);
    context.detail(&format!(
        "{} recordings to learn, {} to validate on, {} classes",
        corpus.train.len(),
        corpus.validation.len(),
        classes.len()
    ));
    let seed = context.global.seed.unwrap_or(0);
    let mut trainer = TrainerConfig {
        epochs: args.epochs,
        optimizer: Optimizer::MUON,
        learning_rate: LearningRate {
            peak: 4e-3,
            schedule: Schedule::Cosine,
            warmup: 0.1,
        },
        clip_norm: Some(1.0),
        ema_decay: Some(0.995),
        seed,
    };
    args.run.apply(&mut trainer);
    let settings = Settings {
        model: config(args, &classes),
        features: fresh_features(args.rate, args.bands),
        data: args.data.name(),
        label,
        batch_size: args.batch_size,
        smoothing: args.smoothing,
        shaping: Shaping {
            gaps: true,
            distortion: args.change.distortion(),
            masks: args.change.masks(),
            ..Shaping::PLAIN
        },
        trainer,
    };
    let mut display = Display::new(context, "recordings");
    let session = args.run.session(folder, device, &mut display)?;
    let report = sounds::train(&settings, Params::fresh(seed as i64), &classes, &corpus, session)?;
    display.finish();
    if report.outcome == Outcome::Stopped {
        return Ok(stopped(report.record.epochs.len(), args.run.out()));
    }
    let out = args.run.out();
    let epochs = report.record.epochs.iter();
    let best = epochs.min_by(|a, b| a.validation.loss.total_cmp(&b.validation.loss));
    if context.global.json {
        print::json(&json!({
            "out": out, "validation_loss": best.map(|epoch| epoch.validation.loss),
            "validation_accuracy": best.map(|epoch| epoch.validation.accuracy),
            "parameters": report.record.parameters, "seconds": report.record.seconds,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    if let Some(best) = best {
        text += &format!("validation loss      {:.4} (best)\n", best.validation.loss);
        text += &format!("validation accuracy  {:.2} %\n", 100.0 * best.validation.accuracy);
    }
    text += &format!("parameters           {}\n", report.record.parameters);
    text += &format!("training time        {:.1} s\n", report.record.seconds);
    text += &format!("model                {}\n", out.join(Trainer::MODEL).display());
    text += &format!("plot                 {}\n", out.join(Trainer::PLOT).display());
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// `config.json` of a new model: a Conformer over filter banks, which the reference opens, too.
fn config(args: &Args, classes: &[String]) -> Value {
    let names: Map<String, Value> = (0..)
        .map(|id: usize| id.to_string())
        .zip(classes.iter().map(|name| json!(name)))
        .collect();
    let ids: Map<String, Value> = classes
        .iter()
        .cloned()
        .zip((0..).map(|id: usize| json!(id)))
        .collect();
    json!({
        "architectures": ["Wav2Vec2BertForSequenceClassification"], "model_type": "wav2vec2-bert",
        "hidden_size": args.width, "num_hidden_layers": args.layers, "num_attention_heads": args.heads,
        "intermediate_size": 4 * args.width, "classifier_proj_size": args.width,
        "feature_projection_input_dim": 2 * args.bands, "hidden_act": "swish", "hidden_dropout": args.dropout,
        "position_embeddings_type": "relative_key", "left_max_position_embeddings": 32,
        "right_max_position_embeddings": 8, "conv_depthwise_kernel_size": 15, "add_adapter": false,
        "id2label": names, "label2id": ids,
    })
}

//! `sensorium train tts` and `sensorium train vocoder`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use sensorium::blocks::Params;
use sensorium::speech::features::MelShape;
use sensorium::tch::Kind;
use sensorium::train::recipes::tts::{self, Corpus, Report};
use sensorium::train::{LearningRate, Optimizer, Outcome, Schedule, Trainer, TrainerConfig};
use serde_json::{Value, json};

use super::display::Display;
use super::options::{RunArgs, share, stopped};
use crate::context::Context;
use crate::numbers::count;
use crate::print;

/// The recordings of one speaker.
#[derive(Debug, clap::Args)]
pub(super) struct SpeakerArgs {
    /// Recordings in LJ Speech's layout: metadata.csv (`name|text`) and wavs/NAME.wav
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// One in so many recordings is validated on
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(2..))]
    held_out: u32,
}

impl SpeakerArgs {
    pub fn corpus(&self, alignments: Option<&Path>, context: &Context) -> Result<Corpus> {
        let beside = self.data.join("alignments");
        let alignments = alignments.unwrap_or(&beside);
        let seed = context.global.seed.unwrap_or(0);
        let corpus = Corpus::read(
            &self.data,
            alignments,
            MelShape::SPEECHT5,
            self.held_out as usize,
            seed,
        )?;
        context.detail(&format!(
            "{} recordings to learn, {} to validate on",
            corpus.train.len(),
            corpus.validation.len()
        ));
        Ok(corpus)
    }

    pub fn name(&self) -> String {
        self.data
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

/// The settings of a voice.
#[derive(Debug, clap::Args)]
pub struct VoiceArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    speaker: SpeakerArgs,
    /// When each phoneme is said, NAME.ctm or NAME.TextGrid, as `train aligner` or a forced aligner writes them
    /// [default: alignments in the data's folder]
    #[arg(long, value_name = "DIR")]
    alignments: Option<PathBuf>,
    /// Passes over the recordings
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 40)]
    epochs: usize,
    /// Recordings a step
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 16)]
    batch_size: usize,
    /// Features of a state
    #[arg(long, value_name = "N", default_value_t = 192, value_parser = clap::value_parser!(u32).range(2..=4096))]
    width: u32,
    /// Features within a feed-forward
    #[arg(long, value_name = "N", default_value_t = 512)]
    inner: u32,
    /// Layers over phonemes
    #[arg(long, value_name = "N", default_value_t = 3)]
    encoder_layers: u32,
    /// Layers over frames
    #[arg(long, value_name = "N", default_value_t = 4)]
    decoder_layers: u32,
    /// Attention heads of a layer
    #[arg(long, value_name = "N", default_value_t = 2)]
    heads: u32,
    /// Share of the features dropped in training
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.1)]
    dropout: f64,
}

/// The settings of a vocoder.
#[derive(Debug, clap::Args)]
pub struct VocoderArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    speaker: SpeakerArgs,
    /// Passes over the recordings
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 40)]
    epochs: usize,
    /// Pieces a step
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 16)]
    batch_size: usize,
    /// Frames of a piece
    #[arg(long, value_name = "N", default_value_t = 64)]
    frames: usize,
    /// Features of a frame
    #[arg(long, value_name = "N", default_value_t = 192)]
    width: u32,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 6)]
    layers: u32,
}

pub(super) fn trainer(run: &RunArgs, epochs: usize, rate: f64, context: &Context) -> TrainerConfig {
    let mut trainer = TrainerConfig {
        epochs,
        optimizer: Optimizer::MUON,
        learning_rate: LearningRate {
            peak: rate,
            schedule: Schedule::Cosine,
            warmup: 0.05,
        },
        clip_norm: Some(1.0),
        ema_decay: Some(0.998),
        seed: context.global.seed.unwrap_or(0),
    };
    run.apply(&mut trainer);
    trainer
}

/// Runs `train tts`.
pub fn voice(args: &VoiceArgs, context: &Context) -> Result<ExitCode> {
    context.only_f32("training of voices")?;
    let device = context.device()?;
    let folder = args.run.folder()?;
    let corpus = args.speaker.corpus(args.alignments.as_deref(), context)?;
    let settings = tts::Settings {
        model: voice_config(args, tts::vocabulary(&corpus).len()),
        data: args.speaker.name(),
        batch_size: args.batch_size,
        trainer: trainer(&args.run, args.epochs, 2e-3, context),
    };
    let params = fresh(context).on(device).of_kind(Kind::Float);
    let mut display = Display::new(context, "phonemes");
    let session = args.run.session(folder, device, &mut display)?;
    let report = tts::train(&settings, &params, corpus, session)?;
    display.finish();
    finish(&report, args.run.out(), context)
}

/// Runs `train vocoder`.
pub fn vocoder(args: &VocoderArgs, context: &Context) -> Result<ExitCode> {
    context.only_f32("training of vocoders")?;
    let device = context.device()?;
    let folder = args.run.folder()?;
    let corpus = args.speaker.corpus(None, context)?;
    let settings = tts::vocoder::Settings {
        model: vocoder_config(args),
        data: args.speaker.name(),
        batch_size: args.batch_size,
        frames: args.frames,
        trainer: trainer(&args.run, args.epochs, 2e-3, context),
    };
    let params = fresh(context).on(device).of_kind(Kind::Float);
    let mut display = Display::new(context, "frames");
    let session = args.run.session(folder, device, &mut display)?;
    let report = tts::vocoder::train(&settings, &params, corpus, session)?;
    display.finish();
    finish(&report, args.run.out(), context)
}

pub(super) fn fresh(context: &Context) -> Params {
    Params::fresh(context.global.seed.unwrap_or(0) as i64)
}

/// `config.json` of a new voice, which the reference opens, too.
fn voice_config(args: &VoiceArgs, tokens: usize) -> Value {
    let dropout = args.dropout;
    json!({
        "architectures": ["FastSpeech2ConformerModel"], "model_type": "fastspeech2_conformer",
        "vocab_size": tokens, "hidden_size": args.width, "num_mel_bins": MelShape::SPEECHT5.bands,
        "encoder_layers": args.encoder_layers, "encoder_num_attention_heads": args.heads,
        "encoder_linear_units": args.inner, "decoder_layers": args.decoder_layers,
        "decoder_num_attention_heads": args.heads, "decoder_linear_units": args.inner,
        "encoder_normalize_before": true, "decoder_normalize_before": true,
        "positionwise_conv_kernel_size": 1, "use_macaron_style_in_conformer": false, "use_cnn_in_conformer": true,
        "encoder_kernel_size": 7, "decoder_kernel_size": 15,
        "speech_decoder_postnet_layers": 3, "speech_decoder_postnet_units": 128, "speech_decoder_postnet_kernel": 5,
        "speech_decoder_postnet_dropout": dropout,
        "duration_predictor_layers": 2, "duration_predictor_channels": 192, "duration_predictor_dropout_rate": dropout,
        "pitch_predictor_layers": 2, "pitch_predictor_channels": 192, "pitch_predictor_kernel_size": 5,
        "pitch_predictor_dropout": dropout, "stop_gradient_from_pitch_predictor": false,
        "energy_predictor_layers": 2, "energy_predictor_channels": 192, "energy_predictor_dropout": dropout,
        "encoder_dropout_rate": dropout, "encoder_positional_dropout_rate": dropout,
        "encoder_attention_dropout_rate": dropout, "decoder_dropout_rate": dropout,
        "decoder_positional_dropout_rate": dropout, "decoder_attention_dropout_rate": dropout,
    })
}

/// `config.json` of a new vocoder.
fn vocoder_config(args: &VocoderArgs) -> Value {
    json!({
        "model_type": "source_filter_vocos", "hidden_size": args.width, "intermediate_size": 3 * args.width,
        "num_hidden_layers": args.layers, "kernel_size": 7, "n_fft": 512, "hop_length": 128,
        "mel": MelShape::SPEECHT5,
    })
}

fn finish(report: &Report, out: &Path, context: &Context) -> Result<ExitCode> {
    if report.outcome == Outcome::Stopped {
        return Ok(stopped(report.record.epochs.len(), out));
    }
    let epochs = report.record.epochs.iter();
    let best = epochs.min_by(|a, b| a.validation.loss.total_cmp(&b.validation.loss));
    if context.global.json {
        print::json(&json!({
            "out": out, "validation_loss": best.map(|epoch| epoch.validation.loss),
            "parameters": report.record.parameters, "seconds": report.record.seconds,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    if let Some(best) = best {
        text += &format!("validation loss  {:.4} (best)\n", best.validation.loss);
    }
    text += &format!("parameters       {}\n", report.record.parameters);
    text += &format!("training time    {:.1} s\n", report.record.seconds);
    text += &format!("model            {}\n", out.join(Trainer::MODEL).display());
    text += &format!("samples          {}\n", out.join("samples").display());
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

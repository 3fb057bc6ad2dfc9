//! `sensorium train translation`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use sensorium::blocks::Params;
use sensorium::generation::GenerationConfig;
use sensorium::metrics::{Bleu, BleuScore};
use sensorium::text::tokenizer::Tokenizer;
use sensorium::text::{Languages, TranslateOptions, Translator};
use sensorium::train::parallel::{self, Pairs};
use sensorium::train::recipes::translation::{self, Corpus, Report, Settings, TokenizerSettings};
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
    /// A folder with train.FROM, train.TO, valid.FROM and valid.TO (or val, dev), gzipped or not: a segment a line
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The language that is translated, as the files' names end
    #[arg(long, value_name = "LANGUAGE")]
    from: String,
    /// The language it is translated to
    #[arg(long, value_name = "LANGUAGE")]
    to: String,
    /// Go on training this checkpoint: a folder, a shipped model, a hub id
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["layers", "heads", "width", "inner", "vocab_size"])]
    init: Option<String>,
    /// Layers of the encoder, and of the decoder
    #[arg(long, value_name = "N", default_value_t = 4)]
    layers: u32,
    /// Attention heads of a layer
    #[arg(long, value_name = "N", default_value_t = 4)]
    heads: u32,
    /// Features of a token
    #[arg(long, value_name = "N", default_value_t = 128)]
    width: u32,
    /// Features between the two layers of a feed-forward [default: twice the width]
    #[arg(long, value_name = "N")]
    inner: Option<u32>,
    /// Pieces of words that are learned, of both languages together
    #[arg(long, value_name = "N", default_value_t = 8000)]
    vocab_size: usize,
    /// Target tokens a step, padding included
    #[arg(long, value_name = "N", default_value_t = 4096)]
    batch_tokens: usize,
    /// Passes over the pairs
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 30)]
    epochs: usize,
    /// Pairs with more tokens on a side are left out
    #[arg(long, value_name = "N", default_value_t = 256)]
    longest: usize,
    /// Share of the features dropped in training [default: 0.3, or what the checkpoint says]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    dropout: Option<f64>,
    /// Share of each target that is spread over all tokens
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.1)]
    smoothing: f64,
    /// Probability that a token is shown as the two pieces it was merged from
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.0)]
    split: f64,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    context.only_f32("training of translators")?;
    let device = context.device()?;
    let folder = args.run.folder()?;
    let [train, validation] = parallel::read(&args.data, &args.from, &args.to)?;
    let corpus = Corpus { train, validation };
    let (config, params, tokenizer) = match &args.init {
        Some(name) => {
            let model = context.hub()?.resolve(name)?;
            let tokenizer = Tokenizer::open(&model)?;
            let mut config = model.config()?;
            if let Some(dropout) = args.dropout {
                config["dropout"] = json!(dropout);
            }
            (config, Params::trainable(model.weights()?), tokenizer)
        }
        None => {
            let tokenizer = translation::joint_tokenizer(
                &corpus.train,
                &TokenizerSettings {
                    vocab_size: args.vocab_size,
                    from: &args.from,
                    to: &args.to,
                },
            )?;
            let seed = context.global.seed.unwrap_or(0);
            (
                fresh_config(args, &tokenizer)?,
                Params::fresh(seed as i64),
                tokenizer,
            )
        }
    };
    context.detail(&format!(
        "{} pairs to learn, {} to validate on, {} tokens in the vocabulary",
        corpus.train.len(),
        corpus.validation.len(),
        tokenizer.vocab_size()
    ));
    let settings = settings(args, config, context);
    let mut display = Display::new(context, "tokens");
    let session = args.run.session(folder, device, &mut display)?;
    let report = translation::train(&settings, params, &tokenizer, &corpus, session)?;
    display.finish();
    if report.outcome == Outcome::Stopped {
        return Ok(stopped(report.record.epochs.len(), args.run.out()));
    }
    if report.left_out > 0 {
        context.note(&format!(
            "{} pairs were left out: empty, or longer than the model takes",
            report.left_out
        ));
    }
    let bleu = validation_bleu(args, &corpus.validation, context)?;
    tell(&report, &bleu, args, context)?;
    Ok(ExitCode::SUCCESS)
}

fn settings(args: &Args, model: Value, context: &Context) -> Settings {
    let fine_tuned = args.init.is_some();
    let mut trainer = TrainerConfig {
        epochs: args.epochs,
        optimizer: if fine_tuned {
            Optimizer::ADAMW
        } else {
            Optimizer::MUON
        },
        learning_rate: LearningRate {
            peak: if fine_tuned { 5e-5 } else { 5e-3 },
            schedule: Schedule::Cosine,
            warmup: 0.05,
        },
        clip_norm: Some(1.0),
        ema_decay: Some(0.999),
        seed: context.global.seed.unwrap_or(0),
    };
    args.run.apply(&mut trainer);
    Settings {
        model,
        data: args.data.display().to_string(),
        from: args.from.clone(),
        to: args.to.clone(),
        batch_tokens: args.batch_tokens,
        longest: args.longest,
        smoothing: args.smoothing,
        split: args.split,
        trainer,
    }
}

/// `config.json` of a new model: Marian's, which the reference opens, too.
fn fresh_config(args: &Args, tokenizer: &Tokenizer) -> Result<Value> {
    let (Some((_, pad)), Some((_, end))) = (tokenizer.pad_token(), tokenizer.eos()) else {
        bail!("the tokenizer has no token to fill up or to end texts with");
    };
    let (layers, heads, width) = (args.layers, args.heads, args.width);
    let inner = args.inner.unwrap_or(2 * width);
    Ok(json!({
        "architectures": ["MarianMTModel"], "model_type": "marian", "is_encoder_decoder": true,
        "vocab_size": tokenizer.vocab_size(), "decoder_vocab_size": tokenizer.vocab_size(), "d_model": width,
        "encoder_layers": layers, "decoder_layers": layers,
        "encoder_attention_heads": heads, "decoder_attention_heads": heads,
        "encoder_ffn_dim": inner, "decoder_ffn_dim": inner,
        "max_position_embeddings": 256, "activation_function": "swish", "scale_embedding": true,
        "static_position_embeddings": true, "share_encoder_decoder_embeddings": true, "tie_word_embeddings": true,
        "dropout": args.dropout.unwrap_or(0.3), "attention_dropout": 0.0, "activation_dropout": 0.0,
        "pad_token_id": pad, "eos_token_id": end, "decoder_start_token_id": pad, "forced_eos_token_id": end,
    }))
}

/// BLEU of the finished model's translations of the validation texts, with the beams it asks for.
fn validation_bleu(args: &Args, pairs: &Pairs, context: &Context) -> Result<BleuScore> {
    let model = context.hub()?.resolve(&args.run.out().to_string_lossy())?;
    let translator = Translator::open(&model, context.device()?, None)?;
    let languages = Languages {
        from: Some(&args.from),
        to: Some(&args.to),
    };
    let options = TranslateOptions {
        whole_lines: true,
        ..TranslateOptions::default()
    };
    let config = GenerationConfig::default();
    let hypotheses = translator.translate_with(&pairs.source, languages, &config, options)?;
    Ok(Bleu::default().corpus_score(&hypotheses, &[&pairs.target])?)
}

fn tell(report: &Report, bleu: &BleuScore, args: &Args, context: &Context) -> Result<()> {
    let out = args.run.out();
    let best = report
        .record
        .epochs
        .iter()
        .map(|epoch| epoch.validation.loss)
        .min_by(f64::total_cmp);
    if context.global.json {
        return print::json(&json!({
            "out": out, "validation_loss": best, "validation_bleu": bleu.score, "parameters": report.record.parameters,
            "seconds": report.record.seconds,
        }));
    }
    let mut text = String::new();
    if let Some(best) = best {
        text += &format!("validation loss  {best:.4} (best)\n");
        text += &format!("perplexity       {:.3}\n", best.exp());
    }
    text += &format!("validation BLEU  {:.2}\n", bleu.score);
    text += &format!("parameters       {}\n", report.record.parameters);
    text += &format!("training time    {:.1} s\n", report.record.seconds);
    text += &format!("model            {}\n", out.join(Trainer::MODEL).display());
    text += &format!("plot             {}\n", out.join(Trainer::PLOT).display());
    print::text(&text)
}

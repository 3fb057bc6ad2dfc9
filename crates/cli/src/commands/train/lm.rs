//! `sensorium train lm`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use sensorium::DType;
use sensorium::blocks::Params;
use sensorium::hub::Model;
use sensorium::text::tokenizer::{Algorithm, Tokenizer, TrainOptions};
use sensorium::train::corpus::{self, CorpusOptions, Texts};
use sensorium::train::recipes::lm::{self, Corpus, Precision, Report, Settings};
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
    /// A text, a CSV or TSV, or a folder with train.txt and valid.txt (or .csv, .tsv; gzipped or not)
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The column of a table that has the texts [default: text, or the only one]
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// Share of the text that is held out where there is no validation file
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.1)]
    held_out: f64,
    /// Go on training this checkpoint: a folder, a shipped model, a hub id
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["arch", "layers", "heads", "width", "tokenizer"])]
    from: Option<String>,
    /// The network
    #[arg(long, value_enum, default_value = "gpt2")]
    arch: ArchName,
    /// Layers
    #[arg(long, value_name = "N", default_value_t = 4)]
    layers: u32,
    /// Attention heads of a layer
    #[arg(long, value_name = "N", default_value_t = 4)]
    heads: u32,
    /// Features of a token
    #[arg(long, value_name = "N", default_value_t = 128)]
    width: u32,
    /// What becomes a token: characters, pieces learned from the text, or those of a model
    #[arg(long, value_name = "char|bpe|MODEL", default_value = "char")]
    tokenizer: String,
    /// Tokens that `--tokenizer bpe` learns
    #[arg(long, value_name = "N", default_value_t = 4096)]
    vocab_size: usize,
    /// Tokens of an example
    #[arg(long, value_name = "N", default_value_t = 64)]
    block: usize,
    /// Examples a step
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 12)]
    batch_size: usize,
    /// Parts that a step's examples are computed in, to save memory
    #[arg(long, value_name = "N", default_value_t = 1)]
    accumulate: usize,
    /// Steps
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 2000)]
    steps: usize,
    /// Steps between two validations
    #[arg(long, value_name = "N", default_value_t = 250)]
    eval_every: usize,
    /// Share of the features dropped in training
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.0)]
    dropout: f64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ArchName {
    /// GPT-2
    Gpt2,
    /// Llama: rotary positions, RMS norms, gated feed-forward
    Llama,
    /// Llama whose tokens see only the last `--block` ones, so that it writes on without end
    Mistral,
    /// A Transformer encoder with a causal mask
    Transformer,
    /// An LSTM
    Lstm,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let precision = precision(context)?;
    let device = context.device()?;
    let folder = args.run.folder()?;
    let texts = corpus::read(
        &args.data,
        &CorpusOptions {
            column: args.text_column.clone(),
            held_out: args.held_out,
        },
    )?;
    let (config, params, tokenizer) = match &args.from {
        Some(name) => {
            let model = context.hub()?.resolve(name)?;
            let tokenizer = Tokenizer::open(&model)?;
            (model.config()?, Params::trainable(model.weights()?), tokenizer)
        }
        None => {
            let tokenizer = tokenizer(args, &texts, context)?;
            let seed = context.global.seed.unwrap_or(0);
            (
                fresh_config(args.arch, args, &tokenizer),
                Params::fresh(seed as i64),
                tokenizer,
            )
        }
    };
    let corpus = Corpus::new(&texts, &tokenizer)?;
    if corpus.validation.is_empty() {
        bail!("nothing is held out to validate on: give a validation file or a larger --held-out");
    }
    context.detail(&format!(
        "{} tokens to learn, {} to validate on, {} in the vocabulary",
        corpus.train.len(),
        corpus.validation.len(),
        tokenizer.vocab_size()
    ));
    let settings = settings(args, config, precision, context);
    let mut display = Display::new(context, "tokens");
    let session = args.run.session(folder, device, &mut display)?;
    let report = lm::train(&settings, params, &tokenizer, corpus, session)?;
    display.finish();
    if report.outcome == Outcome::Stopped {
        return Ok(stopped(report.record.epochs.len(), args.run.out()));
    }
    tell(&report, args, context)?;
    Ok(ExitCode::SUCCESS)
}

fn precision(context: &Context) -> Result<Precision> {
    match context.global.dtype {
        None | Some(DType::F32) => Ok(Precision::F32),
        Some(DType::Bf16) => Ok(Precision::Bf16),
        Some(_) => bail!("training is in f32 or bf16: gradients are too small for f16"),
    }
}

fn settings(args: &Args, model: Value, precision: Precision, context: &Context) -> Settings {
    let mut trainer = TrainerConfig {
        epochs: args.steps.div_ceil(args.eval_every.max(1)),
        optimizer: match args.from {
            Some(_) => Optimizer::AdamW {
                beta1: 0.9,
                beta2: 0.99,
                eps: 1e-8,
                weight_decay: 0.1,
            },
            None => Optimizer::MUON,
        },
        learning_rate: LearningRate {
            peak: if args.from.is_some() { 5e-5 } else { 5e-3 },
            schedule: Schedule::Cosine,
            warmup: 0.05,
        },
        clip_norm: Some(1.0),
        ema_decay: None,
        seed: context.global.seed.unwrap_or(0),
    };
    args.run.apply(&mut trainer);
    Settings {
        model,
        data: args.data.display().to_string(),
        block: args.block,
        batch_size: args.batch_size,
        accumulate: args.accumulate,
        precision,
        eval_every: args.eval_every.min(args.steps),
        trainer,
    }
}

/// The tokenizer that the flags ask for.
fn tokenizer(args: &Args, texts: &Texts, context: &Context) -> Result<Tokenizer> {
    match args.tokenizer.as_str() {
        "char" => {
            // Characters of the validation text too: it must not be full of unknown ones.
            let all = texts.train.iter().chain(&texts.validation);
            Ok(Tokenizer::train(all, &TrainOptions::new(Algorithm::Characters))?)
        }
        "bpe" => {
            let options = TrainOptions {
                vocab_size: args.vocab_size,
                ..TrainOptions::new(Algorithm::ByteLevelBpe)
            };
            Ok(Tokenizer::train(texts.train.iter(), &options)?)
        }
        name => {
            let model: Model = context.hub()?.resolve(name).context("--tokenizer")?;
            Ok(Tokenizer::open(&model)?)
        }
    }
}

/// `config.json` of a new model.
fn fresh_config(arch: ArchName, args: &Args, tokenizer: &Tokenizer) -> Value {
    let vocabulary = tokenizer.vocab_size();
    let (layers, heads, width, block) = (args.layers, args.heads, args.width, args.block);
    let end = tokenizer.eos().map(|(_, id)| id);
    match arch {
        ArchName::Gpt2 => json!({
            "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2",
            "vocab_size": vocabulary, "n_positions": block, "n_embd": width, "n_layer": layers,
            "n_head": heads, "attn_pdrop": args.dropout, "embd_pdrop": args.dropout,
            "resid_pdrop": args.dropout, "bos_token_id": end, "eos_token_id": end,
        }),
        ArchName::Llama => json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama",
            "vocab_size": vocabulary, "max_position_embeddings": block, "hidden_size": width,
            // Two thirds of four times the width: as many parameters as a plain feed-forward (arXiv 2002.05202).
            "intermediate_size": (width * 8 / 3).next_multiple_of(16), "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": heads, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_dropout": args.dropout,
            "bos_token_id": end, "eos_token_id": end,
        }),
        ArchName::Mistral => {
            let mut config = fresh_config(ArchName::Llama, args, tokenizer);
            config["architectures"] = json!(["MistralForCausalLM"]);
            config["model_type"] = json!("mistral");
            config["sliding_window"] = json!(block);
            config["max_position_embeddings"] = json!(block * 128);
            config
        }
        ArchName::Transformer => json!({
            "model_type": "transformer_lm", "vocab_size": vocabulary, "max_position_embeddings": block,
            "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers,
            "num_attention_heads": heads, "dropout": args.dropout, "eos_token_id": end,
        }),
        ArchName::Lstm => json!({
            "model_type": "lstm_lm", "vocab_size": vocabulary, "max_position_embeddings": 1 << 20,
            "hidden_size": width, "num_hidden_layers": layers, "dropout": args.dropout, "eos_token_id": end,
        }),
    }
}

fn tell(report: &Report, args: &Args, context: &Context) -> Result<()> {
    let out = args.run.out();
    if context.global.json {
        return print::json(&json!({
            "out": out, "best": report.best, "parameters": report.record.parameters,
            "seconds": report.record.seconds,
        }));
    }
    let mut text = String::new();
    if let Some(best) = &report.best {
        text += &format!("validation loss  {:.4} (best)\n", best.loss);
        text += &format!("perplexity       {:.3}\n", best.perplexity);
        text += &format!("bits per byte    {:.4}\n", best.bits_per_byte);
    }
    text += &format!("parameters       {}\n", report.record.parameters);
    text += &format!("training time    {:.1} s\n", report.record.seconds);
    text += &format!("model            {}\n", out.join(Trainer::MODEL).display());
    text += &format!("plot             {}\n", out.join(Trainer::PLOT).display());
    print::text(&text)
}

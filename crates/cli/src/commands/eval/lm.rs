//! `sensorium eval lm`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use sensorium::text::{Error, TextGenerator};
use sensorium::train::corpus::{self, CorpusOptions};
use sensorium::train::recipes::lm::{Quality, evaluate, token_ids};
use serde_json::json;

use crate::context::Context;
use crate::print;

/// Tokens of a window unless told otherwise, of a model that takes so many.
const BLOCK: i64 = 1024;

/// What to evaluate.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a folder, a shipped model or a hub id
    #[arg(short, long)]
    model: String,
    /// A text, a CSV or TSV, or a folder with valid.txt (or .csv, .tsv; gzipped or not) beside train.txt
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The column of a table that has the texts [default: text, or the only one]
    #[arg(long, value_name = "NAME")]
    text_column: Option<String>,
    /// Share of the text, from its end, that is measured [default: 1; of a folder without a validation
    /// file 0.1, what training holds out]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    held_out: Option<f64>,
    /// Tokens of a window: each token is predicted from those before it in its window [default: what the
    /// model takes, at most 1024]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    block: Option<u32>,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let whole = if args.data.is_dir() { 0.1 } else { 1.0 };
    let texts = corpus::read(
        &args.data,
        &CorpusOptions {
            column: args.text_column.clone(),
            held_out: args.held_out.unwrap_or(whole),
        },
    )?;
    let device = context.device()?;
    let model = context.hub()?.resolve(&args.model)?;
    let generator = TextGenerator::open(&model, device, context.global.dtype.map(|dtype| dtype.kind()))?;
    let lm = generator.model();
    let tokens = token_ids(&texts.validation, generator.tokenizer())?;
    let bytes: usize = texts.validation.iter().map(String::len).sum();
    if tokens.len() < 2 {
        bail!(
            "{} is too short to measure: it has fewer than 2 tokens",
            args.data.display()
        );
    }
    let vocabulary = lm.vocabulary();
    if let Some(id) = tokens
        .iter()
        .map(|&id| i64::from(id))
        .find(|&id| id >= vocabulary)
    {
        return Err(Error::NoSuchToken { id, vocabulary }.into());
    }
    let most = lm.max_positions();
    let block = args.block.map_or(most.min(BLOCK), i64::from);
    if block > most {
        bail!("--block {block} is longer than the {most} tokens that the model takes");
    }
    context.detail(&format!("{} tokens in windows of {block}", tokens.len()));

    let start = Instant::now();
    let scores = evaluate(lm, &tokens, usize::try_from(block)?);
    let seconds = start.elapsed().as_secs_f64();
    let predicted = tokens.len() - 1;
    let quality = Quality::new(scores.loss, predicted, bytes);
    let rate = predicted as f64 / seconds.max(1e-9);
    if context.global.json {
        print::json(&json!({
            "model": args.model,
            "data": args.data,
            "tokens": predicted,
            "bytes": bytes,
            "block": block,
            "loss": quality.loss,
            "perplexity": quality.perplexity,
            "bits_per_byte": quality.bits_per_byte,
            "accuracy": scores.accuracy,
            "seconds": seconds,
            "tokens_per_second": rate,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("loss           {:.4} nats/token\n", quality.loss);
    text += &format!("perplexity     {:.3}\n", quality.perplexity);
    text += &format!("bits per byte  {:.4}\n", quality.bits_per_byte);
    text += &format!(
        "accuracy       {:.2} % of {predicted} tokens\n",
        100.0 * scores.accuracy
    );
    text += &format!("speed          {rate:.0} tokens/s ({seconds:.2} s)\n");
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// A number above 0, at most 1.
fn share(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|&x| x > 0.0 && x <= 1.0);
    number.ok_or_else(|| "expected a number above 0, at most 1".to_owned())
}

//! `sensorium generate`: a language model writes on.

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use sensorium::generation::{Finish, Flow, TextConstraint, Vocabulary};
use sensorium::text::{Completion, Error, GenerateOptions, TextGenerator};
use serde_json::{Value, json};

use crate::context::Context;
use crate::sampling::SamplingArgs;
use crate::{inputs, print};

/// Flags of `sensorium generate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The beginnings of texts; - for one from standard input
    #[arg(required = true, value_name = "PROMPT")]
    prompts: Vec<String>,
    /// A model folder, a shipped model's name or a hub id
    #[arg(short, long, value_name = "MODEL", default_value = "shakespeare")]
    model: String,
    /// Print the text while it is written
    #[arg(long)]
    stream: bool,
    /// Cut the beginning of prompts that are too long for the model
    #[arg(long)]
    truncate: bool,
    /// Also give each token's log probability, and those of the N likeliest tokens (with --json)
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "0")]
    logprobs: Option<usize>,
    /// Write only what fits this regular expression
    #[arg(long, value_name = "REGEX", conflicts_with = "json_schema")]
    regex: Option<String>,
    /// Write only JSON that fits the schema in this file
    #[arg(long, value_name = "FILE")]
    json_schema: Option<std::path::PathBuf>,
    /// Texts for each prompt
    #[arg(long, value_name = "N", help_heading = "Generation")]
    num_return_sequences: Option<usize>,
    #[command(flatten)]
    sampling: SamplingArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let mut config = args.sampling.config(context.global.seed)?;
    config.num_return_sequences = args.num_return_sequences;
    config.validate()?;
    let prompts: Vec<String> = args
        .prompts
        .iter()
        .map(|prompt| read(prompt))
        .collect::<Result<_>>()?;
    let device = context.device()?;
    let model = context.hub()?.resolve(&args.model)?;
    let generator = TextGenerator::open(&model, device, context.global.dtype.map(|dtype| dtype.kind()))?;
    let config = generator.limited(config, 128);
    let mut constraint = constraint(args, &generator)?;
    let several = prompts.len() > 1;
    for prompt in &prompts {
        let start = Instant::now();
        let stream = args.stream && !context.global.json;
        if stream {
            print::text(prompt)?;
        }
        let mut closed = None;
        let mut show = |_: usize, piece: &str| match print::text(piece) {
            Ok(()) => Flow::Continue,
            Err(error) => {
                closed = Some(error);
                Flow::Stop
            }
        };
        let options = GenerateOptions {
            on_text: if stream { Some(&mut show) } else { None },
            constraint: constraint.as_mut().map(|constraint| constraint as _),
            log_probs: args.logprobs,
            truncate: args.truncate,
        };
        let completions = match generator.generate(&[prompt], &config, options) {
            Err(Error::Generation(error @ sensorium::generation::Error::PromptTooLong { .. })) => {
                bail!("{error}; --truncate cuts the beginning of the prompt");
            }
            completions => completions?,
        };
        if let Some(error) = closed {
            return Err(error);
        }
        let tokens: usize = completions.iter().map(|c| c.generated.ids.len()).sum();
        let seconds = start.elapsed().as_secs_f64();
        context.detail(&format!(
            "{tokens} tokens, {:.1} tokens/s",
            tokens as f64 / seconds
        ));
        for completion in &completions {
            if constraint.is_some() && completion.generated.finish == Finish::Length {
                context.note("the text was cut before it was complete: see --max-new-tokens");
            }
            if context.global.json {
                let value = as_json(prompt, completion, &generator, args.logprobs.is_some());
                print::json(&if several {
                    json!({ "input": prompt, "output": value })
                } else {
                    value
                })?;
            } else if stream {
                print::text("\n")?;
            } else {
                print::text(&format!("{prompt}{}\n", completion.text))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read(prompt: &str) -> Result<String> {
    if prompt != "-" {
        return Ok(prompt.to_string());
    }
    let mut bytes = Vec::new();
    io::stdin()
        .read_to_end(&mut bytes)
        .context("cannot read standard input")?;
    inputs::utf8(bytes, "standard input")
}

fn constraint(args: &Args, generator: &TextGenerator) -> Result<Option<TextConstraint>> {
    if args.regex.is_none() && args.json_schema.is_none() {
        return Ok(None);
    }
    // Special tokens stand for no text: they have no bytes.
    let bytes = generator
        .tokenizer()
        .token_bytes()
        .into_iter()
        .map(Option::unwrap_or_default);
    let vocabulary = std::sync::Arc::new(Vocabulary::new(bytes.collect()));
    if let Some(regex) = &args.regex {
        return Ok(Some(TextConstraint::regex(regex, vocabulary).context("--regex")?));
    }
    let Some(path) = &args.json_schema else {
        return Ok(None);
    };
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let schema: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    let constraint = TextConstraint::json_schema(&schema, vocabulary);
    Ok(Some(
        constraint.with_context(|| format!("the schema {}", path.display()))?,
    ))
}

fn as_json(prompt: &str, completion: &Completion, generator: &TextGenerator, log_probs: bool) -> Value {
    let mut value = json!({ "generated_text": format!("{prompt}{}", completion.text) });
    if log_probs {
        let token = |id: i64| generator.tokenizer().token(id);
        let steps = completion.generated.log_probs.iter().map(|step| {
            let top = step
                .top
                .iter()
                .map(|&(id, log)| json!({ "token": token(id), "logprob": log }));
            json!({
                "id": step.id, "token": token(step.id), "logprob": step.log_prob,
                "top": top.collect::<Vec<_>>(),
            })
        });
        value["logprobs"] = steps.collect();
    }
    value
}

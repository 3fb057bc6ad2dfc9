//! `sensorium generate`: a language model writes on.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use sensorium::generation::{Flow, GenerationConfig, OneOrMany, TextConstraint, Vocabulary};
use sensorium::text::{Completion, GenerateOptions, TextGenerator};
use serde_json::{Value, json};

use crate::context::Context;
use crate::print;

/// Flags of `sensorium generate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The beginnings of texts; - for one from standard input
    #[arg(required = true, value_name = "PROMPT")]
    prompts: Vec<String>,
    /// A model folder, a shipped model's name or a hub id
    #[arg(short, long, value_name = "MODEL")]
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
    #[command(flatten)]
    config: ConfigArgs,
}

/// How tokens are chosen; what is not given comes from the model's own settings.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Generation")]
pub struct ConfigArgs {
    /// The most new tokens
    #[arg(long, value_name = "N", default_value_t = 128)]
    max_new_tokens: usize,
    /// No end before this many new tokens
    #[arg(long, value_name = "N")]
    min_new_tokens: Option<usize>,
    /// Draw tokens at random instead of taking the likeliest
    #[arg(long)]
    sample: bool,
    /// Divides the scores when drawing
    #[arg(long, value_name = "T")]
    temperature: Option<f64>,
    /// Draw from the K likeliest tokens
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Draw from the likeliest tokens that have this probability together
    #[arg(long, value_name = "P")]
    top_p: Option<f64>,
    /// Draw from tokens at least this likely, as a share of the likeliest
    #[arg(long, value_name = "P")]
    min_p: Option<f64>,
    /// Draw from the most typical tokens that have this probability together
    #[arg(long, value_name = "P")]
    typical_p: Option<f64>,
    /// Divides the scores of tokens that were there already
    #[arg(long, value_name = "X")]
    repetition_penalty: Option<f64>,
    /// Taken from the scores of tokens that were written already
    #[arg(long, value_name = "X")]
    presence_penalty: Option<f64>,
    /// The same for each time
    #[arg(long, value_name = "X")]
    frequency_penalty: Option<f64>,
    /// No sequence of N tokens comes twice
    #[arg(long, value_name = "N")]
    no_repeat_ngram_size: Option<usize>,
    /// Beams that are searched
    #[arg(long, value_name = "N")]
    num_beams: Option<usize>,
    /// Power of the length that divides the beams' scores
    #[arg(long, value_name = "X")]
    length_penalty: Option<f64>,
    /// Texts for each prompt
    #[arg(long, value_name = "N")]
    num_return_sequences: Option<usize>,
    /// Weight of contrastive search's penalty
    #[arg(long, value_name = "X")]
    penalty_alpha: Option<f64>,
    /// Tokens guessed from the prompt for each step
    #[arg(long, value_name = "N")]
    prompt_lookup: Option<usize>,
    /// A text that ends the writing; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
}

impl ConfigArgs {
    /// The settings that were given.
    pub fn config(&self, context: &Context) -> Result<GenerationConfig> {
        let given = json!({
            "max_new_tokens": self.max_new_tokens, "min_new_tokens": self.min_new_tokens,
            "temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p, "min_p": self.min_p,
            "typical_p": self.typical_p, "repetition_penalty": self.repetition_penalty,
            "presence_penalty": self.presence_penalty, "frequency_penalty": self.frequency_penalty,
            "no_repeat_ngram_size": self.no_repeat_ngram_size, "num_beams": self.num_beams,
            "length_penalty": self.length_penalty, "num_return_sequences": self.num_return_sequences,
            "penalty_alpha": self.penalty_alpha, "prompt_lookup_num_tokens": self.prompt_lookup,
            "seed": context.global.seed,
        });
        let given = given.as_object().cloned().unwrap_or_default();
        let given = given.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let mut config = GenerationConfig::default().with_json(&given)?;
        // Asking for a temperature, or for one of many tokens, is asking to draw.
        let drawing = [self.temperature, self.top_p, self.min_p, self.typical_p];
        let drawing = drawing.iter().any(Option::is_some);
        if self.sample || drawing || (self.top_k.is_some() && self.penalty_alpha.is_none()) {
            config.do_sample = Some(true);
        }
        if !self.stop.is_empty() {
            config.stop_strings = Some(OneOrMany::Many(self.stop.clone()));
        }
        config.validate()?;
        Ok(config)
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let config = args.config.config(context)?;
    let prompts: Vec<String> = args
        .prompts
        .iter()
        .map(|prompt| read(prompt))
        .collect::<Result<_>>()?;
    let device = context.device()?;
    let model = context.hub()?.resolve(&args.model)?;
    let generator = TextGenerator::open(&model, device, context.global.dtype.map(|dtype| dtype.kind()))?;
    let mut constraint = constraint(args, &generator)?;
    let several = prompts.len() > 1;
    for prompt in &prompts {
        let start = Instant::now();
        let stream = args.stream && !context.global.json;
        if stream {
            print::text(prompt)?;
        }
        let mut closed = None;
        let mut show = |_: usize, piece: &str| match print_now(piece) {
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
        let completions = generator.generate(&[prompt], &config, options)?;
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
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("standard input is not UTF-8: the byte at {at} begins no character")
    })?;
    Ok(text)
}

fn print_now(piece: &str) -> Result<()> {
    print::text(piece)?;
    io::stdout().flush()?;
    Ok(())
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

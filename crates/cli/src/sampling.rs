//! How tokens are chosen: the flags of every command that writes text.

use anyhow::Result;
use sensorium::generation::{GenerationConfig, OneOrMany};
use serde_json::json;

use crate::numbers::finite;

/// How tokens are chosen; what is not given comes from the model's own settings.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Generation")]
pub struct SamplingArgs {
    /// The most new tokens [default: as the model says, else 128; in a chat 512]
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// No end before this many new tokens
    #[arg(long, value_name = "N")]
    min_new_tokens: Option<usize>,
    /// Draw tokens at random instead of taking the likeliest
    #[arg(long)]
    sample: bool,
    /// Divides the scores when drawing
    #[arg(long, value_name = "T", value_parser = finite)]
    temperature: Option<f64>,
    /// Draw from the K likeliest tokens
    #[arg(long, value_name = "K")]
    top_k: Option<usize>,
    /// Draw from the likeliest tokens that have this probability together
    #[arg(long, value_name = "P", value_parser = finite)]
    top_p: Option<f64>,
    /// Draw from tokens at least this likely, as a share of the likeliest
    #[arg(long, value_name = "P", value_parser = finite)]
    min_p: Option<f64>,
    /// Draw from the most typical tokens that have this probability together
    #[arg(long, value_name = "P", value_parser = finite)]
    typical_p: Option<f64>,
    /// Divides the scores of tokens that were there already
    #[arg(long, value_name = "X", value_parser = finite)]
    repetition_penalty: Option<f64>,
    /// Taken from the scores of tokens that were written already
    #[arg(long, value_name = "X", value_parser = finite)]
    presence_penalty: Option<f64>,
    /// The same for each time
    #[arg(long, value_name = "X", value_parser = finite)]
    frequency_penalty: Option<f64>,
    /// No sequence of N tokens comes twice
    #[arg(long, value_name = "N")]
    no_repeat_ngram_size: Option<usize>,
    /// Beams that are searched
    #[arg(long, value_name = "N")]
    num_beams: Option<usize>,
    /// Power of the length that divides the beams' scores
    #[arg(long, value_name = "X", value_parser = finite)]
    length_penalty: Option<f64>,
    /// Weight of contrastive search's penalty
    #[arg(long, value_name = "X", value_parser = finite)]
    penalty_alpha: Option<f64>,
    /// Tokens guessed from the prompt for each step
    #[arg(long, value_name = "N")]
    prompt_lookup: Option<usize>,
    /// A text that ends the writing; may be given several times
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
}

impl SamplingArgs {
    /// The settings that were given.
    pub fn config(&self, seed: Option<u64>) -> Result<GenerationConfig> {
        let given = json!({
            "max_new_tokens": self.max_new_tokens, "min_new_tokens": self.min_new_tokens,
            "temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p, "min_p": self.min_p,
            "typical_p": self.typical_p, "repetition_penalty": self.repetition_penalty,
            "presence_penalty": self.presence_penalty, "frequency_penalty": self.frequency_penalty,
            "no_repeat_ngram_size": self.no_repeat_ngram_size, "num_beams": self.num_beams,
            "length_penalty": self.length_penalty,
            "penalty_alpha": self.penalty_alpha, "prompt_lookup_num_tokens": self.prompt_lookup,
            "seed": seed,
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

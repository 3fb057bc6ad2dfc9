//! Settings of a generation, spelled as in the published `generation_config.json`.

mod settings;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Error;

pub(crate) use settings::Settings;

/// One value or several: `eos_token_id` and `stop_strings` are published either way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// A single value.
    One(T),
    /// A list.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// The values.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

impl<T> From<T> for OneOrMany<T> {
    fn from(value: T) -> Self {
        Self::One(value)
    }
}

impl<T> From<Vec<T>> for OneOrMany<T> {
    fn from(values: Vec<T>) -> Self {
        Self::Many(values)
    }
}

/// When beam search is content with what it has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum EarlyStopping {
    /// `false`: when a better sequence is unlikely, judged by the present length.
    #[default]
    Likely,
    /// `true`: as soon as there are as many finished sequences as beams.
    First,
    /// `"never"`: only when no better sequence is possible.
    Never,
}

impl TryFrom<Value> for EarlyStopping {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match &value {
            Value::Bool(false) => Ok(Self::Likely),
            Value::Bool(true) => Ok(Self::First),
            Value::String(word) if word == "never" => Ok(Self::Never),
            _ => Err(format!(
                "`early_stopping` is {value}, but must be true, false or \"never\""
            )),
        }
    }
}

impl From<EarlyStopping> for Value {
    fn from(value: EarlyStopping) -> Self {
        match value {
            EarlyStopping::Likely => Self::Bool(false),
            EarlyStopping::First => Self::Bool(true),
            EarlyStopping::Never => Self::String("never".to_string()),
        }
    }
}

/// How to generate. What is `None` was not said, and has the default of the `transformers` library.
///
/// The names are those of `generation_config.json`; names that are not known here are ignored.
///
/// ```
/// use sensorium_generation::GenerationConfig;
///
/// let published: GenerationConfig = serde_json::from_str(r#"{"eos_token_id": 2, "num_beams": 4}"#)?;
/// let asked = GenerationConfig { num_beams: Some(1), ..Default::default() };
/// let config = asked.merge(&published);
/// assert_eq!(config.num_beams, Some(1));
/// assert_eq!(config.eos_token_id, Some(2.into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GenerationConfig {
    /// The most new tokens; wins over `max_length`.
    pub max_new_tokens: Option<usize>,
    /// The most tokens of a sequence, prompt included. If neither is said, 20 new tokens.
    pub max_length: Option<usize>,
    /// The fewest new tokens before an end-of-sequence token; wins over `min_length`.
    pub min_new_tokens: Option<usize>,
    /// The fewest tokens of a sequence, prompt included.
    pub min_length: Option<usize>,
    /// Strings that end a sequence.
    pub stop_strings: Option<OneOrMany<String>>,

    /// Draw tokens by their probability instead of taking the likeliest.
    pub do_sample: Option<bool>,
    /// Of the random draws; without it they differ from run to run.
    pub seed: Option<u64>,
    /// Sequences to return for each row of the prompt.
    pub num_return_sequences: Option<usize>,
    /// Beams of beam search; 1 is no beam search.
    pub num_beams: Option<usize>,
    /// Groups of beams that avoid each other's tokens.
    pub num_beam_groups: Option<usize>,
    /// What a token costs a group for each earlier group's beam that has just chosen it.
    pub diversity_penalty: Option<f32>,
    /// Beam scores are divided by the generated length to this power.
    pub length_penalty: Option<f32>,
    /// When beam search is content.
    pub early_stopping: Option<EarlyStopping>,
    /// Contrastive search: the weight of being unlike what was written before.
    pub penalty_alpha: Option<f32>,
    /// Prompt lookup: how many tokens to guess by what followed the same words before.
    pub prompt_lookup_num_tokens: Option<usize>,
    /// Prompt lookup: the longest run of tokens that is looked up.
    pub max_matching_ngram_size: Option<usize>,
    /// Tokens that a draft model proposes at a time.
    pub num_assistant_tokens: Option<usize>,

    /// Scores are divided by it before drawing.
    pub temperature: Option<f32>,
    /// Draw from the `top_k` likeliest tokens; 0 is all.
    pub top_k: Option<usize>,
    /// Draw from the likeliest tokens that together have this probability.
    pub top_p: Option<f32>,
    /// Draw from tokens at least this likely relative to the likeliest.
    pub min_p: Option<f32>,
    /// Draw from the most typical tokens that together have this probability.
    pub typical_p: Option<f32>,
    /// Draw from tokens at least this likely.
    pub epsilon_cutoff: Option<f32>,
    /// The same with a cutoff that falls with the entropy.
    pub eta_cutoff: Option<f32>,

    /// Scores of tokens that occurred are divided by it (multiplied where negative).
    pub repetition_penalty: Option<f32>,
    /// Scores of tokens of the encoder's input are multiplied by it (divided where negative).
    pub encoder_repetition_penalty: Option<f32>,
    /// Subtracted from the score of each token generated before.
    pub presence_penalty: Option<f32>,
    /// Subtracted from the score of each token as often as it was generated before.
    pub frequency_penalty: Option<f32>,
    /// No run of so many tokens occurs twice; 0 is no such rule.
    pub no_repeat_ngram_size: Option<usize>,
    /// No run of so many tokens of the encoder's input occurs; 0 is no such rule.
    pub encoder_no_repeat_ngram_size: Option<usize>,
    /// Sequences of tokens that must not occur.
    pub bad_words_ids: Option<Vec<Vec<i64>>>,
    /// What is added to the score of the last token of a sequence where the others precede.
    pub sequence_bias: Option<Vec<(Vec<i64>, f32)>>,
    /// Tokens that must not occur.
    pub suppress_tokens: Option<Vec<i64>>,
    /// Tokens that must not come first.
    pub begin_suppress_tokens: Option<Vec<i64>>,
    /// The token after the first one.
    pub forced_bos_token_id: Option<i64>,
    /// The last token, if the greatest length is reached.
    pub forced_eos_token_id: Option<OneOrMany<i64>>,
    /// Tokens forced at positions: `[position, token]`.
    pub forced_decoder_ids: Option<Vec<(usize, Option<i64>)>>,
    /// `[start, factor]`: after `start` new tokens, the end's score grows exponentially.
    pub exponential_decay_length_penalty: Option<(usize, f32)>,
    /// Normalise the scores after processing.
    pub renormalize_logits: Option<bool>,
    /// Replace what is not finite in the scores.
    pub remove_invalid_values: Option<bool>,

    /// Fills up sequences that ended before others.
    pub pad_token_id: Option<i64>,
    /// Begins a sequence.
    pub bos_token_id: Option<i64>,
    /// Ends a sequence.
    pub eos_token_id: Option<OneOrMany<i64>>,
    /// Begins a decoder's sequence, in models with an encoder.
    pub decoder_start_token_id: Option<i64>,
}

/// Fills each field that is `None` from another configuration.
macro_rules! fill {
    ($into:ident, $from:ident: $($field:ident)*) => {
        $( if $into.$field.is_none() { $into.$field.clone_from(&$from.$field); } )*
    };
}

impl GenerationConfig {
    /// These settings, and where nothing is said, those of `published`.
    #[must_use]
    pub fn merge(mut self, published: &Self) -> Self {
        fill!(self, published:
            max_new_tokens max_length min_new_tokens min_length stop_strings do_sample seed
            num_return_sequences num_beams num_beam_groups diversity_penalty length_penalty early_stopping
            penalty_alpha prompt_lookup_num_tokens max_matching_ngram_size num_assistant_tokens
            temperature top_k top_p min_p typical_p epsilon_cutoff eta_cutoff
            repetition_penalty encoder_repetition_penalty presence_penalty frequency_penalty
            no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids sequence_bias
            suppress_tokens begin_suppress_tokens forced_bos_token_id forced_eos_token_id
            forced_decoder_ids exponential_decay_length_penalty renormalize_logits remove_invalid_values
            pad_token_id bos_token_id eos_token_id decoder_start_token_id
        );
        self
    }

    /// These settings changed by `changes`, in which `null` takes a setting back.
    ///
    /// [`merge`](Self::merge) cannot do that: there, what is not said is taken from the file.
    ///
    /// # Errors
    /// If a value has the wrong type.
    pub fn with_json(&self, changes: &Map<String, Value>) -> Result<Self, Error> {
        let mut all = serde_json::to_value(self)?;
        for (name, value) in changes {
            // Unsaid, top_k is 50; taken back, it is off.
            let off = name == "top_k" && value.is_null();
            all[name.as_str()] = if off { Value::from(0) } else { value.clone() };
        }
        Ok(serde_json::from_value(all)?)
    }

    /// Checks what can be checked without a prompt.
    ///
    /// # Errors
    /// The first setting whose value means nothing, or two that exclude each other.
    pub fn validate(&self) -> Result<(), Error> {
        settings::validate(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_files_are_read() {
        let text = r#"{
            "bos_token_id": 0, "eos_token_id": [2, 3], "early_stopping": "never", "max_length": null,
            "temperature": 1, "forced_decoder_ids": [[1, null], [2, 50359]], "stop_strings": "end",
            "sequence_bias": [[[1, 2], -3.5]], "alignment_heads": [[1, 0]], "transformers_version": "5.0"
        }"#;
        let config: GenerationConfig = serde_json::from_str(text).unwrap();
        assert_eq!(config.eos_token_id.as_ref().unwrap().as_slice(), [2, 3]);
        assert_eq!(config.early_stopping, Some(EarlyStopping::Never));
        assert_eq!(config.max_length, None);
        assert_eq!(config.temperature, Some(1.));
        assert_eq!(config.forced_decoder_ids, Some(vec![(1, None), (2, Some(50359))]));
        let again = serde_json::from_value(serde_json::to_value(&config).unwrap()).unwrap();
        assert_eq!(config, again);
    }

    #[test]
    fn null_takes_back() {
        let config = GenerationConfig {
            forced_eos_token_id: Some(2.into()),
            num_beams: Some(4),
            ..Default::default()
        };
        let changes = serde_json::json!({"forced_eos_token_id": null, "max_new_tokens": 7, "unknown": 1});
        let config = config.with_json(changes.as_object().unwrap()).unwrap();
        assert_eq!(config.forced_eos_token_id, None);
        assert_eq!((config.num_beams, config.max_new_tokens), (Some(4), Some(7)));
        assert!(
            config
                .with_json(serde_json::json!({"early_stopping": "now"}).as_object().unwrap())
                .is_err()
        );
    }

    #[test]
    fn errors_are_one_sentence() {
        let config = GenerationConfig {
            temperature: Some(0.),
            do_sample: Some(true),
            ..Default::default()
        };
        assert_eq!(
            config.validate().unwrap_err().to_string(),
            "`temperature` is 0, but must be greater than 0; for the likeliest token turn `do_sample` off"
        );
    }
}

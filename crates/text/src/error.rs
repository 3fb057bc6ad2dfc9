//! What can go wrong with a text model.

use sensorium_blocks::{ParamsError, RopeError, UnknownActivation};

/// Why a text model cannot be opened or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the model is missing or damaged.
    #[error(transparent)]
    Hub(#[from] sensorium_hub::Error),
    /// The weights do not fit the configuration.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The tokenizer cannot be read, or refuses a text.
    #[error(transparent)]
    Tokenizer(#[from] crate::tokenizer::TokenizerError),
    /// The chat template is missing or refuses the messages.
    #[error(transparent)]
    Chat(#[from] crate::tokenizer::ChatError),
    /// Nothing could be generated.
    #[error(transparent)]
    Generation(#[from] sensorium_generation::Error),
    /// The tokenizer gives a token that the model does not have: they do not belong together.
    #[error(
        "token {id} is beyond the model's vocabulary of {vocabulary}: the tokenizer belongs to another model"
    )]
    NoSuchToken {
        /// The token.
        id: i64,
        /// How many the model has.
        vocabulary: i64,
    },
    /// A source is longer than the model takes.
    #[error("the text has {tokens} tokens, the model takes {limit}")]
    TooLong {
        /// The source's tokens.
        tokens: usize,
        /// The most that the model takes.
        limit: usize,
    },
    /// The model does not know a language.
    #[error("the model does not translate {end} `{asked}`; it knows {known}")]
    Language {
        /// The language.
        asked: String,
        /// `from` or `to`.
        end: &'static str,
        /// What would be right.
        known: String,
    },
    /// The model knows several languages, and none was named.
    #[error("the model must be told which language to translate {end}{}", if known.is_empty() { String::new() } else { format!("; it knows {known}") })]
    LanguageNeeded {
        /// `from` or `to`.
        end: &'static str,
        /// What can be named.
        known: String,
    },
    /// The configuration has no `model_type`.
    #[error("{model}: config.json names no `model_type`")]
    NoModelType {
        /// The model.
        model: String,
    },
    /// The configuration's `model_type` is none that is known here.
    #[error("{model}: model_type `{found}` is not supported for {task}; supported: {known}")]
    ModelType {
        /// The model.
        model: String,
        /// What the configuration says.
        found: String,
        /// What it was to be used for.
        task: &'static str,
        /// What would be right.
        known: String,
    },
    /// The configuration makes no sense.
    #[error("{model}: config.json: {problem}")]
    Config {
        /// The model.
        model: String,
        /// What is wrong.
        problem: ConfigProblem,
    },
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// A field is missing or of another type.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A size is out of range.
    #[error("`{field}` is {value}, expected 1 to {most}")]
    Size {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i64,
        /// The largest that makes sense.
        most: i64,
    },
    /// One size is not a multiple of another.
    #[error("`{field}` ({value}) is not a multiple of `{of}` ({by})")]
    Multiple {
        /// The field.
        field: &'static str,
        /// Its value.
        value: i64,
        /// The other field.
        of: &'static str,
        /// The other's value.
        by: i64,
    },
    /// An activation function that is not known.
    #[error(transparent)]
    Activation(#[from] UnknownActivation),
    /// Rotary embeddings that are not known or make no sense.
    #[error(transparent)]
    Rope(#[from] RopeError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Checks that `value` can be a size: 1 to `most`.
pub(crate) fn size(field: &'static str, value: i64, most: i64) -> Result<i64, ConfigProblem> {
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ConfigProblem::Size { field, value, most })
    }
}

/// Checks that `value` is a multiple of `by` and returns the quotient.
pub(crate) fn divide(
    (field, value): (&'static str, i64),
    (of, by): (&'static str, i64),
) -> Result<i64, ConfigProblem> {
    size(of, by, i64::MAX)?;
    if value % by == 0 {
        Ok(value / by)
    } else {
        Err(ConfigProblem::Multiple { field, value, of, by })
    }
}

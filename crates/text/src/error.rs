//! What can go wrong with a text model.

use sensorium_blocks::{ConfigProblem, ParamsError};

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
    Tokenizer(#[from] sensorium_tokenizer::TokenizerError),
    /// The chat template is missing or refuses the messages.
    #[error(transparent)]
    Chat(#[from] sensorium_tokenizer::ChatError),
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

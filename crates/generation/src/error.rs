//! Why tokens could not be written.

use crate::constraint::ConstraintError;

/// Why generation was refused or stopped short.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting has a value that means nothing.
    #[error("`{setting}` is {found}, but must be {expected}")]
    Setting {
        /// The setting, spelled as in `generation_config.json`.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What values are possible.
        expected: &'static str,
    },
    /// Two settings exclude each other.
    #[error("`{setting}` cannot be used with {other}")]
    Clash {
        /// The setting.
        setting: &'static str,
        /// What it does not go with.
        other: &'static str,
    },
    /// Settings could not be read.
    #[error("generation settings: {0}")]
    Json(#[from] serde_json::Error),
    /// The prompt has no rows or no tokens.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The rows of a prompt, or what was given for each of them, differ in number or length.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// What was counted.
        what: &'static str,
        /// The count that fits.
        expected: usize,
        /// The count found.
        found: usize,
    },
    /// A row of the prompt is padded otherwise than on the left.
    #[error("row {row} of the prompt must be padded on the left only, and not entirely")]
    Padding {
        /// The row.
        row: usize,
    },
    /// The prompt fills all the room there is.
    #[error("the prompt has {len} tokens, which leaves no room for more: the limit is {limit}")]
    PromptTooLong {
        /// The prompt's length.
        len: usize,
        /// The most tokens that a sequence may have, prompt included.
        limit: usize,
    },
    /// Stop strings were given, but nothing to decode tokens with.
    #[error("`stop_strings` needs a tokenizer that decodes")]
    NoDetokenizer,
    /// Contrastive search, and a model that keeps its hidden states to itself.
    #[error("contrastive search compares hidden states, which this model does not tell")]
    NoHidden,
    /// Nothing may follow: the settings or the constraint forbid every token.
    #[error(
        "row {row}: no token is allowed after {len} tokens; suppressed tokens or the constraint forbid all"
    )]
    NothingAllowed {
        /// The row.
        row: usize,
        /// Tokens in the sequence, prompt included.
        len: usize,
    },
    /// The constraint cannot be met.
    #[error(transparent)]
    Constraint(#[from] ConstraintError),
}

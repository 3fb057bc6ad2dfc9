//! What can go wrong between a text and its tokens.

use std::path::PathBuf;

/// Why a tokenizer cannot be opened or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// One of the model's files is unreadable or not valid JSON.
    #[error(transparent)]
    Hub(#[from] sensorium_hub::Error),
    /// The model has no tokenizer in a form that is known.
    #[error("model {model} has no tokenizer: {looked} not found{}", others(found))]
    Missing {
        /// The model.
        model: String,
        /// The files that were looked for.
        looked: &'static str,
        /// Tokenizer files of other kinds that are there.
        found: Vec<String>,
    },
    /// A file of the tokenizer does not say what it should.
    #[error("model {model}: {file}: {problem}")]
    File {
        /// The model.
        model: String,
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The vocabulary files belong to a kind of tokenizer that they do not fully describe.
    #[error("model {model}: {files} are not enough to build its tokenizer `{class}`; add tokenizer.json")]
    Class {
        /// The model.
        model: String,
        /// The files that are there.
        files: &'static str,
        /// The tokenizer's class, in transformers' terms.
        class: String,
    },
    /// A text could not be encoded.
    #[error("cannot encode the text: {0}")]
    Encode(#[source] BoxError),
    /// Ids could not be decoded.
    #[error("cannot decode the tokens: {0}")]
    Decode(#[source] BoxError),
    /// Padding was asked for and there is no token to pad with.
    #[error("cannot pad: the tokenizer has no pad_token")]
    NoPadToken,
    /// There is no room for the text.
    #[error("max_length {max_length} leaves no room beside {special} special tokens")]
    MaxLength {
        /// The limit asked for, in tokens.
        max_length: usize,
        /// The special tokens that are added.
        special: usize,
    },
    /// The parts of a text that is cut into pieces overlap completely.
    #[error("stride {stride} must be smaller than the {room} tokens that a piece has room for")]
    Stride {
        /// The overlap asked for, in tokens.
        stride: usize,
        /// The room in a piece, in tokens.
        room: usize,
    },
    /// The part that may be cut is not long enough to make everything fit, or not there.
    #[error("cannot truncate to {max_length} tokens: {problem}")]
    Truncate {
        /// The limit asked for, in tokens.
        max_length: usize,
        /// What stands in the way.
        #[source]
        problem: BoxError,
    },
    /// A chat cannot be written as text.
    #[error(transparent)]
    Chat(#[from] super::ChatError),
    /// A new tokenizer cannot be trained.
    #[error("cannot train a tokenizer: {0}")]
    Train(#[source] BoxError),
    /// The settings of a new tokenizer make no sense.
    #[error("cannot train a tokenizer: {0}")]
    TrainSettings(String),
    /// A tokenizer could not be saved.
    #[error("cannot save the tokenizer in {}", path.display())]
    Save {
        /// The folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: BoxError,
    },
}

/// A cause of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn others(found: &[String]) -> String {
    if found.is_empty() {
        return String::new();
    }
    format!(" ({} cannot be read here)", found.join(", "))
}

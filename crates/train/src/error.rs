//! What can go wrong in training.

use std::path::PathBuf;

/// Why a run could not start, go on or be saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file could not be read or written, or is not what it should be.
    #[error(transparent)]
    Hub(#[from] sensorium_hub::Error),
    /// The model could not get its parameters.
    #[error(transparent)]
    Params(#[from] sensorium_blocks::ParamsError),
    /// The data could not be read.
    #[error(transparent)]
    Vision(#[from] sensorium_vision::Error),
    /// A text could not be made tokens, or a language model not be opened.
    #[error(transparent)]
    Text(#[from] sensorium_text::Error),
    /// A speech model could not be opened or used.
    #[error(transparent)]
    Speech(#[from] sensorium_speech::Error),
    /// A language model could not be made.
    #[error(transparent)]
    LanguageModel(#[from] sensorium_text::NewError),
    /// The model's configuration makes no sense.
    #[error(transparent)]
    Config(#[from] sensorium_vision::models::ConfigError),
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
    /// The loss is no longer a number.
    #[error("the loss became {loss} in epoch {epoch}, step {step}; a lower learning rate helps")]
    Diverged {
        /// The loss.
        loss: f64,
        /// The epoch, from 1.
        epoch: usize,
        /// The step of the whole run, from 1.
        step: usize,
    },
    /// A text to train on cannot be read.
    #[error("{} {problem}", path.display())]
    Corpus {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is a run in the output folder already.
    #[error("{} already holds a training run; go on with it with --resume, or name another folder", dir.display())]
    OutputTaken {
        /// The output folder.
        dir: PathBuf,
    },
    /// There is a model in the output folder already.
    #[error("{} already has a {file}, which a run would replace; name another folder", dir.display())]
    ModelThere {
        /// The output folder.
        dir: PathBuf,
        /// The file that is there.
        file: &'static str,
    },
    /// Another run is at work in the output folder.
    #[error("another run is at work in {}; wait for it, or name another folder", dir.display())]
    OutputBusy {
        /// The output folder.
        dir: PathBuf,
    },
    /// The output folder cannot be made.
    #[error("cannot make the output folder {}", dir.display())]
    Folder {
        /// The output folder.
        dir: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing to resume.
    #[error("{} holds no checkpoint to resume from (no {file}); start without --resume", dir.display())]
    NothingToResume {
        /// The output folder.
        dir: PathBuf,
        /// The file that is missing.
        file: &'static str,
    },
    /// The checkpoint is of another run than the one asked for.
    #[error("{}: made with other settings ({difference}); resume with the same ones", path.display())]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// The checkpoint's description cannot be understood.
    #[error("{}: not a training checkpoint: {why}", path.display())]
    BadCheckpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A picture could not be drawn.
    #[error("{}: cannot draw it: {why}", path.display())]
    Plot {
        /// The picture.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
    /// Settings that make no sense.
    #[error("{0}")]
    Settings(String),
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, TrainError>;

//! How a family of models is built from its configuration, and why that can fail.

use sensorium_hub::Model;

use crate::error::Error;
use sensorium_blocks::{BuildError, ConfigProblem};

/// Why a model could not be built from its configuration and its parameters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewError {
    /// The configuration has no `model_type`.
    #[error("the configuration names no `model_type`")]
    NoModelType,
    /// The family is not supported.
    #[error("model_type `{found}` is not supported for {task}; supported: {known}")]
    ModelType {
        /// What the configuration says.
        found: String,
        /// What the model was to be used for.
        task: &'static str,
        /// What would be right.
        known: String,
    },
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    /// The parameters do not fit it.
    #[error(transparent)]
    Params(#[from] sensorium_blocks::ParamsError),
}

impl From<BuildError> for NewError {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::Config(problem) => Self::Config(problem),
            BuildError::Params(error) => Self::Params(error),
        }
    }
}

impl NewError {
    /// The same with the model's name.
    pub(crate) fn in_model(self, model: &Model) -> Error {
        let model = model.to_string();
        match self {
            Self::NoModelType => Error::NoModelType { model },
            Self::ModelType { found, task, known } => Error::ModelType {
                model,
                found,
                task,
                known,
            },
            Self::Config(problem) => Error::Config { model, problem },
            Self::Params(error) => Error::Params(error),
        }
    }
}

//! How a family of models is built from its configuration, and why that can fail.

use sensorium_hub::Model;

use crate::error::{ConfigProblem, Error};

/// Why a family's file could not build a model; the caller knows the model's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    #[error(transparent)]
    Params(#[from] sensorium_blocks::ParamsError),
}

impl From<serde_json::Error> for BuildError {
    fn from(error: serde_json::Error) -> Self {
        Self::Config(error.into())
    }
}

impl From<sensorium_blocks::UnknownActivation> for BuildError {
    fn from(error: sensorium_blocks::UnknownActivation) -> Self {
        Self::Config(error.into())
    }
}

impl From<sensorium_blocks::RopeError> for BuildError {
    fn from(error: sensorium_blocks::RopeError) -> Self {
        Self::Config(error.into())
    }
}

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

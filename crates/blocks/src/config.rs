//! Configurations that make no sense: what every family's file checks before it builds.

use crate::{ParamsError, RopeError, UnknownActivation};

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
///
/// # Errors
/// If it is not.
pub fn size(field: &'static str, value: i64, most: i64) -> Result<i64, ConfigProblem> {
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        Err(ConfigProblem::Size { field, value, most })
    }
}

/// Checks that `value` is a multiple of `by` and returns the quotient.
///
/// # Errors
/// If it is not, or `by` is no size.
pub fn divide(
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

/// Why a family's file could not build a model; the caller knows the model's name.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigProblem),
    /// The parameters do not fit it.
    #[error(transparent)]
    Params(#[from] ParamsError),
}

impl From<serde_json::Error> for BuildError {
    fn from(error: serde_json::Error) -> Self {
        Self::Config(error.into())
    }
}

impl From<UnknownActivation> for BuildError {
    fn from(error: UnknownActivation) -> Self {
        Self::Config(error.into())
    }
}

impl From<RopeError> for BuildError {
    fn from(error: RopeError) -> Self {
        Self::Config(error.into())
    }
}

//! Why a model cannot get its parameters.

use tch::Kind;

/// Why a model could not get its parameters.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParamsError {
    /// The checkpoint lacks a tensor that the model needs.
    #[error("{origin}: tensor `{name}` {shape:?} is missing")]
    Missing {
        /// The tensor's full name.
        name: String,
        /// The shape that the model needs.
        shape: Vec<i64>,
        /// The checkpoint.
        origin: String,
    },
    /// A stored tensor has another shape than the model needs.
    #[error("{origin}: tensor `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// The tensor's full name.
        name: String,
        /// The shape that the model needs.
        expected: Vec<i64>,
        /// The stored shape.
        found: Vec<i64>,
        /// The checkpoint.
        origin: String,
    },
    /// A stored tensor is of a kind that the model cannot compute with.
    #[error("{origin}: tensor `{name}`: expected floating-point numbers, found {found:?}")]
    Kind {
        /// The tensor's full name.
        name: String,
        /// The stored kind.
        found: Kind,
        /// The checkpoint.
        origin: String,
    },
    /// The checkpoint has tensors that the model did not ask for.
    #[error("{origin}: {} the model has no place for: {}", count(.names.len()), list(.names))]
    Surplus {
        /// The tensors' full names.
        names: Vec<String>,
        /// The checkpoint.
        origin: String,
    },
}

fn count(n: usize) -> String {
    if n == 1 {
        "1 tensor".to_string()
    } else {
        format!("{n} tensors")
    }
}

/// The first few names, quoted.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|n| format!("`{n}`"))
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        text += ", …";
    }
    text
}

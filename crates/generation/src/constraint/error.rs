//! Why a constraint is refused.

/// Why a constraint cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConstraintError {
    /// The regular expression is malformed.
    #[error("regular expression `{pattern}`: {problem}")]
    Pattern {
        /// The expression.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The schema is malformed.
    #[error("JSON schema at `{path}`: {problem}")]
    Schema {
        /// Where, as a JSON pointer.
        path: String,
        /// What is wrong there.
        problem: String,
    },
    /// The schema uses a keyword that is not supported.
    #[error("JSON schema at `{path}`: `{keyword}` is not supported{detail}")]
    Unsupported {
        /// Where, as a JSON pointer.
        path: String,
        /// The keyword.
        keyword: String,
        /// In what way, if not altogether.
        detail: String,
    },
    /// No output meets the constraint.
    #[error("no output can meet the constraint: {reason}")]
    Unsatisfiable {
        /// Why.
        reason: String,
    },
    /// The constraint needs more states than are allowed.
    #[error("the constraint is too large: more than {limit} parts")]
    TooLarge {
        /// The greatest number of parts.
        limit: usize,
    },
}

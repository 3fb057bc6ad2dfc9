//! Outputs of a given form: masks over the vocabulary that follow an automaton.

mod error;
mod grammar;
mod regex;
mod schema;
mod text;
mod tokens;
mod vocabulary;

pub use error::ConstraintError;
pub use text::TextConstraint;
pub use tokens::TokenSet;
pub use vocabulary::Vocabulary;

use std::sync::Arc;

/// A state of a [`Constraint`]: what has been written so far, as far as it matters.
pub type State = u32;

/// Says which tokens may come next.
///
/// States are plain numbers, so that beams can share prefixes at no cost. An end-of-sequence token is
/// allowed in accepting states and nowhere else; that is the loop's business.
pub trait Constraint {
    /// The state before the first token.
    ///
    /// # Errors
    /// If no output can meet the constraint.
    fn start(&mut self) -> Result<State, ConstraintError>;

    /// The tokens that may come next, end-of-sequence tokens aside.
    fn allowed(&mut self, state: State) -> Arc<TokenSet>;

    /// The state after `token`, or `None` if it is not allowed.
    fn advance(&mut self, state: State, token: i64) -> Option<State>;

    /// Whether what has been written meets the constraint.
    fn is_accepting(&mut self, state: State) -> bool;
}

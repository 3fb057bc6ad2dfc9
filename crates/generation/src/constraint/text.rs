//! Texts of a given form.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::grammar::{Grammar, Id, NOTHING};
use super::{Constraint, ConstraintError, State, TokenSet, Vocabulary, regex, schema};

/// Masks that are kept; a mask of fifty thousand tokens takes six kilobytes.
const MASKS: usize = 4096;

/// Allows texts that match a regular expression or a JSON schema.
///
/// Works on bytes, whatever the tokens' borders are: Willard and Louf, *Efficient guided generation for
/// large language models* (2023). States are found as they are needed and remembered, so a constraint that
/// is used again is faster.
///
/// ```
/// use std::sync::Arc;
/// use sensorium_generation::{Constraint, TextConstraint, Vocabulary};
///
/// let tokens = ["1", "12", "x", "-"].map(|token| token.as_bytes().to_vec());
/// let vocabulary = Arc::new(Vocabulary::new(tokens.to_vec()));
/// let mut constraint = TextConstraint::regex("-?[0-9]{2}", vocabulary)?;
/// let start = constraint.start()?;
/// let allowed = constraint.allowed(start);
/// assert_eq!([0, 1, 2, 3].map(|token| allowed.contains(token)), [true, true, false, true]);
/// # Ok::<(), sensorium_generation::ConstraintError>(())
/// ```
#[derive(Debug)]
pub struct TextConstraint {
    grammar: Grammar,
    root: Id,
    vocabulary: Arc<Vocabulary>,
    masks: HashMap<State, Arc<TokenSet>>,
}

impl TextConstraint {
    /// The whole text matches `pattern`, in the syntax of the crate `regex`. `^` and `$` may stand at the
    /// ends and change nothing; other anchors and word boundaries are not supported.
    ///
    /// # Errors
    /// If the pattern is malformed, not supported, or matches nothing.
    pub fn regex(pattern: &str, vocabulary: Arc<Vocabulary>) -> Result<Self, ConstraintError> {
        let mut grammar = Grammar::new();
        let root = regex::whole(&mut grammar, pattern)?;
        Self::new(grammar, root, vocabulary, || {
            format!("nothing matches `{pattern}`")
        })
    }

    /// The text is JSON that `schema` accepts.
    ///
    /// It is written compactly, with at most one space after `,` and `:`; objects have their declared
    /// properties in the order of the schema, then others if `additionalProperties` asks for them.
    /// Numbers have at most 18 digits before the point and no unusual exponents.
    ///
    /// Supported: `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`,
    /// `prefixItems`, `minItems`, `maxItems`, `pattern`, `minLength`, `maxLength`, `minimum`, `maximum`,
    /// `exclusiveMinimum`, `exclusiveMaximum`, `anyOf`, `oneOf` whose alternatives exclude each other
    /// visibly, `allOf`, `$ref` within the schema (also recursive), and of `format` `date`, `time`,
    /// `date-time`, `uuid`, `ipv4` and `email`. What else asserts something is an error, what does not is
    /// ignored.
    ///
    /// # Errors
    /// If the schema is malformed, not supported, or accepts nothing.
    pub fn json_schema(schema: &Value, vocabulary: Arc<Vocabulary>) -> Result<Self, ConstraintError> {
        let mut grammar = Grammar::new();
        let (root, reason) = schema::compile(&mut grammar, schema)?;
        Self::new(grammar, root, vocabulary, || reason)
    }

    fn new(
        mut grammar: Grammar,
        root: Id,
        vocabulary: Arc<Vocabulary>,
        reason: impl FnOnce() -> String,
    ) -> Result<Self, ConstraintError> {
        grammar.check_size()?;
        let root = grammar.finish(root);
        if root == NOTHING {
            return Err(ConstraintError::Unsatisfiable { reason: reason() });
        }
        Ok(Self {
            grammar,
            root,
            vocabulary,
            masks: HashMap::new(),
        })
    }

    /// Whether `text` has the form.
    pub fn matches(&mut self, text: &str) -> bool {
        let end = text
            .bytes()
            .fold(self.root, |state, byte| self.grammar.step(state, byte));
        self.grammar.nullable(end)
    }
}

impl Constraint for TextConstraint {
    fn start(&mut self) -> Result<State, ConstraintError> {
        Ok(self.root)
    }

    fn allowed(&mut self, state: State) -> Arc<TokenSet> {
        if let Some(mask) = self.masks.get(&state) {
            return Arc::clone(mask);
        }
        let grammar = &mut self.grammar;
        let step = |state, byte| Some(grammar.step(state, byte)).filter(|&next| next != NOTHING);
        let mask = Arc::new(self.vocabulary.walk(state, step));
        if self.masks.len() == MASKS {
            self.masks.clear();
        }
        self.masks.insert(state, Arc::clone(&mask));
        mask
    }

    fn advance(&mut self, state: State, token: i64) -> Option<State> {
        let bytes = self.vocabulary.bytes(token).filter(|bytes| !bytes.is_empty())?;
        let next = bytes
            .iter()
            .fold(state, |state, &byte| self.grammar.step(state, byte));
        (next != NOTHING).then_some(next)
    }

    fn is_accepting(&mut self, state: State) -> bool {
        self.grammar.nullable(state)
    }
}

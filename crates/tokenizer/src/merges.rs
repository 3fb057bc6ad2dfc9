//! How byte-pair tokens were put together.

use std::collections::HashMap;

use serde_json::Value;
use tokenizers::ModelWrapper;

use super::Tokenizer;

impl Tokenizer {
    /// For each token of a byte-pair vocabulary that was merged from two others, those two; empty for
    /// vocabularies of other kinds.
    pub fn merges(&self) -> HashMap<i64, [i64; 2]> {
        let ModelWrapper::BPE(model) = self.backend.get_model() else {
            return HashMap::new();
        };
        // The crate shows its merges only when it writes them.
        let written = serde_json::to_value(model).unwrap_or(Value::Null);
        let merges = written.get("merges").and_then(Value::as_array);
        let pairs = merges.into_iter().flatten().filter_map(|merge| match merge {
            Value::String(pair) => pair.split_once(' '),
            Value::Array(pair) => match pair.as_slice() {
                [Value::String(left), Value::String(right)] => Some((left.as_str(), right.as_str())),
                _ => None,
            },
            _ => None,
        });
        let id = |token: &str| self.id(token);
        pairs
            .filter_map(|(left, right)| Some((id(&format!("{left}{right}"))?, [id(left)?, id(right)?])))
            .collect()
    }
}

//! What a generation returns.

use tch::Tensor;

/// Why a sequence ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finish {
    /// An end-of-sequence token, the last of the ids.
    Eos(i64),
    /// The greatest length was reached.
    Length,
    /// A stop string was completed.
    StopString(String),
    /// The constraint is met and nothing may follow.
    Constraint,
    /// The [`TokenSink`](crate::TokenSink) said so.
    Stopped,
}

/// How likely the model held a token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogProb {
    /// The token.
    pub id: i64,
    /// The natural logarithm of its probability by the model's own logits, before any processing.
    pub log_prob: f32,
    /// The likeliest tokens and theirs, as many as were asked for.
    pub top: Vec<(i64, f32)>,
}

/// A generated sequence.
#[derive(Debug)]
pub struct Generated {
    /// The row of the prompt that it continues.
    pub row: usize,
    /// The prompt with its padding, then the new tokens, then padding up to the longest sequence returned:
    /// a row of what `transformers` calls `sequences`.
    pub sequence: Vec<i64>,
    /// The new tokens, the end-of-sequence token included.
    pub ids: Vec<i64>,
    /// The new tokens decoded, without end-of-sequence token, cut before a stop string; if there was
    /// something to decode with.
    pub text: Option<String>,
    /// Why it ended.
    pub finish: Finish,
    /// Of beam search: the sum of the scores, divided by a power of the length.
    pub score: Option<f32>,
    /// One for each new token, if asked for.
    pub log_probs: Vec<TokenLogProb>,
    /// The logits that each new token was chosen by, before any processing, `[new tokens, vocabulary]`, if
    /// asked for; not of beam search and contrastive search.
    pub step_logits: Option<Tensor>,
}

//! What the loop needs of a model.

use sensorium_blocks::Guess;
use tch::{Device, Tensor};

/// A model in the middle of writing: its weights, its key/value caches, what it attends to.
///
/// A session has one or more rows (sequences) of the same length. Each is fed the tokens that follow
/// those it was fed before. How rows were padded on the left, and an encoder's states, are known to the
/// session alone.
pub trait Session {
    /// The number of rows.
    fn rows(&self) -> i64;

    /// Tokens fed so far, padding included.
    fn len(&self) -> i64;

    /// Whether nothing was fed yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most tokens that a row can hold, if there is a limit.
    fn limit(&self) -> Option<i64>;

    /// The device that ids are fed on.
    fn device(&self) -> Device {
        Device::Cpu
    }

    /// Feeds the next tokens, `ids` `[rows, n]` (int64), and returns the logits at the last `last` of
    /// these positions, `[rows, last, vocabulary]`, `f32`.
    fn feed(&mut self, ids: &Tensor, last: i64) -> Tensor;

    /// The same for one token `ids` `[1, 1]`, where the greatest logit is all that is wanted.
    fn feed_greedily(&mut self, ids: &Tensor) -> Scores {
        Scores::Logits(self.feed(ids, 1))
    }

    /// The hidden states behind the logits that [`feed`](Self::feed) gave last, `[rows, last, hidden]`,
    /// if the model can tell: contrastive search compares them.
    fn hidden(&self) -> Option<Tensor> {
        None
    }

    /// Makes `rows[i]` row `i`: beams are reordered, finished rows are dropped, rows are repeated.
    ///
    /// Must cost nothing where nothing moves.
    fn select(&mut self, rows: &[i64]);

    /// Forgets all but the first `len` tokens of each row.
    fn truncate(&mut self, len: i64);
}

/// What a model says of the next token.
#[derive(Debug)]
pub enum Scores {
    /// The logits, `[rows, 1, vocabulary]`, `f32`.
    Logits(Tensor),
    /// What tells the greatest one of the only row.
    Guess(Guess),
}

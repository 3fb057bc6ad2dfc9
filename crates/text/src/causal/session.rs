//! A language model in the middle of writing.

use sensorium_blocks::{KvCache, Mask, Rope, in_f32};
use sensorium_generation::{Scores, Session};
use tch::{Kind, Tensor};

use super::stack::{Stack, Tokens};

/// A [`Session`] of a decoder-only model: its key/value caches and each row's padding.
pub(super) struct CausalSession<'a> {
    stack: &'a Stack,
    caches: Vec<KvCache>,
    /// Padding tokens at the beginning of each row.
    starts: Vec<i64>,
    len: i64,
    hidden: Option<Tensor>,
    /// All ids fed, `[rows, tokens]`, kept where a longer sequence changes what was cached.
    ids: Option<Tensor>,
}

impl<'a> CausalSession<'a> {
    pub fn new(stack: &'a Stack, starts: Vec<i64>, reserve: i64) -> Self {
        Self {
            stack,
            caches: stack.caches(reserve),
            starts,
            len: 0,
            hidden: None,
            ids: None,
        }
    }

    /// Where the rotary frequencies change at a length, the cache is of no more use behind it: forgets it
    /// and returns all tokens, to be fed again.
    fn begin_again(&mut self, ids: &Tensor) -> Option<Tensor> {
        let switch = self.stack.ropes.iter().find_map(Rope::switches_at)?;
        let all = match self.ids.take() {
            Some(before) => Tensor::cat(&[&before, ids], 1),
            None => ids.copy(),
        };
        let crosses = (1..=switch).contains(&self.len) && all.size()[1] > switch;
        self.ids = Some(all.shallow_clone());
        if !crosses {
            return None;
        }
        self.caches.iter_mut().for_each(|cache| cache.truncate(0));
        self.len = 0;
        Some(all)
    }

    /// Positions count from each row's first token that is not padding, `[rows or 1, tokens]`.
    fn positions(&self, tokens: i64, device: tch::Device) -> Tensor {
        let options = (Kind::Int64, device);
        let columns = Tensor::arange_start(self.len, self.len + tokens, options).unsqueeze(0);
        if self.starts.iter().all(|&start| start == 0) {
            return columns;
        }
        let starts = Tensor::from_slice(&self.starts).to_device(device).unsqueeze(1);
        (columns - starts).clamp_min(0)
    }

    /// Feeds `ids` `[rows, n]`; the hidden states at the last `last` of them, which are kept.
    fn states(&mut self, ids: &Tensor, last: i64) -> Tensor {
        let again = self.begin_again(ids);
        let ids = again.as_ref().unwrap_or(ids);
        let count = ids.size()[1];
        let positions = self.positions(count, ids.device());
        let tokens = Tokens {
            ids,
            positions: &positions,
            len: self.len + count,
        };
        let starts = &self.starts;
        let mask = |window: Option<i64>, cache: Option<&KvCache>| {
            let (first, keys) = cache.map_or((0, count), |cache| cache.span_after(count));
            Mask::causal(count, keys, first)
                .with_window(window)
                .with_starts(Some(starts))
        };
        let hidden = self
            .stack
            .forward(&tokens, Some(&mut self.caches), &mask, false, false);
        self.len += count;
        let hidden = hidden.last.narrow(1, count - last, last);
        self.hidden = Some(hidden.shallow_clone());
        hidden
    }
}

impl Session for CausalSession<'_> {
    fn rows(&self) -> i64 {
        self.starts.len() as i64
    }

    fn len(&self) -> i64 {
        self.len
    }

    fn limit(&self) -> Option<i64> {
        let unbounded = self.stack.ropes.iter().any(Rope::is_unbounded);
        (!unbounded).then_some(self.stack.max_positions)
    }

    fn feed(&mut self, ids: &Tensor, last: i64) -> Tensor {
        tch::no_grad(|| {
            let hidden = self.states(ids, last);
            in_f32(&self.stack.logits(&hidden))
        })
    }

    fn feed_greedily(&mut self, ids: &Tensor) -> Scores {
        tch::no_grad(|| {
            let hidden = self.states(ids, 1);
            match self.stack.guess(&hidden) {
                Some(guess) => Scores::Guess(guess),
                None => Scores::Logits(in_f32(&self.stack.logits(&hidden))),
            }
        })
    }

    fn hidden(&self) -> Option<Tensor> {
        self.hidden.as_ref().map(Tensor::shallow_clone)
    }

    fn select(&mut self, rows: &[i64]) {
        for cache in &mut self.caches {
            cache.select(rows);
        }
        if let Some(ids) = &self.ids {
            let index = Tensor::from_slice(rows).to_device(ids.device());
            self.ids = Some(ids.index_select(0, &index));
        }
        self.starts = rows.iter().map(|&row| self.starts[row as usize]).collect();
        self.hidden = None;
    }

    fn truncate(&mut self, len: i64) {
        for cache in &mut self.caches {
            cache.truncate(len);
        }
        self.len = self.len.min(len);
        if let Some(ids) = &self.ids {
            self.ids = Some(ids.narrow(1, 0, self.len));
        }
        self.hidden = None;
    }
}

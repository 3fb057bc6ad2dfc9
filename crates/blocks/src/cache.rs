//! Keys and values of the tokens so far.

use tch::Tensor;

/// The keys and values of one layer, each `[rows, heads, capacity, head_dim]`, written in place.
///
/// Without a window all tokens are kept; room is doubled when it runs out. With a window only the last
/// ones are, in twice the window's room: what is kept moves to the front once in a window, so that a
/// token costs the same however long the sequence.
#[derive(Debug, Default)]
pub struct KvCache {
    buffers: Option<[Tensor; 2]>,
    window: Option<i64>,
    reserve: i64,
    /// Position of the first token that is kept.
    first: i64,
    /// Tokens that are kept.
    len: i64,
}

impl KvCache {
    /// Tokens behind the window that stay until the room is needed, so that a few can be taken back.
    const SLACK: i64 = 64;

    /// A cache that has room for `reserve` tokens from the beginning.
    pub fn new(reserve: i64) -> Self {
        Self {
            reserve,
            ..Self::default()
        }
    }

    /// A cache that keeps at least the `window` last tokens.
    pub fn sliding(window: i64, reserve: i64) -> Self {
        Self {
            window: Some(window + Self::SLACK),
            reserve,
            ..Self::default()
        }
    }

    /// Where the keys of a pass over `tokens` new tokens will begin, and how many they will be.
    pub fn span_after(&self, tokens: i64) -> (i64, i64) {
        let dropped = self.dropped_by(tokens);
        (self.first + dropped, self.len - dropped + tokens)
    }

    /// Adds the keys and values of new tokens, `[rows, heads, tokens, head_dim]`.
    pub fn append(&mut self, keys: &Tensor, values: &Tensor) {
        let tokens = keys.size()[2];
        let dropped = self.dropped_by(tokens);
        self.make_room(keys, values, tokens, dropped);
        let Some(buffers) = &self.buffers else { return };
        for (buffer, new) in buffers.iter().zip([keys, values]) {
            buffer.narrow(2, self.len, tokens).copy_(new);
        }
        self.len += tokens;
    }

    /// The keys and values that are kept, `[rows, heads, len, head_dim]`, without a copy.
    ///
    /// # Panics
    /// If nothing was appended yet.
    pub fn view(&self) -> [Tensor; 2] {
        let buffers = self.buffers.as_ref().expect("something was appended");
        buffers.each_ref().map(|buffer| buffer.narrow(2, 0, self.len))
    }

    /// The buffers themselves, `[rows, heads, capacity, head_dim]`, and how many tokens they hold.
    pub fn buffers(&self) -> Option<(&[Tensor; 2], i64)> {
        Some((self.buffers.as_ref()?, self.len))
    }

    /// Makes `rows[i]` row `i`.
    pub fn select(&mut self, rows: &[i64]) {
        let Some(buffers) = &mut self.buffers else { return };
        for buffer in buffers {
            let size = buffer.size();
            if rows.len() as i64 == size[0] {
                select_in_place(buffer, rows, self.len);
                continue;
            }
            let mut new = Tensor::empty(
                [rows.len() as i64, size[1], size[2], size[3]],
                (buffer.kind(), buffer.device()),
            );
            let index = Tensor::from_slice(rows).to_device(buffer.device());
            let kept = buffer.narrow(2, 0, self.len).index_select(0, &index);
            new.narrow(2, 0, self.len).copy_(&kept);
            std::mem::swap(buffer, &mut new);
        }
    }

    /// Forgets all but the first `len` tokens of the sequence.
    ///
    /// # Panics
    /// If a sliding cache has already forgotten tokens that would now be in its window.
    pub fn truncate(&mut self, len: i64) {
        if len == 0 {
            (self.first, self.len) = (0, 0);
            return;
        }
        let keep = len - self.first;
        let window = self.window.map_or(0, |w| w - Self::SLACK);
        assert!(
            keep >= 0 && (self.first == 0 || keep >= window),
            "cannot take back so many tokens"
        );
        self.len = self.len.min(keep);
    }

    /// How many of the kept tokens are let go before `tokens` more come.
    fn dropped_by(&self, tokens: i64) -> i64 {
        match self.window {
            // Tokens of one pass see each other, and the window before the first of them.
            Some(window) if self.len + tokens > 2 * window => (self.len - window).max(0),
            _ => 0,
        }
    }

    fn make_room(&mut self, keys: &Tensor, values: &Tensor, tokens: i64, dropped: i64) {
        let kept = self.len - dropped;
        let needed = kept + tokens;
        let there = self.buffers.as_ref().map_or(0, |buffers| buffers[0].size()[2]);
        if needed > there {
            let most = self.window.map_or(i64::MAX, |w| (2 * w).max(needed));
            let capacity = needed.max(self.reserve).max(2 * there).min(most);
            let grow = |old: Option<&Tensor>, like: &Tensor| {
                let mut size = like.size();
                size[2] = capacity;
                let new = Tensor::empty(&size, (like.kind(), like.device()));
                if let Some(old) = old {
                    new.narrow(2, 0, kept).copy_(&old.narrow(2, dropped, kept));
                }
                new
            };
            let old = self.buffers.take();
            let [k, v] = [0, 1].map(|i| old.as_ref().map(|buffers| &buffers[i]));
            self.buffers = Some([grow(k, keys), grow(v, values)]);
        } else if dropped > 0
            && let Some(buffers) = &self.buffers
        {
            for buffer in buffers {
                let moved = buffer.narrow(2, dropped, kept).copy(); // the two may overlap
                buffer.narrow(2, 0, kept).copy_(&moved);
            }
        }
        self.first += dropped;
        self.len = kept;
    }
}

/// Rows that stay where they are cost nothing.
fn select_in_place(buffer: &Tensor, rows: &[i64], len: i64) {
    let moved: Vec<(i64, i64)> = rows
        .iter()
        .enumerate()
        .map(|(to, &from)| (to as i64, from))
        .filter(|(to, from)| to != from)
        .collect();
    if moved.is_empty() {
        return;
    }
    let (to, from): (Vec<i64>, Vec<i64>) = moved.into_iter().unzip();
    let device = buffer.device();
    let filled = buffer.narrow(2, 0, len);
    let from = filled.index_select(0, &Tensor::from_slice(&from).to_device(device));
    for (i, to) in to.into_iter().enumerate() {
        filled.get(to).copy_(&from.get(i as i64));
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// Keys whose values are their positions.
    fn tokens(rows: i64, from: i64, count: i64) -> Tensor {
        let row = Tensor::arange_start(from, from + count, (Kind::Float, Device::Cpu));
        row.view([1, 1, count, 1]).repeat([rows, 1, 1, 1])
    }

    fn kept(cache: &KvCache) -> Vec<f32> {
        let [keys, _] = cache.view();
        Vec::try_from(keys.get(0).flatten(0, -1)).unwrap()
    }

    #[test]
    fn a_full_cache_grows_and_forgets_nothing() {
        let mut cache = KvCache::new(2);
        for i in 0..20 {
            assert_eq!(cache.span_after(1), (0, i + 1));
            cache.append(&tokens(1, i, 1), &tokens(1, i, 1));
        }
        assert_eq!(kept(&cache), (0..20).map(|i| i as f32).collect::<Vec<_>>());
        cache.truncate(3);
        cache.append(&tokens(1, 50, 2), &tokens(1, 50, 2));
        assert_eq!(kept(&cache), [0., 1., 2., 50., 51.]);
    }

    #[test]
    fn a_sliding_cache_keeps_its_window_in_bounded_room() {
        let mut cache = KvCache::sliding(5, 0);
        for i in 0..1000 {
            let (first, len) = cache.span_after(1);
            cache.append(&tokens(1, i, 1), &tokens(1, i, 1));
            let kept = kept(&cache);
            assert_eq!(kept.len() as i64, len);
            assert_eq!((kept[0] as i64, *kept.last().unwrap() as i64), (first, i));
            assert!(len >= 5.min(i + 1));
        }
        let ([keys, _], _) = cache.buffers().unwrap();
        assert!(keys.size()[2] <= 2 * (5 + KvCache::SLACK));
        cache.truncate(998);
        assert_eq!(*kept(&cache).last().unwrap(), 997.0);
    }

    #[test]
    fn rows_are_reordered_repeated_and_dropped() {
        let mut cache = KvCache::new(8);
        let keys = Tensor::arange(3, (Kind::Float, Device::Cpu)).view([3, 1, 1, 1]);
        cache.append(&keys, &keys);
        let rows = |cache: &KvCache| Vec::<f32>::try_from(cache.view()[1].flatten(0, -1)).unwrap();
        cache.select(&[1, 0, 2]);
        assert_eq!(rows(&cache), [1., 0., 2.]);
        cache.select(&[2, 2, 0, 1]);
        assert_eq!(rows(&cache), [2., 2., 1., 0.]);
        cache.select(&[3]);
        assert_eq!(rows(&cache), [0.]);
    }
}

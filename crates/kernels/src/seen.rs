//! Which positions attention sees.

use std::ops::Range;

use tch::Tensor;

/// Which positions of a cache each row sees: all of the first `len` that nothing here excludes.
///
/// Several queries of a row are the last of these positions, in their order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen<'a> {
    /// Positions that the cache holds.
    pub len: i64,
    /// Each row's first.
    pub starts: Option<&'a [i64]>,
    /// Each row's last, and one more.
    pub ends: Option<&'a [i64]>,
    /// Only positions less than so many away from the query's.
    pub window: Option<i64>,
    /// Nothing after the query's position.
    pub causal: bool,
}

impl Seen<'_> {
    /// The positions that a row's query at `position` sees; none where the start is not below the end. Neither gets
    /// less as the position grows.
    pub(crate) fn at(&self, row: usize, position: i64) -> Range<usize> {
        let window = self.window.unwrap_or(i64::MAX / 2);
        let after = if self.causal { 1 } else { window };
        let start = self.starts.map_or(0, |starts| starts[row]);
        let end = self.ends.map_or(self.len, |ends| ends[row]);
        let start = start.max(position + 1 - window).clamp(0, self.len);
        let end = end.min(position + after).clamp(0, self.len);
        start as usize..end as usize
    }

    /// The positions that a row's last query sees.
    pub(crate) fn of(&self, row: usize) -> Range<usize> {
        self.at(row, self.len - 1)
    }

    /// The number of key heads, once it is checked that everything fits queries `[rows, heads, …, head_dim]`.
    ///
    /// # Panics
    /// If something does not.
    pub(crate) fn check(&self, [rows, heads, head_dim]: [i64; 3], k: &Tensor, v: &Tensor) -> usize {
        let (_, kv_heads, capacity, _) = k.size4().expect("k is [rows, kv_heads, capacity, head_dim]");
        assert_eq!(
            k.size(),
            [rows, kv_heads, capacity, head_dim],
            "k is [rows, kv_heads, capacity, head_dim]"
        );
        assert_eq!(v.size(), k.size(), "v is as large as k");
        assert_eq!(v.kind(), k.kind(), "v is of the type of k");
        assert!(
            (0..=capacity).contains(&self.len),
            "no more is seen than there is"
        );
        assert!(
            kv_heads > 0 && heads % kv_heads == 0,
            "heads is a multiple of kv_heads"
        );
        for bounds in [self.starts, self.ends] {
            assert!(
                bounds.is_none_or(|bounds| bounds.len() as i64 == rows),
                "one bound per row"
            );
        }
        kv_heads as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_position_sees_what_nothing_excludes() {
        let whole = Seen {
            len: 6,
            ..Seen::default()
        };
        assert_eq!(whole.at(0, 2), 0..6);
        let causal = Seen {
            causal: true,
            ..whole
        };
        assert_eq!((causal.at(0, 2), causal.of(0)), (0..3, 0..6));
        let near = Seen {
            window: Some(2),
            ..whole
        };
        assert_eq!((near.at(0, 0), near.at(0, 3), near.of(0)), (0..2, 2..5, 4..6));
        let last = Seen {
            window: Some(2),
            ..causal
        };
        assert_eq!((last.at(0, 0), last.at(0, 3), last.of(0)), (0..1, 2..4, 4..6));
        let bounded = Seen {
            starts: Some(&[2, 9]),
            ends: Some(&[4, 9]),
            ..causal
        };
        assert_eq!((bounded.at(0, 2), bounded.of(0)), (2..3, 2..4));
        assert_eq!(bounded.at(0, 0).len(), 0, "nothing");
        assert_eq!(bounded.of(1), 6..6, "nothing");
    }
}

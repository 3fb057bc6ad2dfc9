//! Which positions attend to which.

use std::cell::OnceCell;

use tch::{Device, Kind, Tensor};

/// Which keys each query of one pass may see; all layers of a kind share it.
///
/// Queries are the last tokens of a sequence, keys are what the cache holds and the queries' own.
/// Built as a tensor only where the attention kernel cannot do without.
#[derive(Debug)]
pub struct Mask {
    queries: i64,
    keys: i64,
    /// The position of the first key in its sequence: sliding caches forget what came before.
    first_key: i64,
    causal: bool,
    window: Option<i64>,
    /// Keys before this position are padding, one number a row.
    starts: Option<Vec<i64>>,
    /// `[rows, keys]`, true where a key may be seen.
    keep: Option<Tensor>,
    /// Added to the scores as it is.
    custom: Option<Tensor>,
    bias: OnceCell<Option<Tensor>>,
}

/// The keys that each row's queries see, counted from the first that is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// Each row's first.
    pub starts: Option<Vec<i64>>,
    /// Each row's last, and one more.
    pub ends: Option<Vec<i64>>,
    /// Only those less than so many away from the query's own.
    pub window: Option<i64>,
    /// None after the query's own.
    pub causal: bool,
}

impl Mask {
    /// Every query sees every key.
    pub fn full(queries: i64, keys: i64) -> Self {
        Self {
            queries,
            keys,
            first_key: 0,
            causal: false,
            window: None,
            starts: None,
            keep: None,
            custom: None,
            bias: OnceCell::new(),
        }
    }

    /// The `queries` last tokens of a sequence see those before them and themselves. Of the sequence,
    /// `keys` tokens from position `first_key` on are there.
    pub fn causal(queries: i64, keys: i64, first_key: i64) -> Self {
        Self {
            first_key,
            causal: true,
            ..Self::full(queries, keys)
        }
    }

    /// A query sees no more than the `window` last keys, its own included (arXiv 2004.05150).
    pub fn with_window(mut self, window: Option<i64>) -> Self {
        // A window that holds everything is none.
        self.window = window.filter(|&w| w < self.first_key + self.keys);
        self
    }

    /// Keys before `starts[row]`, counted from the sequence's beginning, are padding.
    pub fn with_starts(mut self, starts: Option<&[i64]>) -> Self {
        self.starts = starts
            .filter(|starts| starts.iter().any(|&start| start > self.first_key))
            .map(<[i64]>::to_vec);
        self
    }

    /// Only keys where `keep` `[rows, keys]` is not zero are seen.
    pub fn with_keep(mut self, keep: Option<&Tensor>) -> Self {
        self.keep = keep.map(|keep| keep.ne(0));
        self
    }

    /// Adds `bias`, which broadcasts to `[rows, heads, queries, keys]`, to the scores.
    pub fn with_bias(mut self, bias: Tensor) -> Self {
        self.custom = Some(bias);
        self
    }

    /// The keys that are seen, where these are neighbours in each row.
    pub(crate) fn ranges(&self) -> Option<Ranges> {
        if self.custom.is_some() {
            return None;
        }
        let mut ranges = Ranges {
            window: self.window,
            // Nothing comes after the last one.
            causal: self.causal && self.queries > 1,
            ..Ranges::default()
        };
        if let Some(starts) = &self.starts {
            let relative = |start: &i64| (start - self.first_key).max(0);
            ranges.starts = Some(starts.iter().map(relative).collect());
        }
        if let Some(keep) = &self.keep {
            let keep = Vec::<bool>::try_from(keep.flatten(0, 1)).ok()?;
            let rows = keep.chunks_exact(self.keys.max(1) as usize);
            let ends = rows
                .clone()
                .map(|row| row.iter().take_while(|&&kept| kept).count());
            if ends
                .clone()
                .zip(rows)
                .any(|(end, row)| row[end..].contains(&true))
            {
                return None;
            }
            ranges.ends = Some(ends.map(|end| end as i64).collect());
        }
        Some(ranges)
    }

    /// Whether this is the plain lower triangle.
    pub fn is_triangle(&self) -> bool {
        let square = self.queries == self.keys && self.first_key == 0;
        let plain = self.window.is_none() && self.starts.is_none();
        square && self.causal && plain && self.keep.is_none() && self.custom.is_none()
    }

    /// What is added to the scores: broadcasts to `[rows, heads, queries, keys]`; `None` if all is seen.
    pub fn bias(&self, kind: Kind, device: Device) -> Option<&Tensor> {
        self.bias.get_or_init(|| self.build(kind, device)).as_ref()
    }

    fn build(&self, kind: Kind, device: Device) -> Option<Tensor> {
        let options = (Kind::Int64, device);
        let keys = || Tensor::arange_start(self.first_key, self.first_key + self.keys, options);
        let mut seen: Option<Tensor> = None; // [rows, 1, queries, keys]
        let mut and = |part: Tensor| {
            seen = Some(match seen.take() {
                Some(seen) => seen.logical_and(&part),
                None => part,
            });
        };
        let last = self.first_key + self.keys;
        let queries = || Tensor::arange_start(last - self.queries, last, options).view([1, 1, -1, 1]);
        if self.causal && self.queries > 1 {
            and(keys().view([1, 1, 1, -1]).le_tensor(&queries()));
        }
        if let Some(window) = self.window {
            let after = keys().view([1, 1, 1, -1]).gt_tensor(&(queries() - window));
            and(after);
            if !self.causal {
                and(keys().view([1, 1, 1, -1]).lt_tensor(&(queries() + window)));
            }
        }
        if let Some(starts) = &self.starts {
            let starts = Tensor::from_slice(starts).to_device(device).view([-1, 1, 1, 1]);
            and(keys().view([1, 1, 1, -1]).ge_tensor(&starts));
        }
        if let Some(keep) = &self.keep {
            and(keep.to_device(device).view([-1, 1, 1, self.keys]));
        }
        // The least finite number and not minus infinity: a row that sees nothing then gives no NaN.
        let least = match kind {
            Kind::Half => -65504.0,
            _ => f64::from(f32::MIN) * 0.99,
        };
        let bias = seen.map(|seen| {
            let zeros = Tensor::zeros(seen.size(), (kind, device));
            zeros.masked_fill(&seen.logical_not(), least)
        });
        match (bias, &self.custom) {
            (Some(bias), Some(custom)) => Some(bias + custom.to_kind(kind)),
            (Some(bias), None) => Some(bias),
            (None, Some(custom)) => Some(custom.to_kind(kind)),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_a_row() {
        let keep = |rows: &[[i64; 4]]| Tensor::from_slice2(rows);
        let ranges = |mask: Mask| mask.ranges();
        let of = |starts: Option<&[i64]>, ends: Option<&[i64]>, window| Ranges {
            starts: starts.map(<[i64]>::to_vec),
            ends: ends.map(<[i64]>::to_vec),
            window,
            causal: false,
        };
        assert_eq!(ranges(Mask::full(3, 4)), Some(of(None, None, None)));
        assert_eq!(ranges(Mask::causal(1, 4, 0)), Some(of(None, None, None)));
        let causal = Ranges {
            causal: true,
            ..of(None, None, None)
        };
        assert_eq!(ranges(Mask::causal(2, 4, 0)), Some(causal));
        let left = Mask::causal(1, 4, 3).with_starts(Some(&[0, 5]));
        assert_eq!(
            ranges(left.with_window(Some(2))),
            Some(of(Some(&[0, 2]), None, Some(2)))
        );
        let right = keep(&[[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]);
        assert_eq!(
            ranges(Mask::full(2, 4).with_keep(Some(&right))),
            Some(of(None, Some(&[4, 2, 0]), None))
        );
        let holes = keep(&[[1, 1, 1, 1], [1, 0, 1, 0]]);
        assert_eq!(ranges(Mask::full(2, 4).with_keep(Some(&holes))), None);
        let near = Mask::full(3, 4).with_window(Some(2));
        assert_eq!(ranges(near), Some(of(None, None, Some(2))));
        let custom = Tensor::zeros([1, 1, 1, 4], (Kind::Float, Device::Cpu));
        assert_eq!(ranges(Mask::full(1, 4).with_bias(custom)), None);
    }
}

//! The arithmetic of some keys and values on a tile of queries.

use std::ops::Range;

use super::state::State;
use crate::simd::{self, Kernel, Simd};

/// The most vectors of queries in a tile.
pub(super) const VECTORS: usize = 2;
/// Keys, or features of values, whose sums are made at once: with a tile's vectors they fill AVX2's registers.
const ROWS: usize = 6;
/// So many are taken at once where they do not divide into [`ROWS`]; there is always a multiple of it.
pub(super) const REST: usize = 4;

/// Some keys and values that pass over a tile.
pub(super) struct Step<'a> {
    /// `[rows, width]`, of a multiple of [`REST`] rows
    pub(super) k: &'a [f32],
    /// As large as `k`.
    pub(super) v: &'a [f32],
    /// Vectors of queries, from one to [`VECTORS`].
    pub(super) vectors: usize,
    /// The rows that each query sees; none: all of them.
    pub(super) edges: Option<&'a [Range<usize>]>,
    pub(super) softcap: Option<f32>,
    /// `[rows, tile]` or more, to work in.
    pub(super) weights: &'a mut [f32],
    pub(super) state: State<'a>,
}

impl Kernel for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        match self.vectors {
            1 => self.pass::<S, 1>(s),
            _ => self.pass::<S, VECTORS>(s),
        }
    }
}

impl Step<'_> {
    #[inline(always)]
    fn pass<S: Simd, const V: usize>(&mut self, s: S) {
        let (tile, width) = (VECTORS * S::LANES, self.state.width());
        let rows = self.k.len() / width.max(1);
        assert!(
            V <= VECTORS
                && tile == self.state.tile
                && width.is_multiple_of(REST)
                && rows.is_multiple_of(REST)
        );
        assert!(self.k.len() == rows * width && self.v.len() == rows * width);
        assert!(self.state.q.len() == width * tile && self.state.out.len() == width * tile);
        self.weights = &mut std::mem::take(&mut self.weights)[..rows * tile];

        let mut greatest = load::<S, V>(s, self.state.greatest);
        for row in (0..in_rows(rows)).step_by(ROWS) {
            self.scores::<S, V, ROWS>(s, row, &mut greatest);
        }
        for row in (in_rows(rows)..rows).step_by(REST) {
            self.scores::<S, V, REST>(s, row, &mut greatest);
        }
        if self.edges.is_some() || self.softcap.is_some() {
            greatest = self.change::<S, V>(s);
        }
        self.softmax::<S, V>(s, greatest);
        for feature in (0..in_rows(width)).step_by(ROWS) {
            self.sums::<S, V, ROWS>(s, feature);
        }
        for feature in (in_rows(width)..width).step_by(REST) {
            self.sums::<S, V, REST>(s, feature);
        }
    }

    /// The scores of `R` keys, and the greatest ones.
    #[inline(always)]
    fn scores<S: Simd, const V: usize, const R: usize>(
        &mut self,
        s: S,
        row: usize,
        greatest: &mut [S::V; V],
    ) {
        let (tile, width) = (VECTORS * S::LANES, self.state.width());
        assert!((row + R) * width <= self.k.len() && (row + R) * tile <= self.weights.len());
        let weights = (self.k[row * width..].as_ptr(), 1, width);
        let mut sums = [[s.splat(0.0); V]; R];
        // SAFETY: so many keys of `width` features, and as many rows of queries.
        unsafe { multiply::<S, V, R>(s, width, self.state.q.as_ptr(), weights, &mut sums) };
        for (sums, to) in sums
            .into_iter()
            .zip(self.weights[row * tile..].chunks_exact_mut(tile))
        {
            for (greatest, sum) in greatest.iter_mut().zip(sums) {
                *greatest = s.max(sum, *greatest); // what is not a number is not taken
            }
            store(s, sums, to);
        }
    }

    /// Adds to the sums of `R` features of the values.
    #[inline(always)]
    fn sums<S: Simd, const V: usize, const R: usize>(&mut self, s: S, feature: usize) {
        let (tile, width) = (VECTORS * S::LANES, self.state.width());
        let rows = self.v.len() / width;
        assert!(feature + R <= width && rows * tile <= self.weights.len());
        let out = &mut self.state.out[feature * tile..][..R * tile];
        let mut sums = [[s.splat(0.0); V]; R];
        for (sums, out) in sums.iter_mut().zip(out.chunks_exact(tile)) {
            *sums = load(s, out);
        }
        let weights = (self.v[feature..].as_ptr(), width, 1);
        // SAFETY: so many features of every row, and as many rows of scores.
        unsafe { multiply::<S, V, R>(s, rows, self.weights.as_ptr(), weights, &mut sums) };
        for (sums, out) in sums.into_iter().zip(out.chunks_exact_mut(tile)) {
            store(s, sums, out);
        }
    }

    /// Bends the scores and hides some, where that is wanted; the greatest of those that are left.
    #[inline(always)]
    fn change<S: Simd, const V: usize>(&mut self, s: S) -> [S::V; V] {
        let tile = VECTORS * S::LANES;
        if let Some(cap) = self.softcap {
            for row in self.weights.chunks_exact_mut(tile) {
                let mut scores = load::<S, V>(s, row);
                for x in &mut scores {
                    *x = s.mul(simd::tanh(s, s.mul(*x, s.splat(1.0 / cap))), s.splat(cap));
                }
                store(s, scores, row);
            }
        }
        self.hide(f32::NEG_INFINITY);
        let mut greatest = load::<S, V>(s, self.state.greatest);
        for row in self.weights.chunks_exact(tile) {
            for (greatest, x) in greatest.iter_mut().zip(load::<S, V>(s, row)) {
                *greatest = s.max(x, *greatest);
            }
        }
        greatest
    }

    /// Turns scores into weights, and puts the state right for the greatest of them.
    #[inline(always)]
    fn softmax<S: Simd, const V: usize>(&mut self, s: S, greatest: [S::V; V]) {
        let tile = VECTORS * S::LANES;
        let mut total = load::<S, V>(s, self.state.total);
        let mut back = greatest;
        for x in &mut back {
            *x = s.mul(*x, s.splat(-1.0));
        }
        if self.is_greater::<S, V>(s, greatest) {
            let mut share = load::<S, V>(s, self.state.greatest);
            for (v, share) in share.iter_mut().enumerate() {
                *share = simd::exp2(s, s.add(*share, back[v]));
                total[v] = s.mul(total[v], *share);
            }
            for row in self.state.out.chunks_exact_mut(tile) {
                let mut sums = load::<S, V>(s, row);
                for (sum, share) in sums.iter_mut().zip(share) {
                    *sum = s.mul(*sum, share);
                }
                store(s, sums, row);
            }
            store(s, greatest, self.state.greatest);
        }
        for row in self.weights.chunks_exact_mut(tile) {
            let mut weights = load::<S, V>(s, row);
            for (v, x) in weights.iter_mut().enumerate() {
                *x = simd::exp2(s, s.add(*x, back[v]));
                total[v] = s.add(total[v], *x);
            }
            store(s, weights, row);
        }
        store(s, total, self.state.total);
        self.hide(0.0);
    }

    /// Puts `value` wherever a query does not see a key.
    #[inline(always)]
    fn hide(&mut self, value: f32) {
        let tile = self.state.tile;
        for (lane, seen) in self.edges.into_iter().flatten().enumerate() {
            for (row, scores) in self.weights.chunks_exact_mut(tile).enumerate() {
                if !seen.contains(&row) {
                    scores[lane] = value;
                }
            }
        }
    }

    /// Whether a score is greater than all before.
    #[inline(always)]
    fn is_greater<S: Simd, const V: usize>(&self, s: S, greatest: [S::V; V]) -> bool {
        let mut now = [0.0; VECTORS * simd::MOST_LANES];
        store(s, greatest, &mut now);
        let lanes = V * S::LANES;
        now[..lanes] != self.state.greatest[..lanes]
    }
}

/// How many of `count` are taken [`ROWS`] at a time, the others [`REST`] at a time.
fn in_rows(count: usize) -> usize {
    let whole = count - count % ROWS;
    if (count - whole).is_multiple_of(REST) {
        whole
    } else {
        whole - ROWS
    }
}

/// Adds to `R` sums of a tile what `n` rows `x` give with their weights; of these `(start, step, apart)` says where the
/// first is, and how far from it the next row's and the next sum's are.
///
/// # Safety
/// All of it can be read; `n` is a multiple of [`REST`], and rows are as far apart as a tile is wide.
#[inline(always)]
unsafe fn multiply<S: Simd, const V: usize, const R: usize>(
    s: S,
    n: usize,
    x: *const f32,
    (weights, step, apart): (*const f32, usize, usize),
    sums: &mut [[S::V; V]; R],
) {
    let tile = VECTORS * S::LANES;
    for some in (0..n).step_by(REST) {
        for i in some..some + REST {
            let mut rows = [s.splat(0.0); V];
            for (v, row) in rows.iter_mut().enumerate() {
                // SAFETY: a vector of one of `n` rows.
                *row = unsafe { s.load(x.add(i * tile + v * S::LANES)) };
            }
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: the weight of one of `n` rows for one of the sums.
                let weight = s.splat(unsafe { *weights.add(i * step + r * apart) });
                for (sum, row) in sums.iter_mut().zip(rows) {
                    *sum = s.mul_add(weight, row, *sum);
                }
            }
        }
    }
}

/// The first vectors of a list.
#[inline(always)]
fn load<S: Simd, const V: usize>(s: S, from: &[f32]) -> [S::V; V] {
    assert!(from.len() >= V * S::LANES);
    let mut values = [s.splat(0.0); V];
    for (v, value) in values.iter_mut().enumerate() {
        // SAFETY: so many values are there (just checked).
        *value = unsafe { s.load(from.as_ptr().add(v * S::LANES)) };
    }
    values
}

/// Writes the first vectors of a list.
#[inline(always)]
fn store<S: Simd, const V: usize>(s: S, values: [S::V; V], to: &mut [f32]) {
    assert!(to.len() >= V * S::LANES);
    for (v, value) in values.into_iter().enumerate() {
        // SAFETY: so many values are there (just checked).
        unsafe { s.store(to.as_mut_ptr().add(v * S::LANES), value) };
    }
}

//! Tiles of queries: how they begin, and how their results leave them.

use crate::simd::{Element, Kernel, Simd, turn};
use crate::strided::Positions;

/// What becomes of a tile of queries. Lists are `[…, tile]`.
pub(super) struct State<'a> {
    pub(super) tile: usize,
    /// The queries, `[width, tile]`.
    pub(super) q: &'a mut [f32],
    /// The weighted sums of values so far, `[width, tile]`.
    pub(super) out: &'a mut [f32],
    /// The greatest scores so far.
    pub(super) greatest: &'a mut [f32],
    /// The sums of weights so far.
    pub(super) total: &'a mut [f32],
}

impl<'a> State<'a> {
    /// How many values it takes.
    pub(super) fn size(tile: usize, width: usize) -> usize {
        (2 * width + 2) * tile
    }

    /// The state in `values`, of which there are as many as [`size`](Self::size) says.
    pub(super) fn of(values: &'a mut [f32], tile: usize, width: usize) -> Self {
        let (q, rest) = values.split_at_mut(width * tile);
        let (out, rest) = rest.split_at_mut(width * tile);
        let (greatest, total) = rest.split_at_mut(tile);
        assert_eq!(total.len(), tile);
        Self {
            tile,
            q,
            out,
            greatest,
            total,
        }
    }

    /// Features of a head.
    pub(super) fn width(&self) -> usize {
        self.q.len() / self.tile
    }
}

/// Widens positions and multiplies them by a factor.
pub(super) struct Pack<'a, T> {
    pub(super) from: Positions<'a, T>,
    pub(super) factor: f32,
    pub(super) width: usize,
    /// `[rows, width]`; zero where there is nothing.
    pub(super) to: &'a mut [f32],
}

impl<T: Element> Kernel for Pack<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let factor = s.splat(self.factor);
        for (i, to) in self.to.chunks_exact_mut(self.width.max(1)).enumerate() {
            if i >= self.from.count() {
                to.fill(0.0);
                continue;
            }
            let from = self.from.at(i);
            let whole = from.len() - from.len() % S::LANES;
            assert!(from.len() <= to.len());
            for at in (0..whole).step_by(S::LANES) {
                // SAFETY: `at + LANES <= whole`, which is within both.
                unsafe {
                    let x = T::load(s, from.as_ptr().add(at));
                    s.store(to.as_mut_ptr().add(at), s.mul(x, factor));
                }
            }
            for (to, from) in to[whole..].iter_mut().zip(&from[whole..]) {
                *to = from.to_f32() * self.factor;
            }
            to[from.len()..].fill(0.0);
        }
    }
}

/// Asks for positions to be brought near: their neighbours in memory are other heads', and no pattern shows them.
pub(super) struct Ask<'a, T>(pub(super) [Positions<'a, T>; 2]);

impl<T: Element> Kernel for Ask<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        const LINE: usize = 64;
        for positions in self.0 {
            for position in positions.iter() {
                for at in (0..position.len()).step_by(LINE / size_of::<T>()) {
                    s.prefetch(&position[at]);
                }
            }
        }
    }
}

/// Begins with queries.
pub(super) struct Prepare<'a> {
    /// `[queries, width]`
    pub(super) rows: &'a [f32],
    pub(super) state: State<'a>,
}

impl Kernel for Prepare<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows, state } = self;
        let (tile, width) = (state.tile, state.width());
        let queries = rows.len() / width.max(1);
        assert!(queries <= tile && state.q.len() == width * tile);
        // SAFETY: there are so many whole rows, and `width` rows of a tile.
        unsafe {
            turn(
                s,
                [queries, width],
                (rows.as_ptr(), width),
                (state.q.as_mut_ptr(), tile),
            )
        };
        state.out.fill(0.0);
        state.greatest.fill(f32::MIN);
        state.total.fill(0.0);
    }
}

/// Divides by the sums of weights, and puts the results in the order of the queries.
pub(super) struct Finish<'a> {
    /// `[queries, width]`
    pub(super) rows: &'a mut [f32],
    pub(super) state: State<'a>,
}

impl Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows, state } = self;
        let (tile, width) = (state.tile, state.width());
        let queries = rows.len() / width.max(1);
        assert!(queries <= tile && state.out.len() == width * tile);
        let (from, to) = (state.out.as_ptr(), rows.as_mut_ptr());
        // SAFETY: there are `width` rows of a tile, and so many whole rows.
        unsafe { turn(s, [width, queries], (from, tile), (to, width)) };
        for (row, &total) in rows.chunks_exact_mut(width.max(1)).zip(&*state.total) {
            let share = if total == 0.0 { 0.0 } else { total.recip() };
            row.iter_mut().for_each(|value| *value *= share);
        }
    }
}

//! The arithmetic of attention on a few neighbouring positions of one key head.

use super::{Call, PIECE};
use crate::simd::{self, Element, Kernel, Simd};
use crate::strided::Positions;

/// Query heads worked on at a time.
const GROUP: usize = 4;

/// Keys that are asked for ahead of the one that is worked on: a piece ends before the processor has seen the pattern.
const AHEAD: usize = 64;

/// Asks for what lies at `position`, or behind the tensor.
#[inline(always)]
fn ask_for<S: Simd, T>(s: S, start: *const T, len: usize) {
    const LINE: usize = 64;
    for at in (0..len).step_by(LINE / size_of::<T>()) {
        s.prefetch(start.wrapping_add(at));
    }
}

/// Some neighbouring positions of one key head, and the query heads that it serves.
pub(super) struct Piece<'a, T> {
    pub(super) call: &'a Call<'a>,
    /// `[group, head_dim]`
    pub(super) q: &'a [f32],
    pub(super) k: Positions<'a, T>,
    pub(super) v: Positions<'a, T>,
    /// `[group, 2 + head_dim]`
    pub(super) partial: &'a mut [f32],
}

impl<T: Element> Kernel for Piece<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let group = self.call.group;
        let mut head = 0;
        while head < group {
            match group - head {
                1 => self.heads::<S, 1, 4>(s, head),
                2 => self.heads::<S, 2, 4>(s, head),
                3 => self.heads::<S, 3, 2>(s, head),
                _ => self.heads::<S, GROUP, 2>(s, head),
            }
            head += GROUP;
        }
    }
}

impl<T: Element> Piece<'_, T> {
    /// `G` query heads from `head` on; values are summed `C` vectors at a time.
    #[inline(always)]
    fn heads<S: Simd, const G: usize, const C: usize>(&mut self, s: S, head: usize) {
        let dim = self.call.head_dim;
        let q = &self.q[head * dim..][..G * dim];
        let partial = &mut self.partial[head * (dim + 2)..][..G * (dim + 2)];
        let mut weights = [[0.0f32; PIECE]; G];
        scores(s, q, &self.k, &self.v, &mut weights);
        for (weights, partial) in weights.iter_mut().zip(partial.chunks_mut(dim + 2)) {
            (partial[0], partial[1]) = softmax(s, self.call, &mut weights[..], self.k.count());
        }

        let whole = dim - dim % S::LANES;
        let mut i = 0;
        while i + C * S::LANES <= whole {
            values::<S, T, G, C>(s, &weights, &self.v, partial, i);
            i += C * S::LANES;
        }
        while i < whole {
            values::<S, T, G, 1>(s, &weights, &self.v, partial, i);
            i += S::LANES;
        }
        for i in whole..dim {
            for (weights, partial) in weights.iter().zip(partial.chunks_mut(dim + 2)) {
                let of = |t: usize| weights[t] * self.v.at(t)[i].to_f32();
                partial[2 + i] = (0..self.v.count()).map(of).sum();
            }
        }
    }
}

/// The products of `G` queries with each key; meanwhile the values are brought near.
#[inline(always)]
fn scores<S: Simd, T: Element, const G: usize>(
    s: S,
    q: &[f32],
    k: &Positions<'_, T>,
    v: &Positions<'_, T>,
    scores: &mut [[f32; PIECE]; G],
) {
    let dim = q.len() / G;
    let whole = dim - dim % S::LANES;
    for (t, key) in k.iter().enumerate() {
        ask_for(s, k.ahead(t + AHEAD), dim);
        ask_for(s, v.ahead(t), dim);
        assert!(key.len() == dim);
        let mut sums = [s.splat(0.0); G];
        let mut i = 0;
        while i < whole {
            // SAFETY: `i + LANES <= dim`, the length of `key` and of each query.
            let k = unsafe { T::load(s, key.as_ptr().add(i)) };
            for (g, sum) in sums.iter_mut().enumerate() {
                // SAFETY: as above.
                *sum = s.mul_add(k, unsafe { s.load(q.as_ptr().add(g * dim + i)) }, *sum);
            }
            i += S::LANES;
        }
        for (g, sum) in sums.iter().enumerate() {
            let mut sum = s.sum(*sum);
            for i in whole..dim {
                sum += key[i].to_f32() * q[g * dim + i];
            }
            scores[g][t] = sum;
        }
    }
}

/// Turns the first `count` products into weights `exp(score - greatest)`; the greatest score and the sum
/// of the weights.
#[inline(always)]
fn softmax<S: Simd>(s: S, call: &Call<'_>, weights: &mut [f32], count: usize) -> (f32, f32) {
    let filled = count.next_multiple_of(S::LANES);
    assert!(filled <= weights.len());
    let p = weights.as_mut_ptr();
    let scale = s.splat(call.scale);
    for i in (0..filled).step_by(S::LANES) {
        // SAFETY: `i + LANES <= filled`, which is within the buffer.
        let mut x = s.mul(unsafe { s.load(p.add(i)) }, scale);
        if let Some(cap) = call.softcap {
            x = s.mul(simd::tanh(s, s.mul(x, s.splat(1.0 / cap))), s.splat(cap));
        }
        // SAFETY: as above.
        unsafe { s.store(p.add(i), x) };
    }
    weights[count..].fill(f32::NEG_INFINITY);
    let greatest = weights[..count].iter().fold(f32::NEG_INFINITY, |a, &b| {
        if b > a || b.is_nan() { b } else { a } // what is not a number stays to the end
    });
    let p = weights.as_mut_ptr();
    let mut total = s.splat(0.0);
    for i in (0..filled).step_by(S::LANES) {
        // SAFETY: as above.
        let x = unsafe { s.load(p.add(i)) };
        let weight = simd::exp(s, s.add(x, s.splat(-greatest)));
        total = s.add(total, weight); // what follows `count` adds less than the last place
        // SAFETY: as above.
        unsafe { s.store(p.add(i), weight) };
    }
    (greatest, s.sum(total))
}

/// The weighted sums of `C` vectors of the values, from element `i` on, for `G` heads.
#[inline(always)]
fn values<S: Simd, T: Element, const G: usize, const C: usize>(
    s: S,
    weights: &[[f32; PIECE]; G],
    v: &Positions<'_, T>,
    partial: &mut [f32],
    i: usize,
) {
    let mut sums = [[s.splat(0.0); C]; G];
    for (t, v) in v.iter().enumerate() {
        assert!(i + C * S::LANES <= v.len());
        // SAFETY: within the position (just checked).
        let v: [S::V; C] = std::array::from_fn(|c| unsafe { T::load(s, v.as_ptr().add(i + c * S::LANES)) });
        for (g, sums) in sums.iter_mut().enumerate() {
            let weight = s.splat(weights[g][t]);
            for (sum, v) in sums.iter_mut().zip(v) {
                *sum = s.mul_add(weight, v, *sum);
            }
        }
    }
    let width = partial.len() / G;
    for (sums, partial) in sums.iter().zip(partial.chunks_mut(width)) {
        let out = &mut partial[2 + i..][..C * S::LANES];
        for (c, sum) in sums.iter().enumerate() {
            // SAFETY: within `out`, which has room for `C` vectors.
            unsafe { s.store(out.as_mut_ptr().add(c * S::LANES), *sum) };
        }
    }
}

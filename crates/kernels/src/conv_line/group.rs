//! The sums of a few outputs at a group of positions: the innermost loops.

use super::OUTPUTS;
use super::plan::Sum;
use crate::simd::{Kernel, Simd};

/// Vectors of positions that are summed together.
pub(super) const VECTORS: usize = 3;

/// Positions of a group, and blocks of outputs that go together: as many as the registers hold.
pub(super) struct Size;

impl Kernel for Size {
    type Output = (usize, usize);

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> (usize, usize) {
        // The vectors of 16 come with 32 registers, others with 16.
        (VECTORS * S::LANES, if S::LANES == 16 { 2 } else { 1 })
    }
}

/// A sum for one or two blocks of [`OUTPUTS`] outputs.
pub(super) struct Group<'a> {
    pub sum: &'a Sum,
    /// The first block, and how many.
    pub block: usize,
    pub blocks: usize,
    pub inputs: usize,
    /// `[inputs, arrays, width]`, from the group's first position on.
    pub lines: &'a [f32],
    pub arrays: usize,
    pub width: usize,
    /// Where the sums go: `[blocks · OUTPUTS, stride]`, from the group's first position on.
    pub to: &'a mut [f32],
    pub stride: usize,
}

impl Kernel for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        match self.blocks {
            1 => self.sum::<S, 1>(s),
            _ => self.sum::<S, 2>(s),
        }
    }
}

impl Group<'_> {
    #[inline(always)]
    fn sum<S: Simd, const BLOCKS: usize>(self, s: S) {
        let (terms, step) = (&self.sum.terms, self.arrays * self.width);
        let each = self.inputs * terms.len() * OUTPUTS;
        let weight = &self.sum.weight[self.block * each..][..BLOCKS * each];
        for &(array, shift) in terms {
            let furthest = (self.inputs - 1) * step + array * self.width + shift + VECTORS * S::LANES;
            assert!(furthest <= self.lines.len());
        }
        assert!((BLOCKS * OUTPUTS - 1) * self.stride + VECTORS * S::LANES <= self.to.len());
        let mut sums = [[[s.splat(0.0); VECTORS]; OUTPUTS]; BLOCKS];
        let mut weight = weight.as_ptr();
        let mut line = self.lines.as_ptr();
        for _ in 0..self.inputs {
            for &(array, shift) in terms {
                // SAFETY: the furthest of these lies within the lines (asserted above).
                let x: [S::V; VECTORS] = std::array::from_fn(|v| unsafe {
                    s.load(line.add(array * self.width + shift + v * S::LANES))
                });
                for (b, sums) in sums.iter_mut().enumerate() {
                    for (r, sums) in sums.iter_mut().enumerate() {
                        // SAFETY: each block has `inputs · terms` times `OUTPUTS` weights.
                        let w = s.splat(unsafe { *weight.add(b * each + r) });
                        for (sum, x) in sums.iter_mut().zip(x) {
                            *sum = s.mul_add(w, x, *sum);
                        }
                    }
                }
                // SAFETY: at most one past the end.
                weight = unsafe { weight.add(OUTPUTS) };
            }
            line = line.wrapping_add(step);
        }
        for (row, sums) in sums.as_flattened().iter().enumerate() {
            for (v, &sum) in sums.iter().enumerate() {
                // SAFETY: the last row's vectors lie within `to` (asserted above).
                unsafe { s.store(self.to.as_mut_ptr().add(row * self.stride + v * S::LANES), sum) };
            }
        }
    }
}

//! From lines to the arrays that are multiplied, and from pairs of results to lines.

use super::plan::Array;
use crate::simd::{Kernel, Simd};

/// Values that are copied at once, of which those of the next piece come to lie over the last ones.
const PIECE: usize = 8;

/// A part of a line, `steps` long, `begin` steps after its padding began, with the activation `max(x, slope · x)`.
pub(super) struct Active<'a> {
    pub line: &'a [f32],
    pub begin: usize,
    pub padding: usize,
    pub slope: Option<f32>,
}

impl Active<'_> {
    /// Writes it; zeros where the line does not reach.
    #[inline(always)]
    fn write(&self, to: &mut [f32]) {
        let (steps, width) = (self.line.len(), to.len());
        // Where the line begins in what is written, and in itself.
        let offset = self.padding.saturating_sub(self.begin).min(width);
        let from = (self.begin + offset).saturating_sub(self.padding).min(steps);
        let count = (steps - from).min(width - offset);
        to[..offset].fill(0.0);
        to[offset + count..].fill(0.0);
        let (to, line) = (&mut to[offset..offset + count], &self.line[from..from + count]);
        match self.slope {
            None => to.copy_from_slice(line),
            Some(slope) => to.iter_mut().zip(line).for_each(|(y, &x)| *y = x.max(x * slope)),
        }
    }
}

/// Writes the arrays of a line one after another, each as long as the others.
pub(super) struct Prepare<'a> {
    pub active: Active<'a>,
    pub arrays: &'a [Array],
    /// The dilation if positions stand for pairs.
    pub pairs: Option<usize>,
    /// Room for the parts of the line.
    pub room: &'a mut Vec<f32>,
    pub to: &'a mut [f32],
}

impl Kernel for Prepare<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Some(d) = self.pairs else {
            return self.active.write(self.to);
        };
        let width = self.to.len() / self.arrays.len();
        // Each array looks at most a dilation further than it is long.
        let half = width + d;
        let line = (2 * half).next_multiple_of(2 * d) + PIECE;
        self.room.resize(line + 2 * (half + d + PIECE), 0.0);
        let (line, halves) = self.room.split_at_mut(line);
        let (even, odd) = halves.split_at_mut(half + d + PIECE);
        self.active.write(line);
        match d {
            1 => split(line, even, odd, half),
            _ => split_runs(line, even, odd, half, d),
        }
        for (array, to) in self.arrays.iter().zip(self.to.chunks_exact_mut(width)) {
            let (e, o) = (&even[..width], &odd[..width]);
            let (later_e, later_o) = (&even[d..][..width], &odd[d..][..width]);
            match array {
                Array::Even => to.copy_from_slice(e),
                Array::Odd => to.copy_from_slice(o),
                Array::EvenFall => combine(to, e, later_e, |a, b| a - b),
                Array::OddFall => combine(to, o, later_o, |a, b| a - b),
                Array::OddSum => combine(to, o, later_e, |a, b| a + b),
                Array::EvenSum => combine(to, later_e, later_o, |a, b| a + b),
                Array::OddRise => combine(to, later_e, o, |a, b| a - b),
                Array::EvenRise => combine(to, later_o, later_e, |a, b| a - b),
            }
        }
    }
}

#[inline(always)]
fn combine(to: &mut [f32], a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) {
    for ((to, &a), &b) in to.iter_mut().zip(a).zip(b) {
        *to = f(a, b);
    }
}

#[inline(always)]
fn split(line: &[f32], even: &mut [f32], odd: &mut [f32], count: usize) {
    let both = even[..count].iter_mut().zip(&mut odd[..count]);
    for ((e, o), pair) in both.zip(line.chunks_exact(2)) {
        (*e, *o) = (pair[0], pair[1]);
    }
}

#[inline(always)]
fn split_runs(line: &[f32], even: &mut [f32], odd: &mut [f32], count: usize, d: usize) {
    for run in (0..count).step_by(d) {
        copy_run(&mut even[run..], &line[2 * run..], d);
        copy_run(&mut odd[run..], &line[2 * run + d..], d);
    }
}

/// Copies `d` values; a short run as a whole piece, as what follows is written next.
#[inline(always)]
fn copy_run(to: &mut [f32], from: &[f32], d: usize) {
    match d <= PIECE {
        true => to[..PIECE].copy_from_slice(&from[..PIECE]),
        false => to[..d].copy_from_slice(&from[..d]),
    }
}

/// Puts the four sums of pairs together and the pairs into their places in the line.
pub(super) struct Join<'a> {
    /// `a` to `d`, of as many positions each.
    pub sums: [&'a [f32]; 4],
    pub dilation: usize,
    /// Room for the pairs and for the line.
    pub room: &'a mut Vec<f32>,
    pub bias: f32,
    pub add: Option<&'a [f32]>,
    /// At most two steps for each position.
    pub to: &'a mut [f32],
}

impl Kernel for Join<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let d = self.dilation;
        let count = self.sums[0].len();
        let half = count.next_multiple_of(d) + PIECE;
        self.room.resize(4 * half, 0.0);
        let (firsts, rest) = self.room.split_at_mut(half);
        let (seconds, line) = rest.split_at_mut(half);
        let [a, b, c, last] = self.sums.map(|sum| &sum[..count]);
        for i in 0..count {
            firsts[i] = self.bias + a[i] + (b[i] + c[i]);
            seconds[i] = self.bias + (b[i] - c[i]) - last[i];
        }
        match d {
            1 => {
                let pairs = firsts.iter().zip(seconds.iter());
                for (to, (&first, &second)) in line.chunks_exact_mut(2).zip(pairs) {
                    (to[0], to[1]) = (first, second);
                }
            }
            _ => {
                for run in (0..count).step_by(d) {
                    copy_run(&mut line[2 * run..], &firsts[run..], d);
                    copy_run(&mut line[2 * run + d..], &seconds[run..], d);
                }
            }
        }
        let line = &line[..self.to.len()];
        match self.add {
            None => self.to.copy_from_slice(line),
            Some(add) => combine(self.to, line, add, |a, b| a + b),
        }
    }
}

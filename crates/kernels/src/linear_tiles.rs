//! Fully connected layers for more rows than a few: a tile of rows at a time, side by side in the vectors.
//!
//! Where [`linear_rows`](crate::linear_rows) makes each sum along a vector, here each lane is a row of `x`: a weight
//! meets a whole vector of rows, and no sum has to be folded in the end. For that `x` is put in another order first,
//! `[tiles, in, rows of a tile]`, which costs little beside the product.

use std::borrow::Cow;
use std::ops::Range;

use crate::few_rows::Layer;
use crate::memory::{Fresh, Parts};
use crate::simd::{self, Bf16, Element, Floating, Kernel, Level, Simd, transpose, turn};
use crate::team::spread;

/// Vectors of rows in a tile.
const VECTORS: usize = 2;
/// Outputs that are summed at once: with a tile's vectors they fill AVX2's registers.
const OUTPUTS: usize = 6;
/// The most rows in a tile, and those of AVX-512.
const WIDEST: usize = VECTORS * 16;
/// Outputs that a thread takes at a time: a multiple of [`OUTPUTS`] and of every vector's lanes.
const PIECE: usize = 8 * OUTPUTS;
/// Bytes of `x` that stay in a near cache while all outputs pass over them.
const GROUP_BYTES: usize = 256 << 10;

/// Computes `layer`.
pub(crate) fn compute<O: Element>(layer: &Layer<'_>, out: &mut [O]) {
    let level = Level::best();
    let part = |outputs: Range<usize>| outputs.start * layer.inputs..outputs.end * layer.inputs;
    if let (Floating::Bf16(x), Floating::Bf16(weight)) = (layer.x, layer.weight)
        && level.has_dots()
        && layer.inputs.is_multiple_of(2)
    {
        return products(level, layer, x.as_chunks::<2>().0, out, |outputs| {
            Cow::Borrowed(weight[part(outputs)].as_chunks::<2>().0)
        });
    }
    let x = layer.x.widen();
    products(level, layer, &x, out, |outputs| match layer.weight {
        Floating::F32(weight) => Cow::Borrowed(&weight[part(outputs)]),
        Floating::Bf16(weight) => widened(&weight[part(outputs)]),
        Floating::F16(weight) => widened(&weight[part(outputs)]),
    })
}

fn widened<'a>(weight: &[impl Element]) -> Cow<'a, [f32]> {
    weight.iter().map(|w| w.to_f32()).collect()
}

/// What a lane multiplies at once, four bytes: one value, or two.
trait Lane: Copy + Send + Sync + 'static {
    /// Its bits.
    fn bits(self) -> f32;
    /// `sum` and the products of a weight with the lanes of `x`.
    fn multiply<S: Simd>(self, s: S, x: S::V, sum: S::V) -> S::V;
}

impl Lane for f32 {
    #[inline(always)]
    fn bits(self) -> f32 {
        self
    }

    #[inline(always)]
    fn multiply<S: Simd>(self, s: S, x: S::V, sum: S::V) -> S::V {
        s.mul_add(s.splat(self), x, sum)
    }
}

impl Lane for [Bf16; 2] {
    #[inline(always)]
    fn bits(self) -> f32 {
        Bf16::pair(self)
    }

    #[inline(always)]
    fn multiply<S: Simd>(self, s: S, x: S::V, sum: S::V) -> S::V {
        s.dot_bf16(x, s.splat(self.bits()), sum)
    }
}

/// Computes `layer` from `x` `[rows, lanes]` and the rows of its weight, some outputs at a time, as `weights` gives
/// them.
fn products<'a, L: Lane, O: Element>(
    level: Level,
    layer: &Layer<'_>,
    x: &[L],
    out: &mut [O],
    weights: impl Fn(Range<usize>) -> Cow<'a, [L]> + Sync,
) {
    let rows_of_tile = simd::run(level, Width);
    let lanes = x.len() / layer.rows.max(1);
    let tiles = layer.rows.div_ceil(rows_of_tile);
    let size = rows_of_tile * lanes;
    let of_tile = |tile: usize| tile * rows_of_tile..layer.rows.min((tile + 1) * rows_of_tile);

    let mut packed = Fresh::<f32>::unset(&[(tiles * size) as i64]);
    let parts = Parts::new(packed.as_mut_slice());
    spread(layer.rows, tiles, |tile| {
        let rows = of_tile(tile);
        let work = Packing {
            x: &x[rows.start * lanes..rows.end * lanes],
            lanes,
            // SAFETY: each tile goes to one thread.
            packed: unsafe { parts.part(tile * size, size) },
        };
        simd::run(level, work);
    });

    let packed = packed.as_slice();
    let bytes = (size * size_of::<f32>()).max(1);
    let group = (GROUP_BYTES / bytes).clamp(1, tiles.max(1));
    let pieces = layer.outputs.div_ceil(PIECE);
    let out = Parts::new(out);
    spread(layer.rows, tiles.div_ceil(group) * pieces, |number| {
        let (first, piece) = (number / pieces * group, number % pieces);
        let outputs = piece * PIECE..layer.outputs.min((piece + 1) * PIECE);
        let weight = weights(outputs.clone());
        let mut bias = [0.0; PIECE];
        if let Some(values) = layer.bias {
            for (bias, o) in bias.iter_mut().zip(outputs.clone()) {
                *bias = values.get(o);
            }
        }
        let (mut sums, mut turned) = ([0.0; PIECE * WIDEST], [0.0; PIECE * WIDEST]);
        for tile in first..tiles.min(first + group) {
            let rows = of_tile(tile);
            let work = Tile {
                x: &packed[tile * size..][..size],
                weight: &weight,
                lanes,
                sums: &mut sums,
                turned: &mut turned,
                bias: &bias,
                out: rows.map(|row| {
                    // SAFETY: one part per row and piece, and each piece of a row goes to one thread.
                    unsafe { out.part(row * layer.outputs + outputs.start, outputs.len()) }
                }),
            };
            simd::run(level, work);
        }
    });
}

/// Puts rows of `x` in the order of a tile.
struct Packing<'a, L> {
    /// `[rows, lanes]`, no more rows than the tile has.
    x: &'a [L],
    lanes: usize,
    /// `[lanes, tile]`; what is not of these rows is never looked at.
    packed: &'a mut [f32],
}

impl<L: Lane> Kernel for Packing<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        const { assert!(size_of::<L>() == size_of::<f32>()) };
        let (n, tile) = (self.lanes, VECTORS * S::LANES);
        let rows = self.x.len() / n.max(1);
        assert!(rows <= tile && self.packed.len() == n * tile);
        let (from, to) = (self.x.as_ptr().cast(), self.packed.as_mut_ptr());
        // SAFETY: both have `rows` and `n` whole rows; a lane's bits may be read as those of an `f32`.
        unsafe { turn(s, [rows, n], (from, n), (to, tile)) };
    }
}

/// Rows in a tile.
struct Width;

impl Kernel for Width {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        VECTORS * S::LANES
    }
}

/// The products of a tile of rows with some rows of the weight.
struct Tile<'a, L, R> {
    /// `[lanes, tile]`
    x: &'a [f32],
    /// `[outputs, lanes]`
    weight: &'a [L],
    lanes: usize,
    /// `[outputs, tile]`
    sums: &'a mut [f32; PIECE * WIDEST],
    /// `[tile, PIECE]`
    turned: &'a mut [f32; PIECE * WIDEST],
    bias: &'a [f32; PIECE],
    /// The place of each row's result, `[outputs]`.
    out: R,
}

impl<'a, L: Lane, O: Element, R: Iterator<Item = &'a mut [O]>> Kernel for Tile<'a, L, R> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let outputs = self.weight.len() / self.lanes.max(1);
        let mut output = 0;
        while output + OUTPUTS <= outputs {
            self.block::<S, OUTPUTS>(s, output);
            output += OUTPUTS;
        }
        while output < outputs {
            self.block::<S, 1>(s, output);
            output += 1;
        }
        self.turn(s, outputs);
        for (out, sums) in self.out.zip(self.turned.chunks_exact(PIECE)) {
            for ((out, sum), bias) in out.iter_mut().zip(sums).zip(self.bias) {
                *out = O::from_f32(sum + bias);
            }
        }
    }
}

impl<L: Lane, R> Tile<'_, L, R> {
    /// Puts the sums of the first `outputs` in the order of the rows.
    #[inline(always)]
    fn turn<S: Simd>(&mut self, s: S, outputs: usize) {
        let tile = VECTORS * S::LANES;
        for output in (0..outputs).step_by(S::LANES) {
            for lane in (0..tile).step_by(S::LANES) {
                let from = &self.sums[output * tile + lane..];
                let to = &mut self.turned[lane * PIECE + output..];
                assert!(from.len() > (S::LANES - 1) * tile + S::LANES - 1);
                assert!(to.len() > (S::LANES - 1) * PIECE + S::LANES - 1);
                // SAFETY: the squares lie within both (just checked).
                unsafe { transpose(s, from.as_ptr(), tile, to.as_mut_ptr(), PIECE) };
            }
        }
    }

    /// The outputs from `output` on, `B` of them.
    #[inline(always)]
    fn block<S: Simd, const B: usize>(&mut self, s: S, output: usize) {
        let (n, tile) = (self.lanes, VECTORS * S::LANES);
        assert!(self.x.len() == n * tile && (output + B) * n <= self.weight.len());
        assert!((output + B) * tile <= self.sums.len());
        let (x, weight) = (self.x.as_ptr(), self.weight[output * n..].as_ptr());
        let mut sums = [[s.splat(0.0); VECTORS]; B];
        for i in 0..n {
            // SAFETY: `i < n`, and `x` has `n` times `tile` values.
            let x: [S::V; VECTORS] =
                std::array::from_fn(|v| unsafe { s.load(x.add(i * tile + v * S::LANES)) });
            // The next outputs' weights: their rows are too short for the processor to see the pattern by itself.
            s.prefetch(weight.wrapping_add(B * n + i * B));
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `i < n`, and `weight` has `B` rows of `n`.
                let weight = unsafe { *weight.add(r * n + i) };
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = weight.multiply(s, x, *sum);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                let place = (output + r) * tile + v * S::LANES;
                // SAFETY: `sums` has room for all of the outputs' tiles (checked above).
                unsafe { s.store(self.sums.as_mut_ptr().add(place), sum) };
            }
        }
    }
}

//! Fully connected layers for more rows than a few: a tile of rows at a time, side by side in the vectors.
//!
//! Where [`linear_rows`](crate::linear_rows) makes each sum along a vector, here each lane is a row of `x`: a weight
//! meets a whole vector of rows, and no sum has to be folded in the end. For that `x` is put in another order first,
//! `[tiles, in, rows of a tile]`, which costs little beside the product.

use std::borrow::Cow;
use std::ops::Range;

use tch::Kind;

use crate::few_rows::Layer;
use crate::memory::{Fresh, Parts};
use crate::simd::{self, Bf16, Element, Floating, Kernel, Level, Simd, transpose};
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
    // `x` is of the type of `out`: nothing is rounded where it goes by pairs.
    let pairs = level.has_dots() && O::KIND == Kind::BFloat16 && layer.inputs.is_multiple_of(2);
    match layer.weight {
        Floating::F32(weight) => products(level, layer, out, |outputs| Cow::Borrowed(&weight[part(outputs)])),
        Floating::Bf16(weight) if pairs => products(level, layer, out, |outputs| {
            Cow::Borrowed(weight[part(outputs)].as_chunks::<2>().0)
        }),
        Floating::Bf16(weight) => products(level, layer, out, |outputs| widened(&weight[part(outputs)])),
        Floating::F16(weight) => products(level, layer, out, |outputs| widened(&weight[part(outputs)])),
    }
}

fn widened<'a>(weight: &[impl Element]) -> Cow<'a, [f32]> {
    weight.iter().map(|w| w.to_f32()).collect()
}

/// What a lane multiplies at once: one input or several.
trait Weight: Copy + Send + Sync + 'static {
    /// How many inputs it is for.
    const INPUTS: usize;
    /// So many values of a row of `x`, as a lane's bits.
    fn pack(x: &[f32]) -> f32;
    /// `sum` and the products with what [`pack`](Self::pack) made of the lanes' rows.
    fn multiply<S: Simd>(self, s: S, x: S::V, sum: S::V) -> S::V;
}

impl Weight for f32 {
    const INPUTS: usize = 1;

    #[inline(always)]
    fn pack(x: &[f32]) -> f32 {
        x[0]
    }

    #[inline(always)]
    fn multiply<S: Simd>(self, s: S, x: S::V, sum: S::V) -> S::V {
        s.mul_add(s.splat(self), x, sum)
    }
}

impl Weight for [Bf16; 2] {
    const INPUTS: usize = 2;

    #[inline(always)]
    fn pack(x: &[f32]) -> f32 {
        Bf16::pair([x[0], x[1]].map(Bf16::from_f32))
    }

    #[inline(always)]
    fn multiply<S: Simd>(self, s: S, x: S::V, sum: S::V) -> S::V {
        s.dot_bf16(x, s.splat(Bf16::pair(self)), sum)
    }
}

/// Computes `layer` with the rows of its weight as `weights` gives them, some outputs at a time.
fn products<'a, W: Weight, O: Element>(
    level: Level,
    layer: &Layer<'_>,
    out: &mut [O],
    weights: impl Fn(Range<usize>) -> Cow<'a, [W]> + Sync,
) {
    let rows_of_tile = simd::run(level, Width);
    let packed = packed::<W>(rows_of_tile, layer);
    let packed = packed.as_slice();
    let inputs = layer.inputs / W::INPUTS;
    let tiles = layer.rows.div_ceil(rows_of_tile);
    let size = rows_of_tile * inputs;
    let bytes = (size * size_of::<f32>()).max(1);
    let group = (GROUP_BYTES / bytes).clamp(1, tiles.max(1));
    let pieces = layer.outputs.div_ceil(PIECE);
    let out = Parts::new(out);
    spread(layer.rows, tiles.div_ceil(group) * pieces, |number| {
        let (first, piece) = (number / pieces * group, number % pieces);
        let outputs = piece * PIECE..layer.outputs.min((piece + 1) * PIECE);
        let tiles = first..tiles.min(first + group);
        let weight = weights(outputs.clone());
        let mut bias = [0.0; PIECE];
        if let Some(values) = layer.bias {
            for (bias, o) in bias.iter_mut().zip(outputs.clone()) {
                *bias = values.get(o);
            }
        }
        let (mut sums, mut turned) = ([0.0; PIECE * WIDEST], [0.0; PIECE * WIDEST]);
        for tile in tiles {
            let work = Tile {
                x: &packed[tile * size..][..size],
                weight: &weight,
                inputs,
                sums: &mut sums,
                turned: &mut turned,
            };
            simd::run(level, work);
            let rows = tile * rows_of_tile..layer.rows.min((tile + 1) * rows_of_tile);
            for (row, sums) in rows.zip(turned.chunks_exact(PIECE)) {
                // SAFETY: one part per row and piece, and each piece of a row goes to one thread.
                let out = unsafe { out.part(row * layer.outputs + outputs.start, outputs.len()) };
                for ((out, sum), bias) in out.iter_mut().zip(sums).zip(bias) {
                    *out = O::from_f32(sum + bias);
                }
            }
        }
    });
}

/// `x` in tiles, `[tiles, inputs, tile]`; what fills up the last one is never looked at.
fn packed<W: Weight>(tile: usize, layer: &Layer<'_>) -> Fresh<f32> {
    /// Values that are moved at once: a cache line or two of each row.
    const STEP: usize = 16;
    let tiles = layer.rows.div_ceil(tile);
    let inputs = layer.inputs / W::INPUTS;
    let size = tile * inputs;
    let mut x = Fresh::<f32>::unset(&[(tiles * size) as i64]);
    let parts = Parts::new(x.as_mut_slice());
    spread(layer.rows, tiles, |number| {
        // SAFETY: each tile goes to one thread.
        let packed = unsafe { parts.part(number * size, size) };
        let rows = number * tile..layer.rows.min((number + 1) * tile);
        for begin in (0..inputs).step_by(STEP) {
            let inputs = begin..inputs.min(begin + STEP);
            for (lane, row) in rows.clone().enumerate() {
                let x = &layer.x[row * layer.inputs..][inputs.start * W::INPUTS..inputs.end * W::INPUTS];
                for (i, x) in inputs.clone().zip(x.chunks_exact(W::INPUTS)) {
                    packed[i * tile + lane] = W::pack(x);
                }
            }
        }
    });
    x
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
struct Tile<'a, W> {
    /// `[inputs, tile]`
    x: &'a [f32],
    /// `[outputs, inputs]`
    weight: &'a [W],
    /// As many as lanes take, one or several at once.
    inputs: usize,
    /// `[outputs, tile]`
    sums: &'a mut [f32; PIECE * WIDEST],
    /// The result, `[tile, PIECE]`.
    turned: &'a mut [f32; PIECE * WIDEST],
}

impl<W: Weight> Kernel for Tile<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        if self.inputs == 0 {
            return; // all sums are zero
        }
        let outputs = self.weight.len() / self.inputs;
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
    }
}

impl<W: Weight> Tile<'_, W> {
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

    /// The outputs from `output` on, `R` of them.
    #[inline(always)]
    fn block<S: Simd, const R: usize>(&mut self, s: S, output: usize) {
        let (n, tile) = (self.inputs, VECTORS * S::LANES);
        assert!(self.x.len() == n * tile && (output + R) * n <= self.weight.len());
        assert!((output + R) * tile <= self.sums.len());
        let (x, weight) = (self.x.as_ptr(), self.weight[output * n..].as_ptr());
        let mut sums = [[s.splat(0.0); VECTORS]; R];
        for i in 0..n {
            // SAFETY: `i < n`, and `x` has `n` times `tile` values.
            let x: [S::V; VECTORS] =
                std::array::from_fn(|v| unsafe { s.load(x.add(i * tile + v * S::LANES)) });
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `i < n`, and `weight` has `R` rows of `n`.
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

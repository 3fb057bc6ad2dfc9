//! Fully connected layers for a few rows, as in the steps of decoding.
//!
//! With one row, each weight is used once: the time goes to reading them. What makes memory fast is many
//! streams at once, each over several pages: a thread takes a piece of some hundred outputs and reads it
//! as [`STREAMS`] runs of neighbouring rows side by side. On two Zen 3 cores that reads twice to three
//! times as fast as libtorch's product; software prefetch made it slower.

use tch::Tensor;

use crate::few_rows::{self, Layer, Product};
use crate::linear_tiles;
use crate::memory::Parts;
use crate::simd::{self, Element, Floating, Kernel, Level, Simd};
use crate::team::spread;

/// Outputs that a thread takes at a time, at most.
const PIECE: usize = 512;
/// Bytes of weights that a thread takes at a time, where there are enough.
const PIECE_BYTES: usize = 384 << 10;
/// Rows of the weight that are read side by side for one row of `x`.
const STREAMS: usize = 8;
/// The same for several rows of `x`: their sums fill the registers too.
const FEWER_STREAMS: usize = 4;
/// The most rows of `x` that stay in the nearest cache beside the weights; more go in tiles.
const ROWS: usize = 9;

/// `x · weightᵀ + bias` for a few rows, at the speed at which memory gives the weights.
///
/// `x` is `[…, in]` in `f32`, `bf16` or `f16`, `weight` `[out, in]` and `bias` `[out]` each in any of these
/// types, all on the CPU. The result is `[…, out]` in the type of `x`, summed in `f32`: weights of 16 bits
/// are widened, not `x` rounded. Weights are used where they lie: up to some hundred rows, too, that is faster than
/// libtorch's product, which puts them in another order first. Results do not depend on the number of threads, nor on
/// the other rows as long as there are at most nine, or more.
///
/// Forward only: gradients do not pass.
///
/// # Panics
/// If the shapes do not fit, a tensor has another type or is not on the CPU, or `weight` or `bias` is not
/// contiguous.
pub fn linear_rows(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let (outputs, inputs) = weight.size2().expect("weight is [out, in]");
    few_rows::run::<Rows>(x, weight, bias, [inputs, outputs])
}

struct Rows;

impl Product for Rows {
    fn compute<O: Element>(layer: &Layer<'_>, out: &mut [O]) {
        if layer.rows > ROWS {
            return linear_tiles::compute(layer, out);
        }
        let out = Parts::new(out);
        let size = piece(layer.inputs * layer.weight.element_size(), layer.outputs);
        let level = Level::best();
        let x = layer.x.widen();
        spread(layer.rows, layer.outputs.div_ceil(size), |piece| {
            let outputs = piece * size..layer.outputs.min((piece + 1) * size);
            let mut sums = [0.0; ROWS * PIECE];
            layer.products(level, &x, outputs.clone(), &mut sums);
            for (row, sums) in sums.chunks(PIECE).enumerate().take(layer.rows) {
                // SAFETY: one part per row and piece, and each piece goes to one thread.
                let out = unsafe { out.part(row * layer.outputs + outputs.start, outputs.len()) };
                for ((out, sum), o) in out.iter_mut().zip(sums).zip(outputs.clone()) {
                    let bias = layer.bias.map_or(0.0, |bias| bias.get(o));
                    *out = O::from_f32(sum + bias);
                }
            }
        });
    }
}

/// `x · weightᵀ` for one row `x` `[in]` and `weight` `[out, in]`, each output times its scale.
///
/// # Panics
/// If the sizes do not fit.
pub(crate) fn scaled_row<W: Element>(x: &[f32], weight: &[W], scales: &[f32], out: &mut [f32]) {
    let (inputs, outputs) = (x.len(), scales.len());
    assert!(
        weight.len() == outputs * inputs && out.len() == outputs,
        "sizes fit"
    );
    let size = piece(inputs * size_of::<W>(), outputs);
    let out = Parts::new(out);
    let level = Level::best();
    spread(1, outputs.div_ceil(size), |piece| {
        let part = piece * size..outputs.min((piece + 1) * size);
        let mut sums = [0.0; ROWS * PIECE];
        let work = Products {
            x,
            weight: &weight[part.start * inputs..part.end * inputs],
            inputs,
            outputs: part.len(),
            sums: &mut sums,
        };
        simd::run(level, work);
        // SAFETY: each piece goes to one thread.
        let out = unsafe { out.part(part.start, part.len()) };
        for ((out, sum), scale) in out.iter_mut().zip(sums).zip(&scales[part]) {
            *out = sum * scale;
        }
    });
}

/// Outputs, of `bytes` of weights each, in a piece: as many as [`PIECE_BYTES`] hold, but leaving something for each
/// thread.
fn piece(bytes: usize, outputs: usize) -> usize {
    let fair = (outputs / 4).next_multiple_of(STREAMS);
    (PIECE_BYTES / bytes.max(1))
        .next_multiple_of(STREAMS)
        .min(fair)
        .clamp(STREAMS, PIECE)
}

impl Layer<'_> {
    fn products(
        &self,
        level: Level,
        x: &[f32],
        outputs: std::ops::Range<usize>,
        sums: &mut [f32; ROWS * PIECE],
    ) {
        let inputs = self.inputs;
        let part = outputs.start * inputs..outputs.end * inputs;
        let outputs = outputs.len();
        macro_rules! run {
            ($weight:ident) => {{
                let weight = &$weight[part];
                simd::run(
                    level,
                    Products {
                        x,
                        weight,
                        inputs,
                        outputs,
                        sums,
                    },
                )
            }};
        }
        match self.weight {
            Floating::F32(weight) => run!(weight),
            Floating::Bf16(weight) => run!(weight),
            Floating::F16(weight) => run!(weight),
        }
    }
}

/// The products of every row of `x` `[rows, inputs]` with every row of `weight` `[outputs, inputs]`.
struct Products<'a, W> {
    x: &'a [f32],
    weight: &'a [W],
    inputs: usize,
    outputs: usize,
    /// `[ROWS, PIECE]`, the first `rows` and `outputs` of which are written.
    sums: &'a mut [f32; ROWS * PIECE],
}

impl<W: Element> Kernel for Products<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        if self.inputs == 0 {
            return; // the sums are zero
        }
        let rows = self.x.len() / self.inputs;
        if rows == 1 {
            let run = self.outputs / STREAMS;
            for o in 0..run {
                self.block::<S, STREAMS, 1>(s, o, run, 0);
            }
            for o in run * STREAMS..self.outputs {
                self.block::<S, 1, 1>(s, o, 0, 0);
            }
            return;
        }
        let run = self.outputs / FEWER_STREAMS;
        for o in 0..run {
            self.all_rows::<S, FEWER_STREAMS>(s, o, run, rows);
        }
        for o in run * FEWER_STREAMS..self.outputs {
            self.all_rows::<S, 1>(s, o, 0, rows);
        }
    }
}

impl<W: Element> Products<'_, W> {
    /// Two rows or more: by threes, with twos where they do not come out even.
    #[inline(always)]
    fn all_rows<S: Simd, const R: usize>(&mut self, s: S, output: usize, apart: usize, rows: usize) {
        let mut row = 0;
        while row < rows {
            if matches!(rows - row, 2 | 4) {
                self.block::<S, R, 2>(s, output, apart, row);
                row += 2;
            } else {
                self.block::<S, R, 3>(s, output, apart, row);
                row += 3;
            }
        }
    }

    /// The outputs `output`, `output + apart`, … (`R` of them) for `B` rows of `x` from `row` on.
    ///
    /// Each sum is made in the same order whatever `R` and `B` are.
    #[inline(always)]
    fn block<S: Simd, const R: usize, const B: usize>(
        &mut self,
        s: S,
        output: usize,
        apart: usize,
        row: usize,
    ) {
        let n = self.inputs;
        assert!(output + (R - 1) * apart < self.outputs && self.weight.len() == self.outputs * n);
        assert!((row + B) * n <= self.x.len());
        // SAFETY: these rows exist (just checked).
        let (weight, x) = unsafe { (self.weight.as_ptr().add(output * n), self.x.as_ptr().add(row * n)) };
        let apart_by = apart * n;
        let mut sums = [[s.splat(0.0); B]; R];
        let whole = n - n % S::LANES;
        let mut i = 0;
        while i < whole {
            // SAFETY: `i + LANES <= n`, in rows that exist.
            let x: [S::V; B] = std::array::from_fn(|b| unsafe { s.load(x.add(b * n + i)) });
            for (r, sums) in sums.iter_mut().enumerate() {
                // SAFETY: `i + LANES <= n`, in rows that exist.
                let weight = unsafe { W::load(s, weight.add(r * apart_by + i)) };
                for (sum, x) in sums.iter_mut().zip(x) {
                    *sum = s.mul_add(weight, x, *sum);
                }
            }
            i += S::LANES;
        }
        for (r, sums) in sums.iter().enumerate() {
            for (b, sum) in sums.iter().enumerate() {
                let mut sum = s.sum(*sum);
                for i in whole..n {
                    // SAFETY: `i < n`, in rows that exist.
                    sum += unsafe { (*weight.add(r * apart_by + i)).to_f32() * *x.add(b * n + i) };
                }
                self.sums[(row + b) * PIECE + output + r * apart] = sum;
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use tch::{Device, IndexOp, Kind};

    use super::*;
    use crate::simd::tests::on_each_level;

    const F32: (Kind, Device) = (Kind::Float, Device::Cpu);
    const KINDS: [Kind; 3] = [Kind::Float, Kind::BFloat16, Kind::Half];

    /// The largest error in units of what rounding in `f32` may do, against sums in `f64`.
    pub(crate) fn error(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, y: &Tensor) -> f64 {
        let double = |t: &Tensor| t.to_kind(Kind::Double);
        let bias = bias.map_or_else(
            || Tensor::zeros([weight.size()[0]], (Kind::Double, Device::Cpu)),
            double,
        );
        let exact = double(x).matmul(&double(weight).tr()) + &bias;
        let magnitude = double(x).abs().matmul(&double(weight).abs().tr()) + bias.abs();
        let last_place = match y.kind() {
            Kind::Float => 0.0,
            Kind::BFloat16 => 2f64.powi(-8),
            _ => 2f64.powi(-11),
        };
        let allowed = magnitude * 2e-6 + exact.abs() * last_place * 1.01 + 1e-7;
        ((double(y) - exact).abs() / allowed).max().double_value(&[])
    }

    #[test]
    fn equals_sums_in_double_precision() {
        tch::manual_seed(3);
        on_each_level(|level| {
            for (i, (outputs, inputs)) in [
                (1, 1),
                (3, 7),
                (8, 8),
                (9, 17),
                (40, 33),
                (65, 100),
                (131, 576),
                (700, 24),
                (2, 3073),
            ]
            .into_iter()
            .enumerate()
            {
                for rows in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 32, 70] {
                    let kind = |n: usize| KINDS[(i + rows as usize + n) % 3];
                    let x = Tensor::randn([rows, inputs], F32).to_kind(kind(level as usize));
                    // one element in, so that no vector is aligned
                    let weight = Tensor::randn([outputs * inputs + 1], F32).to_kind(kind(i));
                    let weight = weight.i(1..).view([outputs, inputs]);
                    let bias = (i % 2 == 0).then(|| Tensor::randn([outputs], F32).to_kind(kind(1)));
                    let y = linear_rows(&x, &weight, bias.as_ref());
                    assert_eq!((y.size(), y.kind()), (vec![rows, outputs], x.kind()));
                    let error = error(&x, &weight, bias.as_ref(), &y);
                    assert!(error < 1.0, "{level:?} {rows} {outputs} {inputs}: {error}");
                }
            }
        });
    }

    #[test]
    fn equals_libtorch_in_each_type() {
        tch::manual_seed(4);
        for kind in KINDS {
            let x = Tensor::randn([2, 1, 96], F32).to_kind(kind);
            let weight = (Tensor::randn([50, 96], F32) * 0.1).to_kind(kind);
            let bias = Tensor::randn([50], F32).to_kind(kind);
            let y = linear_rows(&x, &weight, Some(&bias));
            let expected = x.linear(&weight, Some(&bias));
            let (relative, absolute) = if kind == Kind::Float {
                (1e-5, 1e-5)
            } else {
                (1e-2, 2e-2)
            };
            assert_eq!(y.size(), [2, 1, 50]);
            assert!(y.allclose(&expected, relative, absolute, false), "{kind:?}");
        }
    }

    #[test]
    fn results_depend_neither_on_threads_nor_on_other_rows() {
        tch::manual_seed(5);
        on_each_level(|level| {
            for kind in KINDS {
                let x = Tensor::randn([8, 100], F32);
                let weight = Tensor::randn([2051, 100], F32).to_kind(kind);
                let on = |threads, x: &Tensor| {
                    tch::set_num_threads(threads);
                    linear_rows(x, &weight, None)
                };
                let (one, two) = (on(1, &x), on(2, &x));
                assert!(one.equal(&two));
                for rows in 1..8 {
                    assert!(
                        on(2, &x.i(..rows)).equal(&one.i(..rows)),
                        "{level:?} {kind:?} {rows}"
                    );
                }
            }
        });
    }

    #[test]
    fn empty_sizes() {
        for (rows, outputs, inputs) in [(0, 3, 4), (2, 0, 4), (2, 3, 0)] {
            let x = Tensor::ones([rows, inputs], F32);
            let weight = Tensor::ones([outputs, inputs], F32);
            let bias = Tensor::ones([outputs], F32);
            let y = linear_rows(&x, &weight, Some(&bias));
            assert!(y.equal(&Tensor::ones([rows, outputs], F32)));
        }
    }
}

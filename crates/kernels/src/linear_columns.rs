//! The same as [`crate::linear_rows`] for weights stored as `[in, out]`, as GPT-2's are.
//!
//! A thread takes some neighbouring rows of the weight, reads them as [`STREAMS`] runs side by side, and
//! adds them up, each times its element of `x`; the sums of all pieces are added at the end.

use tch::Tensor;

use crate::few_rows::{self, Layer, Product};
use crate::memory::Parts;
use crate::simd::{self, Element, Floating, Kernel, Level, Simd};
use crate::team::team;

/// Pieces that the weight is cut into, where it has enough rows.
const PIECES: usize = 8;
/// Rows of the weight that are read side by side.
const STREAMS: usize = 8;
/// Rows of `x` for which weights are read once.
const ROWS: usize = 8;

/// `x · weight + bias` for a few rows, at the speed at which memory gives the weights.
///
/// `x` is `[…, in]` in `f32`, `bf16` or `f16`, `weight` `[in, out]` and `bias` `[out]` each in any of these
/// types, all on the CPU. The result is `[…, out]` in the type of `x`, summed in `f32`: weights of 16 bits
/// are widened, not `x` rounded. Weights are read once for every 8 rows; with many more rows libtorch's
/// product is faster. Results depend neither on the number of threads nor on the other rows.
///
/// Forward only: gradients do not pass.
///
/// # Panics
/// If the shapes do not fit, a tensor has another type or is not on the CPU, or `weight` or `bias` is not
/// contiguous.
pub fn linear_columns(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let (inputs, outputs) = weight.size2().expect("weight is [in, out]");
    few_rows::run::<Columns>(x, weight, bias, [inputs, outputs])
}

struct Columns;

impl Product for Columns {
    fn compute<O: Element>(layer: &Layer<'_>, out: &mut [O]) {
        if layer.outputs == 0 {
            return;
        }
        let level = Level::best();
        let x = layer.x.widen();
        let many = out.chunks_mut(ROWS * layer.outputs);
        for (first, out) in (0..layer.rows).step_by(ROWS).zip(many) {
            layer.some_rows(level, &x[first * layer.inputs..], out);
        }
    }
}

impl Layer<'_> {
    /// As many rows of `x` `[rows, inputs]` as `out` `[rows, outputs]` has.
    fn some_rows<O: Element>(&self, level: Level, x: &[f32], out: &mut [O]) {
        let rows = out.len() / self.outputs;
        let x = &x[..rows * self.inputs];
        let size = self
            .inputs
            .div_ceil(PIECES)
            .next_multiple_of(STREAMS)
            .max(STREAMS);
        let pieces = self.inputs.div_ceil(size).max(1);
        let mut sums = vec![0.0; pieces * out.len()];
        let parts = Parts::new(&mut sums);
        team(pieces, |piece| {
            let inputs = piece * size..self.inputs.min((piece + 1) * size);
            // SAFETY: one part per piece, and each piece goes to one thread.
            let sums = unsafe { parts.part(piece * out.len(), out.len()) };
            macro_rules! run {
                ($weight:ident) => {{
                    let weight = &$weight[inputs.start * self.outputs..inputs.end * self.outputs];
                    let x = &x[inputs.start..];
                    let (x_width, outputs) = (self.inputs, self.outputs);
                    simd::run(
                        level,
                        Sums {
                            x,
                            x_width,
                            weight,
                            outputs,
                            sums,
                        },
                    );
                }};
            }
            match self.weight {
                Floating::F32(weight) => run!(weight),
                Floating::Bf16(weight) => run!(weight),
                Floating::F16(weight) => run!(weight),
            }
        });
        let (total, others) = sums.split_at_mut(out.len());
        for piece in others.chunks(out.len()) {
            total.iter_mut().zip(piece).for_each(|(total, sum)| *total += sum);
        }
        for (i, (out, total)) in out.iter_mut().zip(total).enumerate() {
            let bias = self.bias.map_or(0.0, |bias| bias.get(i % self.outputs));
            *out = O::from_f32(*total + bias);
        }
    }
}

/// Adds the rows of `weight` `[inputs, outputs]`, times elements of `x`, to `sums` `[rows, outputs]`.
struct Sums<'a, W> {
    /// Element `i` for row `r` is at `r * x_width + i`.
    x: &'a [f32],
    x_width: usize,
    weight: &'a [W],
    outputs: usize,
    sums: &'a mut [f32],
}

impl<W: Element> Kernel for Sums<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let inputs = self.weight.len() / self.outputs;
        let run = inputs / STREAMS;
        let one_row = self.sums.len() == self.outputs;
        for i in 0..run {
            if one_row {
                self.one::<S, STREAMS>(s, i, run);
            } else {
                self.several::<S, STREAMS>(s, i, run);
            }
        }
        for i in run * STREAMS..inputs {
            self.several::<S, 1>(s, i, 0);
        }
    }
}

impl<W: Element> Sums<'_, W> {
    /// The rows `input`, `input + apart`, … (`R` of them) for the only row of `x`.
    #[inline(always)]
    fn one<S: Simd, const R: usize>(&mut self, s: S, input: usize, apart: usize) {
        let n = self.outputs;
        assert!((input + (R - 1) * apart + 1) * n <= self.weight.len() && self.sums.len() == n);
        let x: [f32; R] = std::array::from_fn(|r| self.x[input + r * apart]);
        let splat: [S::V; R] = std::array::from_fn(|r| s.splat(x[r]));
        let sums = self.sums.as_mut_ptr();
        // SAFETY: these rows exist (just checked).
        let weight = unsafe { self.weight.as_ptr().add(input * n) };
        let whole = n - n % S::LANES;
        let mut o = 0;
        while o < whole {
            // SAFETY: `o + LANES <= n`, in rows that exist.
            unsafe {
                let mut sum = s.load(sums.add(o));
                for (r, x) in splat.iter().enumerate() {
                    sum = s.mul_add(W::load(s, weight.add(r * apart * n + o)), *x, sum);
                }
                s.store(sums.add(o), sum);
            }
            o += S::LANES;
        }
        self.rest::<R>(input, apart, whole);
    }

    /// The same for any number of rows of `x`, in the same order.
    #[inline(always)]
    fn several<S: Simd, const R: usize>(&mut self, s: S, input: usize, apart: usize) {
        let n = self.outputs;
        let rows = self.sums.len() / n;
        let last = input + (R - 1) * apart;
        assert!((last + 1) * n <= self.weight.len() && (rows - 1) * self.x_width + last < self.x.len());
        let (x, sums) = (self.x.as_ptr(), self.sums.as_mut_ptr());
        // SAFETY: these rows exist (just checked).
        let weight = unsafe { self.weight.as_ptr().add(input * n) };
        let whole = n - n % S::LANES;
        let mut o = 0;
        while o < whole {
            // SAFETY: `o + LANES <= n`, in rows that exist.
            let weights: [S::V; R] =
                std::array::from_fn(|r| unsafe { W::load(s, weight.add(r * apart * n + o)) });
            for row in 0..rows {
                // SAFETY: as above, and the last element of `x` was checked.
                unsafe {
                    let mut sum = s.load(sums.add(row * n + o));
                    for (r, weight) in weights.iter().enumerate() {
                        let x = *x.add(row * self.x_width + input + r * apart);
                        sum = s.mul_add(*weight, s.splat(x), sum);
                    }
                    s.store(sums.add(row * n + o), sum);
                }
            }
            o += S::LANES;
        }
        self.rest::<R>(input, apart, whole);
    }

    /// The columns from `whole` on, which fill no vector.
    #[inline(always)]
    fn rest<const R: usize>(&mut self, input: usize, apart: usize, whole: usize) {
        let n = self.outputs;
        for (row, sums) in self.sums.chunks_mut(n).enumerate() {
            for (o, sum) in sums.iter_mut().enumerate().skip(whole) {
                for r in 0..R {
                    let i = input + r * apart;
                    *sum += self.weight[i * n + o].to_f32() * self.x[row * self.x_width + i];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, IndexOp, Kind};

    use super::*;
    use crate::linear_rows::tests::error;
    use crate::simd::tests::on_each_level;

    const F32: (Kind, Device) = (Kind::Float, Device::Cpu);
    const KINDS: [Kind; 3] = [Kind::Float, Kind::BFloat16, Kind::Half];

    #[test]
    fn equals_sums_in_double_precision() {
        tch::manual_seed(8);
        on_each_level(|level| {
            for (i, (inputs, outputs)) in [
                (1, 1),
                (3, 7),
                (8, 8),
                (9, 17),
                (40, 33),
                (65, 100),
                (131, 576),
                (700, 24),
                (3073, 2),
            ]
            .into_iter()
            .enumerate()
            {
                for rows in 1..=10 {
                    let kind = |n: usize| KINDS[(i + rows as usize + n) % 3];
                    let x = Tensor::randn([rows, inputs], F32).to_kind(kind(level as usize));
                    // one element in, so that no vector is aligned
                    let weight = Tensor::randn([outputs * inputs + 1], F32).to_kind(kind(i));
                    let weight = weight.i(1..).view([inputs, outputs]);
                    let bias = (i % 2 == 0).then(|| Tensor::randn([outputs], F32).to_kind(kind(1)));
                    let y = linear_columns(&x, &weight, bias.as_ref());
                    assert_eq!((y.size(), y.kind()), (vec![rows, outputs], x.kind()));
                    let error = error(&x, &weight.tr(), bias.as_ref(), &y);
                    assert!(error < 1.0, "{level:?} {rows} {outputs} {inputs}: {error}");
                }
            }
        });
    }

    #[test]
    fn results_depend_neither_on_threads_nor_on_other_rows() {
        tch::manual_seed(9);
        on_each_level(|level| {
            for kind in KINDS {
                let x = Tensor::randn([8, 301], F32);
                let weight = Tensor::randn([301, 513], F32).to_kind(kind);
                let on = |threads, x: &Tensor| {
                    tch::set_num_threads(threads);
                    linear_columns(x, &weight, None)
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
            let weight = Tensor::ones([inputs, outputs], F32);
            let bias = Tensor::ones([outputs], F32);
            let y = linear_columns(&x, &weight, Some(&bias));
            assert!(y.equal(&Tensor::ones([rows, outputs], F32)));
        }
    }
}

//! Convolutions over long lines, as vocoders have them by the dozen: few channels, many steps, far taps.
//!
//! libtorch brings lines and weights into another order and back for each call. Here the weights are put in order
//! once, a tile of the line with what its taps reach is copied to the caches once, with the activation that comes
//! before the convolution, and what is to be added to the result is where the sums begin.

use std::cell::RefCell;

use tch::{Device, Kind, Tensor};

use crate::bridge::grad_enabled;
use crate::memory::{Fresh, Parts, floats};
use crate::simd::{Kernel, Level, Simd, run};
use crate::team::spread;

/// Outputs that are summed together.
const OUTPUTS: usize = 6;
/// Vectors of steps that are summed together.
const VECTORS: usize = 2;
/// The widest group of steps: two vectors of 16.
const WIDEST: usize = 32;
/// Values of a tile that stay in the caches.
const CACHED: usize = 1 << 16;

/// A convolution whose weights lie as [`forward`](Self::forward) wants them.
#[derive(Debug)]
pub struct LineConv {
    /// `[outputs / OUTPUTS, inputs, taps, OUTPUTS]`, filled up with zeros.
    weight: Vec<f32>,
    /// `[outputs]`, filled up with zeros.
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
    taps: usize,
    dilation: usize,
    padding: usize,
}

impl LineConv {
    /// From `weight` `[outputs, inputs, taps]` and `bias` `[outputs]`; `taps` are `dilation` steps apart, and `padding`
    /// zeros are at both ends. Nothing if these are not `f32` on the CPU.
    pub fn new(weight: &Tensor, bias: Option<&Tensor>, dilation: i64, padding: i64) -> Option<Self> {
        let fits = |t: &Tensor| t.kind() == Kind::Float && t.device() == Device::Cpu;
        if !fits(weight) || !bias.is_none_or(fits) {
            return None;
        }
        let &[outputs, inputs, taps] = weight.size().as_slice() else {
            return None;
        };
        let size = |n: i64| usize::try_from(n).ok().filter(|&n| n > 0);
        let (outputs, inputs, taps) = (size(outputs)?, size(inputs)?, size(taps)?);
        let blocks = outputs.div_ceil(OUTPUTS);
        let plain = weight.detach().contiguous();
        let plain = floats(&plain);
        let mut packed = vec![0.0; blocks * inputs * taps * OUTPUTS];
        for (output, row) in plain.chunks_exact(inputs * taps).enumerate() {
            let (block, lane) = (output / OUTPUTS, output % OUTPUTS);
            for (at, &value) in row.iter().enumerate() {
                packed[(block * inputs * taps + at) * OUTPUTS + lane] = value;
            }
        }
        let mut filled = match bias {
            Some(bias) => floats(&bias.detach().contiguous()).to_vec(),
            None => Vec::new(),
        };
        filled.resize(blocks * OUTPUTS, 0.0);
        Some(Self {
            weight: packed,
            bias: filled,
            inputs,
            outputs,
            taps,
            dilation: size(dilation)?,
            padding: usize::try_from(padding).ok()?,
        })
    }

    /// The convolution of `x` `[batch, inputs, steps]`, after `max(x, slope · x)` if there is a slope, plus `add`, which
    /// has the result's shape `[batch, outputs, steps + 2 · padding - (taps - 1) · dilation]`.
    ///
    /// Nothing if `x` or `add` is not `f32` on the CPU or of another shape, the line is shorter than what the taps reach,
    /// or a gradient is wanted: use libtorch's operators then.
    pub fn forward(&self, x: &Tensor, slope: Option<f32>, add: Option<&Tensor>) -> Option<Tensor> {
        let fits = |t: &Tensor| t.kind() == Kind::Float && t.device() == Device::Cpu;
        if grad_enabled() || !fits(x) || !add.is_none_or(fits) {
            return None;
        }
        let &[batch, inputs, steps] = x.size().as_slice() else {
            return None;
        };
        let (batch, steps) = (usize::try_from(batch).ok()?, usize::try_from(steps).ok()?);
        let reach = (self.taps - 1) * self.dilation;
        let len = (steps + 2 * self.padding)
            .checked_sub(reach)
            .filter(|&len| len > 0)?;
        let shape = [batch as i64, self.outputs as i64, len as i64];
        if inputs != self.inputs as i64 || add.is_some_and(|add| add.size() != shape) {
            return None;
        }
        let (x, add) = (x.contiguous(), add.map(Tensor::contiguous));
        let mut out = Fresh::<f32>::unset(&shape);
        {
            let (lines, add) = (floats(&x), add.as_ref().map(floats));
            let group = run(Level::best(), Width);
            let tile = (CACHED / self.inputs)
                .saturating_sub(reach)
                .clamp(4 * group, 1024)
                / group
                * group;
            let tiles = len.div_ceil(tile);
            let parts = Parts::new(out.as_mut_slice());
            let level = Level::best();
            spread(usize::MAX, batch * tiles, |piece| {
                let (row, begin) = (piece / tiles, piece % tiles * tile);
                let count = tile.min(len - begin);
                SCRATCH.with_borrow_mut(|scratch| {
                    let width = count.next_multiple_of(group) + reach;
                    self.fill(
                        scratch,
                        &lines[row * self.inputs * steps..][..self.inputs * steps],
                        begin,
                        width,
                        slope,
                    );
                    for block in 0..self.outputs.div_ceil(OUTPUTS) {
                        let first = block * OUTPUTS;
                        let rows = OUTPUTS.min(self.outputs - first);
                        for from in (0..count).step_by(group) {
                            let columns = group.min(count - from);
                            let mut sums = [[0.0f32; WIDEST]; OUTPUTS];
                            for (lane, sums) in sums.iter_mut().enumerate() {
                                sums.fill(self.bias[first + lane]);
                            }
                            let at = |lane: usize| ((row * self.outputs) + first + lane) * len + begin + from;
                            if let Some(add) = add {
                                for lane in 0..rows {
                                    let add = &add[at(lane)..][..columns];
                                    sums[lane].iter_mut().zip(add).for_each(|(sum, add)| *sum += add);
                                }
                            }
                            run(
                                level,
                                Group {
                                    conv: self,
                                    block,
                                    line: &scratch[from..],
                                    width,
                                    sums: &mut sums,
                                },
                            );
                            for (lane, sums) in sums.iter().enumerate().take(rows) {
                                // SAFETY: each tile goes to one thread, and tiles do not overlap.
                                let out = unsafe { parts.part(at(lane), columns) };
                                out.copy_from_slice(&sums[..columns]);
                            }
                        }
                    }
                });
            });
        }
        Some(out.into_tensor())
    }

    /// Puts `width` steps of each line into `scratch`, from step `begin` less the padding on.
    fn fill(&self, scratch: &mut Vec<f32>, lines: &[f32], begin: usize, width: usize, slope: Option<f32>) {
        scratch.clear();
        scratch.resize(self.inputs * width, 0.0);
        let steps = lines.len() / self.inputs;
        // Where the line begins in the tile, and in itself.
        let offset = self.padding.saturating_sub(begin).min(width);
        let from = (begin + offset).saturating_sub(self.padding).min(steps);
        let count = (steps - from).min(width - offset);
        for (row, line) in scratch
            .chunks_exact_mut(width)
            .zip(lines.chunks_exact(steps.max(1)))
        {
            let (row, line) = (&mut row[offset..offset + count], &line[from..from + count]);
            match slope {
                None => row.copy_from_slice(line),
                Some(slope) => row.iter_mut().zip(line).for_each(|(y, &x)| *y = x.max(x * slope)),
            }
        }
    }
}

thread_local! {
    /// A tile.
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Steps of a group.
struct Width;

impl Kernel for Width {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> usize {
        VECTORS * S::LANES
    }
}

/// [`OUTPUTS`] outputs at a group of steps.
struct Group<'a> {
    conv: &'a LineConv,
    block: usize,
    /// The tile from the group's first step on.
    line: &'a [f32],
    /// Steps of a line in the tile.
    width: usize,
    /// What is added to.
    sums: &'a mut [[f32; WIDEST]; OUTPUTS],
}

impl Kernel for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let LineConv {
            inputs,
            taps,
            dilation,
            ..
        } = *self.conv;
        let weight = &self.conv.weight[self.block * inputs * taps * OUTPUTS..][..inputs * taps * OUTPUTS];
        let furthest = (inputs - 1) * self.width + (taps - 1) * dilation + VECTORS * S::LANES;
        assert!(furthest <= self.line.len() && VECTORS * S::LANES <= WIDEST);
        let mut sums = [[s.splat(0.0); VECTORS]; OUTPUTS];
        for (sums, begin) in sums.iter_mut().zip(self.sums.iter()) {
            for (v, sum) in sums.iter_mut().enumerate() {
                // SAFETY: `VECTORS · LANES` values are there (asserted above).
                *sum = unsafe { s.load(begin.as_ptr().add(v * S::LANES)) };
            }
        }
        let mut weight = weight.as_ptr();
        for input in 0..inputs {
            for tap in 0..taps {
                // SAFETY: the furthest of these lies within the line (asserted above).
                let x: [S::V; VECTORS] = std::array::from_fn(|v| unsafe {
                    let at = input * self.width + tap * dilation + v * S::LANES;
                    s.load(self.line.as_ptr().add(at))
                });
                for (r, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: `inputs · taps` times `OUTPUTS` weights are there.
                    let w = s.splat(unsafe { *weight.add(r) });
                    for (sum, x) in sums.iter_mut().zip(x) {
                        *sum = s.mul_add(w, x, *sum);
                    }
                }
                // SAFETY: at most one past the end.
                weight = unsafe { weight.add(OUTPUTS) };
            }
        }
        for (sums, end) in sums.iter().zip(self.sums.iter_mut()) {
            for (v, sum) in sums.iter().enumerate() {
                // SAFETY: as when they were loaded.
                unsafe { s.store(end.as_mut_ptr().add(v * S::LANES), *sum) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::on_each_level;

    #[test]
    fn equals_libtorch() {
        let _guard = tch::no_grad_guard();
        let options = (Kind::Float, Device::Cpu);
        for (case, (batch, inputs, outputs, taps, dilation, padding, steps)) in [
            (1, 1, 1, 1, 1, 0, 1),
            (2, 3, 7, 3, 1, 1, 50),
            (1, 32, 32, 11, 5, 25, 2500),
            (1, 5, 12, 7, 3, 9, 20),
            (1, 300, 6, 3, 1, 1, 700),
            (1, 2, 13, 5, 2, 0, 33),
            (1, 4, 4, 3, 9, 9, 5),
        ]
        .into_iter()
        .enumerate()
        {
            tch::manual_seed(case as i64);
            let x = Tensor::randn([batch, inputs, steps], options);
            let weight = Tensor::randn([outputs, inputs, taps], options) / ((inputs * taps) as f64).sqrt();
            let bias = Tensor::randn([outputs], options);
            let conv = LineConv::new(&weight, Some(&bias), dilation, padding).expect("f32");
            let active = x.maximum(&(&x * 0.1));
            let expected = active.conv1d(&weight, Some(&bias), 1, padding, dilation, 1);
            let add = Tensor::randn(expected.size(), options);
            // Each of so many additions rounds.
            let most = 1e-6 + 5e-8 * (inputs * taps) as f64;
            on_each_level(|level| {
                let found = conv.forward(&x, Some(0.1), Some(&add)).expect("a result");
                let off = (found - (&expected + &add)).abs().max().double_value(&[]);
                assert!(off < most, "{level:?}, case {case}: {off}");
                let plain = conv.forward(&x, None, None).expect("a result");
                let off = (plain - x.conv1d(&weight, Some(&bias), 1, padding, dilation, 1)).abs();
                assert!(off.max().double_value(&[]) < most, "{level:?}, case {case}");
            });
        }
    }

    #[test]
    fn what_does_not_fit_is_left_to_libtorch() {
        let _guard = tch::no_grad_guard();
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
        let conv = LineConv::new(&zeros(&[2, 3, 5]), None, 1, 0).expect("f32");
        assert!(conv.forward(&zeros(&[1, 3, 4]), None, None).is_none()); // too short
        assert!(conv.forward(&zeros(&[1, 4, 9]), None, None).is_none());
        assert!(
            conv.forward(&zeros(&[1, 3, 9]).to_kind(Kind::Double), None, None)
                .is_none()
        );
        assert!(
            conv.forward(&zeros(&[1, 3, 9]), None, Some(&zeros(&[1, 2, 9])))
                .is_none()
        );
        assert_eq!(
            conv.forward(&zeros(&[1, 3, 9]), None, None)
                .expect("a result")
                .size(),
            [1, 2, 5]
        );
    }
}

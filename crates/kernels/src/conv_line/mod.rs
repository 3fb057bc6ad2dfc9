//! Convolutions over long lines, as vocoders have them by the dozen: few channels, many steps, far taps.
//!
//! libtorch brings lines and weights into another order and back for each call. Here the weights are put in order
//! once, a tile of the line with what its taps reach is copied to the caches once, with the activation that comes
//! before the convolution, and what is to be added to the result is added while it is near. Wide layers make two steps
//! at a time with fewer products: see [`Plan::pairs`].

mod group;
mod lines;
mod plan;

use std::cell::RefCell;

use tch::{Device, Kind, Tensor};

use self::group::{Group, Size};
use self::lines::{Active, Join, Prepare};
use self::plan::Plan;
use crate::bridge::grad_enabled;
use crate::memory::{Fresh, Parts, floats};
use crate::simd::{Level, run};
use crate::team::spread;

/// Outputs of a block, which are summed together.
const OUTPUTS: usize = 4;
/// Values of a tile that stay in the caches.
const CACHED: usize = 9 << 14;
/// Products saved for each pair of steps and channel, times channels, from which on pairs are faster.
const PAIRS_PAY: usize = 128;
/// The most positions of a tile.
const LONGEST: usize = 1024;

/// A convolution whose weights lie as [`forward`](Self::forward) wants them.
#[derive(Debug)]
pub struct LineConv {
    plan: Plan,
    /// `[outputs]`
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
        let shape = [size(outputs)?, size(inputs)?, size(taps)?];
        // What is saved in products must be more than the way to the pairs and back costs.
        let pays = Plan::saved(shape[2]) * shape[0].min(shape[1]) >= PAIRS_PAY;
        let plan = if pays { Plan::pairs } else { Plan::direct };
        Self::planned(plan, (weight, bias), shape, size(dilation)?, padding)
    }

    fn planned(
        plan: impl Fn(&[f32], [usize; 3], usize) -> Plan,
        (weight, bias): (&Tensor, Option<&Tensor>),
        shape: [usize; 3],
        dilation: usize,
        padding: i64,
    ) -> Option<Self> {
        let [outputs, inputs, taps] = shape;
        Some(Self {
            plan: plan(floats(&weight.detach().contiguous()), shape, dilation),
            bias: match bias {
                Some(bias) => floats(&bias.detach().contiguous()).to_vec(),
                None => vec![0.0; outputs],
            },
            inputs,
            outputs,
            taps,
            dilation,
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
        let len = (steps + 2 * self.padding)
            .checked_sub((self.taps - 1) * self.dilation)
            .filter(|&len| len > 0)?;
        let shape = [batch as i64, self.outputs as i64, len as i64];
        if inputs != self.inputs as i64 || add.is_some_and(|add| add.size() != shape) {
            return None;
        }
        let (x, add) = (x.contiguous(), add.map(Tensor::contiguous));
        let mut out = Fresh::<f32>::unset(&shape);
        let job = Job {
            conv: self,
            level: Level::best(),
            steps,
            len,
            slope,
            lines: floats(&x),
            add: add.as_ref().map(floats),
            out: Parts::new(out.as_mut_slice()),
        };
        job.work(batch);
        Some(out.into_tensor())
    }
}

/// One call.
struct Job<'a> {
    conv: &'a LineConv,
    level: Level,
    steps: usize,
    len: usize,
    slope: Option<f32>,
    lines: &'a [f32],
    add: Option<&'a [f32]>,
    out: Parts<'a, f32>,
}

/// A piece of the line: steps `begin..begin + count` of the result, which are so many positions.
struct Tile {
    row: usize,
    begin: usize,
    count: usize,
    positions: usize,
}

/// What a thread works in.
#[derive(Default)]
struct Scratch {
    /// `[inputs, arrays, width]`
    lines: Vec<f32>,
    /// `[sums, outputs that go together, width]`
    sums: Vec<f32>,
    room: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Job<'_> {
    fn work(&self, batch: usize) {
        let LineConv {
            plan,
            dilation,
            inputs,
            ..
        } = self.conv;
        let (group, _) = run(self.level, Size);
        let longest = (CACHED / (inputs * plan.arrays.len()))
            .saturating_sub(plan.reach())
            .clamp(group, LONGEST)
            / group
            * group;
        // A tile of pairs begins where a pair does.
        let (tile, pace) = match plan.is_of_pairs() {
            true => (longest.max(*dilation) / dilation * dilation, 2),
            false => (longest, 1),
        };
        let tiles = self.len.div_ceil(pace * tile);
        spread(usize::MAX, batch * tiles, |piece| {
            let begin = piece % tiles * tile * pace;
            let count = (tile * pace).min(self.len - begin);
            let positions = match plan.is_of_pairs() {
                true => count.div_ceil(2 * dilation) * dilation,
                false => count,
            };
            let tile = Tile {
                row: piece / tiles,
                begin,
                count,
                positions,
            };
            SCRATCH.with_borrow_mut(|scratch| self.tile(&tile, scratch));
        });
    }

    fn tile(&self, tile: &Tile, scratch: &mut Scratch) {
        let LineConv {
            ref plan,
            inputs,
            outputs,
            ..
        } = *self.conv;
        let (group, together) = run(self.level, Size);
        let padded = tile.positions.next_multiple_of(group);
        let width = padded + plan.reach();
        self.prepare(tile, width, scratch);
        let together = together.min(outputs.div_ceil(OUTPUTS));
        scratch
            .sums
            .resize(plan.sums.len() * together * OUTPUTS * padded, 0.0);
        let blocks = outputs.div_ceil(OUTPUTS);
        for block in (0..blocks).step_by(together) {
            let count = together.min(blocks - block);
            for from in (0..tile.positions).step_by(group) {
                let each = together * OUTPUTS * padded;
                for (sum, to) in plan.sums.iter().zip(scratch.sums.chunks_exact_mut(each)) {
                    let group = Group {
                        sum,
                        block,
                        blocks: count,
                        inputs,
                        lines: &scratch.lines[from..],
                        arrays: plan.arrays.len(),
                        width,
                        to: &mut to[from..],
                        stride: padded,
                    };
                    run(self.level, group);
                }
            }
            let first = block * OUTPUTS;
            for lane in 0..(count * OUTPUTS).min(outputs - first) {
                self.finish(tile, [first + lane, lane, padded, together], scratch);
            }
        }
    }

    /// Fills the tile's arrays.
    fn prepare(&self, tile: &Tile, width: usize, scratch: &mut Scratch) {
        let plan = &self.conv.plan;
        let row = plan.arrays.len() * width;
        scratch.lines.resize(self.conv.inputs * row, 0.0);
        let lines = &self.lines[tile.row * self.conv.inputs * self.steps..][..self.conv.inputs * self.steps];
        for (i, to) in scratch.lines.chunks_exact_mut(row).enumerate() {
            let prepare = Prepare {
                active: Active {
                    line: &lines[i * self.steps..][..self.steps],
                    begin: tile.begin,
                    padding: self.conv.padding,
                    slope: self.slope,
                },
                arrays: &plan.arrays,
                pairs: plan.is_of_pairs().then_some(self.conv.dilation),
                room: &mut scratch.room,
                to,
            };
            run(self.level, prepare);
        }
    }

    /// Writes the tile of an output whose sums are in the given lane.
    fn finish(&self, tile: &Tile, [output, lane, padded, together]: [usize; 4], scratch: &mut Scratch) {
        let at = (tile.row * self.conv.outputs + output) * self.len + tile.begin;
        // SAFETY: each tile goes to one thread, and tiles do not overlap.
        let to = unsafe { self.out.part(at, tile.count) };
        let add = self.add.map(|add| &add[at..][..tile.count]);
        let bias = self.conv.bias[output];
        let sum = |k: usize| &scratch.sums[(k * together * OUTPUTS + lane) * padded..][..tile.positions];
        if !self.conv.plan.is_of_pairs() {
            let sums = &sum(0)[..tile.count];
            return match add {
                Some(add) => {
                    let values = sums.iter().zip(add).map(|(sum, add)| sum + bias + add);
                    to.iter_mut().zip(values).for_each(|(to, value)| *to = value);
                }
                None => to.iter_mut().zip(sums).for_each(|(to, sum)| *to = sum + bias),
            };
        }
        let join = Join {
            sums: [0, 1, 2, 3].map(sum),
            dilation: self.conv.dilation,
            room: &mut scratch.room,
            bias,
            add,
            to,
        };
        run(self.level, join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::on_each_level;

    /// By both plans, with and without an activation and something to add, on each level.
    fn compare(case: usize, [batch, inputs, outputs, taps]: [i64; 4], [dilation, padding, steps]: [i64; 3]) {
        tch::manual_seed(case as i64);
        let options = (Kind::Float, Device::Cpu);
        let x = Tensor::randn([batch, inputs, steps], options);
        let weight = Tensor::randn([outputs, inputs, taps], options) / ((inputs * taps) as f64).sqrt();
        let bias = Tensor::randn([outputs], options);
        let active = x.maximum(&(&x * 0.1));
        let expected = active.conv1d(&weight, Some(&bias), 1, padding, dilation, 1);
        let add = Tensor::randn(expected.size(), options);
        // Each of so many additions rounds.
        let most = 2e-6 + 5e-8 * (inputs * taps) as f64;
        for (name, plan) in [
            ("direct", Plan::direct as fn(&_, _, _) -> _),
            ("pairs", Plan::pairs),
        ] {
            let shape = [outputs as usize, inputs as usize, taps as usize];
            let weights = (&weight, Some(&bias));
            let conv = LineConv::planned(plan, weights, shape, dilation as usize, padding).expect("f32");
            on_each_level(|level| {
                let found = conv.forward(&x, Some(0.1), Some(&add)).expect("a result");
                let off = (found - (&expected + &add)).abs().max().double_value(&[]);
                assert!(off < most, "{name}, {level:?}, case {case}: {off}");
                let plain = conv.forward(&x, None, None).expect("a result");
                let off = (plain - x.conv1d(&weight, Some(&bias), 1, padding, dilation, 1)).abs();
                assert!(
                    off.max().double_value(&[]) < most,
                    "{name}, {level:?}, case {case}"
                );
            });
        }
    }

    #[test]
    fn equals_libtorch() {
        let _guard = tch::no_grad_guard();
        for (case, (shape, steps)) in [
            ([1, 1, 1, 1], [1, 0, 1]),
            ([2, 3, 7, 3], [1, 1, 50]),
            ([1, 32, 32, 11], [5, 25, 2500]),
            ([1, 5, 12, 7], [3, 9, 20]),
            ([1, 300, 6, 3], [1, 1, 700]),
            ([1, 2, 13, 5], [2, 0, 33]),
            ([1, 4, 4, 3], [9, 9, 5]),
            ([1, 3, 5, 2], [4, 1, 300]),
            ([1, 600, 4, 4], [1, 3, 301]),
        ]
        .into_iter()
        .enumerate()
        {
            compare(case, shape, steps);
        }
    }

    #[test]
    fn any_number_of_taps_at_any_distance() {
        let _guard = tch::no_grad_guard();
        for taps in 1..=12 {
            for dilation in [1, 2, 3, 5, 8, 11, 40] {
                let padding = (taps - 1) * dilation / 2;
                for steps in [1, 2 * dilation, 97, 2311] {
                    let fits = steps + 2 * padding > (taps - 1) * dilation;
                    if fits {
                        compare(taps as usize, [1, 2, 3, taps], [dilation, padding, steps]);
                    }
                }
            }
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

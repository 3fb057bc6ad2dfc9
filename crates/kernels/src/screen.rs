//! The likeliest of many outputs without reading the whole layer.
//!
//! Greedy decoding wants the greatest logit and nothing else. A copy of the output layer in 8 bits, a quarter of the
//! bytes, tells every logit to within a margin that is certain: only the few that may be the greatest are then computed
//! from the weights themselves. The choice is the very one that the whole layer gives, rounding included.

use std::ops::Range;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::linear_rows::{linear_rows, scaled_row};
use crate::memory::Parts;
use crate::simd::{self, Element, Floating, I8, Kernel, Level, Simd};
use crate::team::spread;

/// The greatest magnitude of a weight in 8 bits.
const MOST: f32 = 127.0;
/// Outputs that a thread quantises at a time.
const PIECE: usize = 256;
/// Scores that are looked at together.
const BLOCK: usize = 32;

/// An output layer without a bias, and its weights in 8 bits.
#[derive(Debug)]
pub struct Screen {
    /// The weights themselves, `[out, in]`.
    exact: Tensor,
    coarse: Arc<Coarse>,
}

/// Weights in 8 bits.
#[derive(Debug)]
struct Coarse {
    /// `[out, in]`
    weight: Vec<I8>,
    /// One for each output.
    scales: Vec<f32>,
    inputs: usize,
}

impl Screen {
    /// Screens the layer `weight` `[out, in]`; none if it is not on the CPU, not contiguous, or has weights that are
    /// not finite.
    pub fn new(weight: &Tensor) -> Option<Self> {
        let (outputs, inputs) = weight.size2().ok()?;
        let floating = matches!(weight.kind(), Kind::Float | Kind::BFloat16 | Kind::Half);
        if !floating || weight.device() != Device::Cpu || !weight.is_contiguous() || inputs == 0 {
            return None;
        }
        let (outputs, inputs) = (outputs as usize, inputs as usize);
        let values = Floating::of(weight, "weight");
        let mut coarse = Coarse {
            weight: vec![I8::default(); outputs * inputs],
            scales: vec![0.0; outputs],
            inputs,
        };
        let weights = Parts::new(&mut coarse.weight);
        let scales = Parts::new(&mut coarse.scales);
        let level = Level::best();
        spread(1, outputs.div_ceil(PIECE), |piece| {
            let part = piece * PIECE..outputs.min((piece + 1) * PIECE);
            let all = part.start * inputs..part.end * inputs;
            // SAFETY: each piece goes to one thread.
            let weight = unsafe { weights.part(all.start, all.len()) };
            // SAFETY: as above.
            let scales = unsafe { scales.part(part.start, part.len()) };
            macro_rules! run {
                ($values:ident) => {{
                    let values = &$values[all];
                    simd::run(
                        level,
                        Rounding {
                            values,
                            weight,
                            scales,
                        },
                    )
                }};
            }
            match values {
                Floating::F32(values) => run!(values),
                Floating::Bf16(values) => run!(values),
                Floating::F16(values) => run!(values),
            }
        });
        let finite = coarse.scales.iter().all(|scale| scale.is_finite());
        finite.then(|| Self {
            exact: weight.detach(),
            coarse: Arc::new(coarse),
        })
    }

    /// What the logits of the one row `x` `[…, in]` are about, unless it is not finite; [`linear_rows`] without a bias
    /// gives them whole.
    ///
    /// # Panics
    /// If `x` is not one row of the layer's inputs on the CPU.
    pub fn guess(&self, x: &Tensor) -> Option<Guess> {
        let x = x.detach().contiguous().view([1, -1]);
        let Coarse {
            weight,
            scales,
            inputs,
        } = self.coarse.as_ref();
        let outputs = scales.len();
        let values = Floating::of(&x, "x").widen();
        let mut scores = vec![0.0; outputs];
        scaled_row(&values, weight, scales, &mut scores);
        // Half a step for each weight, and what rounding may do to either sum.
        let step = 0.5 + 2.0 * MOST * *inputs as f32 * f32::EPSILON;
        let margin = 1.001 * step * values.iter().map(|x| x.abs()).sum::<f32>();
        drop(values);
        margin.is_finite().then(|| Guess {
            exact: self.exact.shallow_clone(),
            coarse: self.coarse.clone(),
            x,
            scores,
            known: Vec::new(),
            is_known: vec![false; outputs],
            margin,
        })
    }
}

/// Puts rows of `values` in 8 bits, each with its scale; that of a row that is not finite is not, either.
struct Rounding<'a, T> {
    values: &'a [T],
    weight: &'a mut [I8],
    scales: &'a mut [f32],
}

impl<T: Element> Kernel for Rounding<'_, T> {
    type Output = ();

    // The compiler makes vectors of these loops.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let inputs = self.values.len() / self.scales.len();
        let rows = self.values.chunks_exact(inputs);
        for ((values, weight), scale) in rows.zip(self.weight.chunks_exact_mut(inputs)).zip(self.scales) {
            // As whole numbers magnitudes are in their order, and what is not a number is above all others.
            let most = values
                .iter()
                .fold(0, |most: u32, value| most.max(value.to_f32().abs().to_bits()));
            // Of a row of zeros, too, so that its steps are a number.
            *scale = f32::from_bits(most).clamp(MOST * f32::MIN_POSITIVE, f32::INFINITY) / MOST;
            let steps = scale.recip();
            for (weight, value) in weight.iter_mut().zip(values) {
                *weight = I8::from_f32(value.to_f32() * steps);
            }
        }
    }
}

/// What is known of a row's logits: every one to within a margin, and some exactly.
#[derive(Debug)]
pub struct Guess {
    exact: Tensor,
    coarse: Arc<Coarse>,
    /// `[1, in]`
    x: Tensor,
    scores: Vec<f32>,
    /// Outputs whose score is the logit itself.
    known: Vec<usize>,
    is_known: Vec<bool>,
    /// How far other scores may be from their logits, in scales of their outputs.
    margin: f32,
}

impl Guess {
    /// The scores, about the logits. Minus infinity takes an output out of the choice.
    pub fn scores(&mut self) -> &mut [f32] {
        &mut self.scores
    }

    /// Makes the scores in `range` the logits, except those that are minus infinity.
    pub fn learn(&mut self, range: Range<usize>) {
        let layer = self.exact.narrow(0, range.start as i64, range.len() as i64);
        let logits = linear_rows(&self.x, &layer, None);
        self.put(range, &logits);
    }

    /// The greatest score in `range`, which is then the logit itself, and the first of those that are as great; none if
    /// all are minus infinity.
    pub fn greatest(&mut self, range: Range<usize>) -> Option<usize> {
        let candidates = self.candidates(range.clone());
        if !candidates.is_empty() {
            let index: Vec<i64> = candidates.iter().map(|&output| output as i64).collect();
            let layer = self.exact.index_select(0, &Tensor::from_slice(&index));
            let logits = linear_rows(&self.x, &layer, None);
            self.put(candidates.into_iter(), &logits);
        }
        let allowed = self.known.iter().copied().filter(|output| range.contains(output));
        let allowed = allowed.filter(|&output| self.scores[output] != f32::NEG_INFINITY);
        allowed.max_by(|&a, &b| self.scores[a].total_cmp(&self.scores[b]).then(b.cmp(&a)))
    }

    /// Outputs in `range` that are not known and may have the greatest logit.
    fn candidates(&self, range: Range<usize>) -> Vec<usize> {
        let (scores, scales) = (&self.scores[range.clone()], &self.coarse.scales[range.clone()]);
        let least = self.least(scores, scales);
        let blocks = scores.chunks(BLOCK).zip(scales.chunks(BLOCK));
        let mut candidates = Vec::new();
        for ((scores, scales), first) in blocks.zip(range.step_by(BLOCK)) {
            let may_be = |(score, scale): (&f32, &f32)| *score + *scale * self.margin >= least;
            // All of a block at once: hardly any has a candidate.
            if !scores
                .iter()
                .zip(scales)
                .fold(false, |any, pair| any | may_be(pair))
            {
                continue;
            }
            let outputs = scores.iter().zip(scales).zip(first..);
            let unknown = outputs.filter(|(pair, output)| {
                may_be(*pair) && *pair.0 != f32::NEG_INFINITY && !self.is_known[*output]
            });
            candidates.extend(unknown.map(|(_, output)| output));
        }
        candidates
    }

    /// What the greatest of the logits is at least, and what rounds to the same.
    fn least(&self, scores: &[f32], scales: &[f32]) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; BLOCK];
        for (scores, scales) in scores.chunks(BLOCK).zip(scales.chunks(BLOCK)) {
            for ((lane, score), scale) in lanes.iter_mut().zip(scores).zip(scales) {
                let least = score - scale * self.margin;
                *lane = if least > *lane { least } else { *lane };
            }
        }
        let least = lanes.into_iter().fold(f32::NEG_INFINITY, f32::max);
        // What either is rounded by at most, and least where numbers are small.
        let rounding = match self.x.kind() {
            Kind::Float => 0.0,
            Kind::BFloat16 => least.abs() * 2f32.powi(-7),
            _ => least.abs() * 2f32.powi(-10) + 2f32.powi(-23),
        };
        least - rounding
    }

    fn put(&mut self, outputs: impl Iterator<Item = usize>, logits: &Tensor) {
        let logits = logits.view([-1]);
        let logits = Floating::of(&logits, "logits").widen();
        for (output, &logit) in outputs.zip(logits.iter()) {
            if self.scores[output] != f32::NEG_INFINITY {
                self.scores[output] = logit;
                if !std::mem::replace(&mut self.is_known[output], true) {
                    self.known.push(output);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::tests::on_each_level;

    const F32: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn argmax(scores: &[f32], range: Range<usize>) -> Option<usize> {
        let allowed = range.filter(|&i| scores[i] != f32::NEG_INFINITY);
        allowed.reduce(|best, i| if scores[i] > scores[best] { i } else { best })
    }

    #[test]
    fn chooses_what_the_whole_layer_chooses() {
        tch::manual_seed(8);
        on_each_level(|_| {
            for kind in [Kind::Float, Kind::BFloat16, Kind::Half] {
                for (outputs, inputs) in [(5000, 64), (301, 33), (7, 1)] {
                    let weight = Tensor::randn([outputs, inputs], F32).to_kind(kind);
                    // Equal rows, and a row of zeros.
                    weight.get(outputs - 1).copy_(&weight.get(0));
                    let _ = weight.get(outputs / 2).zero_();
                    let screen = Screen::new(&weight).unwrap();
                    for round in 0..20 {
                        // Some see the first and the last row as the greatest.
                        let x = match round % 4 {
                            0 => weight.get(0),
                            _ => Tensor::randn([inputs], F32).to_kind(kind),
                        };
                        let x = x.view([1, 1, inputs]);
                        let logits = linear_rows(&x, &weight, None).view([-1]);
                        let mut logits = Vec::<f32>::try_from(logits.to_kind(Kind::Float)).unwrap();
                        let mut guess = screen.guess(&x).unwrap();
                        for (i, (guessed, logit)) in guess.scores.iter().zip(&logits).enumerate() {
                            let rounding = match kind {
                                Kind::Float => 0.0,
                                Kind::BFloat16 => logit.abs() / 256.0,
                                _ => logit.abs() / 2048.0 + 2f32.powi(-25),
                            };
                            let margin = 1.001 * (guess.margin * screen.coarse.scales[i] + rounding);
                            assert!(
                                (guessed - logit).abs() <= margin,
                                "{kind:?} {i}: {guessed} {logit}"
                            );
                        }
                        let all = 0..outputs as usize;
                        for _ in 0..3 {
                            let best = argmax(&logits, all.clone());
                            assert_eq!(guess.greatest(all.clone()), best);
                            let Some(best) = best else { break };
                            assert_eq!(guess.scores()[best], logits[best]);
                            // Taken out, the next one is found.
                            guess.scores()[best] = f32::NEG_INFINITY;
                            logits[best] = f32::NEG_INFINITY;
                        }
                        let tail = all.end / 3..all.end;
                        guess.learn(tail.clone());
                        assert_eq!(guess.scores()[tail.clone()], logits[tail.clone()]);
                        assert_eq!(guess.greatest(tail.clone()), argmax(&logits, tail));
                    }
                }
            }
        });
    }

    #[test]
    fn most_of_the_layer_is_never_read() {
        tch::manual_seed(9);
        let weight = Tensor::randn([20_000, 256], F32);
        let screen = Screen::new(&weight).unwrap();
        let mut guess = screen.guess(&Tensor::randn([256], F32)).unwrap();
        guess.greatest(0..20_000);
        let known = guess.known.len();
        assert!((1..200).contains(&known), "{known}");
    }

    #[test]
    fn what_is_not_finite_is_not_screened() {
        let weight = Tensor::ones([10, 4], F32);
        let screen = Screen::new(&weight).unwrap();
        assert!(screen.guess(&(Tensor::ones([4], F32) * f64::NAN)).is_none());
        let mut all_out = screen.guess(&Tensor::ones([4], F32)).unwrap();
        all_out.scores().fill(f32::NEG_INFINITY);
        assert_eq!(all_out.greatest(0..10), None);
        let _ = weight.get(3).fill_(f64::INFINITY);
        assert!(Screen::new(&weight).is_none());
        let _ = weight.get(3).fill_(f64::NAN);
        assert!(Screen::new(&weight).is_none());
    }
}

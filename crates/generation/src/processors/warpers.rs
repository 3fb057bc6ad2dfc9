//! Shaping the distribution that tokens are drawn from.

use super::scores::{kth_greatest, log_sum_exp, softmax};
use super::{LogitsProcessor, Row};

const NO: f32 = f32::NEG_INFINITY;

/// Divides the scores: below 1 the likely grows likelier, above 1 less likely.
#[derive(Debug, Clone, Copy)]
pub struct Temperature {
    temperature: f32,
}

impl Temperature {
    /// Divides by `temperature`, greater than 0.
    pub fn new(temperature: f32) -> Self {
        Self { temperature }
    }
}

impl LogitsProcessor for Temperature {
    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        scores.iter_mut().for_each(|score| *score /= self.temperature);
    }
}

/// Keeps the likeliest tokens and those that equal the last of them: Fan et al., *Hierarchical neural
/// story generation* (2018), section 5.4.
#[derive(Debug, Clone, Copy)]
pub struct TopK {
    count: usize,
}

impl TopK {
    /// Keeps `count` tokens, but at least `keep`.
    pub fn new(count: usize, keep: usize) -> Self {
        Self {
            count: count.max(keep).max(1),
        }
    }
}

impl LogitsProcessor for TopK {
    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        if self.count >= scores.len() {
            return;
        }
        let least = kth_greatest(scores, self.count);
        for score in scores.iter_mut().filter(|score| **score < least) {
            *score = NO;
        }
    }
}

/// Keeps the likeliest tokens that together have a probability: Holtzman et al., *The curious case of
/// neural text degeneration* (2019), section 3.1.
#[derive(Debug, Clone)]
pub struct TopP {
    mass: f32,
    keep: usize,
    order: Vec<(f32, usize)>,
}

impl TopP {
    /// Keeps tokens of the probability `mass`, but at least `keep` tokens.
    pub fn new(mass: f32, keep: usize) -> Self {
        Self {
            mass,
            keep: keep.max(1),
            order: Vec::new(),
        }
    }
}

impl LogitsProcessor for TopP {
    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        // Of equals the later one counts as the likelier, as in a stable sort that rises.
        let rising = |a: &(f32, usize), b: &(f32, usize)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
        let limit = 1. - self.mass;
        let total = log_sum_exp(scores);
        // Tokens so unlikely that all together they are below the limit go at once, if enough are left.
        let floor = total + (limit / scores.len() as f32).ln();
        let likely = scores.iter().filter(|&&score| score > floor).count();
        let floor = if likely >= self.keep { floor } else { NO };
        self.order.clear();
        let mut mass = 0f64;
        for (score, i) in scores.iter_mut().zip(0..) {
            if *score > floor {
                let p = (*score - total).exp();
                mass += f64::from(p);
                self.order.push((p, i));
            } else {
                *score = NO;
            }
        }
        let gone = if floor > NO { (1. - mass).max(0.) } else { 0. };

        // The tail that goes is long and the head short: sort only as much of the head as is needed.
        let len = self.order.len();
        let mut head = (4 * self.keep).max(64);
        let mut below = loop {
            if head >= len {
                head = len;
                break gone;
            }
            self.order.select_nth_unstable_by(len - head, rising);
            let tail: f64 = self.order[..len - head].iter().map(|&(p, _)| f64::from(p)).sum();
            if (gone + tail) as f32 <= limit {
                break gone + tail;
            }
            head *= 8;
        };
        let (tail, head) = self.order.split_at_mut(len - head);
        for &mut (_, i) in tail {
            scores[i] = NO;
        }
        head.sort_unstable_by(rising);
        let removable = head.len().saturating_sub(self.keep);
        for &mut (p, i) in &mut head[..removable] {
            below += f64::from(p);
            if below as f32 > limit {
                break;
            }
            scores[i] = NO;
        }
    }
}

/// Keeps tokens that are likely enough relative to the likeliest: Nguyen et al., *Turning up the heat:
/// min-p sampling* (2024).
#[derive(Debug, Clone, Copy)]
pub struct MinP {
    min_p: f32,
    keep: usize,
}

impl MinP {
    /// Keeps tokens at least `min_p` times as likely as the likeliest, but at least `keep` tokens.
    pub fn new(min_p: f32, keep: usize) -> Self {
        Self {
            min_p,
            keep: keep.max(1),
        }
    }
}

impl LogitsProcessor for MinP {
    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        let mut probabilities = scores.to_vec();
        softmax(&mut probabilities);
        let greatest = probabilities.iter().copied().fold(0., f32::max);
        cut(scores, &probabilities, self.min_p * greatest, self.keep);
    }
}

/// Keeps the most typical tokens, whose information is near the expected one: Meister et al., *Locally
/// typical sampling* (2022).
#[derive(Debug, Clone, Copy)]
pub struct Typical {
    mass: f32,
    keep: usize,
}

impl Typical {
    /// Keeps tokens of the probability `mass`, but at least `keep` tokens.
    pub fn new(mass: f32, keep: usize) -> Self {
        Self {
            mass,
            keep: keep.max(1),
        }
    }
}

impl LogitsProcessor for Typical {
    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        let total = log_sum_exp(scores);
        let allowed = scores.iter().map(|&score| score - total).zip(0..);
        let allowed = allowed.filter(|&(log, _)| log > NO);
        // Each token's strangeness, its probability and its index.
        let mut order: Vec<(f32, f32, usize)> = allowed.map(|(log, i)| (log, log.exp(), i)).collect();
        let entropy: f64 = order.iter().map(|&(log, p, _)| -f64::from(log * p)).sum();
        for token in &mut order {
            token.0 = (-token.0 - entropy as f32).abs();
        }
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.2.cmp(&b.2)));
        let mut sum = 0f64;
        let enough = |&(_, p, _): &(f32, f32, usize)| {
            sum += f64::from(p);
            sum as f32 >= self.mass
        };
        let last = order.iter().position(enough);
        let last = last.unwrap_or(order.len().saturating_sub(1));
        let limit = order.get(last).map_or(0., |token| token.0);
        for &(strange, _, i) in order.iter().skip(self.keep) {
            if strange > limit {
                scores[i] = NO;
            }
        }
    }
}

/// Keeps tokens that are likely enough: Hewitt et al., *Truncation sampling as language model
/// desmoothing* (2022).
#[derive(Debug, Clone, Copy)]
pub struct EpsilonCutoff {
    epsilon: f32,
    keep: usize,
}

impl EpsilonCutoff {
    /// Keeps tokens at least as likely as `epsilon`, but at least `keep` tokens.
    pub fn new(epsilon: f32, keep: usize) -> Self {
        Self {
            epsilon,
            keep: keep.max(1),
        }
    }
}

impl LogitsProcessor for EpsilonCutoff {
    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        let mut probabilities = scores.to_vec();
        softmax(&mut probabilities);
        cut(scores, &probabilities, self.epsilon, self.keep);
    }
}

/// The same with a cutoff that falls with the entropy: Hewitt et al. (2022), section 4.
#[derive(Debug, Clone, Copy)]
pub struct EtaCutoff {
    epsilon: f32,
    keep: usize,
}

impl EtaCutoff {
    /// Keeps tokens at least as likely as the lesser of `epsilon` and `√epsilon · exp(-entropy)`, but at
    /// least `keep` tokens.
    pub fn new(epsilon: f32, keep: usize) -> Self {
        Self {
            epsilon,
            keep: keep.max(1),
        }
    }
}

impl LogitsProcessor for EtaCutoff {
    fn process(&mut self, _row: &Row<'_>, scores: &mut [f32]) {
        let total = log_sum_exp(scores);
        let mut probabilities = scores.to_vec();
        softmax(&mut probabilities);
        let terms = scores
            .iter()
            .zip(&probabilities)
            .filter(|&(&score, _)| score > NO);
        let entropy: f64 = terms.map(|(&score, &p)| -f64::from(p * (score - total))).sum();
        let limit = self.epsilon.min(self.epsilon.sqrt() * (-entropy as f32).exp());
        cut(scores, &probabilities, limit, self.keep);
    }
}

/// Forbids what is less likely than `limit`, but not the likeliest `keep` and what equals the last.
fn cut(scores: &mut [f32], probabilities: &[f32], limit: f32, keep: usize) {
    let least = kth_greatest(scores, keep.min(scores.len()));
    for (score, &p) in scores.iter_mut().zip(probabilities) {
        if p < limit && *score < least {
            *score = NO;
        }
    }
}

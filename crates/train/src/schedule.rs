//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// How the learning rate changes over a run, as a factor of the peak rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Always the peak rate.
    Constant,
    /// Multiplied by `factor` each time another `every` of the run (a share of 1) is over.
    Step {
        /// Share of the run between two drops, e.g. 0.25.
        every: f64,
        /// What each drop multiplies the rate by, e.g. 0.1.
        factor: f64,
    },
    /// Falls to zero along a half cosine (arXiv 1608.03983, without restarts).
    Cosine,
    /// Falls with the square root of the step, as counted from the beginning of the warm-up (arXiv 1706.03762,
    /// section 5.3).
    InverseSqrt,
}

/// A [`Schedule`] after a linear warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LearningRate {
    /// The highest rate.
    pub peak: f64,
    /// The course after the warm-up.
    pub schedule: Schedule,
    /// The share of the run, from 0 to 1, in which the rate rises linearly from zero.
    pub warmup: f64,
}

impl LearningRate {
    /// A rate that never changes.
    pub fn constant(rate: f64) -> Self {
        Self {
            peak: rate,
            schedule: Schedule::Constant,
            warmup: 0.0,
        }
    }

    /// The rate of `step` (from 0) in a run of `total` steps.
    pub fn at(&self, step: usize, total: usize) -> f64 {
        let total = total.max(1) as f64;
        let step = step as f64;
        let warmup = self.warmup * total;
        if step < warmup {
            return self.peak * (step + 1.0) / (warmup + 1.0);
        }
        let done = (step - warmup) / (total - warmup).max(1.0); // 0 to 1
        self.peak
            * match self.schedule {
                Schedule::Constant => 1.0,
                Schedule::Step { every, factor } => factor.powf((done / every).floor()),
                Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
                Schedule::InverseSqrt => (warmup.max(1.0) / step.max(1.0)).sqrt().min(1.0),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn courses() {
        let rate = |schedule, step| {
            LearningRate {
                peak: 2.0,
                schedule,
                warmup: 0.1,
            }
            .at(step, 100)
        };
        assert!(rate(Schedule::Cosine, 0) > 0.0 && rate(Schedule::Cosine, 0) < 0.2);
        assert_eq!(rate(Schedule::Cosine, 10), 2.0);
        assert!((rate(Schedule::Cosine, 55) - 1.0).abs() < 1e-12);
        assert!(rate(Schedule::Cosine, 99) < 0.001);
        let steps = Schedule::Step {
            every: 0.5,
            factor: 0.1,
        };
        assert_eq!(rate(steps, 20), 2.0);
        assert!((rate(steps, 60) - 0.2).abs() < 1e-12);
        assert_eq!(rate(Schedule::InverseSqrt, 10), 2.0);
        assert_eq!(rate(Schedule::InverseSqrt, 40), 1.0);
        assert_eq!(LearningRate::constant(0.3).at(7, 9), 0.3);
    }
}

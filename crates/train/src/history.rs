//! The numbers of a run, epoch by epoch.

use serde::{Deserialize, Serialize};

/// Sums that give the mean loss and the accuracy over what was seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RunningMean {
    /// Examples seen.
    pub examples: usize,
    /// Sum of the examples' losses.
    pub loss_sum: f64,
    /// Examples answered correctly.
    pub correct: usize,
}

impl RunningMean {
    /// Adds `examples` with the mean loss `loss`, of which `correct` were answered correctly.
    pub fn add(&mut self, examples: usize, loss: f64, correct: usize) {
        self.examples += examples;
        self.loss_sum += loss * examples as f64;
        self.correct += correct;
    }

    /// The means.
    pub fn scores(&self) -> Scores {
        let n = self.examples.max(1) as f64;
        Scores {
            loss: self.loss_sum / n,
            accuracy: self.correct as f64 / n,
        }
    }
}

/// Mean loss (nats) and accuracy (a share of 1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Mean loss.
    pub loss: f64,
    /// Share of correct answers, from 0 to 1.
    pub accuracy: f64,
}

/// One completed epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch, from 1.
    pub epoch: usize,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// Averages over the training batches, as they were trained on (distorted, with dropout).
    pub train: Scores,
    /// On the validation set (the test set where nothing is held out), with the averaged weights where averaging is on.
    pub validation: Scores,
    /// Seconds spent on training batches.
    pub seconds: f64,
    /// Training examples a second.
    pub examples_per_second: f64,
}

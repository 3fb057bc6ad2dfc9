//! What a run learns, and what it tells while it works.

use tch::Tensor;

use crate::history::{EpochRecord, Scores};

/// What is learned: the model and its loss on a batch.
pub trait Objective {
    /// What one step takes.
    type Batch: Send + 'static;

    /// How many parts `batch` is computed in, one after the other, to save memory.
    fn parts(&self, _batch: &Self::Batch) -> usize {
        1
    }

    /// The loss of one part of `batch` in training mode, with its graph.
    fn step(&self, batch: &Self::Batch, part: usize) -> StepOutput;

    /// Loss and accuracy on the validation set, in inference mode.
    fn validate(&self) -> Scores;
}

/// What [`Objective::step`] gives.
#[derive(Debug)]
pub struct StepOutput {
    /// The part's share of the mean loss of the batch, a scalar to differentiate.
    pub loss: Tensor,
    /// The part's number of examples.
    pub examples: usize,
    /// How many of them were answered correctly.
    pub correct: usize,
}

/// What the loop tells while it works. All methods do nothing unless written.
pub trait Callback {
    /// After each step. `running` are the epoch's averages so far.
    fn on_step(&mut self, _status: &StepStatus) {}

    /// After each epoch and its validation.
    fn on_epoch(&mut self, _record: &EpochRecord, _best: bool) {}
}

impl Callback for () {}

/// Where the loop is.
#[derive(Debug, Clone)]
pub struct StepStatus {
    /// The epoch, from 1.
    pub epoch: usize,
    /// All epochs.
    pub epochs: usize,
    /// Batches of this epoch that are done.
    pub batch: usize,
    /// Batches of an epoch.
    pub batches: usize,
    /// The epoch's averages so far.
    pub running: Scores,
    /// Training examples a second, this session.
    pub examples_per_second: f64,
    /// Estimated seconds to the end of the run.
    pub seconds_left: f64,
}

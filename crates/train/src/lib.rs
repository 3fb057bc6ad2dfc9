//! Training: data loading, optimisers, schedules, the [`Trainer`] loop, checkpoints, metrics, recipes.
//!
//! A run follows from its settings alone: see [`Trainer`].

pub mod corpus;
mod data;
mod error;
mod history;
mod loss;
mod metrics;
mod optim;
pub mod parallel;
mod plot;
pub mod recipes;
mod record;
pub mod recordings;
mod rng;
mod schedule;
mod trainer;

pub use data::{Dataset, Epoch, Loader};
pub use error::{Result, TrainError};
pub use history::{EpochRecord, RunningMean, Scores};
pub use loss::{IGNORED, binary_cross_entropy, cross_entropy, huber, mean_squared_error};
pub use metrics::{ClassScores, ConfusionMatrix, correct};
pub use optim::{Optimizer, clip_grad_norm};
pub use plot::{plot_confusion, plot_history};
pub use record::{TrainingRecord, Versions};
pub use rng::{mix, permutation};
pub use schedule::{LearningRate, Schedule};
pub use trainer::{
    Callback, Objective, Outcome, Progress, RunFolder, StepOutput, StepStatus, Trainer, TrainerConfig,
};

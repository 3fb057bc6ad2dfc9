//! Training: data loading, optimisers, schedules, the [`Trainer`] loop, checkpoints, metrics, recipes.
//!
//! A run follows from its settings alone: see [`Trainer`].

mod checkpoint;
pub mod corpus;
mod data;
mod error;
mod history;
mod loss;
mod metrics;
mod optim;
mod plot;
pub mod recipes;
mod record;
mod rng;
mod schedule;
mod trainer;

pub use checkpoint::Progress;
pub use data::{Dataset, Epoch, Loader};
pub use error::{Result, TrainError};
pub use history::{EpochRecord, RunningMean, Scores};
pub use loss::{correct, cross_entropy};
pub use metrics::{ClassScores, ConfusionMatrix};
pub use optim::{Optimizer, clip_grad_norm};
pub use plot::{plot_confusion, plot_history};
pub use record::{TrainingRecord, Versions};
pub use rng::{mix, permutation};
pub use schedule::{LearningRate, Schedule};
pub use trainer::{Callback, Objective, Outcome, StepOutput, StepStatus, Trainer, TrainerConfig};

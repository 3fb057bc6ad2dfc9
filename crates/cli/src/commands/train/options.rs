//! The flags that all trainings have.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use sensorium::tch::Device;
use sensorium::train::recipes::Session;
use sensorium::train::{Callback, Optimizer, RunFolder, Schedule, TrainerConfig};

use crate::interrupt;

/// Where the run goes, and how it learns. What is not given comes from the recipe.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Folder for the model and the run's records
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Go on with the run in the output folder; with the same flags and threads the result is the same as of a
    /// run that never stopped
    #[arg(long)]
    resume: bool,
    /// Seconds between checkpoints within an epoch
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    save_every: u32,
    /// Threads that prepare batches
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(..=64))]
    workers: u8,
    /// Peak learning rate
    #[arg(long, value_name = "RATE", value_parser = positive)]
    lr: Option<f64>,
    /// Course of the learning rate
    #[arg(long, value_enum)]
    schedule: Option<ScheduleName>,
    /// Share of the run in which the learning rate rises
    #[arg(long, value_name = "SHARE", value_parser = share)]
    warmup: Option<f64>,
    /// The optimiser
    #[arg(long, value_enum)]
    optimizer: Option<OptimizerName>,
    /// Largest norm of the gradients
    #[arg(long, value_name = "NORM", value_parser = positive)]
    clip_norm: Option<f64>,
    /// Decay of the weights' moving average
    #[arg(long, value_name = "DECAY", value_parser = share)]
    ema: Option<f64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScheduleName {
    Constant,
    Step,
    Cosine,
    /// Falls with the square root of the step
    InverseSqrt,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OptimizerName {
    Sgd,
    Adam,
    Adamw,
    Adagrad,
    Muon,
}

impl RunArgs {
    /// The output folder, for this run alone.
    pub fn folder(&self) -> Result<RunFolder> {
        let open = if self.resume {
            RunFolder::resume
        } else {
            RunFolder::create
        };
        Ok(open(&self.out)?)
    }

    /// The output folder's name.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// A run in `folder` on `device` that Ctrl-C stops.
    pub fn session<'a>(
        &self,
        folder: RunFolder,
        device: Device,
        callback: &'a mut dyn Callback,
    ) -> Result<Session<'a>> {
        Ok(Session {
            workers: self.workers.into(),
            device,
            save_every: Duration::from_secs(self.save_every.into()),
            stop: interrupt::flag()?,
            ..Session::new(folder, callback)
        })
    }

    /// Replaces what was given.
    pub fn apply(&self, trainer: &mut TrainerConfig) {
        set(&mut trainer.learning_rate.peak, self.lr);
        set(&mut trainer.learning_rate.warmup, self.warmup);
        set(&mut trainer.learning_rate.schedule, self.schedule.map(schedule));
        set(&mut trainer.optimizer, self.optimizer.map(optimizer));
        trainer.clip_norm = self.clip_norm.or(trainer.clip_norm);
        trainer.ema_decay = self.ema.or(trainer.ema_decay);
    }
}

/// Replaces `slot` if there is a value.
pub fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// Says how a run that was stopped goes on.
pub fn stopped(epochs: usize, out: &Path) -> ExitCode {
    eprintln!(
        "stopped after {epochs} whole epochs; all is saved in {}: the same command with --resume goes on",
        out.display()
    );
    ExitCode::from(130)
}

/// A number above 0.
pub fn positive(text: &str) -> Result<f64, String> {
    number_where(text, |x| x > 0.0, "a number above 0")
}

/// A number from 0 to 5.
pub fn factor(text: &str) -> Result<f64, String> {
    number_where(text, |x| (0.0..=5.0).contains(&x), "a number from 0 to 5")
}

/// A number from 0 to below 1.
pub fn share(text: &str) -> Result<f64, String> {
    number_where(text, |x| (0.0..1.0).contains(&x), "a number from 0 to below 1")
}

fn number_where(text: &str, good: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|x| x.is_finite() && good(*x));
    number.ok_or_else(|| format!("expected {expected}"))
}

fn schedule(name: ScheduleName) -> Schedule {
    match name {
        ScheduleName::Constant => Schedule::Constant,
        ScheduleName::Step => Schedule::Step {
            every: 0.3,
            factor: 0.1,
        },
        ScheduleName::Cosine => Schedule::Cosine,
        ScheduleName::InverseSqrt => Schedule::InverseSqrt,
    }
}

fn optimizer(name: OptimizerName) -> Optimizer {
    match name {
        OptimizerName::Sgd => Optimizer::SGD,
        OptimizerName::Adam => Optimizer::ADAM,
        OptimizerName::Adamw => Optimizer::ADAMW,
        OptimizerName::Adagrad => Optimizer::ADAGRAD,
        OptimizerName::Muon => Optimizer::MUON,
    }
}

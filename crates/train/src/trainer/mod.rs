//! The training loop: steps, averaging, validation, checkpoints, resuming.

mod checkpoint;
mod folder;
mod objective;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sensorium_blocks::Params;
use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use checkpoint::Progress;
pub use folder::RunFolder;
pub use objective::{Callback, Objective, StepOutput, StepStatus};

use crate::data::{Dataset, Loader};
use crate::error::{Result, TrainError};
use crate::history::EpochRecord;
use crate::optim::Optimizer;
use crate::rng::mix;
use crate::schedule::LearningRate;
use state::State;

/// The settings of a run that change its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainerConfig {
    /// Passes over the training set.
    pub epochs: usize,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// The learning rate and its course.
    pub learning_rate: LearningRate,
    /// Largest joint L2 norm of the gradients; longer ones are scaled down.
    pub clip_norm: Option<f64>,
    /// Decay of the moving average of the weights that is validated and saved; `None` for no average.
    /// The decay warms up, so that early steps do not linger.
    pub ema_decay: Option<f64>,
    /// Seed of everything random.
    pub seed: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Finished,
    /// The stop flag was set; the checkpoint is saved.
    Stopped,
}

/// Trains the parameters of a model.
///
/// A run is a pure function of its settings and data: stopped or killed anywhere and resumed from its
/// last checkpoint, it ends with the same weights, bit for bit, as one that never stopped (on the
/// same machine with the same number of threads).
pub struct Trainer {
    config: TrainerConfig,
    settings: serde_json::Value,
    state: State,
    progress: Progress,
    folder: RunFolder,
    stop: Arc<AtomicBool>,
    save_every: Duration,
}

impl Trainer {
    /// The file that holds the state of the run, to resume from.
    pub const CHECKPOINT: &'static str = "checkpoint.safetensors";
    /// The file with the best weights by validation loss, ready to use.
    pub const BEST: &'static str = "best.safetensors";
    /// The file with the last epoch's weights, ready to use.
    pub const MODEL: &'static str = "model.safetensors";
    /// The picture of losses and errors over the epochs.
    pub const PLOT: &'static str = "training.svg";

    /// A trainer of everything that `params` has given out, at the start of the run, or where the run
    /// in `folder` stands.
    ///
    /// `settings` describes all that shapes the result: a run with others is not taken up.
    ///
    /// # Errors
    /// If the checkpoint cannot be read or belongs to another run, or the first one cannot be written.
    pub fn new(
        config: TrainerConfig,
        params: &Params,
        settings: serde_json::Value,
        folder: RunFolder,
    ) -> Result<Self> {
        let mut trainer = Self {
            state: State::new(&config, params),
            settings,
            progress: Progress::default(),
            stop: Arc::default(),
            save_every: Duration::from_secs(60),
            config,
            folder,
        };
        if trainer.folder.resumes() {
            let path = trainer.folder.file(Self::CHECKPOINT);
            trainer.progress = checkpoint::restore(&path, &trainer.settings, &trainer.state.tensors())?;
            trainer.state.refresh();
        } else {
            trainer.save_checkpoint()?; // a run that is killed in its first minute can be resumed, too
        }
        Ok(trainer)
    }

    /// Saves a checkpoint within an epoch whenever this much time has passed (a minute unless told).
    pub fn save_every(self, time: Duration) -> Self {
        Self {
            save_every: time,
            ..self
        }
    }

    /// Ends the run after the current step, with a checkpoint, once `flag` is set.
    pub fn with_stop_flag(self, flag: Arc<AtomicBool>) -> Self {
        Self { stop: flag, ..self }
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The folder of the run's files.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Trains to the end, or until the stop flag is set.
    ///
    /// # Errors
    /// If the loss diverges or a file cannot be written.
    pub fn run<D, O>(
        &mut self,
        objective: &O,
        loader: &Loader<D>,
        callback: &mut dyn Callback,
    ) -> Result<Outcome>
    where
        D: Dataset<Batch = O::Batch>,
        O: Objective,
    {
        let mut session = Session::new();
        while self.progress.epoch < self.config.epochs {
            let total = loader.batches() * self.config.epochs;
            session.tick = Instant::now();
            for batch in loader.epoch(self.progress.epoch, self.progress.batch) {
                session.examples += self.step(objective, &batch, total)?;
                session.steps += 1;
                let seconds = session.lap();
                self.progress.epoch_seconds += seconds;
                self.progress.seconds += seconds;
                callback.on_step(&self.status(loader, total, &session));
                if self.stop.load(Ordering::Relaxed) {
                    self.save_checkpoint()?;
                    return Ok(Outcome::Stopped);
                }
                if session.last_save.elapsed() >= self.save_every {
                    self.save_checkpoint()?;
                    session.last_save = Instant::now();
                }
            }
            self.finish_epoch(objective, callback)?;
            session.last_save = Instant::now();
        }
        Ok(Outcome::Finished)
    }

    /// One step of the optimiser; returns the number of examples.
    fn step<O: Objective>(&mut self, objective: &O, batch: &O::Batch, total: usize) -> Result<usize> {
        let progress = &mut self.progress;
        // Dropout draws from libtorch's generator, whose state no checkpoint holds: seed it each step.
        tch::manual_seed((mix(self.config.seed, &[progress.step as u64, 2]) >> 1) as i64);
        let weights = self.state.weights();
        let (mut loss, mut examples, mut correct) = (0.0, 0, 0);
        let mut grads: Vec<Tensor> = Vec::new();
        for part in 0..objective.parts(batch) {
            let output = objective.step(batch, part);
            loss += output.loss.double_value(&[]);
            examples += output.examples;
            correct += output.correct;
            if !loss.is_finite() {
                return Err(TrainError::Diverged {
                    loss,
                    epoch: progress.epoch + 1,
                    step: progress.step + 1,
                });
            }
            let new = Tensor::f_run_backward(&[&output.loss], &weights, false, false)?;
            if grads.is_empty() {
                grads = new;
            } else {
                grads.iter_mut().zip(&new).for_each(|(sum, new)| *sum += new);
            }
        }
        let rate = self.config.learning_rate.at(progress.step, total);
        progress.step += 1;
        progress.batch += 1;
        progress.running.add(examples, loss, correct);
        self.state.update(grads, rate, progress.step);
        Ok(examples)
    }

    fn finish_epoch<O: Objective>(&mut self, objective: &O, callback: &mut dyn Callback) -> Result<()> {
        let (validation, weights) = self.state.with_averages(|| objective.validate());
        let progress = &mut self.progress;
        let best = progress
            .history
            .iter()
            .all(|earlier| validation.loss < earlier.validation.loss);
        let steps = progress.step.saturating_sub(1);
        let record = EpochRecord {
            epoch: progress.epoch + 1,
            learning_rate: self
                .config
                .learning_rate
                .at(steps, progress.batch * self.config.epochs),
            train: progress.running.scores(),
            validation,
            seconds: progress.epoch_seconds,
            examples_per_second: progress.running.examples as f64 / progress.epoch_seconds.max(1e-9),
        };
        progress.history.push(record.clone());
        progress.epoch += 1;
        progress.batch = 0;
        progress.running = Default::default();
        progress.epoch_seconds = 0.0;

        // The weights first: a run killed in between repeats the epoch and writes the same ones again.
        let metadata = Default::default();
        if best {
            sensorium_hub::save_safetensors(&self.folder.file(Self::BEST), &weights, &metadata)?;
        }
        sensorium_hub::save_safetensors(&self.folder.file(Self::MODEL), &weights, &metadata)?;
        self.save_checkpoint()?;
        callback.on_epoch(&record, best);
        Ok(())
    }

    fn save_checkpoint(&self) -> Result<()> {
        checkpoint::save(
            &self.folder.file(Self::CHECKPOINT),
            &self.settings,
            &self.progress,
            &self.state.tensors(),
        )
    }

    fn status<D: Dataset>(&self, loader: &Loader<D>, total: usize, session: &Session) -> StepStatus {
        let rate = session.examples as f64 / session.seconds.max(1e-9);
        let left = total.saturating_sub(self.progress.step) as f64;
        StepStatus {
            epoch: self.progress.epoch + 1,
            epochs: self.config.epochs,
            batch: self.progress.batch,
            batches: loader.batches(),
            running: self.progress.running.scores(),
            examples_per_second: rate,
            seconds_left: left * session.seconds / session.steps.max(1) as f64,
        }
    }
}

/// What is counted from the start of this process on.
struct Session {
    /// When the last step ended.
    tick: Instant,
    last_save: Instant,
    /// Examples trained on.
    examples: usize,
    /// Steps taken.
    steps: usize,
    /// Seconds spent on them.
    seconds: f64,
}

impl Session {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            tick: now,
            last_save: now,
            examples: 0,
            steps: 0,
            seconds: 0.0,
        }
    }

    /// Seconds since the last lap.
    fn lap(&mut self) -> f64 {
        let seconds = self.tick.elapsed().as_secs_f64();
        self.tick = Instant::now();
        self.seconds += seconds;
        seconds
    }
}

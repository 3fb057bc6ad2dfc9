//! The training loop: steps, averaging, validation, checkpoints, resuming.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sensorium_blocks::{Param, Params, Role};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::checkpoint::{self, NamedTensors, Progress};
use crate::data::{Dataset, Loader};
use crate::error::{Result, TrainError};
use crate::history::{EpochRecord, Scores};
use crate::optim::{Optimizer, clip_grad_norm};
use crate::rng::mix;
use crate::schedule::LearningRate;

/// What is learned: the model and its loss on a batch.
pub trait Objective {
    /// What one step takes.
    type Batch: Send + 'static;

    /// How many parts a batch is computed in, one after the other, to save memory.
    fn parts(&self) -> usize {
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
    weights: Vec<Slot>,
    buffers: Vec<(String, Tensor)>,
    /// One average per weight and buffer, in that order; empty without averaging.
    averages: Vec<Tensor>,
    progress: Progress,
    dir: PathBuf,
    stop: Arc<AtomicBool>,
    save_every: Duration,
}

/// A learned tensor with its optimiser state.
struct Slot {
    name: String,
    tensor: Tensor,
    state: Vec<Tensor>,
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

    /// A trainer of everything that `params` has given out; files go to `dir`.
    ///
    /// `settings` describes all that shapes the result: a checkpoint made with others is refused.
    pub fn new(config: TrainerConfig, params: &Params, settings: serde_json::Value, dir: &Path) -> Self {
        let (weights, buffers): (Vec<Param>, Vec<Param>) =
            params.all().into_iter().partition(|p| p.role == Role::Weight);
        let average = |p: &Param| p.tensor.detach().copy();
        let averages = match config.ema_decay {
            Some(_) => weights.iter().chain(&buffers).map(average).collect(),
            None => Vec::new(),
        };
        let slot = |p: Param| Slot {
            state: config.optimizer.fresh_state(&p.tensor),
            name: p.name,
            tensor: p.tensor,
        };
        Self {
            settings,
            weights: weights.into_iter().map(slot).collect(),
            buffers: buffers.into_iter().map(|p| (p.name, p.tensor)).collect(),
            averages,
            progress: Progress::default(),
            dir: dir.to_path_buf(),
            stop: Arc::default(),
            save_every: Duration::from_secs(60),
            config,
        }
    }

    /// Saves a checkpoint within an epoch whenever this much time has passed (a minute unless told).
    pub fn save_every(self, time: Duration) -> Self {
        Self {
            save_every: time,
            ..self
        }
    }

    /// A flag that ends the run after the current step, with a checkpoint.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Uses `flag` as the stop flag.
    pub fn with_stop_flag(self, flag: Arc<AtomicBool>) -> Self {
        Self { stop: flag, ..self }
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Takes the run up from the checkpoint in its folder.
    ///
    /// # Errors
    /// If there is none, or it belongs to another run, or cannot be read.
    pub fn resume(&mut self) -> Result<()> {
        let path = self.dir.join(Self::CHECKPOINT);
        if !path.exists() {
            return Err(TrainError::NothingToResume {
                dir: self.dir.clone(),
                file: Self::CHECKPOINT,
            });
        }
        self.progress = checkpoint::restore(&path, &self.settings, &self.state())?;
        Ok(())
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
        let weights: Vec<&Tensor> = self.weights.iter().map(|slot| &slot.tensor).collect();
        let (mut loss, mut examples, mut correct) = (0.0, 0, 0);
        let mut grads: Vec<Tensor> = Vec::new();
        for part in 0..objective.parts() {
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
        tch::no_grad(|| {
            if let Some(max_norm) = self.config.clip_norm {
                clip_grad_norm(&mut grads, max_norm);
            }
            for (slot, grad) in self.weights.iter_mut().zip(&grads) {
                self.config
                    .optimizer
                    .update(&mut slot.tensor, grad, &mut slot.state, rate, progress.step);
            }
        });
        self.average();
        Ok(examples)
    }

    /// Moves the averages towards the current weights and buffers.
    fn average(&mut self) {
        let Some(decay) = self.config.ema_decay else {
            return;
        };
        let step = self.progress.step as f64;
        let decay = decay.min(step / (step + 10.0));
        tch::no_grad(|| {
            let current = self
                .weights
                .iter()
                .map(|s| &s.tensor)
                .chain(self.buffers.iter().map(|(_, t)| t));
            for (average, current) in self.averages.iter_mut().zip(current) {
                let _ = average.lerp_(current, 1.0 - decay);
            }
        });
    }

    fn finish_epoch<O: Objective>(&mut self, objective: &O, callback: &mut dyn Callback) -> Result<()> {
        self.swap_averages();
        let validation = tch::no_grad(|| objective.validate());
        let final_weights: NamedTensors = self
            .named()
            .map(|(name, tensor)| (name, tensor.detach().copy()))
            .collect();
        self.swap_averages();

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
            sensorium_hub::save_safetensors(&self.dir.join(Self::BEST), &final_weights, &metadata)?;
        }
        sensorium_hub::save_safetensors(&self.dir.join(Self::MODEL), &final_weights, &metadata)?;
        self.save_checkpoint()?;
        callback.on_epoch(&record, best);
        Ok(())
    }

    fn save_checkpoint(&self) -> Result<()> {
        checkpoint::save(
            &self.dir.join(Self::CHECKPOINT),
            &self.settings,
            &self.progress,
            &self.state(),
        )
    }

    /// Weights and buffers with their names.
    fn named(&self) -> impl Iterator<Item = (String, &Tensor)> {
        let weights = self.weights.iter().map(|s| (s.name.clone(), &s.tensor));
        weights.chain(self.buffers.iter().map(|(name, tensor)| (name.clone(), tensor)))
    }

    /// Every tensor that a resumed run needs, sharing storage.
    fn state(&self) -> NamedTensors {
        let mut state: NamedTensors = self
            .named()
            .map(|(name, tensor)| (format!("model.{name}"), tensor.detach()))
            .collect();
        let averaged = self.named().zip(&self.averages);
        state.extend(
            averaged.map(|((name, _), average)| (format!("average.{name}"), average.shallow_clone())),
        );
        for slot in &self.weights {
            let names = self.config.optimizer.state_names();
            let tensors = names.iter().zip(&slot.state);
            state.extend(
                tensors.map(|(kind, tensor)| {
                    (format!("optimizer.{kind}.{}", slot.name), tensor.shallow_clone())
                }),
            );
        }
        state
    }

    /// Exchanges the current weights and buffers with their averages, in place.
    fn swap_averages(&mut self) {
        tch::no_grad(|| {
            let current = self.weights.iter_mut().map(|s| &mut s.tensor);
            let current = current.chain(self.buffers.iter_mut().map(|(_, t)| t));
            for (average, current) in self.averages.iter_mut().zip(current) {
                let kept = current.detach().copy();
                current.detach().copy_(average);
                average.copy_(&kept);
            }
        });
    }

    fn status<D: Dataset>(&self, loader: &Loader<D>, total: usize, session: &Session) -> StepStatus {
        let rate = session.examples as f64 / session.seconds.max(1e-9);
        let left = (total - self.progress.step) as f64 * loader.examples() as f64 / loader.batches() as f64;
        StepStatus {
            epoch: self.progress.epoch + 1,
            epochs: self.config.epochs,
            batch: self.progress.batch,
            batches: loader.batches(),
            running: self.progress.running.scores(),
            examples_per_second: rate,
            seconds_left: left / rate.max(1e-9),
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

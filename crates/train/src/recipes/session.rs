//! What every recipe does around its training.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sensorium_blocks::Params;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tch::Device;

use super::recorder::Recorder;
use crate::data::{Dataset, Loader};
use crate::error::{Result, TrainError};
use crate::record::TrainingRecord;
use crate::trainer::{Callback, Objective, Outcome, RunFolder, Trainer, TrainerConfig};

/// What is around a run but does not shape its result.
pub struct Session<'a> {
    /// The run's folder.
    pub folder: RunFolder,
    /// Threads that prepare batches.
    pub workers: usize,
    /// Where to compute.
    pub device: Device,
    /// Time between checkpoints within an epoch.
    pub save_every: Duration,
    /// Ends the run early, with a checkpoint, once set.
    pub stop: Arc<AtomicBool>,
    /// Is told how it goes.
    pub callback: &'a mut dyn Callback,
}

impl<'a> Session<'a> {
    /// A session on the CPU with one worker and a checkpoint every minute.
    pub fn new(folder: RunFolder, callback: &'a mut dyn Callback) -> Self {
        Self {
            folder,
            workers: 1,
            device: Device::Cpu,
            save_every: Duration::from_secs(60),
            stop: Arc::default(),
            callback,
        }
    }

    /// The loop's part of a run, with its model all made: checkpoints, `config.json`, `training.json`, a plot.
    pub(super) fn run<D, O>(self, plan: Plan<'_>, objective: &O, loader: &Loader<D>) -> Result<Run>
    where
        D: Dataset<Batch = O::Batch>,
        O: Objective,
    {
        self.run_with(plan, objective, loader, |_| Ok(()))
    }

    /// The same, where `write` writes the model's other files to the run's folder, once it is sure that it is this
    /// run's.
    pub(super) fn run_with<D, O>(
        self,
        plan: Plan<'_>,
        objective: &O,
        loader: &Loader<D>,
        write: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Run>
    where
        D: Dataset<Batch = O::Batch>,
        O: Objective,
    {
        let mut trainer = Trainer::new(plan.trainer, plan.params, plan.settings.clone(), self.folder)?
            .with_stop_flag(self.stop)
            .save_every(self.save_every);
        let file = trainer.folder().file("config.json");
        sensorium_hub::atomic::write_bytes(&file, &plan.model)?;
        write(trainer.folder().path())?;
        let mut recorder = Recorder::new(self.callback, &trainer, plan.settings, plan.params, self.device);
        let outcome = trainer.run(objective, loader, &mut recorder)?;
        let record = recorder.finish(trainer.progress().seconds)?;
        Ok(Run {
            outcome,
            record,
            trainer,
        })
    }
}

/// What shapes a run.
pub(super) struct Plan<'a> {
    /// The loop's settings.
    pub trainer: TrainerConfig,
    /// All settings, as [`described`].
    pub settings: Value,
    /// The model's parameters.
    pub params: &'a Params,
    /// The model's `config.json`, as [`pretty`].
    pub model: Vec<u8>,
}

/// How a run went.
pub(super) struct Run {
    pub outcome: Outcome,
    pub record: TrainingRecord,
    /// Has the folder, and with it its lock.
    pub trainer: Trainer,
}

/// The settings of a run as they are recorded, with a digest of the data: with other data it is another run.
pub(super) fn described(
    settings: &impl Serialize,
    data: impl IntoIterator<Item = impl AsRef<[u8]>>,
) -> Result<Value> {
    let mut digest = Sha256::new();
    for part in data {
        let part = part.as_ref();
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let digest: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut described = serde_json::to_value(settings).map_err(settings_error)?;
    if let Some(settings) = described.as_object_mut() {
        settings.insert("data_sha256".to_string(), digest.into());
    }
    Ok(described)
}

/// A configuration as the text of a file.
pub(super) fn pretty(config: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(config).map_err(settings_error)
}

/// Settings that JSON cannot hold.
fn settings_error(error: serde_json::Error) -> TrainError {
    TrainError::Settings(error.to_string())
}

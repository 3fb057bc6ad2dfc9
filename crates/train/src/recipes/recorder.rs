//! What every recipe writes while it runs: `training.json` and a plot.

use std::path::PathBuf;

use sensorium_blocks::Params;
use tch::Device;

use crate::error::{Result, TrainError};
use crate::history::EpochRecord;
use crate::plot::plot_history;
use crate::record::{TrainingRecord, Versions};
use crate::trainer::{Callback, StepStatus, Trainer};

/// Writes the numbers and their picture after each epoch, and passes everything on.
pub(super) struct Recorder<'a> {
    inner: &'a mut dyn Callback,
    record: TrainingRecord,
    dir: PathBuf,
    failed: Option<TrainError>,
}

impl<'a> Recorder<'a> {
    /// A recorder of a run that stands where `trainer` does.
    pub fn new(
        inner: &'a mut dyn Callback,
        trainer: &Trainer,
        settings: serde_json::Value,
        params: &Params,
        device: Device,
    ) -> Self {
        let epochs = trainer.progress().history.clone();
        let record = TrainingRecord {
            versions: Versions::default(),
            threads: tch::get_num_threads(),
            device: format!("{device:?}").to_lowercase(),
            settings,
            parameters: params.count(),
            seconds: epochs.iter().map(|epoch| epoch.seconds).sum(),
            epochs,
            test_accuracy: None,
        };
        Self {
            inner,
            record,
            dir: trainer.folder().path().to_path_buf(),
            failed: None,
        }
    }

    /// The record of the run, saved, after `seconds` of training.
    pub fn finish(self, seconds: f64) -> Result<TrainingRecord> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let record = TrainingRecord {
            seconds,
            ..self.record
        };
        record.save(&self.dir)?;
        Ok(record)
    }
}

impl Callback for Recorder<'_> {
    fn on_step(&mut self, status: &StepStatus) {
        self.inner.on_step(status);
    }

    fn on_epoch(&mut self, epoch: &EpochRecord, best: bool) {
        self.record.epochs.push(epoch.clone());
        self.record.seconds += epoch.seconds;
        let plot = self.dir.join(Trainer::PLOT);
        let written = self
            .record
            .save(&self.dir)
            .and_then(|()| plot_history(&self.record.epochs, &plot));
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
        self.inner.on_epoch(epoch, best);
    }
}

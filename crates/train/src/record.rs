//! `training.json`: what was done and what came out, for people and programs.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};
use crate::history::EpochRecord;

/// The content of `training.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainingRecord {
    /// What made the numbers.
    pub versions: Versions,
    /// Threads of one operation.
    pub threads: i32,
    /// Where it was computed.
    pub device: String,
    /// The run's settings.
    pub settings: serde_json::Value,
    /// The number of learned parameters.
    pub parameters: usize,
    /// Training seconds, over all sessions.
    pub seconds: f64,
    /// Every completed epoch.
    pub epochs: Vec<EpochRecord>,
    /// Accuracy of the last epoch's weights on the test set, once the run is finished.
    pub test_accuracy: Option<f64>,
}

/// The versions of the programs involved.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Versions {
    /// This toolkit.
    pub sensorium: String,
    /// The release of libtorch that it is built for.
    pub libtorch: String,
}

impl Default for Versions {
    fn default() -> Self {
        Self {
            sensorium: env!("CARGO_PKG_VERSION").to_string(),
            libtorch: sensorium_blocks::LIBTORCH_VERSION.to_string(),
        }
    }
}

impl TrainingRecord {
    /// The file's name.
    pub const FILE: &'static str = "training.json";

    /// Writes the record into the folder `dir`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| TrainError::Settings(e.to_string()))?;
        sensorium_hub::atomic::write_bytes(&dir.join(Self::FILE), &text)?;
        Ok(())
    }
}

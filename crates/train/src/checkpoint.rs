//! The whole state of a run in one file, so that it is replaced in one rename.

use std::collections::BTreeMap;
use std::path::Path;

use sensorium_blocks::TensorSource;
use sensorium_hub::{SafetensorsFile, save_safetensors};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::{Result, TrainError};
use crate::history::{EpochRecord, RunningMean};

/// Where a run stands, but for its tensors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps taken.
    pub step: usize,
    /// Epochs completed.
    pub epoch: usize,
    /// Batches of the current epoch that are done.
    pub batch: usize,
    /// The current epoch's averages so far.
    pub running: RunningMean,
    /// Seconds spent on the current epoch's batches so far.
    pub epoch_seconds: f64,
    /// Seconds spent on batches since the start, however often the run was interrupted.
    pub seconds: f64,
    /// The completed epochs.
    pub history: Vec<EpochRecord>,
}

/// The tensors of a run by name: weights and buffers, their averages, the optimiser's state.
pub(crate) type NamedTensors = Vec<(String, Tensor)>;

/// The key of the description in the file's metadata.
const KEY: &str = "sensorium.run";

#[derive(Serialize, Deserialize)]
struct Description {
    settings: serde_json::Value,
    progress: Progress,
}

/// Saves a run's state at `path`, replacing what was there in one rename.
pub(crate) fn save(
    path: &Path,
    settings: &serde_json::Value,
    progress: &Progress,
    tensors: &NamedTensors,
) -> Result<()> {
    let description = Description {
        settings: settings.clone(),
        progress: progress.clone(),
    };
    let text = serde_json::to_string(&description).map_err(|e| TrainError::BadCheckpoint {
        path: path.into(),
        why: e.to_string(),
    })?;
    save_safetensors(path, tensors, &BTreeMap::from([(KEY.to_string(), text)]))?;
    Ok(())
}

/// Reads the state at `path` into `tensors`, in place, and returns where the run stands.
pub(crate) fn restore(path: &Path, settings: &serde_json::Value, tensors: &NamedTensors) -> Result<Progress> {
    let bad = |why: String| TrainError::BadCheckpoint {
        path: path.into(),
        why,
    };
    let file = SafetensorsFile::open(path)?;
    let text = file
        .metadata()
        .get(KEY)
        .ok_or_else(|| bad(format!("no `{KEY}` in its metadata")))?;
    let description: Description = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
    if let Some(difference) = difference(&description.settings, settings) {
        return Err(TrainError::OtherRun {
            path: path.into(),
            difference,
        });
    }
    for (name, tensor) in tensors {
        let stored = file
            .tensor(name)
            .ok_or_else(|| bad(format!("tensor `{name}` is missing")))?;
        if stored.size() != tensor.size() {
            let (found, expected) = (stored.size(), tensor.size());
            return Err(bad(format!(
                "tensor `{name}`: expected shape {expected:?}, found {found:?}"
            )));
        }
        tch::no_grad(|| tensor.shallow_clone().copy_(&stored));
    }
    Ok(description.progress)
}

/// The first setting that differs, as "name: stored, not wanted".
fn difference(stored: &serde_json::Value, wanted: &serde_json::Value) -> Option<String> {
    let (Some(stored), Some(wanted)) = (stored.as_object(), wanted.as_object()) else {
        return (stored != wanted).then(|| "not the same kind of run".to_string());
    };
    let null = serde_json::Value::Null;
    let keys = stored.keys().chain(wanted.keys());
    keys.map(|key| {
        (
            key,
            stored.get(key).unwrap_or(&null),
            wanted.get(key).unwrap_or(&null),
        )
    })
    .find(|(_, stored, wanted)| stored != wanted)
    .map(|(key, stored, wanted)| format!("{key}: {stored} then, {wanted} now"))
}

//! The whole state of a run in one file, so that it is replaced in one rename.

use std::collections::BTreeMap;
use std::path::Path;

use sensorium_blocks::TensorSource;
use sensorium_hub::{SafetensorsFile, save_safetensors};
use serde::{Deserialize, Serialize};
use serde_json::Value;
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
pub(super) type NamedTensors = Vec<(String, Tensor)>;

/// The key of the description in the file's metadata.
const KEY: &str = "sensorium.run";

#[derive(Serialize, Deserialize)]
struct Description {
    settings: Value,
    progress: Progress,
}

/// Saves a run's state at `path`, replacing what was there in one rename.
pub(super) fn save(path: &Path, settings: &Value, progress: &Progress, tensors: &NamedTensors) -> Result<()> {
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
pub(super) fn restore(path: &Path, settings: &Value, tensors: &NamedTensors) -> Result<Progress> {
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

/// The first setting that differs, as "name: this then, that now".
fn difference(stored: &Value, wanted: &Value) -> Option<String> {
    let (path, then, now) = first_difference(String::new(), stored, wanted)?;
    let name = path.trim_start_matches('.');
    Some(format!("{name}: {} then, {} now", shown(then), shown(now)))
}

/// Where the two differ first, below `path`, and what is there.
fn first_difference<'a>(
    path: String,
    then: &'a Value,
    now: &'a Value,
) -> Option<(String, &'a Value, &'a Value)> {
    let (Some(old), Some(new)) = (then.as_object(), now.as_object()) else {
        return (then != now).then_some((path, then, now));
    };
    old.keys().chain(new.keys()).find_map(|key| {
        let [then, now] = [old, new].map(|settings| settings.get(key).unwrap_or(&Value::Null));
        first_difference(format!("{path}.{key}"), then, now)
    })
}

/// A setting as a person would say it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_string(),
        Value::Array(_) | Value::Object(_) => "something else".to_string(),
        Value::String(text) => text.clone(),
        number => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_names_the_setting() {
        let then = json!({"batch": 8, "trainer": {"epochs": 2, "clip": null}, "data": "a"});
        let mut now = then.clone();
        assert_eq!(difference(&then, &now), None);
        now["trainer"]["epochs"] = json!(3);
        assert_eq!(
            difference(&then, &now).as_deref(),
            Some("trainer.epochs: 2 then, 3 now")
        );
        now = then.clone();
        now["trainer"]["clip"] = json!(1.5);
        assert_eq!(
            difference(&then, &now).as_deref(),
            Some("trainer.clip: nothing then, 1.5 now")
        );
        now = then.clone();
        now["more"] = json!("x");
        assert_eq!(
            difference(&then, &now).as_deref(),
            Some("more: nothing then, x now")
        );
    }
}

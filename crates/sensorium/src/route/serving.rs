//! What a `config.json` says about the task that its model is for.

use serde_json::Value;

use crate::{Registry, Task};

impl Registry {
    /// The task that a `config.json` is for, and what in it says so. The architecture names the task
    /// (`BertForTokenClassification`); `model_type` only the family.
    pub(super) fn serving(&self, config: &Value) -> Option<(&Task, String)> {
        for architecture in architectures(config) {
            // The longest end that fits: `Wav2Vec2ForSequenceClassification` is no text model.
            let matching = self.tasks().iter().flat_map(|task| {
                let ends = task
                    .architectures
                    .iter()
                    .filter(|end| architecture.ends_with(**end));
                ends.map(move |end| (end.len(), task))
            });
            if let Some((_, task)) = matching.max_by_key(|(length, _)| *length) {
                return Some((task, format!("the architecture `{architecture}`")));
            }
        }
        let model_type = config.get("model_type")?.as_str()?;
        let task = self
            .tasks()
            .iter()
            .find(|task| task.model_types.contains(&model_type))?;
        Some((task, format!("the model_type `{model_type}`")))
    }
}

/// Whether `config` is of a family that `task` lists, even if another task comes first.
pub(super) fn fits(task: &Task, config: &Value) -> bool {
    let model_type = config.get("model_type").and_then(Value::as_str);
    model_type.is_some_and(|found| task.model_types.contains(&found))
        || architectures(config).any(|found| task.architectures.iter().any(|end| found.ends_with(end)))
}

fn architectures(config: &Value) -> impl Iterator<Item = &str> {
    let list = config.get("architectures").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// What a `config.json` says about its model, for a message.
pub(super) fn described(config: &Value) -> String {
    let architectures: Vec<_> = architectures(config).collect();
    let model_type = config.get("model_type").and_then(Value::as_str);
    match (architectures.as_slice(), model_type) {
        ([], None) => "no architectures and no model_type".to_owned(),
        ([], Some(model_type)) => format!("the unknown model_type `{model_type}`"),
        (names, _) => format!("the unknown architecture `{}`", names.join("`, `")),
    }
}

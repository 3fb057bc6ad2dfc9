//! All tasks in one place.

use crate::hub::{self, Hub};

use crate::task::BoxError;
use crate::{BuildOptions, BuildRequest, DeviceError, Pipeline, Route, TASKS, Task};

/// The tasks that a program can route to.
///
/// ```
/// use sensorium::{InputKind, OutputKind, Registry, RouteRequest, Task};
///
/// let mut registry = Registry::builtin();
/// registry.register(Task {
///     name: "word-count",
///     aliases: &["wc"],
///     summary: "Count the words of a text",
///     inputs: &[InputKind::Text],
///     output: OutputKind::Other,
///     ..Task::EMPTY
/// })?;
/// let route = registry.route(&RouteRequest { task: Some("wc"), ..RouteRequest::default() })?;
/// assert_eq!(route.task.name, "word-count");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Registry {
    tasks: Vec<Task>,
}

/// Why a task cannot be registered, found or built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Another task has this name or alias.
    #[error("cannot register the task `{task}`: `{name}` already means `{other}`")]
    NameTaken {
        /// The new task.
        task: String,
        /// The name that both have.
        name: String,
        /// The task that has it already.
        other: String,
    },
    /// No task has this name.
    #[error("there is no task `{name}`{hint}; `sensorium tasks` lists them")]
    UnknownTask {
        /// What was asked for.
        name: String,
        /// What may have been meant, as " (did you mean …?)".
        hint: String,
    },
    /// The task has no pipeline yet.
    #[error("the task `{task}` has no pipeline in this version of Sensorium yet")]
    NoPipeline {
        /// The task.
        task: String,
    },
    /// No shipped model translates these languages.
    #[error(
        "no shipped model translates {languages} (shipped: {known}); name another one with --model, e.g. a hub id like Helsinki-NLP/opus-mt-en-de"
    )]
    NoTranslator {
        /// What was asked for, e.g. `from en to fr`.
        languages: String,
        /// The shipped models and what they translate.
        known: String,
    },
    /// The model was not found or not readable.
    #[error(transparent)]
    Model(#[from] hub::Error),
    /// The device cannot be used.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The pipeline could not be built.
    #[error("cannot start `{task}`{}", with_model(model.as_deref()))]
    Build {
        /// The task.
        task: String,
        /// The model, if it has one.
        model: Option<String>,
        /// Why.
        #[source]
        source: BoxError,
    },
}

impl Registry {
    /// All built-in tasks.
    pub fn builtin() -> Self {
        Self {
            tasks: TASKS.to_vec(),
        }
    }

    /// No task at all.
    pub fn empty() -> Self {
        Self { tasks: Vec::new() }
    }

    /// Adds a task, after those that are there.
    ///
    /// # Errors
    /// If its name or one of its aliases is taken.
    pub fn register(&mut self, task: Task) -> Result<(), RegistryError> {
        for name in std::iter::once(&task.name).chain(task.aliases) {
            if let Some(other) = self.tasks.iter().find(|other| other.is_called(name)) {
                return Err(RegistryError::NameTaken {
                    task: task.name.to_owned(),
                    name: (*name).to_owned(),
                    other: other.name.to_owned(),
                });
            }
        }
        self.tasks.push(task);
        Ok(())
    }

    /// Every task, in order.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The task with this name or alias.
    ///
    /// # Errors
    /// If there is none; the message suggests one that is spelled alike.
    pub fn find(&self, name: &str) -> Result<&Task, RegistryError> {
        self.tasks
            .iter()
            .find(|task| task.is_called(name))
            .ok_or_else(|| {
                let names = self
                    .tasks
                    .iter()
                    .flat_map(|task| std::iter::once(&task.name).chain(task.aliases));
                RegistryError::UnknownTask {
                    name: name.to_owned(),
                    hint: hub::did_you_mean(&hub::near_names(name, names.copied())),
                }
            })
    }

    /// Builds the pipeline that `route` leads to, resolving its model through `hub`.
    ///
    /// # Errors
    /// If the task has no pipeline, or the model or device cannot be used.
    pub fn build(
        &self,
        route: &Route<'_>,
        hub: &Hub,
        options: &BuildOptions,
    ) -> Result<Box<dyn Pipeline>, RegistryError> {
        let task = route.task;
        let build = task.build.ok_or_else(|| RegistryError::NoPipeline {
            task: task.name.to_owned(),
        })?;
        options.device.resolve()?; // before any download
        let model = route.model.as_deref().map(|name| match route.model_is_default {
            true => hub.resolve_default(name),
            false => hub.resolve(name),
        });
        let model = model.transpose()?;
        if let Some(threads) = options.threads.and_then(|n| i32::try_from(n).ok()) {
            tch::set_num_threads(threads);
        }
        build(BuildRequest {
            hub,
            model: model.as_ref(),
            options,
        })
        .map_err(|source| RegistryError::Build {
            task: task.name.to_owned(),
            model: route.model.clone(),
            source,
        })
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::builtin()
    }
}

/// The names that are spelled most like `name`, as " (did you mean …?)", or nothing.
fn with_model(model: Option<&str>) -> String {
    model
        .map(|model| format!(" with the model `{model}`"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_builtin_name_and_alias_is_unique() {
        let mut registry = Registry::empty();
        for task in TASKS {
            registry.register(*task).unwrap();
        }
        let architectures: Vec<_> = TASKS.iter().flat_map(|t| t.architectures).collect();
        assert_eq!(
            architectures.len(),
            architectures.iter().collect::<HashSet<_>>().len()
        );
    }

    #[test]
    fn names_are_found_in_any_spelling() {
        let registry = Registry::builtin();
        for name in [
            "automatic-speech-recognition",
            "automatic_speech_recognition",
            "ASR",
            "transcribe",
        ] {
            assert_eq!(registry.find(name).unwrap().name, "automatic-speech-recognition");
        }
    }

    #[test]
    fn an_unknown_name_suggests_a_known_one() {
        let error = Registry::builtin().find("sumarize").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no task `sumarize` (did you mean `summarize` or `summarise` or `summarization`?); `sensorium tasks` lists them"
        );
        let error = Registry::builtin().find("xyzzy").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no task `xyzzy`; `sensorium tasks` lists them"
        );
    }

    #[test]
    fn a_taken_alias_is_refused() {
        let mut registry = Registry::builtin();
        let error = registry
            .register(Task {
                name: "mine",
                aliases: &["ner"],
                ..TASKS[0]
            })
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot register the task `mine`: `ner` already means `token-classification`"
        );
    }
}

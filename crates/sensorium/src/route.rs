//! From what a user gave to the task and model that serve it, with reasons.

mod serving;

use serde_json::Value;

use crate::{Input, OutputKind, Registry, RegistryError, Task};

/// What is known about a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct RouteRequest<'a> {
    /// The task, if it was named.
    pub task: Option<&'a str>,
    /// The model, if one was named.
    pub model: Option<ModelHint<'a>>,
    /// The input, or the first of several.
    pub input: Option<&'a Input>,
    /// What the caller wants to get, if that matters: `sensorium classify` takes any classification.
    pub output: Option<OutputKind>,
}

/// What routing looks at in a model.
#[derive(Debug, Clone, Copy)]
pub struct ModelHint<'a> {
    /// The model's name, folder or hub id.
    pub name: &'a str,
    /// Its `config.json`.
    pub config: &'a Value,
}

/// The task and model that serve a request.
#[derive(Debug, Clone)]
pub struct Route<'a> {
    /// The task.
    pub task: &'a Task,
    /// The model's name; `None` if the task has no default.
    pub model: Option<String>,
    /// Whether nobody named it: a shipped default is not looked for in the current folder.
    pub model_is_default: bool,
    /// Why, a sentence for each decision.
    pub why: Vec<String>,
}

/// Why there is no route.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// No task has the name that was given.
    #[error(transparent)]
    Task(#[from] RegistryError),
    /// The task does not take such an input.
    #[error("the task `{task}` takes {expected}, but {origin} is {found}")]
    WrongInput {
        /// The task.
        task: String,
        /// What it takes.
        expected: String,
        /// The input.
        origin: String,
        /// What the input is.
        found: String,
    },
    /// The model is for another task than the one named.
    #[error("the model `{model}` is for `{found}`, not for `{task}`")]
    WrongModel {
        /// The model.
        model: String,
        /// The task that it is for.
        found: String,
        /// The task that was named.
        task: String,
    },
    /// The task gives something else than what was asked for.
    #[error("the task `{task}` gives no {expected}; `sensorium run` runs any task")]
    WrongOutput {
        /// The task.
        task: String,
        /// What was asked for.
        expected: &'static str,
    },
    /// The model's `config.json` names nothing that is known.
    #[error(
        "cannot tell what the model `{model}` is for: its config.json has {found}; name a task with --task"
    )]
    UnknownModel {
        /// The model.
        model: String,
        /// Its `architectures` and `model_type`, in words.
        found: String,
    },
    /// There is nothing to route by.
    #[error("name a task, a model or an input")]
    Nothing,
    /// No task takes such an input.
    #[error("no task takes {found} ({origin})")]
    NoTask {
        /// The input.
        origin: String,
        /// What it is.
        found: &'static str,
    },
}

impl Registry {
    /// Chooses the task and model: by the task's name if it was given, else by the model's
    /// `config.json`, else by the kind of the input.
    ///
    /// # Errors
    /// If nothing fits, or what was given does not fit together.
    pub fn route(&self, request: &RouteRequest<'_>) -> Result<Route<'_>, RouteError> {
        let mut why = Vec::new();
        let by_config = request.model.and_then(|model| self.serving(model.config));
        let task = if let Some(name) = request.task {
            let task = self.find(name)?;
            why.push(if task.name == name {
                format!("the task `{name}` was named")
            } else {
                format!("the task `{}` was named, as `{name}`", task.name)
            });
            if let (Some(model), Some((other, _))) = (request.model, &by_config)
                && other.name != task.name
                && !serving::fits(task, model.config)
            {
                return Err(RouteError::WrongModel {
                    model: model.name.to_owned(),
                    found: other.name.to_owned(),
                    task: task.name.to_owned(),
                });
            }
            task
        } else if let Some(model) = request.model {
            let (task, reason) = by_config.ok_or_else(|| RouteError::UnknownModel {
                model: model.name.to_owned(),
                found: serving::described(model.config),
            })?;
            why.push(format!(
                "the model `{}` is for `{}`: its config.json has {reason}",
                model.name, task.name
            ));
            task
        } else if let Some(input) = request.input {
            self.for_input(input, request.output, &mut why)?
        } else {
            return Err(RouteError::Nothing);
        };

        if let Some(input) = request.input {
            let kind = input.kind();
            if !task.takes(kind) {
                return Err(RouteError::WrongInput {
                    task: task.name.to_owned(),
                    expected: task.inputs_in_words(),
                    origin: input.origin.to_string(),
                    found: kind.with_article().to_owned(),
                });
            }
        }
        if let Some(wanted) = request.output
            && task.output != wanted
        {
            let task = task.name.to_owned();
            return Err(RouteError::WrongOutput {
                task,
                expected: wanted.name(),
            });
        }
        let model = match (request.model, task.default_model) {
            (Some(model), _) => {
                why.push(format!("the model `{}` was named", model.name));
                Some(model.name.to_owned())
            }
            (None, Some(model)) => {
                why.push(format!(
                    "no model was named: `{model}` is the default of `{}`",
                    task.name
                ));
                Some(model.to_owned())
            }
            (None, None) => None,
        };
        if task.build.is_none() {
            why.push(format!("`{}` has no pipeline in this version yet", task.name));
        }
        Ok(Route {
            task,
            model,
            model_is_default: request.model.is_none(),
            why,
        })
    }

    /// The first task that takes this kind of input and has a pipeline, else the first that takes it.
    fn for_input(
        &self,
        input: &Input,
        output: Option<OutputKind>,
        why: &mut Vec<String>,
    ) -> Result<&Task, RouteError> {
        let kind = input.kind();
        let fits = |task: &&Task| task.takes(kind) && output.is_none_or(|wanted| task.output == wanted);
        let takes = || self.tasks().iter().filter(fits);
        let ready = takes().find(|task| task.build.is_some());
        let task = ready
            .or_else(|| takes().next())
            .ok_or_else(|| RouteError::NoTask {
                origin: input.origin.to_string(),
                found: kind.with_article(),
            })?;
        why.push(format!(
            "{} is {} ({}), by its content",
            input.origin,
            kind.with_article(),
            input.format
        ));
        let first = if ready.is_some() {
            "first task with a pipeline"
        } else {
            "first task"
        };
        let gives = output.map_or(String::new(), |wanted| format!(" and gives a {}", wanted.name()));
        why.push(format!(
            "no task or model was named: `{}` is the {first} that takes {}{gives}",
            task.name,
            kind.with_article()
        ));
        Ok(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;
    use serde_json::json;

    /// A PNG's first bytes are enough to route by.
    fn image() -> Input {
        let png = b"\x89PNG\r\n\x1a\n....".to_vec();
        Input::from_bytes(png, Origin::Path("x.txt".into())).unwrap()
    }

    fn check_config(config: Value, expected: &str) {
        let registry = Registry::builtin();
        let model = Some(ModelHint {
            name: "m",
            config: &config,
        });
        let route = registry.route(&RouteRequest {
            model,
            ..RouteRequest::default()
        });
        assert_eq!(route.map(|r| r.task.name).unwrap_or("none"), expected, "{config}");
    }

    #[test]
    fn by_the_config_of_the_model() {
        check_config(
            json!({"architectures": ["BertForTokenClassification"]}),
            "token-classification",
        );
        check_config(json!({"architectures": ["LlamaForCausalLM"]}), "text-generation");
        check_config(
            json!({"architectures": ["Wav2Vec2ForSequenceClassification"]}),
            "audio-classification",
        );
        check_config(
            json!({"architectures": ["WhisperForConditionalGeneration"]}),
            "automatic-speech-recognition",
        );
        check_config(
            json!({"architectures": ["T5ForConditionalGeneration"]}),
            "text2text-generation",
        );
        check_config(json!({"model_type": "marian"}), "translation");
        check_config(json!({"model_type": "never-seen"}), "none");
        check_config(json!([1]), "none");
        check_config(json!({"architectures": 3, "model_type": {}}), "none");
    }

    #[test]
    fn by_the_input_whatever_its_name() {
        let registry = Registry::builtin();
        let input = image();
        let route = registry
            .route(&RouteRequest {
                input: Some(&input),
                ..Default::default()
            })
            .unwrap();
        assert_eq!(route.task.name, "image-classification");
        assert_eq!(route.why[0], "x.txt is an image (PNG), by its content");
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let registry = Registry::builtin();
        let input = image();
        let check = |request: RouteRequest<'_>, expected: &str| {
            assert_eq!(registry.route(&request).unwrap_err().to_string(), expected);
        };
        check(
            RouteRequest {
                task: Some("transcribe"),
                input: Some(&input),
                ..Default::default()
            },
            "the task `automatic-speech-recognition` takes audio, but x.txt is an image",
        );
        let config = json!({"architectures": ["LlamaForCausalLM"]});
        check(
            RouteRequest {
                task: Some("ner"),
                model: Some(ModelHint {
                    name: "m",
                    config: &config,
                }),
                ..Default::default()
            },
            "the model `m` is for `text-generation`, not for `token-classification`",
        );
        let config = json!({"model_type": "zzz"});
        check(
            RouteRequest {
                model: Some(ModelHint {
                    name: "m",
                    config: &config,
                }),
                ..Default::default()
            },
            "cannot tell what the model `m` is for: its config.json has the unknown model_type `zzz`; \
             name a task with --task",
        );
        check(RouteRequest::default(), "name a task, a model or an input");
        let (task, output) = (Some("detect"), Some(OutputKind::Classification));
        check(
            RouteRequest {
                task,
                output,
                ..Default::default()
            },
            "the task `object-detection` gives no classification; `sensorium run` runs any task",
        );
    }

    #[test]
    fn the_wanted_output_narrows_the_choice() {
        let registry = Registry::builtin();
        let (input, output) = (Input::text("a fine film"), Some(OutputKind::Classification));
        let route = registry
            .route(&RouteRequest {
                input: Some(&input),
                output,
                ..Default::default()
            })
            .unwrap();
        assert_eq!(route.task.name, "text-classification");
        assert!(
            route.why[1].ends_with("takes text and gives a classification"),
            "{:?}",
            route.why
        );
    }
}

//! What a task is, and how its pipeline is built.

use std::error::Error;

use crate::hub::{Hub, Model};

use crate::{DType, Device, InputKind, OutputKind, Pipeline};

/// Something that Sensorium can do, under its Hugging Face task name.
///
/// The built-in ones are in [`TASKS`](crate::TASKS); a program adds its own with
/// [`Registry::register`](crate::Registry::register).
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// The Hugging Face task name, e.g. `image-classification`.
    pub name: &'static str,
    /// Other names that mean the same.
    pub aliases: &'static [&'static str],
    /// One sentence without a full stop, for lists.
    pub summary: &'static str,
    /// The kinds of input that it takes.
    pub inputs: &'static [InputKind],
    /// The kind of output that it gives.
    pub output: OutputKind,
    /// The model that is used when none is named.
    pub default_model: Option<&'static str>,
    /// Ends of the names in `architectures` of a `config.json` that this task serves, e.g.
    /// `ForImageClassification`.
    pub architectures: &'static [&'static str],
    /// Values of `model_type` in a `config.json` that this task serves when the architecture does not
    /// decide, e.g. `whisper`.
    pub model_types: &'static [&'static str],
    /// Builds its pipeline; `None` where Sensorium has none yet.
    pub build: Option<Build>,
}

/// Builds a task's pipeline.
pub type Build = fn(BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError>;

/// Any error that can cross threads.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a task's pipeline is built from.
#[derive(Clone, Copy)]
pub struct BuildRequest<'a> {
    /// Where models come from.
    pub hub: &'a Hub,
    /// The model to run, resolved. `None` for a task that has no model.
    pub model: Option<&'a Model>,
    /// How to run it.
    pub options: &'a BuildOptions,
}

/// How a pipeline is to run.
#[derive(Debug, Clone, Default)]
pub struct BuildOptions {
    /// Where tensors live.
    pub device: Device,
    /// What weights are converted to; as stored if `None`.
    pub dtype: Option<DType>,
    /// The threads of one operation; libtorch's choice if `None`. A setting of the whole process.
    pub threads: Option<usize>,
    /// How many classes a classification keeps; all if `None`.
    pub top_k: Option<usize>,
    /// The seed of everything random.
    pub seed: Option<u64>,
    /// How tasks that write text choose their tokens; what it leaves out comes from the model's own settings.
    #[cfg(any(feature = "speech", feature = "text"))]
    pub generation: crate::generation::GenerationConfig,
    /// How recordings are written down.
    #[cfg(feature = "speech")]
    pub speech: crate::SpeechToTextOptions,
}

impl<'a> BuildRequest<'a> {
    /// The model, for a task that cannot do without one.
    ///
    /// # Errors
    /// If there is none.
    pub fn required_model(&self) -> Result<&'a Model, BoxError> {
        self.model.ok_or_else(|| {
            "this task has no default model: name a model folder or a hub id with --model".into()
        })
    }
}

impl Task {
    /// A task without anything, to fill an entry up: `Task { name: …, ..Task::EMPTY }`.
    pub const EMPTY: Self = Self {
        name: "",
        aliases: &[],
        summary: "",
        inputs: &[],
        output: OutputKind::Other,
        default_model: None,
        architectures: &[],
        model_types: &[],
        build: None,
    };

    /// Whether `name` is this task's name or one of its aliases; letter case and `_` for `-` are forgiven.
    pub fn is_called(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase().replace('_', "-");
        self.name == name || self.aliases.contains(&name.as_str())
    }

    /// Whether it takes inputs of this kind.
    pub fn takes(&self, kind: InputKind) -> bool {
        self.inputs.contains(&kind)
    }

    /// The kinds of input that it takes, as words: "text or an image".
    pub(crate) fn inputs_in_words(&self) -> String {
        let kinds: Vec<_> = self.inputs.iter().map(|kind| kind.with_article()).collect();
        kinds.join(" or ")
    }
}

//! Sensorium: one toolkit for text, vision and speech on libtorch.
//!
//! This is the crate that other programs link. It re-exports the modality crates, and holds what they
//! have in common: [`Input`] and [`Output`], the [`Pipeline`] trait, the [`Registry`] of tasks, routing
//! from an input or a model to the task that serves it, and the [`Handle`](handle::Handle) that shares a
//! model between threads.
//!
//! ```
//! use sensorium::{Input, Registry, RouteRequest};
//!
//! let registry = Registry::builtin();
//! let input = Input::from_bytes(b"fLaC....".to_vec(), sensorium::Origin::Memory)?;
//! let route = registry.route(&RouteRequest { input: Some(&input), ..RouteRequest::default() })?;
//! assert_eq!(route.task.name, "automatic-speech-recognition");
//! assert_eq!(route.why[0], "the input is audio (FLAC), by its content");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod device;
pub mod doctor;
pub mod handle;
mod input;
mod output;
mod pipeline;
mod registry;
mod route;
#[cfg(feature = "text")]
mod seq2seq_tasks;
#[cfg(feature = "speech")]
mod speech_tasks;
mod task;
mod tasks;
#[cfg(feature = "text")]
mod text_tasks;
#[cfg(feature = "vision")]
mod vision_tasks;

pub use device::{DType, Device, DeviceError};
pub use input::{Content, Input, InputError, InputKind, MAX_INPUT_BYTES, Origin, Recording};
pub use output::{
    Answer, Bounds, Char, Chunk, Detection, Entity, Fill, Label, Output, OutputKind, Speech, Transcription,
    Word,
};
#[cfg(feature = "vision")]
pub use pipeline::decode_images;
pub use pipeline::{Each, Partial, Pipeline, PipelineError, PipelineHandle, run_decoded};
pub use registry::{Registry, RegistryError};
pub use route::{ModelHint, Route, RouteError, RouteRequest};
#[cfg(feature = "speech")]
pub use sensorium_speech::SpeechToTextOptions;
#[cfg(feature = "text")]
pub use seq2seq_tasks::translation_model;
pub use task::{BoxError, Build, BuildOptions, BuildRequest, Task};
pub use tasks::TASKS;
#[cfg(feature = "text")]
pub use text_tasks::{TextGeneration, text_generator};

pub use sensorium_blocks as blocks;
#[cfg(any(feature = "speech", feature = "text"))]
pub use sensorium_generation as generation;
pub use sensorium_hub as hub;
#[cfg(feature = "text")]
pub use sensorium_metrics as metrics;
#[cfg(feature = "speech")]
pub use sensorium_speech as speech;
#[cfg(feature = "text")]
pub use sensorium_text as text;
#[cfg(feature = "train")]
pub use sensorium_train as train;
#[cfg(feature = "vision")]
pub use sensorium_vision as vision;
pub use tch;

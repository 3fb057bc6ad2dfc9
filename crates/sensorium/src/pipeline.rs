//! From inputs to outputs: the trait that every task's pipeline has.

use std::error::Error;

use crate::handle::{Batching, Handle, HandleError};
use crate::{Input, Origin, Output};

/// A model ready to run, with what turns inputs into tensors and tensors into outputs.
///
/// ```
/// use sensorium::{Content, Input, Output, Pipeline, PipelineError};
///
/// struct WordCount;
///
/// impl Pipeline for WordCount {
///     fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
///         let count = |input: &Input| match &input.content {
///             Content::Text(text) => Ok(Output::Other(text.split_whitespace().count().into())),
///             _ => Err(PipelineError::unsupported(input, "text")),
///         };
///         inputs.iter().map(count).collect()
///     }
/// }
///
/// let results = WordCount.run(&["to be or not".into()]);
/// assert_eq!(serde_json::to_string(results[0].as_ref().unwrap()).unwrap(), "4");
/// ```
pub trait Pipeline: Send {
    /// Runs the model on a batch: one result for each input, in the same order.
    ///
    /// A bad input is an error in its own place and leaves the others alone.
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>>;

    /// Moves the pipeline to a thread of its own, for use from many threads at once.
    fn into_handle(mut self, batching: Batching) -> PipelineHandle
    where
        Self: Sized + 'static,
    {
        Handle::spawn(batching, move |inputs: Vec<Input>| self.run(&inputs))
    }
}

impl<P: Pipeline + ?Sized> Pipeline for Box<P> {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        (**self).run(inputs)
    }
}

/// A shareable handle to a pipeline on its own thread.
pub type PipelineHandle = Handle<Input, Result<Output, PipelineError>>;

/// Why a pipeline has no output for an input.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The input is of a kind that the pipeline does not take.
    #[error("{origin} is {found}; this task takes {expected}")]
    Unsupported {
        /// Where the input came from.
        origin: Origin,
        /// What it is.
        found: &'static str,
        /// What would be right.
        expected: &'static str,
    },
    /// The input could not be decoded or is out of bounds.
    #[error("cannot use {origin}")]
    Input {
        /// Where the input came from.
        origin: Origin,
        /// What was wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The model failed.
    #[error("the model failed on {origin}")]
    Model {
        /// Where the input came from.
        origin: Origin,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The model's thread failed.
    #[error(transparent)]
    Handle(#[from] HandleError),
}

impl PipelineError {
    /// An input of the wrong kind; `expected` says what would be right, e.g. "an image".
    pub fn unsupported(input: &Input, expected: &'static str) -> Self {
        Self::Unsupported {
            origin: input.origin.clone(),
            found: input.kind().with_article(),
            expected,
        }
    }

    /// An input that could not be decoded.
    pub fn input(input: &Input, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Input {
            origin: input.origin.clone(),
            source: source.into(),
        }
    }

    /// A failure of the model itself.
    pub fn model(input: &Input, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Model {
            origin: input.origin.clone(),
            source: source.into(),
        }
    }
}

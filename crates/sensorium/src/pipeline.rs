//! From inputs to outputs: the trait that every task's pipeline has.

use std::error::Error;
use std::ops::ControlFlow;

#[cfg(any(feature = "vision", test))]
use crate::Content;
use crate::handle::{Batching, Handle, HandleError};
use crate::task::BoxError;
use crate::{Chunk, Input, Origin, Output};

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

    /// Runs the model on one input. Where it takes long, `tell` is told what is found on the way, and may end the work.
    ///
    /// # Errors
    /// If the input is bad, the model fails, or `tell` ends the work.
    fn run_telling(
        &mut self,
        input: &Input,
        tell: &mut dyn FnMut(Partial<'_>) -> ControlFlow<()>,
    ) -> Result<Output, PipelineError> {
        let _ = tell; // it is all done at once
        let result = self.run(std::slice::from_ref(input)).pop();
        result.unwrap_or_else(|| Err(PipelineError::model(input, "it gave no result")))
    }

    /// Runs the model on a batch; `each` is told the number of an input and its result as soon as that is known, in any
    /// order, and may end the work.
    fn run_each(&mut self, inputs: &[Input], each: Each<'_>) {
        for (number, result) in self.run(inputs).into_iter().enumerate() {
            if each(number, result).is_break() {
                return;
            }
        }
    }

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

    fn run_telling(
        &mut self,
        input: &Input,
        tell: &mut dyn FnMut(Partial<'_>) -> ControlFlow<()>,
    ) -> Result<Output, PipelineError> {
        (**self).run_telling(input, tell)
    }

    fn run_each(&mut self, inputs: &[Input], each: Each<'_>) {
        (**self).run_each(inputs, each);
    }
}

/// Is told the number of an input and what has become of it, and may end the work.
pub type Each<'e> = &'e mut dyn FnMut(usize, Result<Output, PipelineError>) -> ControlFlow<()>;

/// What a pipeline tells while it works on an input.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Partial<'a> {
    /// The input is read up to `at`, of `of` if that is known; in seconds where it is a recording.
    Read {
        /// The place in the input.
        at: f64,
        /// Where it ends.
        of: Option<f64>,
    },
    /// The work is done up to `at`.
    Done {
        /// The place in the input.
        at: f64,
        /// Where it ends.
        of: f64,
    },
    /// More of the output's text.
    Text(&'a str),
    /// The next piece of a transcription.
    Chunk(&'a Chunk),
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
    /// The input could not be decoded, and the error says which it was.
    #[error(transparent)]
    Decode(Box<dyn Error + Send + Sync>),
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

/// Decodes `inputs` a few at a time, runs `model` on those that could be decoded, and puts every result or
/// error in the place of its input: what most pipelines' [`Pipeline::run`] is.
///
/// `model` gives a result for each value, in order; its errors say what is wrong with that one input. What is
/// decoded may be a thousand times as large as its file: only a slice of a batch is held at once.
pub fn run_decoded<T>(
    inputs: &[Input],
    decode: impl Fn(&[Input]) -> Vec<Result<T, PipelineError>>,
    mut model: impl FnMut(&[T]) -> Vec<Result<Output, BoxError>>,
) -> Vec<Result<Output, PipelineError>> {
    const SLICE: usize = 16;
    let slices = inputs.chunks(SLICE);
    slices
        .flat_map(|slice| run_slice(slice, &decode, &mut model))
        .collect()
}

fn run_slice<T>(
    inputs: &[Input],
    decode: impl Fn(&[Input]) -> Vec<Result<T, PipelineError>>,
    model: impl FnOnce(&[T]) -> Vec<Result<Output, BoxError>>,
) -> Vec<Result<Output, PipelineError>> {
    let (mut values, mut slots) = (Vec::with_capacity(inputs.len()), Vec::with_capacity(inputs.len()));
    for decoded in decode(inputs) {
        slots.push(decoded.map(|value| values.push(value)));
    }
    let mut results = if values.is_empty() {
        Vec::new()
    } else {
        model(&values)
    }
    .into_iter();
    let place = |(slot, input): (Result<(), PipelineError>, &Input)| {
        slot?;
        match results.next() {
            Some(result) => result.map_err(|source| PipelineError::input(input, source)),
            None => Err(PipelineError::model(input, "it gave no result")),
        }
    };
    slots.into_iter().zip(inputs).map(place).collect()
}

/// The pictures in `inputs`, decoded on all processors, upright and within the default limits.
#[cfg(feature = "vision")]
pub fn decode_images(inputs: &[Input]) -> Vec<Result<image::DynamicImage, PipelineError>> {
    use rayon::prelude::*;
    use sensorium_vision::decode::{Limits, decode_image};

    let decode = |input: &Input| match &input.content {
        Content::Image(image) => Ok(image.clone()),
        Content::ImageFile(bytes) => decode_image(bytes, &input.origin.to_string(), &Limits::default())
            .map_err(|error| PipelineError::Decode(error.into())),
        _ => Err(PipelineError::unsupported(input, "an image")),
    };
    inputs.par_iter().map(decode).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InputKind;

    #[test]
    fn results_and_errors_stay_in_their_places() {
        let decode = |inputs: &[Input]| {
            let decode = |input: &Input| match input.kind() {
                InputKind::Text => Ok(2),
                _ => Err(PipelineError::unsupported(input, "text")),
            };
            inputs.iter().map(decode).collect::<Vec<_>>()
        };
        let image = Input::image(image::DynamicImage::new_luma8(1, 1));
        let inputs = [Input::text("a"), image, Input::text("b"), Input::text("c")];
        let model = |values: &[i32]| {
            assert_eq!(values, [2, 2, 2]);
            vec![Ok(Output::Other(1.into())), Err("no".into())] // and none for the last
        };
        let results = run_decoded(&inputs, decode, model);
        let said = |i: usize| match &results[i] {
            Ok(output) => format!("{output:?}"),
            Err(error) => format!(
                "{error}: {}",
                error.source().map(ToString::to_string).unwrap_or_default()
            ),
        };
        assert_eq!(said(0), "Other(Number(1))");
        assert_eq!(said(1), "the input is an image; this task takes text: ");
        assert_eq!(said(2), "cannot use the input: no");
        assert_eq!(said(3), "the model failed on the input: it gave no result");
    }

    #[test]
    fn a_large_batch_is_decoded_in_slices() {
        let inputs: Vec<Input> = (0..100).map(|i| Input::text(i.to_string())).collect();
        let decode = |inputs: &[Input]| -> Vec<Result<Input, _>> {
            assert!(inputs.len() <= 16);
            inputs.iter().cloned().map(Ok).collect()
        };
        let model = |values: &[Input]| {
            let text = |input: &Input| match &input.content {
                Content::Text(text) => Ok(Output::Other(text.as_str().into())),
                _ => Err("no text".into()),
            };
            values.iter().map(text).collect()
        };
        for (i, result) in run_decoded(&inputs, decode, model).into_iter().enumerate() {
            let Ok(Output::Other(text)) = result else {
                panic!("no result for {i}")
            };
            assert_eq!(text, i.to_string());
        }
    }

    #[cfg(feature = "vision")]
    #[test]
    fn a_damaged_image_is_named_once() {
        let origin = Origin::Path("bad.png".into());
        let input = Input::from_bytes(b"\x89PNG\r\n\x1a\n".to_vec(), origin).unwrap();
        let error = decode_images(&[input]).remove(0).unwrap_err();
        assert_eq!(error.to_string().matches("bad.png").count(), 1, "{error}");
    }
}

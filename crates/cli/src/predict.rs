//! Inputs through a pipeline and out again, in batches: what `run`, `classify` and their like share.

mod captions;
mod pipelines;
mod printer;
mod routing;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::slice;

use anyhow::{Result, bail};
use sensorium::hub::Hub;
use sensorium::{Content, Input, InputKind, OutputKind, Partial, Registry, SpeechToTextOptions};

pub use self::captions::{Captions, Kind, Place};
use self::pipelines::Pipelines;
use self::printer::{Printer, Told};
use self::routing::{Texts, route, texts};
use crate::context::Context;
use crate::inputs::{self, Item, Items, Unread};
use crate::progress::Inputs;

/// The most inputs that are read and held at once.
const BATCH: usize = 256;
/// The most bytes of them, but for a single larger one.
const BATCH_BYTES: usize = 64 << 20;

/// What to do with which inputs.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// The inputs as on the command line.
    pub inputs: &'a [PathBuf],
    /// The task, if named.
    pub task: Option<&'a str>,
    /// The model, if named.
    pub model: Option<&'a str>,
    /// The kind of output that the command stands for.
    pub output: Option<OutputKind>,
    /// How many classes to show, if named.
    pub top_k: Option<usize>,
    /// The most tokens that a text is continued by.
    pub max_new_tokens: Option<usize>,
    /// How recordings are written down.
    pub speech: SpeechToTextOptions,
    /// How transcripts are written to files; their texts alone if `None`.
    pub captions: Option<Captions>,
    /// Say how the route was chosen and do nothing else.
    pub explain: bool,
}

impl Request<'_> {
    /// Whether the route follows from what was named, whatever the inputs are.
    fn names_route(&self) -> bool {
        self.task.is_some() || self.model.is_some()
    }
}

/// Routes, builds the pipelines, and prints a result for each input, in order.
pub fn run(request: &Request<'_>, context: &Context) -> Result<ExitCode> {
    run_with(&Registry::builtin(), request, context, &mut io::stdout().lock())
}

fn run_with(
    registry: &Registry,
    request: &Request<'_>,
    context: &Context,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let Items { items, several } = inputs::expand(request.inputs)?;
    if let Some(captions) = &request.captions {
        captions.check(several)?;
    }
    let hub = context.hub()?;
    let texts = texts(request, &items, registry, &hub)?;
    let mut printer = Printer {
        context,
        several,
        printed: 0,
        failed: false,
        captions: request.captions.as_ref(),
        labels: request.top_k.unwrap_or(1),
        told: Told::Nothing,
        out,
    };
    if request.explain {
        explain(request, &items, texts, registry, &hub, &mut printer)?;
        return Ok(printer.exit_code());
    }

    let mut pipelines = Pipelines::new(request, registry, &hub, context)?;
    let mut bars = Inputs::new(items.len(), context.shows_progress());
    let mut left = items.iter();
    loop {
        let batch = next_batch(&mut left, texts, request.speech.batch_size);
        if batch.is_empty() {
            break;
        }
        let names: Vec<String> = batch.iter().map(|(item, _)| item.name()).collect();
        let mut problem = None;
        // It stops only where there is a problem.
        let _ = pipelines.run(
            batch,
            &mut |news| match show(news, &names, &mut bars, &mut printer) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    problem = Some(error);
                    ControlFlow::Break(())
                }
            },
        );
        if let Some(error) = problem {
            return Err(error);
        }
    }
    bars.hide();
    if printer.printed == 0 {
        bail!("no task could use any of the inputs");
    }
    Ok(printer.exit_code())
}

/// Shows what is told of the inputs that have these names.
fn show(news: News<'_>, names: &[String], bars: &mut Inputs, printer: &mut Printer<'_>) -> Result<()> {
    let context = printer.context;
    match news {
        News::Part(partial) => {
            bars.show(&partial);
            let Some(text) = printer.part(&partial) else {
                return Ok(());
            };
            if matches!(partial, Partial::Text(_)) && context.terminal.is_terminal {
                bars.hide(); // it would stand in the line that grows
            }
            bars.beside(|| printer.write(&text))
        }
        News::Done(number, outcome) => {
            bars.done(1);
            bars.beside(|| match outcome {
                Outcome::Skipped(what) => {
                    context.note(&format!("{what}: skipped"));
                    Ok(())
                }
                Outcome::Done(result) => printer.print(&names[number], result),
            })
        }
    }
}

/// What is told while pipelines work.
enum News<'a> {
    Part(Partial<'a>),
    /// What has become of the input of a number.
    Done(usize, Outcome),
}

/// What becomes of an input.
enum Outcome {
    Done(Result<sensorium::Output, String>),
    /// It lies in a folder and is nothing for the task.
    Skipped(String),
}

type Read<'a> = (&'a Item, Result<Input, Unread>);

/// The next inputs, as many as may be held at once; recordings alone unless several are heard together.
fn next_batch<'a>(items: &mut slice::Iter<'a, Item>, texts: Texts, together: usize) -> Vec<Read<'a>> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while batch.len() < BATCH && bytes < BATCH_BYTES {
        let Some(item) = items.next() else { break };
        let input = read(item, texts);
        bytes += input.as_ref().map_or(0, size);
        let is_long = input.as_ref().is_ok_and(|input| input.kind() == InputKind::Audio);
        batch.push((item, input));
        if is_long && together < 2 {
            break; // what is said in it is shown before the next one is heard
        }
    }
    batch
}

fn read(item: &Item, texts: Texts) -> Result<Input, Unread> {
    match item.text(texts == Texts::Any) {
        Some(text) if texts != Texts::None => Ok(text),
        _ => item.read(),
    }
}

/// Bytes that an input holds.
fn size(input: &Input) -> usize {
    match &input.content {
        Content::Text(text) => text.len(),
        Content::ImageFile(bytes) => bytes.len(),
        Content::Image(image) => image.as_bytes().len(),
        _ => 0,
    }
}

/// Explains the route of the first input of each kind.
fn explain(
    request: &Request<'_>,
    items: &[Item],
    texts: Texts,
    registry: &Registry,
    hub: &Hub,
    printer: &mut Printer<'_>,
) -> Result<()> {
    let mut kinds = Vec::new();
    for item in items {
        match read(item, texts) {
            Ok(input) if kinds.contains(&input.kind()) => {}
            Ok(input) => {
                kinds.push(input.kind());
                printer.explain(&route(request, Some(&input), registry, hub)?)?;
            }
            Err(Unread::Other(_)) => {}
            Err(Unread::Failed(error)) => printer.print(&item.name(), Err(error))?,
        }
    }
    Ok(())
}

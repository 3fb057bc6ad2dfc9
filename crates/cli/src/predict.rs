//! Inputs through a pipeline and out again, in batches: what `run`, `classify` and their like share.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use sensorium::hub::Hub;
use sensorium::{Input, InputError, ModelHint, Output, OutputKind, Pipeline, Registry, Route, RouteRequest};
use serde::Serialize;

use crate::context::Context;
use crate::inputs::{self, Item, Items};
use crate::{print, progress};

/// The inputs that are read and held at once.
const BATCH: usize = 256;

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
    /// How many classes to show.
    pub top_k: Option<usize>,
    /// Say how the route was chosen and do nothing else.
    pub explain: bool,
}

/// A line of JSON when there are several inputs.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Output { input: &'a str, output: &'a Output },
    Error { input: &'a str, error: &'a str },
}

/// How a command that only explains answers with `--json`.
#[derive(Serialize)]
struct Explanation<'a> {
    task: &'a str,
    model: Option<&'a str>,
    why: &'a [String],
}

/// Routes, builds the pipeline, and prints a result for each input, in order.
pub fn run(request: &Request<'_>, context: &Context) -> Result<ExitCode> {
    let Items { items, several } = inputs::expand(request.inputs)?;
    let hub = context.hub()?;
    let registry = Registry::builtin();

    // The first input that can be read decides, where neither task nor model was named.
    let mut first_read = VecDeque::new();
    for item in &items {
        first_read.push_back(item.read());
        if matches!(first_read.back(), Some(Ok(_))) || first_read.len() == BATCH {
            break;
        }
    }
    let sample = first_read.iter().flatten().next();
    if sample.is_none() && request.task.is_none() && request.model.is_none() && items.len() <= BATCH {
        return report_unreadable(&items, first_read.into(), several, context);
    }
    let route = route(request, sample, &items, several, &registry, &hub)?;
    if request.explain {
        return explain(&route, context);
    }
    for reason in &route.why {
        context.detail(reason);
    }
    let options = context.build_options(request.top_k);
    let mut pipeline = registry.build(&route, &hub, &options)?;

    let bar = progress::items(items.len() as u64, "inputs", several && context.shows_progress());
    let mut printer = Printer {
        context,
        several,
        failed: false,
    };
    for batch in items.chunks(BATCH) {
        let mut slots = Vec::with_capacity(batch.len());
        let mut readable = Vec::with_capacity(batch.len());
        for item in batch {
            let read = first_read.pop_front().unwrap_or_else(|| item.read());
            slots.push(match read {
                Ok(input) if route.task.takes(input.kind()) => {
                    readable.push(input);
                    Slot::Run
                }
                Ok(input) if item.from_folder => Slot::Skip(format!("{} ({})", item.name(), input.format)),
                Ok(input) => Slot::Failed(wrong_kind(&route, &input)),
                Err(InputError::Unrecognized { looks_like, .. }) if item.from_folder => {
                    Slot::Skip(format!("{}, which {looks_like}", item.name()))
                }
                Err(error) => Slot::Failed(print::causes(&error)),
            });
        }
        let mut outputs = run_batch(&mut *pipeline, &readable).into_iter();
        bar.suspend(|| -> Result<()> {
            for (item, slot) in batch.iter().zip(slots) {
                match slot {
                    Slot::Skip(what) => context.note(&format!("skipping {what}")),
                    Slot::Failed(error) => printer.print(&item.name(), Err(error))?,
                    Slot::Run => {
                        let missing = || Err("the pipeline gave no result for this input".to_owned());
                        printer.print(&item.name(), outputs.next().unwrap_or_else(missing))?;
                    }
                }
            }
            Ok(())
        })?;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    Ok(printer.exit_code())
}

/// What becomes of an input of a batch.
enum Slot {
    Run,
    Skip(String),
    Failed(String),
}

fn run_batch(pipeline: &mut dyn Pipeline, inputs: &[Input]) -> Vec<Result<Output, String>> {
    if inputs.is_empty() {
        return Vec::new();
    }
    let results = pipeline.run(inputs).into_iter();
    results
        .map(|result| result.map_err(|error| print::causes(&error)))
        .collect()
}

fn route<'a>(
    request: &Request<'_>,
    sample: Option<&Input>,
    items: &[Item],
    several: bool,
    registry: &'a Registry,
    hub: &Hub,
) -> Result<Route<'a>> {
    let model = request.model.map(|name| hub.resolve(name)).transpose()?;
    let config = model.as_ref().map(|model| model.config()).transpose()?;
    let hint = model.as_ref().zip(config.as_ref());
    // Among several, one of the wrong kind is an error of its own, or skipped in a folder.
    let decides = request.task.is_none() && request.model.is_none();
    let alone = !several && items.len() == 1;
    Ok(registry.route(&RouteRequest {
        task: request.task,
        model: hint.map(|(model, config)| ModelHint {
            name: model.name(),
            config,
        }),
        input: sample.filter(|_| decides || alone),
        output: request.output,
    })?)
}

fn wrong_kind(route: &Route<'_>, input: &Input) -> String {
    let kinds: Vec<_> = route.task.inputs.iter().map(|kind| kind.name()).collect();
    let (task, expected) = (route.task.name, kinds.join(" or "));
    format!(
        "the task `{task}` takes {expected} input, but {} is {}",
        input.origin, input.format
    )
}

fn explain(route: &Route<'_>, context: &Context) -> Result<ExitCode> {
    let (task, model) = (route.task.name, route.model.as_deref());
    if context.global.json {
        print::json(&Explanation {
            task,
            model,
            why: &route.why,
        })?;
    } else {
        let mut text = format!("task:  {task}\nmodel: {}\n", model.unwrap_or("none"));
        for reason in &route.why {
            text += &format!("- {reason}\n");
        }
        print::text(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// With nothing readable there is nothing to route by: each input's error is the result.
fn report_unreadable(
    items: &[Item],
    read: Vec<Result<Input, InputError>>,
    several: bool,
    context: &Context,
) -> Result<ExitCode> {
    let mut printer = Printer {
        context,
        several,
        failed: false,
    };
    for (item, error) in items.iter().zip(read.into_iter().filter_map(Result::err)) {
        printer.print(&item.name(), Err(print::causes(&error)))?;
    }
    Ok(printer.exit_code())
}

/// Prints results as they come, and remembers whether one failed.
struct Printer<'a> {
    context: &'a Context,
    several: bool,
    failed: bool,
}

impl Printer<'_> {
    fn print(&mut self, name: &str, result: Result<Output, String>) -> Result<()> {
        self.failed |= result.is_err();
        match (result, self.context.global.json, self.several) {
            (Ok(output), true, false) => print::json(&output),
            (Ok(output), true, true) => print::json(&Line::Output {
                input: name,
                output: &output,
            }),
            (Ok(output), false, false) => print::text(&print::one(&output, self.context.terminal)),
            (Ok(output), false, true) => print::text(&format!("{name}\t{}\n", print::brief(&output))),
            (Err(error), true, true) => print::json(&Line::Error {
                input: name,
                error: &error,
            }),
            (Err(error), _, _) => {
                eprintln!("error: {}", print::one_line(&anyhow!(error)));
                Ok(())
            }
        }
    }

    fn exit_code(&self) -> ExitCode {
        if self.failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

//! Inputs through a pipeline and out again, in batches: what `run`, `classify` and their like share.

mod routing;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use sensorium::{Input, InputError, Output, OutputKind, Pipeline, Registry, Route};
use serde::Serialize;

use self::routing::{Texts, route, texts};
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
    /// The most tokens that a text is continued by.
    pub max_new_tokens: Option<usize>,
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
    run_with(&Registry::builtin(), request, context, &mut io::stdout().lock())
}

fn run_with(
    registry: &Registry,
    request: &Request<'_>,
    context: &Context,
    out: &mut dyn Write,
) -> Result<ExitCode> {
    let Items { items, several } = inputs::expand(request.inputs)?;
    let hub = context.hub()?;
    let mut printer = Printer {
        context,
        several,
        failed: false,
        out,
    };

    let texts = texts(request, &items, registry, &hub)?;
    let read = |item: &Item| match item.text(texts == Texts::Any) {
        Some(text) if texts != Texts::None => Ok(text),
        _ => item.read(),
    };
    // The first input that can be read decides, where neither task nor model was named.
    let mut first_read = VecDeque::new();
    for item in &items {
        first_read.push_back(read(item));
        if matches!(first_read.back(), Some(Ok(_))) || first_read.len() == BATCH {
            break;
        }
    }
    let sample = first_read.iter().flatten().next();
    if sample.is_none() && request.task.is_none() && request.model.is_none() && items.len() <= BATCH {
        return report_unreadable(&items, first_read.into(), printer);
    }
    let route = route(request, sample, &items, several, registry, &hub)?;
    if request.explain {
        return explain(&route, printer);
    }
    for reason in &route.why {
        context.detail(reason);
    }
    let mut options = context.build_options(request.top_k);
    options.generation.max_new_tokens = request.max_new_tokens;
    let mut pipeline = registry.build(&route, &hub, &options)?;

    let bar = progress::items(items.len() as u64, "inputs", several && context.shows_progress());
    for batch in items.chunks(BATCH) {
        let mut slots = Vec::with_capacity(batch.len());
        let mut readable = Vec::with_capacity(batch.len());
        for item in batch {
            let read = first_read.pop_front().unwrap_or_else(|| read(item));
            slots.push(match read {
                Ok(input) if route.task.takes(input.kind()) => {
                    readable.push(input);
                    Slot::Run
                }
                Ok(input) if item.from_folder => Slot::Skip(what_it_is(&input)),
                Ok(input) => Slot::Failed(wrong_kind(&route, &input)),
                Err(InputError::Unrecognized { looks_like, .. }) if item.from_folder => {
                    Slot::Skip(format!("{} {looks_like}", item.name()))
                }
                Err(error) => Slot::Failed(print::causes(&error)),
            });
        }
        let mut outputs = run_batch(&mut *pipeline, &readable).into_iter();
        bar.suspend(|| -> Result<()> {
            for (item, slot) in batch.iter().zip(slots) {
                match slot {
                    Slot::Skip(what) => context.note(&format!("{what}: skipped")),
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

fn wrong_kind(route: &Route<'_>, input: &Input) -> String {
    let kinds: Vec<_> = route.task.inputs.iter().map(|kind| kind.with_article()).collect();
    let (task, expected) = (route.task.name, kinds.join(" or "));
    format!("the task `{task}` takes {expected}, but {}", what_it_is(input))
}

fn what_it_is(input: &Input) -> String {
    format!(
        "{} is {} ({})",
        input.origin,
        input.kind().with_article(),
        input.format
    )
}

fn explain(route: &Route<'_>, printer: Printer<'_>) -> Result<ExitCode> {
    let (task, model) = (route.task.name, route.model.as_deref());
    let text = if printer.context.global.json {
        print::json_line(&Explanation {
            task,
            model,
            why: &route.why,
        })?
    } else {
        let reasons: String = route.why.iter().map(|reason| format!("- {reason}\n")).collect();
        format!("task:  {task}\nmodel: {}\n{reasons}", model.unwrap_or("none"))
    };
    printer.out.write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// With nothing readable there is nothing to route by: each input's error is the result.
fn report_unreadable(
    items: &[Item],
    read: Vec<Result<Input, InputError>>,
    mut printer: Printer<'_>,
) -> Result<ExitCode> {
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
    out: &'a mut dyn Write,
}

impl Printer<'_> {
    fn print(&mut self, input: &str, result: Result<Output, String>) -> Result<()> {
        self.failed |= result.is_err();
        let text = match (&result, self.context.global.json, self.several) {
            (Ok(output), true, false) => print::json_line(output)?,
            (Ok(output), true, true) => print::json_line(&Line::Output { input, output })?,
            (Ok(output), false, false) => print::one(output, self.context.terminal),
            (Ok(output), false, true) => format!("{input}\t{}\n", print::brief(output)),
            (Err(error), true, true) => print::json_line(&Line::Error { input, error })?,
            (Err(error), _, _) => {
                eprintln!("error: {error}");
                return Ok(());
            }
        };
        Ok(self.out.write_all(text.as_bytes())?)
    }

    fn exit_code(&self) -> ExitCode {
        if self.failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use sensorium::{Content, InputKind, PipelineError, Task};
    use serde_json::{Value, json};
    use std::fs;

    /// Counts the words of a text, and has no number for one that says so.
    struct WordCount;

    impl Pipeline for WordCount {
        fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
            let count = |input: &Input| match &input.content {
                Content::Text(text) if text.contains("unspeakable") => {
                    Err(PipelineError::input(input, "it is unspeakable"))
                }
                Content::Text(text) => Ok(Output::Other(text.split_whitespace().count().into())),
                _ => Err(PipelineError::unsupported(input, "text")),
            };
            inputs.iter().map(count).collect()
        }
    }

    /// Runs `sensorium run ARGUMENTS` with a registry of one task: the lines printed, and whether all went well.
    fn run(arguments: &[&str], inputs: &[PathBuf]) -> (Vec<String>, bool) {
        let mut registry = Registry::empty();
        let task = Task {
            name: "word-count",
            inputs: &[InputKind::Text],
            build: Some(|_| Ok(Box::new(WordCount))),
            ..Task::EMPTY
        };
        registry.register(task).unwrap();
        let cli = crate::args::Cli::try_parse_from(["sensorium", "tasks"].iter().chain(arguments)).unwrap();
        let mut out = Vec::new();
        let request = Request {
            inputs,
            ..Request::default()
        };
        let code = run_with(&registry, &request, &Context::new(cli.global), &mut out).unwrap();
        let lines = String::from_utf8(out)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        (lines, format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS))
    }

    #[test]
    fn one_input_is_a_bare_value() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.txt");
        fs::write(&file, "to be or not to be").unwrap();
        assert_eq!(
            run(&["--json"], std::slice::from_ref(&file)),
            (vec!["6".to_owned()], true)
        );
        assert_eq!(run(&[], &[file]), (vec!["6".to_owned()], true));
    }

    #[test]
    fn several_inputs_keep_their_order_and_fail_alone() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let one = write("z.txt", b"one");
        let bad = write("b.txt", b"unspeakable");
        let image = write("c.png", b"\x89PNG\r\n\x1a\n");
        let two = write("a.txt", b"one two");
        let missing = dir.path().join("missing");

        let inputs = [one, bad, image, missing, two];
        let (lines, ok) = run(&["--json", "-q"], &inputs);
        let values: Vec<Value> = lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(!ok);
        let names: Vec<_> = values
            .iter()
            .map(|value| value["input"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            inputs
                .iter()
                .map(|path| path.to_str().unwrap())
                .collect::<Vec<_>>()
        );
        assert_eq!(values[0], json!({"input": names[0], "output": 1}));
        assert_eq!(
            values[1]["error"],
            format!("cannot use {}: it is unspeakable", names[1])
        );
        assert_eq!(
            values[2]["error"],
            format!(
                "the task `word-count` takes text, but {} is an image (PNG)",
                names[2]
            )
        );
        assert!(values[3]["error"].as_str().unwrap().starts_with("cannot read "));
        assert_eq!(values[4], json!({"input": names[4], "output": 2}));

        // The same files in a folder: what is no text is skipped, and is no failure.
        fs::remove_file(dir.path().join("b.txt")).unwrap();
        let (lines, ok) = run(&["-q"], &[dir.path().to_path_buf()]);
        assert!(ok);
        assert_eq!(lines, [format!("{}\t2", names[4]), format!("{}\t1", names[0])]);
    }

    #[test]
    fn more_inputs_than_a_batch() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..BATCH + 3 {
            fs::write(dir.path().join(format!("{i:04}")), "x ".repeat(i + 1)).unwrap();
        }
        let (lines, ok) = run(&["-q"], &[dir.path().to_path_buf()]);
        assert!(ok && lines.len() == BATCH + 3);
        assert!(
            lines
                .iter()
                .enumerate()
                .all(|(i, line)| line.ends_with(&format!("{i:04}\t{}", i + 1)))
        );
    }
}

//! `sensorium tasks`: every task, and whether it can run yet.

use std::process::ExitCode;

use anyhow::Result;
use sensorium::{InputKind, OutputKind, Registry, Task};
use serde::Serialize;

use crate::context::Context;
use crate::{print, table};

/// A task in JSON.
#[derive(Serialize)]
struct Entry<'a> {
    task: &'a str,
    aliases: &'a [&'a str],
    summary: &'a str,
    inputs: &'a [InputKind],
    output: OutputKind,
    default_model: Option<&'a str>,
    model_types: &'a [&'a str],
    available: bool,
}

/// Runs the command.
pub fn run(context: &Context) -> Result<ExitCode> {
    let registry = Registry::builtin();
    if context.global.json {
        let entries: Vec<_> = registry.tasks().iter().map(entry).collect();
        print::json(&entries)?;
    } else {
        let mut rows = vec![
            ["TASK", "TAKES", "GIVES", "MODEL", ""]
                .map(str::to_owned)
                .to_vec(),
        ];
        rows.extend(registry.tasks().iter().map(row));
        let mut types = vec![["RUNS NOW", "MODEL TYPES"].map(str::to_owned).to_vec()];
        let ready = registry.tasks().iter().filter(|task| task.build.is_some());
        types.extend(ready.map(|task| vec![task.name.to_owned(), task.model_types.join(", ")]));
        let [tasks, types] = [rows, types].map(|rows| table::aligned(&rows, None));
        print::text(&format!("{tasks}\n{types}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn entry(task: &Task) -> Entry<'static> {
    Entry {
        task: task.name,
        aliases: task.aliases,
        summary: task.summary,
        inputs: task.inputs,
        output: task.output,
        default_model: task.default_model,
        model_types: task.model_types,
        available: task.build.is_some(),
    }
}

fn row(task: &Task) -> Vec<String> {
    let inputs: Vec<_> = task.inputs.iter().map(|kind| kind.name()).collect();
    let model = if task.build.is_some() {
        task.default_model.unwrap_or("any")
    } else {
        "not yet"
    };
    [
        task.name,
        &inputs.join(", "),
        task.output.name(),
        model,
        task.summary,
    ]
    .map(str::to_owned)
    .to_vec()
}

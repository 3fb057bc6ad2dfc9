//! `sensorium doctor`: what this installation has and lacks.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Result;
use sensorium::doctor::{self, Report};

use crate::context::Context;
use crate::print;

/// Runs the command. Problems are part of the report and not a failure of the command.
pub fn run(context: &Context) -> Result<ExitCode> {
    if let Some(threads) = context.global.threads {
        sensorium::tch::set_num_threads(i32::from(threads));
    }
    let report = doctor::examine(&context.hub()?);
    if context.global.json {
        print::json(&report)?;
    } else {
        print::text(&describe(&report))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<11} {value}");
    };
    line(
        "sensorium",
        format!("{} ({})", report.version, list(&report.features)),
    );

    let libtorch = &report.libtorch;
    let version = libtorch.version.as_deref().unwrap_or("of unknown version");
    let path = libtorch
        .path
        .as_ref()
        .map_or("place unknown".to_owned(), |path| path.display().to_string());
    line("libtorch", format!("{version}, {path}"));
    let parts = [
        ("OpenMP", libtorch.openmp),
        ("MKL", libtorch.mkl),
        ("oneDNN", libtorch.onednn),
    ];
    let parts: Vec<_> = parts
        .iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| *name)
        .collect();
    line("", format!("with {}", list(&parts)));

    line(
        "CUDA",
        match (report.cuda.available, report.cuda.devices) {
            (false, _) => "none".to_owned(),
            (true, 1) => "1 device, cuda:0".to_owned(),
            (true, n) => format!("{n} devices, cuda:0 to cuda:{}", n - 1),
        },
    );
    let cpu = &report.cpu;
    let instructions = list(&cpu.instructions);
    line(
        "CPU",
        format!(
            "{} processors, {} threads, {instructions}",
            cpu.cores, cpu.threads
        ),
    );

    for folder in &report.folders {
        let path = folder
            .path
            .as_ref()
            .map_or("not set".to_owned(), |path| path.display().to_string());
        let state = if folder.exists || folder.path.is_none() {
            ""
        } else {
            ", not made yet"
        };
        line(
            "folder",
            format!("{path}{state} ({}; ${})", folder.purpose, folder.variable),
        );
    }
    for model in &report.models {
        line("model", format!("{} ({})", model.name, model.source));
    }
    for dataset in &report.datasets {
        let path = dataset
            .path
            .as_ref()
            .map_or("not here".to_owned(), |path| path.display().to_string());
        line("data set", format!("{}: {path}", dataset.name));
    }
    text.push('\n');
    if report.problems.is_empty() {
        text.push_str("Nothing is missing.\n");
    }
    for problem in &report.problems {
        let _ = writeln!(text, "! {}\n  {}", problem.problem, problem.remedy);
    }
    text
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

//! The program `sensorium`: flags, printing, exit statuses. All else is in the libraries.
//!
//! Exit status: 0 when all went well, 1 when something failed, 2 for wrong usage.

mod args;
mod bars;
mod caption_args;
mod check_args;
mod commands;
mod context;
mod inputs;
mod interrupt;
mod numbers;
mod outputs;
mod predict;
mod print;
mod progress;
mod rewrite;
mod sampling;
mod search_args;
mod table;
mod usage;

use std::panic;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use sensorium::{RegistryError, RouteError};

use crate::args::Cli;
use crate::context::Context;
use crate::usage::WrongUsage;

fn main() -> ExitCode {
    sensorium::blocks::keep_freed_memory();
    panic::set_hook(Box::new(|info| eprintln!("error: {}", bug_report(info))));
    panic::catch_unwind(|| match Cli::try_parse() {
        Ok(cli) => run(cli),
        Err(usage) => {
            let _ = usage.print(); // a closed output cannot be told about
            ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
        }
    })
    .unwrap_or(ExitCode::FAILURE)
}

fn run(cli: Cli) -> ExitCode {
    let context = Context::new(cli.global);
    let result = match cli.command {
        Some(command) => commands::run(command, &context),
        None if cli.version => commands::version::run(&context),
        None => {
            let _ = Cli::command().print_help();
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(code) => code,
        Err(error) if reader_is_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", print::one_line(&error));
            ExitCode::from(if is_wrong_usage(&error) { 2 } else { 1 })
        }
    }
}

fn reader_is_gone(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<print::StdoutError>()
        .is_some_and(print::StdoutError::reader_is_gone)
}

/// A name that is not one of those on a list is wrong usage, like a flag that does not exist or has no effect.
fn is_wrong_usage(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        if cause.is::<WrongUsage>() {
            return true;
        }
        let of_route = match cause.downcast_ref() {
            Some(RouteError::Task(error)) => Some(error),
            _ => None,
        };
        let task = of_route.or_else(|| cause.downcast_ref());
        matches!(task, Some(RegistryError::UnknownTask { .. }))
    })
}

/// A panic is a bug in Sensorium, whatever the input: one sentence that asks for a report.
fn bug_report(info: &panic::PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let message = payload.downcast_ref::<String>().map(String::as_str);
    let message = message
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    let message = print::without_stack(message);
    let place = info
        .location()
        .map(|at| format!(" ({}:{})", at.file(), at.line()))
        .unwrap_or_default();
    format!(
        "a bug in Sensorium: {message}{place}; please report it with the command at {}/issues",
        env!("CARGO_PKG_REPOSITORY")
    )
}

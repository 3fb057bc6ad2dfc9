//! The project's chores, as `cargo xtask <chore>`: get libtorch, run the demo, test and check everything.

mod app;
mod check;
mod demo;
mod examples;
mod parity;
mod setup;
mod steps;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Sensorium's chores",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Finds libtorch or puts it in the per-user cache; does nothing when it is there
    Setup {
        /// Also compares every file of the cached libtorch with its SHA-256
        #[arg(long)]
        verify: bool,
    },
    /// Builds Sensorium and runs it on the shipped models and samples
    Demo,
    /// Runs every test, every example and the app outside the workspace
    Test {
        /// Only the unit and integration tests
        #[arg(long)]
        quick: bool,
    },
    /// Compares Sensorium with the reference's outputs: [DIR…] [--case GLOB] [--out DIR] [--strict]
    #[command(disable_help_flag = true)]
    Parity {
        /// What the runner takes; --help shows it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Formatting, lints and documentation, with warnings as errors
    Check,
}

fn main() -> ExitCode {
    let result = match Cli::parse().chore {
        Chore::Setup { verify } => setup::run(verify),
        Chore::Demo => demo::run(),
        Chore::Test { quick } => test::run(quick),
        Chore::Parity { args } => parity::run(&args),
        Chore::Check => check::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

//! `cargo xtask parity`: Sensorium beside the reference's outputs.

use std::ffi::OsString;

use anyhow::Result;

use crate::{setup, workspace};

/// Runs the cases that `args` name, as the runner in `tests/parity` takes them.
///
/// # Errors
/// If a case falls short or cannot be read.
pub fn run(args: &[OsString]) -> Result<()> {
    setup::run(false)?;
    let mut command = workspace::cargo([
        "run",
        "--quiet",
        "-p",
        "sensorium-tests",
        "--bin",
        "sensorium-parity",
        "--",
    ]);
    workspace::run(command.args(args))
}

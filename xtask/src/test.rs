//! `cargo xtask test`: every test there is, with a summary.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::steps::Steps;
use crate::{app, examples, setup, workspace};

/// Runs the tests of the workspace, then the examples and the programs as a user would.
///
/// # Errors
/// If a test, an example or a program fails.
pub fn run(quick: bool) -> Result<()> {
    if quick {
        let mut steps = Steps::new(2);
        if steps.run("libtorch", || setup::run(false)) {
            steps.run("unit and integration tests", || {
                workspace_tests(&["--lib", "--bins", "--tests"])
            });
        }
        return steps.finish();
    }
    let missing = missing_data();
    let mut steps = Steps::new(5 + missing.len());
    if steps.run("libtorch", || setup::run(false)) {
        steps.run("tests of every crate, documentation's too", || {
            workspace_tests(&[])
        });
        for (tests, what) in &missing {
            steps.skip(tests, what);
        }
        steps.run("examples", examples::build_and_run);
        steps.run("the program, from another folder", program_elsewhere);
        if app::exists() {
            steps.run("an app outside the workspace", app::build_and_run);
        } else {
            steps.skip("an app outside the workspace", "examples/app is not there");
        }
    }
    steps.finish()
}

fn workspace_tests(which: &[&str]) -> Result<()> {
    workspace::run(workspace::cargo(["test", "--workspace", "--no-fail-fast"]).args(which))
}

/// Tests that pass without looking where their data are not beside the checkout, and what they lack.
fn missing_data() -> Vec<(&'static str, &'static str)> {
    let shared = workspace::root().join("../shared");
    let data = std::env::var_os("SENSORIUM_DATA").map_or(shared.join("datasets"), PathBuf::from);
    let mut missing = Vec::new();
    if !data.join("mnist").is_dir() {
        missing.push((
            "the shipped models' figures on real data",
            "no data sets beside the checkout, none in SENSORIUM_DATA",
        ));
    }
    if !shared.join("parity/cases").is_dir() {
        missing.push((
            "the reference's outputs but for the copied cases",
            "no cases beside the checkout",
        ));
    }
    missing
}

/// The built program has to find its libtorch wherever it is called from.
fn program_elsewhere() -> Result<()> {
    let build = ["build", "--package", "sensorium-cli", "--bin", "sensorium"];
    let binary = workspace::build_binary(&mut workspace::cargo(build))?;
    workspace::run(
        workspace::program(&binary)
            .arg("--version")
            .current_dir(Path::new("/")),
    )
}

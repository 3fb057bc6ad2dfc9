//! `cargo xtask test`: every test there is, with a summary.

use std::path::Path;

use anyhow::{Result, bail};

use crate::steps::Steps;
use crate::{app, setup, workspace};

/// Arguments of the examples that need some; the others are run without any.
const EXAMPLE_ARGS: &[(&str, &[&str])] = &[];

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
    let mut steps = Steps::new(5);
    if steps.run("libtorch", || setup::run(false)) {
        steps.run("tests of every crate, documentation's too", || {
            workspace_tests(&[])
        });
        steps.run("examples", examples);
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

/// Runs every example; each has to do its job in seconds on what is shipped.
fn examples() -> Result<()> {
    let mut failed = Vec::new();
    for (package, name) in app::workspace_examples()? {
        let args = EXAMPLE_ARGS
            .iter()
            .find(|(example, _)| *example == name)
            .map_or(&[][..], |(_, args)| args);
        let build = ["build", "--package", &package, "--example", &name];
        let outcome = workspace::build_binary(&mut workspace::cargo(build))
            .and_then(|binary| workspace::run(workspace::program(&binary).args(args)));
        if let Err(error) = outcome {
            eprintln!("error: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("these examples failed: {}", failed.join(", "));
    }
    Ok(())
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

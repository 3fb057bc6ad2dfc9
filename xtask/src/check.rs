//! `cargo xtask check`: formatting, lints and documentation, with warnings as errors.

use anyhow::Result;

use crate::steps::Steps;
use crate::{app, setup, workspace};

/// Checks the workspace and the app outside it.
///
/// # Errors
/// If a check finds something.
pub fn run() -> Result<()> {
    setup::run(false)?;
    let mut steps = Steps::new(3);
    steps.run("format", || {
        workspace::run(&mut workspace::cargo(["fmt", "--all", "--check"]))?;
        if app::exists() {
            workspace::run(app::cargo("fmt")?.arg("--check"))?;
        }
        Ok(())
    });
    steps.run("lints", || {
        let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        workspace::run(&mut workspace::cargo(clippy))?;
        if app::exists() {
            workspace::run(app::cargo("clippy")?.args(["--", "-D", "warnings"]))?;
        }
        Ok(())
    });
    steps.run("documentation", || {
        let doc = ["doc", "--workspace", "--no-deps"];
        workspace::run(workspace::cargo(doc).env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.finish()
}

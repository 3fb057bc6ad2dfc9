//! The example program outside the workspace, which links the crates as anybody's program would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace;
use anyhow::{Context, Result};

/// Whether the checkout has the app.
pub fn exists() -> bool {
    folder().join("Cargo.toml").is_file()
}

/// A cargo command on the app. It shares the workspace's target folder and locked versions, so that
/// what both depend on, libtorch's wrapper above all, is compiled once.
///
/// # Errors
/// If the workspace cannot be read or the app's lock file cannot be written.
pub fn cargo(subcommand: &str) -> Result<Command> {
    let metadata = workspace::metadata()?;
    let target = metadata["target_directory"]
        .as_str()
        .context("`cargo metadata` names no target folder")?;
    let (theirs, ours) = (workspace::root().join("Cargo.lock"), folder().join("Cargo.lock"));
    let modified = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if modified(&ours) < modified(&theirs) {
        fs::copy(&theirs, &ours).with_context(|| format!("cannot write {}", ours.display()))?;
    }
    let manifest = folder().join("Cargo.toml");
    let mut command = workspace::cargo([
        subcommand.as_ref(),
        "--manifest-path".as_ref(),
        manifest.as_os_str(),
    ]);
    command.env("CARGO_TARGET_DIR", target);
    Ok(command)
}

/// Builds the app and runs it in another folder, on a shipped sample.
///
/// # Errors
/// If it does not build or does not succeed.
pub fn build_and_run() -> Result<()> {
    let binary = workspace::build_binary(&mut cargo("build")?)?;
    let samples = workspace::digit_samples()?;
    workspace::run(
        workspace::program(&binary)
            .args(samples)
            .current_dir(std::env::temp_dir()),
    )
}

fn folder() -> PathBuf {
    workspace::root().join("examples/app")
}

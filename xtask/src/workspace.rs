//! Where things are, and how this project's cargo and binaries are called.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The folder of the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    let xtask =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map(Path::to_path_buf).unwrap_or(xtask)
}

/// `LIBTORCH` as the user set it. Cargo hands the chores the workspace's own default, which does not count.
pub fn user_libtorch() -> Option<PathBuf> {
    env::var_os("LIBTORCH")
        .map(PathBuf::from)
        .filter(|path| *path != root().join(".libtorch"))
}

/// A `cargo` run from the workspace root, in the environment a plain `cargo` in a shell would have.
///
/// `cargo run`, which started this program, adds variables of its own; build scripts that watch them
/// would run again each time the developer changes between `cargo build` and `cargo xtask`.
pub fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let from_cargo_run = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if from_cargo_run.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    if user_libtorch().is_none() {
        command.env_remove("LIBTORCH");
    }
    if let Some(data) = data_dir() {
        command.env("SENSORIUM_DATA", data);
    }
    command
}

/// A built program, started as from a plain shell: with nothing that helps it to find libtorch.
pub fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command
        .current_dir(root())
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("DYLD_FALLBACK_LIBRARY_PATH");
    if let Some(data) = data_dir() {
        command.env("SENSORIUM_DATA", data);
    }
    command
}

/// Data sets that lie beside the checkout, unless `SENSORIUM_DATA` already names some.
fn data_dir() -> Option<PathBuf> {
    if env::var_os("SENSORIUM_DATA").is_some() {
        return None;
    }
    root()
        .parent()
        .map(|parent| parent.join("shared/datasets"))
        .filter(|data| data.is_dir())
}

/// The shipped sample images of digits, sorted by name.
///
/// # Errors
/// If there are none.
pub fn digit_samples() -> Result<Vec<PathBuf>> {
    let folder = root().join("examples/samples/digits");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut samples: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    samples.retain(|path| path.extension().is_some_and(|extension| extension == "png"));
    samples.sort();
    if samples.is_empty() {
        bail!("{} has no PNG image", folder.display());
    }
    Ok(samples)
}

/// Runs `command` with its output on the terminal, after showing it.
///
/// # Errors
/// If it cannot be started or does not succeed.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", shown(command));
    let status = command
        .status()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs `command`, after showing it, and returns what it printed; its messages go to the terminal.
///
/// # Errors
/// If it cannot be started, does not succeed, or prints nothing.
pub fn output(command: &mut Command) -> Result<String> {
    println!("$ {}", shown(command));
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || text.is_empty() {
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    Ok(text)
}

/// Runs a `cargo build` and returns the one executable that it made.
///
/// # Errors
/// If the build fails or makes no executable.
pub fn build_binary(command: &mut Command) -> Result<PathBuf> {
    println!("$ {}", shown(command));
    let output = command
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shown(command), output.status);
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .with_context(|| format!("`{}` made no executable", shown(command)))
}

/// The answer of `cargo metadata` about the workspace's own packages.
///
/// # Errors
/// If cargo cannot read the workspace.
pub fn metadata() -> Result<Value> {
    let output = cargo(["metadata", "--no-deps", "--format-version=1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start `cargo metadata`")?;
    serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` says")
}

/// The command as one would type it in the workspace root.
fn shown(command: &Command) -> String {
    let root = root();
    let short = |word: &OsStr| {
        let path = Path::new(word);
        path.strip_prefix(&root).unwrap_or(path).display().to_string()
    };
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(short)
        .collect::<Vec<_>>()
        .join(" ")
}

//! `cargo xtask demo`: from a fresh clone to classified images, on shipped models and samples.

use anyhow::Result;

use crate::steps::Steps;
use crate::{setup, workspace};

/// What the demo runs, in order: a title and the program's arguments. `DIGIT` is one shipped sample image.
const SHOWN: &[(&str, &[&str])] = &[
    ("what is here", &["doctor"]),
    (
        "classify a folder of digits",
        &["classify", "examples/samples/digits"],
    ),
    ("find the task from the content", &["run", "DIGIT", "--explain"]),
];

/// Sets everything up, builds the program and runs it.
///
/// # Errors
/// If a step fails.
pub fn run() -> Result<()> {
    let mut steps = Steps::new(2 + SHOWN.len());
    if !steps.run("libtorch", || setup::run(false)) {
        return steps.finish();
    }
    let mut binary = None;
    steps.run(
        "build the program (a first build compiles libtorch's wrapper: some minutes)",
        || {
            let build = [
                "build",
                "--release",
                "--package",
                "sensorium-cli",
                "--bin",
                "sensorium",
            ];
            binary = Some(workspace::build_binary(&mut workspace::cargo(build))?);
            Ok(())
        },
    );
    let Some(binary) = binary else {
        return steps.finish();
    };
    for (title, args) in SHOWN {
        steps.run(title, || {
            let digit = workspace::digit_samples()?.into_iter().next().unwrap_or_default();
            let mut program = workspace::program(&binary);
            program.arg("--offline");
            for arg in *args {
                if *arg == "DIGIT" {
                    program.arg(&digit)
                } else {
                    program.arg(arg)
                };
            }
            workspace::run(&mut program)
        });
    }
    steps.finish()?;
    println!("\nThe program is {}", binary.display());
    println!("Try next:");
    println!("  {} classify YOUR_IMAGE", binary.display());
    println!("  {} tasks", binary.display());
    println!("  cargo xtask test");
    Ok(())
}

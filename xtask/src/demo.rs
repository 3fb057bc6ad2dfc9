//! `cargo xtask demo`: from a fresh clone to classified images, a scene, a translation and speech, on shipped
//! models and samples.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::steps::Steps;
use crate::{setup, workspace};

/// What the demo runs, in order: a title and the program's arguments. `DIGIT` is one shipped sample image.
const SHOWN: &[(&str, &[&str])] = &[
    ("what is here", &["doctor"]),
    ("find the task from the content", &["run", "DIGIT", "--explain"]),
    (
        "write a scene",
        &["generate", "ROMEO:", "--max-new-tokens", "300", "--seed", "1"],
    ),
    (
        "translate into German",
        &["translate", "A black dog runs through the snow.", "--to", "de"],
    ),
    (
        "write down what is said",
        &["transcribe", "examples/samples/speech/pi.wav"],
    ),
    (
        "speak",
        &[
            "speak",
            "Hello! It is 5:30 pm.",
            "--out",
            "target/hello.wav",
            "-v",
        ],
    ),
];

/// Sets everything up, builds the program and runs it.
///
/// # Errors
/// If a step fails.
pub fn run() -> Result<()> {
    let mut steps = Steps::new(3 + SHOWN.len());
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
    steps.run("classify a folder of digits", || classify(&binary));
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

/// Classifies the sample digits, whose names say what they are.
fn classify(program: &Path) -> Result<()> {
    let mut command = workspace::program(program);
    let answers = workspace::output(command.args(["--offline", "classify", "examples/samples/digits"]))?;
    print!("{answers}");
    for line in answers.lines() {
        let mut fields = line.split('\t');
        let (Some(path), Some(label)) = (fields.next(), fields.next()) else {
            bail!("expected a path and a label, found: {line}");
        };
        let name = Path::new(path).file_stem().context("a file name")?;
        if name != label {
            bail!("{path} was taken for a {label}");
        }
    }
    Ok(())
}

//! One picture, from the start of the process to its answer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::Shared;
use crate::table::{Better, OURS, Values};

/// The table's columns.
const METRICS: [(&str, Better); 1] = [("one picture s", Better::Lower)];

#[derive(clap::Args)]
pub struct Arguments {
    /// The program: target/release/sensorium
    program: PathBuf,
    /// A picture of a digit whose file name is the digit
    image: PathBuf,
}

pub fn run(arguments: &Arguments, shared: &Shared) -> Result<()> {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (model, script) = (bench.join("../models/mnist-cnn"), bench.join("peers/classify.py"));
    let mut values = Values::default();
    for round in 0..=shared.rounds {
        let mut add = |engine: &str, command: &mut Command| -> Result<()> {
            let seconds = time(command, &arguments.image)?;
            if round > 0 {
                values.add(engine, METRICS[0].0, seconds); // the first round fills the page cache
            }
            Ok(())
        };
        let mut ours = Command::new(&arguments.program);
        ours.args(["--offline", "classify", "--model", "mnist-cnn"]);
        add(OURS, ours.arg(&arguments.image))?;
        let Some(python) = &shared.python else { continue };
        for (engine, name) in [("torch", "PyTorch eager"), ("keras", "Keras on TensorFlow")] {
            let mut peer = Command::new(python);
            peer.arg(&script).arg(engine).arg(&model).arg(&arguments.image);
            add(name, &mut peer)?;
        }
    }
    values.print(&METRICS);
    Ok(())
}

/// The seconds that `command` takes to say which digit `image` shows.
fn time(command: &mut Command, image: &Path) -> Result<f64> {
    let start = Instant::now();
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let seconds = start.elapsed().as_secs_f64();
    let answer = String::from_utf8_lossy(&output.stdout);
    let digit = image.file_stem().context("a file name")?.to_string_lossy();
    let named = answer.split_whitespace().any(|word| word == digit);
    ensure!(output.status.success() && named, "{command:?} said {answer:?}");
    Ok(seconds)
}

//! `mnist-bench`: one epoch of `mnist-cnn` and the classification of the 10,000 test pictures, beside
//! Keras/TensorFlow and PyTorch eager on the same machine, data and threads.
//!
//! ```text
//! cargo run --release -p sensorium-benches -- DATA_DIR --python PYTHON
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use sensorium_blocks::Params;
use sensorium_train::Trainer;
use sensorium_train::recipes::mnist::{DataName, Session, Settings, evaluate, train};
use sensorium_vision::mnist::{Digits, Split};
use sensorium_vision::models::{Arch, Network};
use tch::Device;

/// The table's columns.
const METRICS: [(&str, Better); 2] = [("epoch s", Better::Lower), ("images/s", Better::Higher)];
const OURS: &str = "Sensorium";

#[derive(Clone, Copy)]
enum Better {
    Lower,
    Higher,
}

#[derive(Parser)]
#[command(about = "Times mnist-cnn beside Keras/TensorFlow and PyTorch eager")]
struct Arguments {
    /// Folder with the four MNIST files.
    data: PathBuf,
    /// A Python that has torch 2.11, tensorflow and numpy; without it only ours is timed.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Threads of every engine.
    #[arg(long, default_value_t = 2)]
    threads: i32,
    /// Times that the engines follow each other.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Every value measured, by engine and metric.
type Values = BTreeMap<(String, String), Vec<f64>>;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    tch::set_num_threads(arguments.threads);
    let mut values = Values::new();
    for _ in 0..arguments.rounds {
        for (metric, value) in ours(&arguments.data)? {
            values
                .entry((OURS.into(), metric.into()))
                .or_default()
                .push(value);
        }
        if let Some(python) = &arguments.python {
            for engine in ["torch", "keras"] {
                peer(python, engine, &arguments, &mut values)?;
            }
        }
    }
    print_table(&values);
    Ok(())
}

/// One epoch, loader included, and one pass over the test set.
fn ours(data: &Path) -> Result<[(&'static str, f64); 2]> {
    let out = std::env::temp_dir().join(format!("mnist-bench-{}", std::process::id()));
    let mut settings = Settings::preset(DataName::Mnist, Arch::MnistCnn);
    settings.trainer.epochs = 1;
    settings.validation = 0;
    // What the peers do: batches of 128, the pictures as they are, no average of the weights.
    settings.batch_size = 128;
    settings.augment = None;
    settings.trainer.ema_decay = None;
    let session = Session {
        data_dir: data,
        out: &out,
        resume: false,
        workers: 0,
        device: Device::Cpu,
        save_every: std::time::Duration::from_secs(60),
        stop: Default::default(),
        callback: &mut (),
    };
    std::fs::create_dir_all(&out)?;
    let report = train(&settings, session);
    let weights = sensorium_hub::SafetensorsFile::open(&out.join(Trainer::MODEL));
    std::fs::remove_dir_all(&out)?;
    let epoch = report?.record.epochs.first().context("one epoch")?.seconds;

    let network = Network::new(&Params::stored(std::sync::Arc::new(weights?)), Arch::MnistCnn, 10)?;
    let digits = Digits::load(data, Split::Test)?;
    evaluate(&network, &digits, Device::Cpu, 10); // warms up, as the peers do
    let start = Instant::now();
    let matrix = evaluate(&network, &digits, Device::Cpu, 10);
    let seconds = start.elapsed().as_secs_f64();
    ensure!(
        matrix.accuracy() > 0.9,
        "the network learned nothing: accuracy {}",
        matrix.accuracy()
    );
    Ok([("epoch s", epoch), ("images/s", matrix.total() as f64 / seconds)])
}

fn peer(python: &Path, engine: &str, arguments: &Arguments, values: &mut Values) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/mnist.py");
    let output = Command::new(python)
        .arg(script)
        .arg(engine)
        .arg(&arguments.data)
        .args(["--threads", &arguments.threads.to_string(), "--reps", "1"])
        .output()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the {engine} peer failed:\n{errors}");
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let value: serde_json::Value = serde_json::from_str(line).context("a peer prints JSON lines")?;
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_string();
        let number = value["value"].as_f64().context("a peer prints numbers")?;
        values
            .entry((text("peer"), text("metric")))
            .or_default()
            .push(number);
    }
    Ok(())
}

/// Medians, and how many times faster than each peer ours is.
fn print_table(values: &Values) {
    for (metric, better) in METRICS {
        let median_of = |peer: &str| {
            values
                .get(&(peer.to_string(), metric.to_string()))
                .map(|v| median(v))
        };
        let Some(ours) = median_of(OURS) else { continue };
        println!("{metric}\n  {OURS:<18} {ours:>12.3}");
        let peers = values
            .keys()
            .filter(|(peer, m)| m == metric && peer != OURS)
            .map(|(peer, _)| peer);
        for peer in peers {
            let Some(theirs) = median_of(peer) else { continue };
            let ratio = match better {
                Better::Lower => theirs / ours,
                Better::Higher => ours / theirs,
            };
            println!("  {peer:<18} {theirs:>12.3}   Sensorium is {ratio:.2} times as fast");
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

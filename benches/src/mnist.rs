//! An epoch of `mnist-cnn` and the 10,000 test pictures.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sensorium_blocks::Params;
use sensorium_train::recipes::Session;
use sensorium_train::recipes::mnist::{DataName, Settings, evaluate, train};
use sensorium_train::{RunFolder, Trainer};
use sensorium_vision::mnist::{Digits, Split};
use sensorium_vision::models::{Arch, Network};
use tch::Device;

use crate::Shared;
use crate::table::{Better, OURS, Values};

/// The table's columns.
const METRICS: [(&str, Better); 2] = [("epoch s", Better::Lower), ("images/s", Better::Higher)];

pub fn run(data: &Path, shared: &Shared) -> Result<()> {
    let mut values = Values::default();
    for _ in 0..shared.rounds {
        for (metric, value) in ours(data)? {
            values.add(OURS, metric, value);
        }
        let Some(python) = &shared.python else { continue };
        for engine in ["torch", "keras"] {
            let data = data.display().to_string();
            let threads = shared.threads.to_string();
            let arguments = [engine, &data, "--threads", &threads, "--reps", "1"].map(String::from);
            values.run_peer(python, "mnist.py", &arguments)?;
        }
    }
    values.print(&METRICS);
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
    let mut silent = ();
    let session = Session {
        workers: 0,
        ..Session::new(RunFolder::create(&out)?, &mut silent)
    };
    let report = train(&settings, data, session);
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

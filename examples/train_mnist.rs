//! Trains the small network on MNIST for an epoch and says how good it is.
//!
//! The data set is found as the program `sensorium` finds it: `$SENSORIUM_DATA`, then the cache.

use std::time::Instant;

use anyhow::Result;
use sensorium::hub::datasets::{DataOptions, DataStore};
use sensorium::tch::Device;
use sensorium::train::recipes::mnist::{DataName, Session, Settings, train};
use sensorium::train::{Callback, EpochRecord};
use sensorium::vision::models::Arch;

struct Print;

impl Callback for Print {
    fn on_epoch(&mut self, epoch: &EpochRecord, _best: bool) {
        println!(
            "epoch {}: validation accuracy {:.2} %",
            epoch.epoch,
            100.0 * epoch.validation.accuracy
        );
    }
}

fn main() -> Result<()> {
    let data = match DataStore::new(DataOptions::default())?.locate("mnist") {
        Ok(folder) => folder,
        Err(error) => {
            println!("nothing to train on: {error}");
            return Ok(());
        }
    };
    let mut settings = Settings::preset(DataName::Mnist, Arch::MnistCnn);
    settings.trainer.epochs = 1;
    let out = tempfile::tempdir()?;
    let start = Instant::now();
    let session = Session {
        data_dir: &data,
        out: out.path(),
        resume: false,
        workers: 1,
        device: Device::Cpu,
        save_every: std::time::Duration::from_secs(60),
        stop: Default::default(),
        callback: &mut Print,
    };
    let report = train(&settings, session)?;
    if let Some(test) = report.test {
        println!(
            "test accuracy {:.2} % after {:.1} s",
            100.0 * test.accuracy(),
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

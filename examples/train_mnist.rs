//! Trains the small network on MNIST for an epoch and says how good it is.
//!
//! The data set is found as the program `sensorium` finds it: `$SENSORIUM_DATA`, then the cache.

use std::time::Instant;

use anyhow::Result;
use sensorium::hub::datasets::{DataOptions, DataStore};
use sensorium::train::recipes::Session;
use sensorium::train::recipes::mnist::{DataName, Settings, train};
use sensorium::train::{Callback, EpochRecord, RunFolder};
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
    let folder = RunFolder::create(out.path())?;
    let report = train(&settings, &data, Session::new(folder, &mut Print))?;
    if let Some(test) = report.test {
        println!(
            "test accuracy {:.2} % after {:.1} s",
            100.0 * test.accuracy(),
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

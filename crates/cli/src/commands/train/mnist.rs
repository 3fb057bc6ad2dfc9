//! `sensorium train mnist` and `fashion-mnist`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use sensorium::train::recipes::mnist::{self, DataName, Report, Settings};
use sensorium::train::{Outcome, Trainer};
use sensorium::vision::models::Arch;
use serde_json::json;

use super::display::Display;
use super::options::{RunArgs, factor, set, share, stopped};
use crate::context::Context;
use crate::print;

/// The settings of a run. What is not given comes from the network's own recipe.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// The network
    #[arg(long, value_enum, default_value = "mnist-net")]
    arch: ArchName,
    /// Passes over the training set [default: 10 for mnist-cnn, 20 for mnist-net]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Folder that holds the data set [default: $SENSORIUM_DATA, then the cache]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Training pictures held out to validate on; with 0 all are trained on, and each epoch shows the
    /// test set's numbers
    #[arg(long, value_name = "N")]
    validation: Option<usize>,
    /// Pictures a step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
    /// Share of the target spread over all classes
    #[arg(long, value_name = "SHARE", value_parser = share)]
    label_smoothing: Option<f64>,
    /// How much the pictures are distorted at random, as a factor of the recipe's own; 0 not at all
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    augment: Option<f64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ArchName {
    MnistCnn,
    MnistNet,
}

impl Args {
    fn settings(&self, data: DataName, seed: u64) -> Settings {
        let arch = match self.arch {
            ArchName::MnistCnn => Arch::MnistCnn,
            ArchName::MnistNet => Arch::MnistNet,
        };
        let mut settings = Settings::preset(data, arch);
        let trainer = &mut settings.trainer;
        trainer.seed = seed;
        set(&mut trainer.epochs, self.epochs.map(|n| n as usize));
        self.run.apply(trainer);
        set(&mut settings.validation, self.validation);
        set(&mut settings.batch_size, self.batch_size.map(|n| n as usize));
        set(&mut settings.smoothing, self.label_smoothing);
        if let Some(factor) = self.augment {
            let scaled = settings.augment.map(|augment| augment.scaled(factor as f32));
            settings.augment = scaled.filter(|_| factor > 0.0);
        }
        settings
    }
}

/// Runs the command.
pub fn run(data: DataName, args: &Args, context: &Context) -> Result<ExitCode> {
    context.only_f32("training")?;
    let settings = args.settings(data, context.global.seed.unwrap_or(0));
    let device = context.device()?;
    let folder = args.run.folder()?;
    let data_dir = context.data_store(args.data.clone())?.locate(data.name())?;
    let mut display = Display::new(context, "images");
    if settings.validation == 0 {
        display = display.validated_on("test");
    }
    let session = args.run.session(folder, device, &mut display)?;
    let report = mnist::train(&settings, &data_dir, session)?;
    display.finish();
    if report.outcome == Outcome::Stopped {
        return Ok(stopped(report.record.epochs.len(), args.run.out()));
    }
    tell(&report, args.run.out(), context)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(report: &Report, out: &Path, context: &Context) -> Result<()> {
    let accuracy = report.record.test_accuracy;
    if context.global.json {
        return print::json(&json!({
            "out": out, "test_accuracy": accuracy, "parameters": report.record.parameters,
            "seconds": report.record.seconds,
        }));
    }
    let mut text = String::new();
    if let Some(test) = &report.test {
        let (correct, total) = (test.correct(), test.total());
        text += &format!(
            "test accuracy  {:.2} % ({correct} of {total})\n",
            100.0 * test.accuracy()
        );
    }
    text += &format!("parameters     {}\n", report.record.parameters);
    text += &format!("training time  {:.1} s\n", report.record.seconds);
    text += &format!("model          {}\n", out.join(Trainer::MODEL).display());
    text += &format!("plot           {}\n", out.join(Trainer::PLOT).display());
    print::text(&text)
}

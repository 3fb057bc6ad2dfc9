//! `sensorium train`: from data to a model folder.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use indicatif::ProgressBar;
use sensorium::train::recipes::mnist::{self, DataName, Report, Session, Settings};
use sensorium::train::{Callback, EpochRecord, Optimizer, Outcome, Schedule, StepStatus, Trainer};
use sensorium::vision::models::Arch;
use serde_json::json;

use crate::context::Context;
use crate::{print, progress};

/// What to train on.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Handwritten digits
    Mnist(Args),
    /// Pictures of clothes, 28×28 like MNIST
    FashionMnist(Args),
}

/// The settings of a run. What is not given comes from the network's own recipe.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for the model and the run's records
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The network
    #[arg(long, value_enum, default_value = "mnist-net")]
    arch: ArchName,
    /// Passes over the training set [default: 10 for mnist-cnn, 16 for mnist-net]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Go on with the run in the output folder
    #[arg(long)]
    resume: bool,
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
    /// Peak learning rate
    #[arg(long, value_name = "RATE", value_parser = positive)]
    lr: Option<f64>,
    /// Course of the learning rate
    #[arg(long, value_enum)]
    schedule: Option<ScheduleName>,
    /// Share of the run in which the learning rate rises
    #[arg(long, value_name = "SHARE", value_parser = share)]
    warmup: Option<f64>,
    /// The optimiser
    #[arg(long, value_enum)]
    optimizer: Option<OptimizerName>,
    /// Largest norm of the gradients
    #[arg(long, value_name = "NORM", value_parser = positive)]
    clip_norm: Option<f64>,
    /// Decay of the weights' moving average
    #[arg(long, value_name = "DECAY", value_parser = share)]
    ema: Option<f64>,
    /// Share of the target spread over all classes
    #[arg(long, value_name = "SHARE", value_parser = share)]
    label_smoothing: Option<f64>,
    /// How much the pictures are distorted at random, as a factor of the recipe's own; 0 not at all
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    augment: Option<f64>,
    /// Seconds between checkpoints within an epoch
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    save_every: u32,
    /// Threads that prepare batches
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ArchName {
    MnistCnn,
    MnistNet,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScheduleName {
    Constant,
    Step,
    Cosine,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OptimizerName {
    Sgd,
    Adam,
    Adamw,
    Adagrad,
}

fn positive(text: &str) -> Result<f64, String> {
    number_where(text, |x| x > 0.0, "a number above 0")
}

fn factor(text: &str) -> Result<f64, String> {
    number_where(text, |x| (0.0..=5.0).contains(&x), "a number from 0 to 5")
}

fn share(text: &str) -> Result<f64, String> {
    number_where(text, |x| (0.0..1.0).contains(&x), "a number from 0 to below 1")
}

fn number_where(text: &str, good: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|x| x.is_finite() && good(*x));
    number.ok_or_else(|| format!("expected {expected}"))
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
        set(&mut trainer.learning_rate.peak, self.lr);
        set(&mut trainer.learning_rate.warmup, self.warmup);
        set(&mut trainer.learning_rate.schedule, self.schedule.map(schedule));
        set(&mut trainer.optimizer, self.optimizer.map(optimizer));
        trainer.clip_norm = self.clip_norm.or(trainer.clip_norm);
        trainer.ema_decay = self.ema.or(trainer.ema_decay);
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

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

fn schedule(name: ScheduleName) -> Schedule {
    match name {
        ScheduleName::Constant => Schedule::Constant,
        ScheduleName::Step => Schedule::Step {
            every: 0.3,
            factor: 0.1,
        },
        ScheduleName::Cosine => Schedule::Cosine,
    }
}

fn optimizer(name: OptimizerName) -> Optimizer {
    match name {
        OptimizerName::Sgd => Optimizer::SGD,
        OptimizerName::Adam => Optimizer::ADAM,
        OptimizerName::Adamw => Optimizer::ADAMW,
        OptimizerName::Adagrad => Optimizer::ADAGRAD,
    }
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<ExitCode> {
    let (data, args) = match command {
        Command::Mnist(args) => (DataName::Mnist, args),
        Command::FashionMnist(args) => (DataName::FashionMnist, args),
    };
    let settings = args.settings(data, context.global.seed.unwrap_or(0));
    let data_dir = context.data_store(args.data.clone())?.locate(data.name())?;
    let device = context.device()?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make the output folder {}", args.out.display()))?;

    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    // The first Ctrl-C ends the step and saves; the second one ends the program.
    ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?;
    let mut display = Display { context, bar: None };
    let session = Session {
        data_dir: &data_dir,
        out: &args.out,
        resume: args.resume,
        workers: args.workers,
        device,
        save_every: Duration::from_secs(args.save_every.into()),
        stop,
        callback: &mut display,
    };
    let report = mnist::train(&settings, session)?;
    display.finish();
    tell(&report, &args.out, context)?;
    Ok(if report.outcome == Outcome::Finished {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(130)
    })
}

fn tell(report: &Report, out: &Path, context: &Context) -> Result<()> {
    if report.outcome == Outcome::Stopped {
        let epochs = report.record.epochs.len();
        eprintln!(
            "stopped after {epochs} whole epochs; all is saved in {}: the same command with --resume goes on",
            out.display()
        );
        return Ok(());
    }
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

/// A bar for the epoch under way and a line for each that is done.
struct Display<'a> {
    context: &'a Context,
    bar: Option<ProgressBar>,
}

impl Display<'_> {
    fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Callback for Display<'_> {
    fn on_step(&mut self, status: &StepStatus) {
        if !self.context.shows_progress() {
            return;
        }
        let bar = self
            .bar
            .get_or_insert_with(|| progress::epoch(status.batches as u64));
        bar.set_position(status.batch as u64);
        bar.set_message(format!(
            "epoch {}/{}  loss {:.4}  accuracy {:.2} %  {:.0} images/s  {} left",
            status.epoch,
            status.epochs,
            status.running.loss,
            100.0 * status.running.accuracy,
            status.examples_per_second,
            progress::time(status.seconds_left),
        ));
    }

    fn on_epoch(&mut self, epoch: &EpochRecord, best: bool) {
        self.finish();
        if self.context.global.json {
            // A reader that has gone away must not end the training.
            let _ = print::json(&epoch);
        } else if !self.context.global.quiet {
            eprintln!(
                "epoch {:>3}  loss {:.4}  accuracy {:.2} %  validation loss {:.4}  accuracy {:.2} %{}  {:.0} images/s",
                epoch.epoch,
                epoch.train.loss,
                100.0 * epoch.train.accuracy,
                epoch.validation.loss,
                100.0 * epoch.validation.accuracy,
                if best { " *" } else { "  " },
                epoch.examples_per_second,
            );
        }
    }
}

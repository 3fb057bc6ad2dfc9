//! How a run shows itself.

use indicatif::ProgressBar;
use sensorium::train::{Callback, EpochRecord, StepStatus};

use crate::context::Context;
use crate::{print, progress};

/// A bar for the epoch under way and a line for each that is done.
pub struct Display<'a> {
    context: &'a Context,
    bar: Option<ProgressBar>,
    /// What is counted a second.
    examples: &'static str,
    /// The set that is validated on.
    validation: &'static str,
}

impl<'a> Display<'a> {
    /// A display that counts `examples` (their plural).
    pub fn new(context: &'a Context, examples: &'static str) -> Self {
        Self {
            context,
            bar: None,
            examples,
            validation: "validation",
        }
    }

    /// Calls the set that is validated on by its name.
    pub fn validated_on(self, set: &'static str) -> Self {
        Self {
            validation: set,
            ..self
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
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
            "epoch {}/{}  loss {:.4}  accuracy {:.2} %  {:.0} {}/s  {} left",
            status.epoch,
            status.epochs,
            status.running.loss,
            100.0 * status.running.accuracy,
            status.examples_per_second,
            self.examples,
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
                "epoch {:>3}  loss {:.4}  accuracy {:.2} %  {} loss {:.4}  accuracy {:.2} %{}  {:.0} {}/s",
                epoch.epoch,
                epoch.train.loss,
                100.0 * epoch.train.accuracy,
                self.validation,
                epoch.validation.loss,
                100.0 * epoch.validation.accuracy,
                if best { " *" } else { "  " },
                epoch.examples_per_second,
                self.examples,
            );
        }
    }
}

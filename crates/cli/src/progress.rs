//! Progress bars on standard error.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use sensorium::hub::Progress;

const BYTES: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const ITEMS: &str = "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}";

/// A bar for each file that is downloaded.
#[derive(Debug, Default)]
pub struct Downloads {
    bar: Mutex<Option<ProgressBar>>,
}

impl Downloads {
    fn with(&self, act: impl FnOnce(&mut Option<ProgressBar>)) {
        act(&mut self.bar.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Progress for Downloads {
    fn begin(&self, file: &str, total_bytes: u64) {
        self.with(|bar| *bar = Some(styled(total_bytes, BYTES, file)));
    }

    fn advance(&self, bytes: u64) {
        self.with(|bar| {
            if let Some(bar) = bar {
                bar.inc(bytes);
            }
        });
    }

    fn end(&self) {
        self.with(|bar| {
            if let Some(bar) = bar.take() {
                bar.finish();
            }
        });
    }
}

/// A bar over `total` items, that goes away at its end; none at all unless `visible`.
pub fn items(total: u64, message: &str, visible: bool) -> ProgressBar {
    if visible {
        styled(total, ITEMS, message)
    } else {
        ProgressBar::hidden()
    }
}

/// A bar over the batches of an epoch, with a message of its own; it goes away at the end.
pub fn epoch(batches: u64) -> ProgressBar {
    styled(batches, "[{bar:20}] {msg}", "")
}

/// Seconds for people: `1 h 02 min`, `3 min 20 s`, `12 s`.
pub fn time(seconds: f64) -> String {
    let seconds = seconds.clamp(0.0, 1e9).round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) => format!("{h} h {m:02} min"),
    }
}

fn styled(total: u64, template: &str, message: &str) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(message.to_owned());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

//! Progress bars on standard error.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use sensorium::Partial;
use sensorium::hub::Progress;

const BYTES: &str = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const ITEMS: &str = "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}";
const RECORDING: &str = "{prefix} [{bar:30}] {msg}";

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

/// A bar over inputs, or over the seconds of the recording among them that is being heard.
pub struct Inputs {
    bar: ProgressBar,
    visible: bool,
    count: usize,
    done: usize,
    /// What is done with the recording, and when and where that began.
    begin: Option<(&'static str, Instant, f64)>,
}

impl Inputs {
    /// A bar over `count` inputs; of one, only if it is a recording. None at all unless `visible`.
    pub fn new(count: usize, visible: bool) -> Self {
        Self {
            bar: items(count as u64, "inputs", visible && count > 1),
            visible,
            count,
            done: 0,
            begin: None,
        }
    }

    /// Shows how far a recording is heard.
    pub fn show(&mut self, partial: &Partial<'_>) {
        let (what, at, of) = match *partial {
            _ if !self.visible => return,
            Partial::Read { at, of } => ("reading", at, of),
            Partial::Done { at, of } => ("writing", at, Some(of)),
            _ => return,
        };
        if self.begin.is_none() {
            self.bar.finish_and_clear();
            self.bar = styled(0, RECORDING, "");
        }
        let (_, begin, from) = match self.begin {
            Some(begin) if begin.0 == what => begin,
            _ => *self.begin.insert((what, Instant::now(), at)),
        };
        let place = |seconds: f64| (seconds.clamp(0.0, 1e9) * 1000.0) as u64;
        self.bar.set_length(place(of.unwrap_or(0.0)));
        self.bar.set_position(place(at));
        let number = match self.count {
            1 => String::new(),
            count => format!("{}/{count} ", self.done + 1),
        };
        let of = of.map_or(String::new(), |of| format!(" of {}", clock(of)));
        let speed = match at > from {
            true => format!(", {:.1} x real time", (at - from) / begin.elapsed().as_secs_f64()),
            false => String::new(),
        };
        self.bar.set_prefix(format!("{number}{what}"));
        self.bar.set_message(format!("{}{of}{speed}", clock(at)));
    }

    /// So many inputs are done.
    pub fn done(&mut self, count: usize) {
        self.done += count;
        match self.begin.take() {
            None => self.bar.inc(count as u64),
            Some(_) => self.hide(),
        }
    }

    /// Acts while the bar is away.
    pub fn beside<T>(&self, act: impl FnOnce() -> T) -> T {
        self.bar.suspend(act)
    }

    /// Takes the bar away.
    pub fn hide(&mut self) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::hidden();
    }
}

/// A bar over the batches of an epoch, with a message of its own; it goes away at the end.
pub fn epoch(batches: u64) -> ProgressBar {
    styled(batches, "[{bar:20}] {msg}", "")
}

/// A place in a recording: `1:02:03`, `2:03`.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.clamp(0.0, 1e9) as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, m, s) => format!("{m}:{s:02}"),
        (h, m, s) => format!("{h}:{m:02}:{s:02}"),
    }
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

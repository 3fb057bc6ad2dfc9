//! The hub crate from outside: checkpoints, models, pulls from a hub on loopback, data sets.

mod checkpoints;
mod damage;
mod datasets;
mod models;
mod pull;
mod refusals;
mod server;
mod torch;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use sensorium_hub::Progress;

/// An error as a program prints it: with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line += &format!(": {cause}");
        source = cause.source();
    }
    line
}

/// Asserts that an error's line holds all `parts` and is one line.
fn says(error: &dyn Error, parts: &[&str]) {
    let line = chain(error);
    for part in parts {
        assert!(line.contains(part), "`{part}` is not in: {line}");
    }
    assert!(!line.contains('\n'), "{line}");
}

/// Every file below `dir`, relative to it, sorted; links count as files.
fn tree(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, root: &Path, files: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => walk(&entry.path(), root, files),
                false => files.push(
                    entry
                        .path()
                        .strip_prefix(root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_string(),
                ),
            }
        }
    }
    let mut files = Vec::new();
    if dir.is_dir() {
        walk(dir, dir, &mut files);
    }
    files.sort();
    files
}

/// Writes down what it is told.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Progress for Recorder {
    fn begin(&self, file: &str, total_bytes: u64) {
        self.0.lock().unwrap().push(format!("{file} {total_bytes}"));
    }

    fn advance(&self, bytes: u64) {
        self.0.lock().unwrap().push(format!("+{bytes}"));
    }

    fn end(&self) {
        self.0.lock().unwrap().push("end".to_string());
    }
}

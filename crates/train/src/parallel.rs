//! Parallel texts: a file for each of two languages, a segment a line.

use std::path::{Path, PathBuf};

pub use crate::corpus::lines;
use crate::corpus::problem;
use crate::error::Result;

/// Segments in two languages, one beside the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// What is translated.
    pub source: Vec<String>,
    /// What it means.
    pub target: Vec<String>,
}

impl Pairs {
    /// The number of segments.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.source.is_empty()
    }
}

/// What the files of a split may be called, before the language's ending.
const TRAIN: &[&str] = &["train", "training"];
const VALIDATION: &[&str] = &["valid", "validation", "val", "dev"];

/// Reads `train.FROM` and `train.TO` in `dir`, and `valid` (or `val`, `dev`) likewise; all may be gzipped.
///
/// # Errors
/// If a file is missing, unreadable, not UTF-8 or empty, or two that belong together differ in their lines.
pub fn read(dir: &Path, from: &str, to: &str) -> Result<[Pairs; 2]> {
    let split = |names: &[&str]| -> Result<Pairs> {
        let found = names
            .iter()
            .find_map(|name| Some([find(dir, name, from)?, find(dir, name, to)?]));
        let Some([source, target]) = found else {
            let name = names[0];
            let message = format!("has no {name}.{from} and {name}.{to}, gzipped or not");
            return Err(problem(dir, &message));
        };
        read_files(&source, &target)
    };
    Ok([split(TRAIN)?, split(VALIDATION)?])
}

/// Reads two files that belong together.
///
/// # Errors
/// As [`read`].
pub fn read_files(source: &Path, target: &Path) -> Result<Pairs> {
    let pairs = Pairs {
        source: lines(source)?,
        target: lines(target)?,
    };
    if pairs.source.len() != pairs.target.len() {
        let message = format!(
            "has {} lines, {} has {}: each line must have its translation",
            pairs.source.len(),
            target.display(),
            pairs.target.len()
        );
        return Err(problem(source, &message));
    }
    Ok(pairs)
}

fn find(dir: &Path, name: &str, language: &str) -> Option<PathBuf> {
    let candidates = [
        format!("{name}.{language}"),
        format!("{name}.{language}.gz"),
        format!("{name}.{language}.txt"),
    ];
    candidates
        .into_iter()
        .map(|file| dir.join(file))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_of_two_languages_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        for (name, text) in [
            ("train.en", "one\ntwo\n"),
            ("train.de", "eins\nzwei\n"),
            ("dev.en", "x"),
            ("dev.de", "y"),
        ] {
            write(name, text);
        }
        let [train, validation] = read(dir.path(), "en", "de").unwrap();
        assert_eq!(train.target, ["eins", "zwei"]);
        assert_eq!((validation.len(), train.is_empty()), (1, false));
        write("train.de", "eins\n");
        let message = read(dir.path(), "en", "de").unwrap_err().to_string();
        assert!(message.contains("train.en has 2 lines"), "{message}");
        let message = read(dir.path(), "en", "fr").unwrap_err().to_string();
        assert!(
            message.ends_with("has no train.en and train.fr, gzipped or not"),
            "{message}"
        );
    }
}

//! The files that a command writes, none of them twice.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The files that were written, and what for.
#[derive(Debug, Default)]
pub struct Outputs(HashMap<PathBuf, String>);

impl Outputs {
    /// Takes the file `target` for what comes of `input`; an error if it was taken before.
    pub fn take(&mut self, target: &Path, input: &str) -> Result<()> {
        if let Some(other) = self.0.insert(place(target), input.to_string()) {
            self.0.insert(place(target), other.clone());
            bail!(
                "{} has what came of {other}, and {input} would replace it: give each a file of its own",
                target.display()
            );
        }
        Ok(())
    }
}

/// The same for all names of a file that need not be there yet.
fn place(target: &Path) -> PathBuf {
    let Some(name) = target.file_name() else {
        return target.to_path_buf();
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match folder.canonicalize() {
        Ok(folder) => folder.join(name),
        Err(_) => target.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::default();
        outputs.take(&dir.path().join("x.wav"), "a/x.txt").unwrap();
        outputs.take(&dir.path().join("y.wav"), "a/y.txt").unwrap();
        for _ in 0..2 {
            let error = outputs.take(&dir.path().join("./x.wav"), "b/x.txt").unwrap_err();
            assert!(error.to_string().contains("has what came of a/x.txt"), "{error}");
        }
    }
}

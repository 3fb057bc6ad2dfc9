//! The folder of a run, which belongs to one run at a time.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::Trainer;
use crate::error::{Result, TrainError};
use crate::record::TrainingRecord;

/// Where a run leaves its files. No other run can have the folder while this one is there.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    resumes: bool,
    made: bool,
    /// Holds the lock; a system without locks on folders goes without.
    _lock: Option<File>,
}

impl RunFolder {
    /// Files of a model or a run, which a new run must not replace.
    const TAKEN_BY: [&str; 4] = [
        Trainer::CHECKPOINT,
        Trainer::MODEL,
        TrainingRecord::FILE,
        "config.json",
    ];

    /// The folder `path` for a new run, made if it is not there.
    ///
    /// # Errors
    /// If a model or a run is in it, another run has it, or it cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = Self::open(path, false)?;
        match Self::TAKEN_BY.into_iter().find(|file| path.join(file).exists()) {
            Some(Trainer::CHECKPOINT) => Err(TrainError::OutputTaken { dir: path.into() }),
            Some(file) => Err(TrainError::ModelThere {
                dir: path.into(),
                file,
            }),
            None => Ok(folder),
        }
    }

    /// The folder `path` with the run that goes on in it.
    ///
    /// # Errors
    /// If there is no checkpoint in it, or another run has it.
    pub fn resume(path: &Path) -> Result<Self> {
        if !path.join(Trainer::CHECKPOINT).exists() {
            return Err(TrainError::NothingToResume {
                dir: path.into(),
                file: Trainer::CHECKPOINT,
            });
        }
        Self::open(path, true)
    }

    fn open(path: &Path, resumes: bool) -> Result<Self> {
        let made = !path.exists();
        let failed = |source| TrainError::Folder {
            dir: path.into(),
            source,
        };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = File::open(path).ok();
        if let Some(Err(TryLockError::WouldBlock)) = lock.as_ref().map(File::try_lock) {
            return Err(TrainError::OutputBusy { dir: path.into() });
        }
        Ok(Self {
            path: path.into(),
            resumes,
            made,
            _lock: lock,
        })
    }

    /// Whether a run goes on here.
    pub fn resumes(&self) -> bool {
        self.resumes
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file `name` in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for RunFolder {
    /// A run that failed before it wrote anything leaves no folder behind.
    fn drop(&mut self) {
        if self.made {
            let _ = fs::remove_dir(&self.path); // refused unless empty
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        let first = RunFolder::create(&path).unwrap();
        let second = RunFolder::create(&path).unwrap_err();
        assert!(matches!(second, TrainError::OutputBusy { .. }), "{second}");
        fs::write(first.file(Trainer::CHECKPOINT), "").unwrap();
        drop(first);
        let again = RunFolder::create(&path).unwrap_err();
        assert!(matches!(again, TrainError::OutputTaken { .. }), "{again}");
        assert!(RunFolder::resume(&path).unwrap().resumes());
    }

    #[test]
    fn a_model_is_not_replaced() {
        for file in ["config.json", "model.safetensors", "training.json"] {
            let dir = tempfile::tempdir().unwrap();
            fs::write(dir.path().join(file), "").unwrap();
            let error = RunFolder::create(dir.path()).unwrap_err().to_string();
            assert!(
                error.contains(file) && error.contains("another folder"),
                "{error}"
            );
        }
    }

    #[test]
    fn nothing_written_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        drop(RunFolder::create(&path).unwrap());
        assert!(!path.exists());
        drop(RunFolder::create(dir.path()).unwrap());
        assert!(dir.path().exists(), "a folder that was there stays");
        assert!(RunFolder::resume(&path).is_err());
        assert!(!path.exists());
    }
}

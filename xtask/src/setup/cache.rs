//! The per-user cache: one libtorch, put there whole or not at all, whoever else is at it.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::manifest::{self, Entry};
use super::platform::{Platform, VERSION};
use super::wheel;

/// Puts a platform's libtorch into a cache folder.
pub struct Installer<'a> {
    pub platform: &'a Platform,
    /// The cache folder; made when it is missing.
    pub cache: PathBuf,
    /// The Python whose pip downloads.
    pub python: PathBuf,
}

/// Whether setup had to do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Already,
    Installed,
}

impl Installer<'_> {
    /// Where the libtorch is, or will be.
    pub fn folder(&self) -> PathBuf {
        self.cache.join(self.platform.folder())
    }

    /// Finds a sound libtorch in the cache or puts one there. With `full`, a found one is checked by SHA-256.
    ///
    /// # Errors
    /// If the cache cannot be written, space is short, or the download fails. Nothing is left that a later
    /// run would trust.
    pub fn install(&self, full: bool) -> Result<Found> {
        let folder = self.folder();
        if manifest::verify(&folder, full).is_ok() {
            return Ok(Found::Already);
        }
        fs::create_dir_all(&self.cache).with_context(|| self.unwritable())?;
        let _lock = self.lock()?;
        if let Err(reason) = manifest::verify(&folder, full) {
            if folder.exists() {
                println!("the libtorch in the cache cannot be trusted ({reason:#}): getting it again");
            }
        } else {
            return Ok(Found::Already); // another setup did it while this one waited
        }
        self.sweep()?;
        self.check_space()?;
        let staging = self.cache.join(format!(
            "{}{STAGING}-{}",
            self.platform.folder(),
            std::process::id()
        ));
        let done = self.fill(&staging).and_then(|()| {
            if folder.exists() {
                fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
            }
            fs::rename(&staging, &folder)
                .with_context(|| format!("cannot move libtorch to {}", folder.display()))
        });
        if done.is_err() {
            let _ = fs::remove_dir_all(&staging); // the error that matters is the first one
        }
        done.map(|()| Found::Installed)
    }

    /// Downloads, checks and unpacks; the manifest is written last.
    fn fill(&self, staging: &Path) -> Result<()> {
        let wheels = staging.join("wheels");
        fs::create_dir_all(&wheels).with_context(|| self.unwritable())?;
        println!(
            "downloading libtorch {VERSION} for {} with pip, once for this user",
            self.platform.name
        );
        wheel::download(&self.python, self.platform, &wheels)?;
        println!("checking and unpacking to {}", self.folder().display());
        let mut entries = Vec::new();
        for path in wheel::check(self.platform, &wheels)? {
            entries.extend(wheel::unpack(&path, self.platform, staging)?);
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        fs::remove_dir_all(&wheels).with_context(|| format!("cannot remove {}", wheels.display()))?;
        for lib in self.platform.libs {
            if !entries.iter().any(|entry| entry.path == format!("lib/{lib}")) {
                bail!(
                    "the wheels of libtorch {VERSION} for {} have no {lib}",
                    self.platform.name
                );
            }
        }
        if self.platform.links_cpu_only {
            entries.push(text_file(staging, "lib/libtorch.so", "INPUT(-ltorch_cpu)\n")?);
        }
        entries.push(text_file(staging, "build-version", &format!("{VERSION}\n"))?);
        manifest::write(staging, &entries)
    }

    /// Waits for other setups to end; the lock goes with the file.
    fn lock(&self) -> Result<File> {
        let path = self.cache.join(format!("{}.lock", self.platform.folder()));
        let file = File::create(&path).with_context(|| self.unwritable())?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            println!("another setup is running: waiting for it");
        }
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }

    /// Removes what interrupted runs left. Nobody else is at work: this one holds the lock.
    fn sweep(&self) -> Result<()> {
        let start = format!("{}{STAGING}", self.platform.folder());
        for entry in fs::read_dir(&self.cache).with_context(|| self.unwritable())? {
            let left = entry.with_context(|| self.unwritable())?.path();
            if left
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(&start))
            {
                fs::remove_dir_all(&left).with_context(|| format!("cannot remove {}", left.display()))?;
            }
        }
        Ok(())
    }

    fn check_space(&self) -> Result<()> {
        let Ok(free) = fs4::available_space(&self.cache) else {
            return Ok(()); // a full disk will say so itself
        };
        if free < self.platform.space {
            let gigabytes = |bytes: u64| bytes as f64 / 1e9;
            bail!(
                "{} has {:.1} GB free, and downloading and unpacking libtorch takes {:.1} GB: make room, or \
                 set SENSORIUM_HOME to a folder on a larger disk",
                self.cache.display(),
                gigabytes(free),
                gigabytes(self.platform.space)
            );
        }
        Ok(())
    }

    fn unwritable(&self) -> String {
        format!(
            "cannot write to the cache {}: make it writable, or set SENSORIUM_HOME to a folder that is",
            self.cache.display()
        )
    }
}

const STAGING: &str = ".partial";

/// Where this user's cache is: `$SENSORIUM_HOME`, else `sensorium` in the system's folder for caches.
///
/// # Errors
/// If neither is known.
pub fn folder() -> Result<PathBuf> {
    if let Some(home) = env::var_os("SENSORIUM_HOME").filter(|home| !home.is_empty()) {
        return std::path::absolute(home).context("cannot make SENSORIUM_HOME absolute");
    }
    let system =
        dirs::cache_dir().context("there is no home folder to keep libtorch in: set SENSORIUM_HOME")?;
    Ok(system.join("sensorium"))
}

fn text_file(folder: &Path, name: &str, text: &str) -> Result<Entry> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Entry {
        sha256: manifest::sha256_of(&path)?,
        size: text.len() as u64,
        path: name.to_owned(),
    })
}

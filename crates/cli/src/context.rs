//! What commands share: the global flags, and what is made from them on demand.

use std::env;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::{Result, bail};
use sensorium::hub::datasets::{DataOptions, DataStore};
use sensorium::hub::{Hub, HubOptions, NoProgress, Progress};
use sensorium::{BuildOptions, DType};

use crate::args::Global;
use crate::progress::Downloads;

/// The global flags and the terminal.
#[derive(Debug)]
pub struct Context {
    /// The flags.
    pub global: Global,
    /// What standard output can show.
    pub terminal: Terminal,
}

/// What an output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Whether it is a terminal at all.
    pub is_terminal: bool,
    /// Its width in columns.
    pub width: usize,
    /// Whether it shows more than ASCII.
    pub unicode: bool,
    /// Whether colours are welcome.
    pub color: bool,
}

impl Context {
    /// Looks at the terminal and nothing else.
    pub fn new(global: Global) -> Self {
        Self {
            global,
            terminal: Terminal::of_stdout(),
        }
    }

    /// Whether progress bars are shown: on a terminal, unless `-q`.
    pub fn shows_progress(&self) -> bool {
        !self.global.quiet && io::stderr().is_terminal()
    }

    /// Told about downloads.
    pub fn downloads(&self) -> Arc<dyn Progress> {
        if self.shows_progress() {
            Arc::new(Downloads::default())
        } else {
            Arc::new(NoProgress)
        }
    }

    /// Where models come from.
    pub fn hub(&self) -> Result<Hub> {
        let options = HubOptions::default(); // the environment may forbid the network too
        let offline = self.global.offline || options.offline;
        Ok(Hub::new(HubOptions {
            offline,
            progress: self.downloads(),
            ..options
        })?)
    }

    /// Where data sets come from; `data_dir` is a folder that the user named.
    pub fn data_store(&self, data_dir: Option<std::path::PathBuf>) -> Result<DataStore> {
        let options = DataOptions::default();
        let offline = self.global.offline || options.offline;
        Ok(DataStore::new(DataOptions {
            data_dir,
            offline,
            ..options
        })?)
    }

    /// The device that was asked for; sets the number of threads too.
    pub fn device(&self) -> Result<sensorium::tch::Device> {
        if let Some(threads) = self.global.threads {
            sensorium::tch::set_num_threads(threads.into());
        }
        Ok(self.global.device.resolve()?)
    }

    /// Refuses `--dtype` where there is no choice.
    ///
    /// # Errors
    /// If another one than f32 was asked for; `what` computes in f32 alone.
    pub fn only_f32(&self, what: &str) -> Result<()> {
        match self.global.dtype {
            None | Some(DType::F32) => Ok(()),
            Some(_) => bail!("{what} is in f32: leave out --dtype"),
        }
    }

    /// How pipelines are built.
    pub fn build_options(&self, top_k: Option<usize>) -> BuildOptions {
        BuildOptions {
            device: self.global.device,
            dtype: self.global.dtype,
            threads: self.global.threads.map(usize::from),
            top_k,
            seed: self.global.seed,
            ..BuildOptions::default()
        }
    }

    /// Says something useful to know, unless `-q`.
    pub fn note(&self, message: &str) {
        if !self.global.quiet {
            eprintln!("note: {message}");
        }
    }

    /// Says something that only `-v` asks for.
    pub fn detail(&self, message: &str) {
        if self.global.verbose > 0 {
            eprintln!("{message}");
        }
    }
}

impl Terminal {
    fn of_stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let width = set("COLUMNS").and_then(|columns| columns.to_str()?.parse().ok());
        let width = width.or_else(|| Some(usize::from(terminal_size::terminal_size()?.0.0)));
        // The first of these that is set decides, as in setlocale(3).
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name));
        let locale = locale.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        Self {
            is_terminal,
            width: width.unwrap_or(80).clamp(20, 500),
            unicode: locale.contains("utf-8") || locale.contains("utf8") || cfg!(target_os = "macos"),
            color: is_terminal && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

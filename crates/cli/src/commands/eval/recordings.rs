//! The flags of evaluations on recordings.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use sensorium::train::recordings::{self, Part, Recording};
use serde_json::{Value, json};

use crate::context::Context;

/// What is heard.
#[derive(Debug, clap::Args)]
pub struct RecordingArgs {
    /// A manifest, folder or archive, as `train asr` reads them
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// The recordings that are heard [default: the test's, or all if there is none]
    #[arg(long, value_enum)]
    part: Option<PartName>,
    /// Only recordings of this speaker
    #[arg(long, value_name = "NAME")]
    speaker: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PartName {
    Train,
    Validation,
    Test,
    All,
}

impl RecordingArgs {
    /// Reads them; there is at least one.
    pub fn read(&self, context: &Context) -> Result<Vec<Recording>> {
        let all = recordings::read(&self.data)?;
        let tests = all.iter().any(|recording| recording.part == Some(Part::Test));
        let part = match self.part {
            Some(PartName::Train) => Some(Part::Train),
            Some(PartName::Validation) => Some(Part::Validation),
            Some(PartName::Test) => Some(Part::Test),
            None if tests => Some(Part::Test),
            Some(PartName::All) | None => None,
        };
        let mut chosen = match part {
            Some(part) => recordings::part(&all, part, 0.1, context.global.seed.unwrap_or(0)),
            None => all,
        };
        if let Some(speaker) = &self.speaker {
            chosen.retain(|recording| recording.speaker.as_ref() == Some(speaker));
        }
        if chosen.is_empty() {
            bail!("{} has no such recordings", self.data.display());
        }
        Ok(chosen)
    }
}

/// Recordings that could not be used, and why.
#[derive(Debug, Default)]
pub struct LeftOut(Vec<(String, String)>);

impl LeftOut {
    /// Adds the recording called `name`, which `error` says, too.
    pub fn add(&mut self, name: &str, error: &anyhow::Error) {
        self.0.push((name.to_string(), format!("{error:#}")));
    }

    /// Fails if none was `used`.
    pub fn check(&self, used: usize) -> Result<()> {
        match self.0.first() {
            Some((_, why)) if used == 0 => bail!("no recording could be used: {why}"),
            _ => Ok(()),
        }
    }

    /// What to say of them behind a result.
    pub fn text(&self) -> String {
        let lines: String = self.0.iter().map(|(_, why)| format!("  {why}\n")).collect();
        match self.0.len() {
            0 => String::new(),
            1 => format!("\n1 recording is not counted:\n{lines}"),
            count => format!("\n{count} recordings are not counted:\n{lines}"),
        }
    }

    /// The same for a program.
    pub fn json(&self) -> Value {
        let all = self.0.iter();
        all.map(|(name, why)| json!({ "input": name, "error": why }))
            .collect()
    }

    /// The command's exit status.
    pub fn exit_code(&self) -> ExitCode {
        match self.0.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        }
    }
}

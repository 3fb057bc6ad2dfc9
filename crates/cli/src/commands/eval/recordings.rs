//! The flags of evaluations on recordings.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::ValueEnum;
use sensorium::train::recordings::{self, Part, Recording};

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

//! The flags of trainings on recordings.

use std::path::PathBuf;

use anyhow::{Result, bail};
use sensorium::train::recipes::asr::{Corpus, Distortion};
use sensorium::train::recordings::{self, Part, Recording};

use super::options::share;
use crate::context::Context;

/// What is learned from.
#[derive(Debug, clap::Args)]
pub struct DataArgs {
    /// A manifest (JSON Lines, CSV, TSV with the columns audio and text), or a folder or .tar.gz: with manifests, in
    /// the layout of LibriSpeech, FSDD or yesno, or with a .txt beside each recording
    #[arg(long = "data", value_name = "PATH")]
    path: PathBuf,
    /// Share of the recordings that validate where the data set has none for it
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.1)]
    held_out: f64,
    /// This speaker's recordings validate, and only they
    #[arg(long, value_name = "NAME", conflicts_with = "held_out")]
    held_out_speaker: Option<String>,
}

impl DataArgs {
    /// What to call the data.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads it.
    pub fn corpus(&self, context: &Context) -> Result<Corpus> {
        let all = recordings::read(&self.path)?;
        if let Some(name) = &self.held_out_speaker {
            let of = |recording: &Recording| recording.speaker.as_ref() == Some(name);
            let (validation, train): (Vec<Recording>, Vec<Recording>) = all.into_iter().partition(of);
            if validation.is_empty() {
                bail!(
                    "{} has no recordings of a speaker called {name}",
                    self.path.display()
                );
            }
            return Ok(Corpus { train, validation });
        }
        let seed = context.global.seed.unwrap_or(0);
        let part = |part| recordings::part(&all, part, self.held_out, seed);
        Ok(Corpus {
            train: part(Part::Train),
            validation: part(Part::Validation),
        })
    }
}

/// What is done to recordings before they are learned.
#[derive(Debug, clap::Args)]
pub struct ChangeArgs {
    /// Play recordings up to this share faster or slower
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.1)]
    speed: f64,
    /// Add noise to half of the recordings, at least this many decibels softer than they are
    #[arg(long, value_name = "DB")]
    noise: Option<f64>,
    /// Make recordings louder or softer by up to this many decibels
    #[arg(long, value_name = "DB", default_value_t = 6.0)]
    gain: f64,
    /// SpecAugment: stretches of time and of the spectrum that are silenced
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub masks: usize,
}

impl ChangeArgs {
    /// How much the sound is changed.
    pub fn distortion(&self) -> Distortion {
        Distortion {
            speed: self.speed,
            noise: self.noise,
            gain: self.gain,
        }
    }
}

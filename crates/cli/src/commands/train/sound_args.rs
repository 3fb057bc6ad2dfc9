//! The flags of trainings on recordings.

use std::path::PathBuf;

use anyhow::{Result, bail};
use sensorium::train::recipes::asr::{Corpus, Distortion};
use sensorium::train::recordings::{self, Part, Recording};
use serde_json::{Value, json};

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
    /// Leave out all that this speaker says, so that `eval` can tell how well an unknown voice is heard; may be
    /// repeated
    #[arg(long, value_name = "NAME")]
    without_speaker: Vec<String>,
}

impl DataArgs {
    /// What to call the data.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads it.
    pub fn corpus(&self, context: &Context) -> Result<Corpus> {
        let mut all = recordings::read(&self.path)?;
        for name in &self.without_speaker {
            all = self.split(all, name)?.1;
        }
        if let Some(name) = &self.held_out_speaker {
            let (validation, train) = self.split(all, name)?;
            return Ok(Corpus { train, validation });
        }
        let seed = context.global.seed.unwrap_or(0);
        let part = |part| recordings::part(&all, part, self.held_out, seed);
        Ok(Corpus {
            train: part(Part::Train),
            validation: part(Part::Validation),
        })
    }

    /// What the speaker called `name` says, and what the others say.
    fn split(&self, all: Vec<Recording>, name: &str) -> Result<(Vec<Recording>, Vec<Recording>)> {
        let of = |recording: &Recording| recording.speaker.as_deref() == Some(name);
        let (own, others): (Vec<Recording>, Vec<Recording>) = all.into_iter().partition(of);
        if own.is_empty() {
            bail!(
                "{} has no recordings of a speaker called {name}",
                self.path.display()
            );
        }
        Ok((own, others))
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
    /// Stretch spectra by up to this share, as if throats were shorter or longer; not for Whisper and wav2vec2
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = 0.0)]
    warp: f64,
    /// Other microphones, walls, and knocks in the pauses
    #[arg(long)]
    rooms: bool,
    /// SpecAugment: stretches of time and of the spectrum that are silenced, or of the states of wav2vec2, HuBERT and
    /// WavLM [default: 2; of these what their checkpoint says]
    #[arg(long, value_name = "N")]
    pub masks: Option<usize>,
}

impl ChangeArgs {
    /// Stretches that are silenced.
    pub fn masks(&self) -> usize {
        self.masks.unwrap_or(2)
    }

    /// How much the sound is changed.
    pub fn distortion(&self) -> Distortion {
        Distortion {
            speed: self.speed,
            noise: self.noise,
            gain: self.gain,
            warp: self.warp,
            rooms: self.rooms,
        }
    }
}

/// `preprocessor_config.json` of a new model: filter banks. The floor is about the power of noise at −85 decibels, so that
/// no silence is far below that of a quiet room.
pub fn fresh_features(rate: u32, bands: u32) -> Value {
    json!({
        "feature_extractor_type": "SeamlessM4TFeatureExtractor", "sampling_rate": rate,
        "feature_size": bands, "num_mel_bins": bands, "stride": 2, "padding_value": 0.0,
        "padding_side": "right", "return_attention_mask": true, "mel_floor": 1000.0,
    })
}

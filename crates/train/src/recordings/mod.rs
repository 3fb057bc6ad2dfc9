//! Recordings and what is said in them: folders and archives in the layouts that data sets have.

mod find;
mod layouts;
mod manifest;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sensorium_speech::Audio;

use crate::error::{Result, TrainError};
use crate::rng::mix;

/// What a recording is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// To learn.
    Train,
    /// To validate on.
    Validation,
    /// To test on, once.
    Test,
}

/// A recording and what is said in it.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Its name in the data set.
    pub id: String,
    /// What is said.
    pub text: String,
    /// Who says it, if known.
    pub speaker: Option<String>,
    /// What it is for, where the data set says so.
    pub part: Option<Part>,
    sound: Sound,
}

/// Where a sound is.
#[derive(Debug, Clone)]
enum Sound {
    File(PathBuf),
    /// A file's content.
    Bytes(Arc<[u8]>),
}

impl Recording {
    /// Decodes it.
    ///
    /// # Errors
    /// If the file cannot be read or is no sound.
    pub fn audio(&self) -> Result<Audio> {
        let audio = match &self.sound {
            Sound::File(path) => Audio::open(path),
            Sound::Bytes(bytes) => Audio::decode(bytes.to_vec()),
        };
        audio.map_err(|error| problem(Path::new(&self.id), format!("cannot be used: {error}")))
    }

    /// The mean of its channels at `rate` Hz.
    ///
    /// # Errors
    /// If it cannot be decoded.
    pub fn samples(&self, rate: u32) -> Result<Vec<f32>> {
        let audio = self.audio()?;
        audio
            .mono_at(rate)
            .map_err(|error| problem(Path::new(&self.id), format!("cannot be used: {error}")))
    }
}

/// Reads a data set: a manifest (JSON Lines, CSV, TSV, or `id|text` lines) whose paths begin at its folder, or a folder
/// or `.tar`, `.tar.gz` with manifests, in the layout of LibriSpeech, the Free Spoken Digit Dataset or Kaldi's yes/no,
/// or with a `.txt` beside each recording. A recording may be named without its ending, and without its folder if no
/// other has its name.
///
/// # Errors
/// If nothing of this kind is there, or a manifest names what is not there, or one of several by the same name.
pub fn read(path: &Path) -> Result<Vec<Recording>> {
    let (tree, manifests) = tree::read(path)?;
    let recordings = layouts::recordings(path, &tree, manifests)?;
    if recordings.is_empty() {
        return Err(problem(
            path,
            "has no recordings with texts: expected a manifest (.jsonl, .csv, .tsv), or the layout of LibriSpeech, \
             FSDD or yesno"
                .to_string(),
        ));
    }
    Ok(recordings)
}

/// The recordings of one part. What the data set does not assign is to be learned, but for `held_out` of it (a share
/// of 1, chosen by `seed`), which validates where nothing else does: of two recordings or more at least one, unless the
/// share is 0, and never all.
pub fn part(recordings: &[Recording], part: Part, held_out: f64, seed: u64) -> Vec<Recording> {
    let own = recordings.iter().any(|r| r.part == Some(Part::Validation));
    let place = |number: usize| (mix(seed, &[number as u64]) % 10_000, number);
    let open = (0..recordings.len()).filter(|&number| recordings[number].part != Some(Part::Test));
    let places: Vec<(u64, usize)> = open.map(place).collect();
    let (first, last) = (places.iter().min(), places.iter().max());
    let chosen = |number: usize| {
        let place = place(number);
        let is_first = Some(&place) == first && held_out > 0.0;
        Some(&place) != last && (is_first || place.0 as f64 / 10_000.0 < held_out)
    };
    let of = |number: usize, recording: &Recording| match recording.part {
        Some(Part::Train) | None if !own && chosen(number) => Part::Validation,
        Some(part) => part,
        None => Part::Train,
    };
    let all = recordings.iter().enumerate();
    all.filter(|(number, recording)| of(*number, recording) == part)
        .map(|(_, recording)| recording.clone())
        .collect()
}

fn problem(path: &Path, problem: String) -> TrainError {
    TrainError::Corpus {
        path: path.to_path_buf(),
        problem,
    }
}

#[cfg(test)]
mod tests;

//! Recordings in strings, to be heard.

use std::collections::BTreeSet;

use super::sound::{self, Distortion, Draws};
use crate::error::{Result, TrainError};
use crate::recordings::Recording;
use crate::rng::mix;

/// Strings of recordings with silence in between, drawn by a seed; those that cannot be decoded are left out of them.
#[derive(Debug)]
pub struct Strings {
    recordings: Vec<Recording>,
    most: usize,
    seed: u64,
    rate: u32,
    /// Names of recordings that cannot be decoded.
    known: BTreeSet<String>,
    damaged: Vec<(String, TrainError)>,
}

impl Strings {
    /// Strings of 2 to `most` of the `recordings`.
    ///
    /// # Errors
    /// If there is none that can be decoded.
    pub fn new(recordings: Vec<Recording>, most: usize, seed: u64) -> Result<Self> {
        let mut first = None;
        let rate = recordings.iter().find_map(|recording| match recording.audio() {
            Ok(audio) => Some(audio.rate()),
            Err(error) => {
                first.get_or_insert(error);
                None
            }
        });
        let none = || TrainError::Settings("there are no recordings to make strings of".to_string());
        let rate = rate.ok_or_else(|| first.unwrap_or_else(none))?;
        Ok(Self {
            recordings,
            most,
            seed,
            rate,
            known: BTreeSet::new(),
            damaged: Vec::new(),
        })
    }

    /// The rate of the strings, in Hz: that of the first recording.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The samples of the string with this number, and what is said in it; none if none of its recordings can be
    /// decoded.
    pub fn string(&mut self, number: usize) -> Option<(Vec<f32>, String)> {
        let mut draws = Draws::new(mix(self.seed, &[number as u64]));
        let count = 2 + draws.below(self.most.max(2) - 1);
        let parts: Vec<usize> = (0..count).map(|_| draws.below(self.recordings.len())).collect();
        let (mut samples, mut texts) = (Vec::new(), Vec::new());
        for part in parts {
            let recording = &self.recordings[part];
            match recording.samples(self.rate) {
                Ok(part) => {
                    samples.push(part);
                    texts.push(recording.text.as_str());
                }
                Err(error) if self.known.insert(recording.id.clone()) => {
                    self.damaged.push((recording.id.clone(), error));
                }
                Err(_) => {}
            }
        }
        let samples: Vec<&[f32]> = samples.iter().map(Vec::as_slice).collect();
        (!samples.is_empty()).then(|| {
            let joined = sound::string(&samples, self.rate, Distortion::NONE, true, &mut draws);
            (joined, texts.join(" "))
        })
    }

    /// The recordings that the strings so far were to have and that cannot be decoded, each once.
    pub fn damaged(&mut self) -> Vec<(String, TrainError)> {
        std::mem::take(&mut self.damaged)
    }
}

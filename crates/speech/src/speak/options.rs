//! How texts are said.

use std::ops::RangeInclusive;

use sensorium_hub::Model;

use super::Speaker;
use crate::error::Error;
use crate::front::english::lexicon::Lexicon;

/// How texts are said.
#[derive(Debug, Clone)]
pub struct SpeakOptions {
    /// Who speaks.
    pub speaker: Speaker,
    /// How fast; 1 is as the voice does, 2 twice as fast.
    pub speed: f64,
    /// How much higher, in standard deviations of the voice's pitch, where the voice can.
    pub pitch: f64,
    /// How much louder, in standard deviations of the voice's energy, where the voice can.
    pub energy: f64,
    /// Words and their phonemes, for voices that read phonemes of English.
    pub lexicon: Option<Lexicon>,
    /// How long pauses between sentences and paragraphs are; 1 is as usual.
    pub pause: f64,
    /// Of all chance in the voice; another one each time if there is none.
    pub seed: Option<u64>,
    /// Another rate than the voice's, in Hz.
    pub rate: Option<u32>,
    /// The vocoder of voices that come without one.
    pub vocoder: Option<Model>,
    /// The language whose figures and signs are read, as a code (`en`); the voice's own if there is none.
    pub language: Option<String>,
}

impl Default for SpeakOptions {
    fn default() -> Self {
        Self {
            speaker: Speaker::Own,
            speed: 1.0,
            pitch: 0.0,
            energy: 0.0,
            lexicon: None,
            pause: 1.0,
            seed: None,
            rate: None,
            vocoder: None,
            language: None,
        }
    }
}

impl SpeakOptions {
    /// Speeds at which a voice can be told to speak.
    pub const SPEEDS: RangeInclusive<f64> = 0.1..=10.0;
}

/// Refuses what would last longer than `most` frames.
pub(super) fn check_duration(frames: i64, most: i64) -> Result<(), Error> {
    match frames > most {
        true => Err(Error::Duration { frames, most }),
        false => Ok(()),
    }
}

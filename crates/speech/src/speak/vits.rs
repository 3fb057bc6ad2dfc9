//! VITS as a voice.

use sensorium_blocks::{ConfigProblem, Params};
use sensorium_hub::Model;
use sensorium_tokenizer::Characters;
use serde_json::Value;
use tch::{Device, Kind};

use super::times::times;
use super::{Said as SaidPiece, SpeakOptions, Speaker, Voice, samples_of};
use crate::error::Error;
use crate::models::vits::{Manner, Said, Vits};

/// As many frames as are said in one go: half a minute and more.
const MOST_FRAMES: i64 = 3000;

/// The network with its tokenizer.
#[derive(Debug)]
pub struct VitsVoice {
    network: Vits,
    characters: Characters,
    rate: u32,
    /// The checkpoint's own.
    manner: Manner,
    vocabulary: i64,
}

impl VitsVoice {
    /// Opens a checkpoint.
    ///
    /// # Errors
    /// If a file is missing or damaged, the configuration makes no sense, or tensors are missing, misshapen or left
    /// over.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let config = model.config()?;
        let mut params = Params::stored(model.weights()?).on(device);
        if let Some(kind) = kind {
            params = params.of_kind(kind);
        }
        let network = Vits::new(&config, &params).map_err(|error| Error::building(model, error))?;
        params.check_all_used_but(Vits::is_for_training)?;
        let number = |name: &str, default: f64| config.get(name).and_then(Value::as_f64).unwrap_or(default);
        let rate = number("sampling_rate", 16_000.0);
        if !(1_000.0..=384_000.0).contains(&rate) {
            return Err(Error::config(
                model,
                ConfigProblem::Other("`sampling_rate` makes no sense".to_string()),
            ));
        }
        Ok(Self {
            network,
            characters: Characters::open(model)?,
            rate: rate as u32,
            manner: Manner {
                speaker: None,
                rate: number("speaking_rate", 1.0),
                noise: number("noise_scale", 0.667),
                duration_noise: number("noise_scale_duration", 0.8),
            },
            vocabulary: number("vocab_size", 1.0) as i64,
        })
    }

    /// Samples per second, in Hz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The network.
    pub fn network(&self) -> &Vits {
        &self.network
    }

    /// The tokenizer.
    pub fn characters(&self) -> &Characters {
        &self.characters
    }

    /// As the checkpoint wants to speak.
    pub fn manner(&self) -> Manner {
        self.manner
    }

    /// Says tokens.
    ///
    /// # Errors
    /// If there are none, one is not in the vocabulary, there is no such speaker, or it would last too long.
    pub fn say(&self, ids: &[i64], manner: &Manner) -> Result<Said, Error> {
        if ids.is_empty() || ids.iter().any(|id| !(0..self.vocabulary).contains(id)) {
            return Err(Error::TextLength {
                tokens: ids.len(),
                most: i64::MAX,
            });
        }
        self.check_speaker(&manner.speaker.map_or(Speaker::Own, Speaker::Number))?;
        tch::no_grad(|| {
            let plan = self.network.plan(ids, manner);
            super::check_duration(plan.frames.sum(Kind::Int64).int64_value(&[]), MOST_FRAMES)?;
            Ok(self.network.sound(plan))
        })
    }

    /// The number of the one who speaks; none where there is but one.
    pub(super) fn speaker(&self, speaker: &Speaker) -> Option<i64> {
        match speaker {
            Speaker::Number(number) => Some(*number),
            _ => (self.network.speakers() > 1).then_some(0),
        }
    }

    pub(super) fn check_speaker(&self, speaker: &Speaker) -> Result<(), Error> {
        let speakers = self.network.speakers();
        let problem = match speaker {
            Speaker::Own => return Ok(()),
            Speaker::Number(number) if (0..speakers).contains(number) => return Ok(()),
            Speaker::Number(number) => {
                format!("there is no speaker {number}: the voice has {speakers}, numbered from 0")
            }
            Speaker::Features(_) => "this voice's speakers have numbers".to_string(),
        };
        Err(Error::Speaker { problem })
    }
}

impl Voice for VitsVoice {
    fn rate(&self) -> u32 {
        self.rate
    }

    fn wants_phonemes(&self) -> bool {
        self.characters.wants_phonemes()
    }

    fn wants_roman(&self) -> bool {
        self.characters.wants_roman()
    }

    fn most_characters(&self) -> usize {
        300
    }

    fn say(&self, text: &str, rate: f64, options: &SpeakOptions) -> Result<SaidPiece, Error> {
        let spelled = self.characters.encode(text);
        if spelled.ids.is_empty() {
            return Ok(SaidPiece {
                unknown: spelled.unknown,
                ..SaidPiece::default()
            });
        }
        let mut manner = self.manner();
        manner.rate *= rate;
        manner.speaker = self.speaker(&options.speaker);
        let said = VitsVoice::say(self, &spelled.ids, &manner)?;
        let frames = Vec::<i64>::try_from(&said.frames).unwrap_or_default();
        let second = self.network.hop() as f64 / f64::from(self.rate);
        Ok(SaidPiece {
            samples: samples_of(&said.samples)?,
            times: Some(times(&spelled.places, &frames, second, text.chars().count())),
            unknown: spelled.unknown,
            ..SaidPiece::default()
        })
    }
}

//! FastSpeech 2 as a voice.

use std::collections::HashMap;

use sensorium_blocks::{ConfigProblem, Params};
use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind};

use super::{
    English, GriffinLim, HifiGanVocoder, Said as SaidPiece, SourceFilterVocoder, SpeakOptions, Speaker,
    Vocoder, Voice,
};
use crate::error::Error;
use crate::features::MelShape;
use crate::front::english::lexicon::{Lexicon, is_vowel};
use crate::models::fastspeech2::{FastSpeech2, Manner, Said, WITH_VOCODER};
use crate::models::vocos;

/// As many frames as are said in one go, about half a minute: attention over them takes memory with their square.
const MOST_FRAMES: i64 = 2000;

/// Says English text with a [`FastSpeech2Voice`].
#[derive(Debug)]
pub(super) struct Reader {
    voice: FastSpeech2Voice,
    english: English,
}

impl Reader {
    pub fn new(voice: FastSpeech2Voice, lexicon: Lexicon) -> Self {
        Self {
            voice,
            english: English::new(lexicon),
        }
    }
}

impl Voice for Reader {
    fn rate(&self) -> u32 {
        self.voice.vocoder.rate()
    }

    fn takes_phonemes(&self) -> bool {
        true
    }

    fn most_characters(&self) -> usize {
        250
    }

    fn say(&self, text: &str, rate: f64, options: &SpeakOptions) -> Result<SaidPiece, Error> {
        let found = self.english.sounds(text)?;
        if found.tokens.is_empty() {
            return Ok(SaidPiece {
                unknown: found.unknown,
                ..SaidPiece::default()
            });
        }
        let (ids, missing) = self.voice.ids(&found.tokens);
        if let Some(missing) = missing.first() {
            return Err(Error::Phonemes {
                problem: format!("needs the phoneme {missing}, which the voice does not have"),
            });
        }
        let ids: Vec<i64> = ids.into_iter().flatten().collect();
        let manner = Manner {
            rate,
            pitch: options.pitch,
            energy: options.energy,
            ..self.voice.manner(&options.speaker)?
        };
        let said = self.voice.say(&ids, &manner)?;
        let samples = super::samples_of(&self.voice.vocoder.samples(&said.spectrogram))?;
        let second = self.voice.vocoder.hop() as f64 / f64::from(self.voice.vocoder.rate());
        let places: Vec<Option<usize>> = found.places.iter().copied().map(Some).collect();
        let mut times = super::times::times(&places, &said.frames, second, text.chars().count());
        // The silence at a mark is not the word's.
        for (&place, token) in found.places.iter().zip(&found.tokens) {
            if !token.starts_with(char::is_alphabetic) {
                times[place].1 = times[place].0;
            }
        }
        let mut at = 0;
        let heard = found.tokens.iter().zip(&found.places).zip(&said.frames);
        let phonemes = heard.map(|((token, &place), frames)| {
            let start = at as f64 * second;
            at += frames;
            let piece = crate::ctc::Piece {
                text: token.clone(),
                start,
                end: at as f64 * second,
                ..crate::ctc::Piece::default()
            };
            (place, piece)
        });
        Ok(SaidPiece {
            samples,
            times: Some(times),
            phonemes: phonemes.collect(),
            unknown: found.unknown,
            spelled: found.spelled,
        })
    }
}

/// The network with its phonemes and a vocoder.
#[derive(Debug)]
pub struct FastSpeech2Voice {
    network: FastSpeech2,
    vocoder: Box<dyn Vocoder>,
    ids: HashMap<String, i64>,
}

impl FastSpeech2Voice {
    /// The families' names in `config.json`.
    pub const MODEL_TYPES: [&'static str; 2] = [crate::models::fastspeech2::MODEL_TYPE, WITH_VOCODER];

    /// The token that texts end with.
    const END: &'static str = "<sos/eos>";

    /// Opens a checkpoint, which may hold its vocoder, too; `vocoder` is used in its place.
    ///
    /// # Errors
    /// If a file is missing or damaged, the configuration makes no sense, or tensors are missing, misshapen or left
    /// over.
    pub fn open(
        model: &Model,
        vocoder: Option<&Model>,
        device: Device,
        kind: Option<Kind>,
    ) -> Result<Self, Error> {
        let config = model.config()?;
        let params = Params::stored(model.weights()?).on(device);
        // Weights that are stored in half precision are computed with in single precision.
        let params = params.of_kind(kind.unwrap_or(Kind::Float));
        let both = config.get("model_type").and_then(Value::as_str) == Some(WITH_VOCODER);
        let part = |name: &str| config.get(name).cloned().unwrap_or(Value::Null);
        let building = |error| Error::building(model, error);
        let network = match both {
            true => FastSpeech2::new(&part("model_config"), &(&params / "model")),
            false => FastSpeech2::new(&config, &params),
        };
        let network = network.map_err(building)?;
        let vocoder: Box<dyn Vocoder> = match vocoder.cloned().or_else(|| model.part("vocoder")) {
            Some(vocoder) => super::vocoder::open(&vocoder, device, kind)?,
            None if both => {
                let (config, params) = (part("vocoder_config"), &params / "vocoder");
                match config.get("model_type").and_then(Value::as_str) {
                    Some(vocos::MODEL_TYPE) => {
                        Box::new(SourceFilterVocoder::new(&config, &params).map_err(building)?)
                    }
                    _ => Box::new(HifiGanVocoder::new(&config, &params, device).map_err(building)?),
                }
            }
            None => Box::new(GriffinLim::new(MelShape::SPEECHT5)),
        };
        params.check_all_used_but(|name| {
            name.starts_with("vocoder.") || name.ends_with("num_batches_tracked")
        })?;
        if vocoder.bands() != network.mels() {
            return Err(Error::Vocoder {
                bands: vocoder.bands(),
                expected: network.mels(),
            });
        }
        let ids: HashMap<String, i64> = model.json_as("vocab.json")?;
        if let Some((token, id)) = ids
            .iter()
            .find(|(_, id)| !(0..network.vocabulary()).contains(*id))
        {
            let problem = format!("`{token}` is {id}, but `vocab_size` is {}", network.vocabulary());
            return Err(Error::in_file(model, "vocab.json", ConfigProblem::Other(problem)));
        }
        Ok(Self {
            network,
            vocoder,
            ids,
        })
    }

    /// The network.
    pub fn network(&self) -> &FastSpeech2 {
        &self.network
    }

    /// The vocoder.
    pub fn vocoder(&self) -> &dyn Vocoder {
        self.vocoder.as_ref()
    }

    /// The ids of phonemes and marks, with those behind them that the voice wants at a text's end; the second list has
    /// what the voice does not know.
    pub fn ids(&self, tokens: &[String]) -> (Vec<Option<i64>>, Vec<String>) {
        let mut unknown = Vec::new();
        let mut ids: Vec<Option<i64>> = tokens
            .iter()
            .map(|token| {
                let id = self.id(token);
                if id.is_none() && !unknown.contains(token) {
                    unknown.push(token.clone());
                }
                id
            })
            .collect();
        ids.extend(self.ids.get(Self::END).map(|&id| Some(id)));
        (ids, unknown)
    }

    /// A mark may be another one's, a vowel may have another stress.
    fn id(&self, token: &str) -> Option<i64> {
        let get = |token: &str| self.ids.get(token).copied();
        get(token).or_else(|| match token {
            "?" | "!" | "," => get("."),
            _ => {
                let vowel = Some(token.trim_end_matches(['0', '1', '2'])).filter(|token| is_vowel(token))?;
                ["1", "0", "2", ""]
                    .iter()
                    .find_map(|stress| get(&format!("{vowel}{stress}")))
            }
        })
    }

    /// Says tokens; see [`FastSpeech2::say`].
    ///
    /// # Errors
    /// If there are none, one is not in the vocabulary, or it would last too long.
    pub fn say(&self, ids: &[i64], manner: &Manner) -> Result<Said, Error> {
        if ids.is_empty() || ids.iter().any(|id| !(0..self.network.vocabulary()).contains(id)) {
            return Err(Error::TextLength {
                tokens: ids.len(),
                most: i64::MAX,
            });
        }
        tch::no_grad(|| {
            let plan = self.network.plan(ids, manner);
            super::check_duration(plan.frames.iter().sum(), MOST_FRAMES)?;
            Ok(self.network.draw(plan))
        })
    }

    /// How `speaker` speaks.
    ///
    /// # Errors
    /// If the voice has no such speaker.
    pub(super) fn manner(&self, speaker: &Speaker) -> Result<Manner, Error> {
        let speakers = self.network.speakers();
        let problem = match speaker {
            Speaker::Own => {
                return Ok(Manner {
                    speaker: (speakers > 1).then_some(0),
                    ..Manner::default()
                });
            }
            Speaker::Number(number) if (0..speakers).contains(number) => {
                return Ok(Manner {
                    speaker: Some(*number),
                    ..Manner::default()
                });
            }
            Speaker::Number(number) => {
                format!("there is no speaker {number}: the voice has {speakers}, numbered from 0")
            }
            Speaker::Features(_) if self.network.speaker_size() == 0 => {
                "this voice's speakers have numbers".to_string()
            }
            Speaker::Features(_) => {
                return Ok(Manner {
                    features: Some(speaker.features(self.network.speaker_size())?.view([-1])),
                    ..Manner::default()
                });
            }
        };
        Err(Error::Speaker { problem })
    }
}

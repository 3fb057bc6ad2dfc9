//! Text to speech: voices of all families, long texts piece by piece.

mod english;
mod fastspeech2;
mod griffin_lim;
mod loudness;
mod notes;
mod options;
mod speaker;
mod speecht5;
mod times;
mod uttered;
mod vits;
mod vocoder;

use std::collections::VecDeque;
use std::ops::Range;

use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

pub use english::English;
pub use fastspeech2::FastSpeech2Voice;
pub use griffin_lim::GriffinLim;
pub use options::SpeakOptions;
pub use speaker::Speaker;
pub use speecht5::{Ending, SpeechT5Voice};
pub use uttered::{Sound, Uttered};
pub use vits::VitsVoice;
pub use vocoder::{HifiGanVocoder, SourceFilterVocoder, Vocoder};

use crate::ctc::Piece as Timed;
use crate::error::Error;
use crate::front::ssml::{self, Part, Phonemes};
use crate::front::{self, Pause};
use crate::models::{fastspeech2 as fastspeech2_model, speecht5 as speecht5_model, vits as vits_model};
use loudness::Leveller;
use options::check_duration;
use times::{timed, word_at};

/// Says texts.
#[derive(Debug)]
pub struct TextToSpeech {
    voice: Box<dyn Voice>,
    options: SpeakOptions,
    /// Figures and signs are read in English.
    english: bool,
}

/// What each family does in its own way.
trait Voice: std::fmt::Debug + Send {
    /// Samples per second, in Hz.
    fn rate(&self) -> u32;

    /// Whether phonemes may stand in the text, as `[[HH AH0 L OW1]]`.
    fn takes_phonemes(&self) -> bool {
        false
    }

    /// Whether it reads phonemes and nothing else.
    fn wants_phonemes(&self) -> bool {
        false
    }

    /// Whether it reads Latin letters, whatever the language's own are.
    fn wants_roman(&self) -> bool {
        false
    }

    /// Characters that are said in one go.
    fn most_characters(&self) -> usize;

    /// Says a piece at `rate` times the voice's own speed; [`Error::Duration`] if that would take too long.
    fn say(&self, text: &str, rate: f64, options: &SpeakOptions) -> Result<Said, Error>;
}

/// What is known while a text is being said.
struct Telling<'a> {
    leveller: Leveller,
    /// What was said so far.
    seconds: f64,
    /// Whether anything was.
    said: bool,
    /// Characters that were left out.
    unknown: Vec<char>,
    /// Words that were spelled.
    spelled: Vec<String>,
    sink: &'a mut dyn FnMut(Uttered) -> bool,
}

/// What a voice makes of a piece.
#[derive(Default)]
struct Said {
    samples: Vec<f32>,
    /// For each character of the text the seconds at which it begins and ends, if the voice tells.
    times: Option<Vec<(f64, f64)>>,
    /// When each phoneme is said, in seconds from the piece's beginning, and the character of the text that it stands
    /// for.
    phonemes: Vec<(usize, Timed)>,
    unknown: Vec<char>,
    /// Words that are in no dictionary.
    spelled: Vec<String>,
}

impl TextToSpeech {
    /// Opens a checkpoint; floating-point weights are converted to `kind` if one is named.
    ///
    /// # Errors
    /// If a file is missing or damaged, the family is not supported, tensors are missing, misshapen or left over, or the
    /// voice cannot do what `options` ask for.
    pub fn open(
        model: &Model,
        device: Device,
        kind: Option<Kind>,
        options: SpeakOptions,
    ) -> Result<Self, Error> {
        let config = model.config()?;
        let found = config
            .get("model_type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let can = |asked: bool, what: &'static str| match asked {
            true => Err(Error::VoiceCannot { what }),
            false => Ok(()),
        };
        if !SpeakOptions::SPEEDS.contains(&options.speed) {
            return Err(Error::Speed {
                speed: options.speed,
                expected: SpeakOptions::SPEEDS,
            });
        }
        let reads_sounds = FastSpeech2Voice::MODEL_TYPES.contains(&found);
        can(options.pitch != 0.0 && !reads_sounds, "speak higher or lower")?;
        can(
            options.energy != 0.0 && !reads_sounds,
            "speak with more or less energy",
        )?;
        can(
            options.lexicon.is_some() && !reads_sounds,
            "use a lexicon: it reads letters",
        )?;
        can(
            options.vocoder.is_some() && found == vits_model::MODEL_TYPE,
            "take a vocoder: it makes its samples itself",
        )?;
        let (voice, own_language): (Box<dyn Voice>, Option<String>) = match found {
            vits_model::MODEL_TYPE => {
                let voice = VitsVoice::open(model, device, kind)?;
                voice.check_speaker(&options.speaker)?;
                let language = voice.characters().language().map(str::to_string);
                (Box::new(voice), language)
            }
            speecht5_model::MODEL_TYPE => {
                can(options.speed != 1.0, speecht5::FASTER)?;
                let reader = speecht5::Reader::open(model, device, kind, &options)?;
                (Box::new(reader), Some("en".to_string()))
            }
            _ if reads_sounds => {
                let voice = FastSpeech2Voice::open(model, options.vocoder.as_ref(), device, kind)?;
                voice.manner(&options.speaker)?;
                let lexicon = options.lexicon.clone().unwrap_or_default();
                (
                    Box::new(fastspeech2::Reader::new(voice, lexicon)),
                    Some("en".to_string()),
                )
            }
            _ => {
                let known = [
                    vits_model::MODEL_TYPE,
                    speecht5_model::MODEL_TYPE,
                    fastspeech2_model::MODEL_TYPE,
                    fastspeech2_model::WITH_VOCODER,
                ];
                return Err(Error::ModelType {
                    model: model.to_string(),
                    found: found.to_string(),
                    task: "speech",
                    known: known.join(", "),
                });
            }
        };
        let language = options.language.clone().or(own_language);
        Ok(Self {
            voice,
            options,
            english: language.is_some_and(|language| {
                ["en", "eng", "en-us", "english"].contains(&language.to_lowercase().as_str())
            }),
        })
    }

    /// Samples per second, in Hz.
    pub fn rate(&self) -> u32 {
        self.options.rate.unwrap_or(self.voice_rate())
    }

    fn voice_rate(&self) -> u32 {
        self.voice.rate()
    }

    /// Says `text`, plain or SSML, of any length; each piece is handed to `sink` as soon as it is made, until that says
    /// `false`.
    ///
    /// # Errors
    /// If there is nothing in it that the voice can say, or its tags cannot be followed.
    pub fn say_with(&self, text: &str, sink: &mut dyn FnMut(Uttered) -> bool) -> Result<(), Error> {
        if let Some(seed) = self.options.seed {
            tch::manual_seed(seed as i64);
        }
        let mut telling = Telling {
            leveller: Leveller::new(self.voice_rate()),
            seconds: 0.0,
            said: false,
            unknown: Vec::new(),
            spelled: Vec::new(),
            sink,
        };
        let parts = match ssml::is_ssml(text) {
            true => ssml::parts(text, self.phonemes()).map_err(|problem| Error::Ssml { problem })?,
            false => vec![Part::Text {
                text: text.to_string(),
                rate: 1.0,
                read: Vec::new(),
            }],
        };
        for part in parts {
            let goes_on = match part {
                Part::Silence(seconds) => self.say_nothing(seconds * self.options.pause, &mut telling)?,
                Part::Text { text, rate, read } => self.say_text(&text, rate, &read, &mut telling)?,
            };
            if !goes_on {
                return Ok(());
            }
        }
        match telling.said {
            true => Ok(()),
            false if self.wants_roman() && telling.unknown.iter().any(|letter| letter.is_alphabetic()) => {
                Err(Error::NeedsRoman)
            }
            false => Err(Error::NothingToSay),
        }
    }

    /// Whether the sink wants more after a silence, which it gets in parts.
    fn say_nothing(&self, seconds: f64, telling: &mut Telling<'_>) -> Result<bool, Error> {
        const MOST: f64 = 10.0;
        let mut left = seconds;
        while left > 0.0 {
            if !self.tell(telling, self.silent(left.min(MOST)))? {
                return Ok(false);
            }
            left -= MOST;
        }
        Ok(true)
    }

    /// Whether the sink wants more.
    fn say_text(
        &self,
        text: &str,
        rate: f64,
        read: &[Range<usize>],
        telling: &mut Telling<'_>,
    ) -> Result<bool, Error> {
        let is_read = |at| read.iter().any(|part| part.contains(&at));
        let mut others = text.char_indices().filter(|(at, _)| !is_read(*at));
        if self.voice.wants_phonemes() && others.any(|(_, letter)| !letter.is_whitespace()) {
            return Err(Error::NeedsPhonemes);
        }
        let words = front::words(text, read, self.english);
        let (slowest, fastest) = SpeakOptions::SPEEDS.into_inner();
        let rate = (self.options.speed * rate).clamp(slowest, fastest);
        let mut pieces = VecDeque::from(front::pieces(text, words, self.voice.most_characters()));
        // Characters of pieces of which nothing is heard are told with the next one.
        let mut unheard = Vec::new();
        while let Some(piece) = pieces.pop_front() {
            let text = piece.text();
            let said = match self.voice.say(&text, rate, &self.options) {
                Err(Error::Duration { frames, most }) => {
                    // Some less, for parts are not equally long.
                    let parts = piece.divided(0.9 * most as f64 / frames as f64);
                    if parts.len() < 2 {
                        return Err(Error::Duration { frames, most });
                    }
                    parts.into_iter().rev().for_each(|part| pieces.push_front(part));
                    continue;
                }
                said => said?,
            };
            unheard.extend(news(&mut telling.unknown, said.unknown));
            let spelled = news(&mut telling.spelled, said.spelled);
            let mut samples = said.samples;
            if samples.is_empty() {
                continue;
            }
            telling.said = true;
            telling.leveller.level(&mut samples);
            let begin = telling.seconds;
            let words = said
                .times
                .map_or(Vec::new(), |times| timed(&piece.words, &times, begin));
            if !pieces.is_empty() {
                samples.extend(self.silent(self.silence(piece.pause)).samples);
            }
            let phonemes = said.phonemes.into_iter().map(|(place, sound)| Sound {
                piece: Timed {
                    start: begin + sound.start,
                    end: begin + sound.end,
                    ..sound
                },
                word: word_at(&piece.words, place),
            });
            let uttered = Uttered {
                samples,
                text,
                words,
                phonemes: phonemes.collect(),
                unknown: std::mem::take(&mut unheard),
                spelled,
            };
            if !self.tell(telling, uttered)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hands on what was said at the voice's rate; says whether the sink wants more.
    fn tell(&self, telling: &mut Telling<'_>, uttered: Uttered) -> Result<bool, Error> {
        telling.seconds += uttered.samples.len() as f64 / f64::from(self.voice_rate());
        let samples = crate::audio::resampled(uttered.samples, self.voice_rate(), self.rate())?;
        Ok((telling.sink)(Uttered { samples, ..uttered }))
    }

    fn silent(&self, seconds: f64) -> Uttered {
        Uttered {
            samples: vec![0.0; (seconds * f64::from(self.voice_rate())) as usize],
            ..Uttered::default()
        }
    }

    /// Whether the voice reads Latin letters alone, whatever the language's own are: texts in others are to be romanised
    /// first, as uroman does.
    pub fn wants_roman(&self) -> bool {
        self.voice.wants_roman()
    }

    fn phonemes(&self) -> Phonemes {
        match (self.voice.wants_phonemes(), self.voice.takes_phonemes()) {
            (true, _) => Phonemes::Alone,
            (false, true) => Phonemes::Bracketed,
            (false, false) => Phonemes::None,
        }
    }

    /// Says `text`, of any length.
    ///
    /// # Errors
    /// If there is nothing in it that the voice can say.
    pub fn say(&self, text: &str) -> Result<Uttered, Error> {
        let mut all = Uttered::default();
        self.say_with(text, &mut |piece| {
            all.join(piece);
            true
        })?;
        Ok(all)
    }

    /// Seconds of silence.
    fn silence(&self, pause: Pause) -> f64 {
        let usual = match pause {
            Pause::Word => 0.0,
            Pause::Clause => 0.1,
            Pause::Sentence => 0.3,
            Pause::Paragraph => 0.6,
        };
        usual * self.options.pause
    }
}

/// What of `found` is not among those `known`, where it is put.
fn news<T: PartialEq + Clone>(known: &mut Vec<T>, found: Vec<T>) -> Vec<T> {
    let mut new = Vec::new();
    for item in found {
        if !known.contains(&item) {
            known.push(item.clone());
            new.push(item);
        }
    }
    new
}

fn samples_of(samples: &Tensor) -> Result<Vec<f32>, Error> {
    let samples = Vec::<f32>::try_from(samples.to_device(Device::Cpu)).unwrap_or_default();
    match samples.iter().all(|sample| sample.is_finite()) {
        true => Ok(samples),
        false => Err(Error::NotNumbers),
    }
}

//! Text to speech: voices of all families, long texts piece by piece.

mod griffin_lim;
mod loudness;
mod speaker;
mod speecht5;
mod times;
mod vits;
mod vocoder;

use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

pub use griffin_lim::{GriffinLim, MelShape};
pub use speaker::Speaker;
pub use speecht5::{Ending, SpeechT5Voice};
pub use vits::VitsVoice;
pub use vocoder::{HifiGanVocoder, Vocoder};

use crate::ctc::Piece as Timed;
use crate::error::Error;
use crate::front::ssml::{self, Part};
use crate::front::{self, Pause};
use crate::models::{speecht5 as speecht5_model, vits as vits_model};
use loudness::Leveller;
use times::{timed, times};

/// Says texts.
#[derive(Debug)]
pub struct TextToSpeech {
    voice: Voice,
    options: SpeakOptions,
    /// Figures and signs are read in English.
    english: bool,
}

#[derive(Debug)]
enum Voice {
    Vits(Box<VitsVoice>),
    SpeechT5 {
        voice: Box<SpeechT5Voice>,
        vocoder: Box<dyn Vocoder>,
        speaker: Tensor,
    },
}

/// How texts are said.
#[derive(Debug, Clone)]
pub struct SpeakOptions {
    /// Who speaks.
    pub speaker: Speaker,
    /// How fast; 1 is as the voice does, 2 twice as fast.
    pub speed: f64,
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
            pause: 1.0,
            seed: None,
            rate: None,
            vocoder: None,
            language: None,
        }
    }
}

/// A piece of a text that was said, with the silence behind it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Uttered {
    /// Samples of one channel, of which 1 is the loudest.
    pub samples: Vec<f32>,
    /// What was said.
    pub text: String,
    /// When each word is said, in seconds from the text's beginning; empty if the voice does not tell.
    pub words: Vec<Timed>,
    /// Characters that the voice does not know and which were left out.
    pub unknown: Vec<char>,
}

/// What is known while a text is being said.
struct Telling<'a> {
    leveller: Leveller,
    /// What was said so far.
    seconds: f64,
    /// Whether anything was.
    said: bool,
    /// Characters that were left out and not reported yet.
    unknown: Vec<char>,
    sink: &'a mut dyn FnMut(Uttered) -> bool,
}

/// What a voice makes of a piece.
struct Said {
    samples: Vec<f32>,
    /// For each character of the text the seconds at which it begins and ends, if the voice tells.
    times: Option<Vec<(f64, f64)>>,
    unknown: Vec<char>,
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
        let (voice, own_language) = match found {
            vits_model::MODEL_TYPE => {
                let voice = VitsVoice::open(model, device, kind)?;
                voice.check_speaker(&options.speaker)?;
                let language = voice.characters().language().map(str::to_string);
                (Voice::Vits(Box::new(voice)), language)
            }
            speecht5_model::MODEL_TYPE => {
                if options.speed != 1.0 {
                    return Err(Error::VoiceCannot {
                        what: "speak faster or slower",
                    });
                }
                let voice = SpeechT5Voice::open(model, device, kind)?;
                let vocoder: Box<dyn Vocoder> =
                    match options.vocoder.clone().or_else(|| model.part("vocoder")) {
                        Some(vocoder) => Box::new(HifiGanVocoder::open(&vocoder, device, kind)?),
                        None => Box::new(GriffinLim::new(MelShape::SPEECHT5)),
                    };
                if vocoder.bands() != voice.network().mels() {
                    return Err(Error::Vocoder {
                        bands: vocoder.bands(),
                        expected: voice.network().mels(),
                    });
                }
                let speaker = options.speaker.features(voice.network().speaker_size())?;
                let voice = Voice::SpeechT5 {
                    voice: Box::new(voice),
                    vocoder,
                    speaker,
                };
                (voice, Some("en".to_string()))
            }
            _ => {
                return Err(Error::ModelType {
                    model: model.to_string(),
                    found: found.to_string(),
                    task: "speech",
                    known: [vits_model::MODEL_TYPE, speecht5_model::MODEL_TYPE].join(", "),
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
        match &self.voice {
            Voice::Vits(voice) => voice.rate(),
            Voice::SpeechT5 { vocoder, .. } => vocoder.rate(),
        }
    }

    /// Whether the voice tells when each word is said.
    pub fn tells_times(&self) -> bool {
        matches!(self.voice, Voice::Vits(_))
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
            sink,
        };
        let parts = match ssml::is_ssml(text) {
            true => ssml::parts(text, self.reads_phonemes()).map_err(|problem| Error::Ssml { problem })?,
            false => vec![Part::Text {
                text: text.to_string(),
                rate: 1.0,
                read: false,
            }],
        };
        for part in parts {
            let goes_on = match part {
                Part::Silence(seconds) => {
                    self.tell(&mut telling, self.silent(seconds * self.options.pause))?
                }
                Part::Text { text, rate, read } => self.say_text(&text, rate, read, &mut telling)?,
            };
            if !goes_on {
                return Ok(());
            }
        }
        match telling.said {
            true => Ok(()),
            false => Err(Error::NothingToSay),
        }
    }

    /// Whether the sink wants more.
    fn say_text(&self, text: &str, rate: f64, read: bool, telling: &mut Telling<'_>) -> Result<bool, Error> {
        if self.reads_phonemes() && !read {
            return Err(Error::NeedsPhonemes);
        }
        let words = match self.english && !read {
            true => front::english::words(text),
            false => front::verbatim(text),
        };
        let mut pieces = front::pieces(text, words, self.most_characters())
            .into_iter()
            .peekable();
        while let Some(piece) = pieces.next() {
            let text = piece.text();
            let said = self.say_piece(&text, rate)?;
            for letter in said.unknown {
                if !telling.unknown.contains(&letter) {
                    telling.unknown.push(letter);
                }
            }
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
            if pieces.peek().is_some() {
                samples.extend(self.silent(self.silence(piece.pause)).samples);
            }
            let uttered = Uttered {
                samples,
                text,
                words,
                unknown: std::mem::take(&mut telling.unknown),
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

    fn reads_phonemes(&self) -> bool {
        matches!(&self.voice, Voice::Vits(voice) if voice.characters().wants_phonemes())
    }

    /// Says `text`, of any length.
    ///
    /// # Errors
    /// If there is nothing in it that the voice can say.
    pub fn say(&self, text: &str) -> Result<Uttered, Error> {
        let mut all = Uttered::default();
        self.say_with(text, &mut |piece| {
            all.samples.extend(piece.samples);
            all.words.extend(piece.words);
            all.unknown.extend(piece.unknown);
            if !all.text.is_empty() && !piece.text.is_empty() {
                all.text.push(' ');
            }
            all.text += &piece.text;
            true
        })?;
        Ok(all)
    }

    /// Characters that are said in one go.
    fn most_characters(&self) -> usize {
        match &self.voice {
            Voice::Vits(_) => 300,
            // Longer texts are beyond what it learned.
            Voice::SpeechT5 { voice, .. } => usize::try_from(voice.network().max_tokens() - 2)
                .unwrap_or(1)
                .clamp(1, 200),
        }
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

    /// Says a piece at `rate` times the speed that was asked for.
    fn say_piece(&self, text: &str, rate: f64) -> Result<Said, Error> {
        match &self.voice {
            Voice::Vits(voice) => {
                let spelled = voice.characters().encode(text);
                if spelled.ids.is_empty() {
                    return Ok(Said {
                        samples: Vec::new(),
                        times: None,
                        unknown: spelled.unknown,
                    });
                }
                let mut manner = voice.manner();
                manner.rate *= self.options.speed * rate;
                manner.speaker = voice.speaker(&self.options.speaker);
                let said = voice.say(&spelled.ids, &manner)?;
                let frames = Vec::<i64>::try_from(&said.frames).unwrap_or_default();
                let second = voice.network().hop() as f64 / f64::from(voice.rate());
                Ok(Said {
                    samples: samples_of(&said.samples)?,
                    times: Some(times(&spelled.places, &frames, second, text.chars().count())),
                    unknown: spelled.unknown,
                })
            }
            Voice::SpeechT5 {
                voice,
                vocoder,
                speaker,
            } => {
                if rate != 1.0 {
                    return Err(Error::VoiceCannot {
                        what: "speak faster or slower",
                    });
                }
                let mut unknown = Vec::new();
                for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
                    if !unknown.contains(&letter) && !voice.knows(letter)? {
                        unknown.push(letter);
                    }
                }
                let text: String = text.chars().filter(|letter| !unknown.contains(letter)).collect();
                let samples = match text.chars().any(char::is_alphanumeric) {
                    true => {
                        let ids = voice.tokenizer().ids(&text, true)?;
                        samples_of(&vocoder.samples(&voice.spectrogram(&ids, speaker, Ending::default())?))?
                    }
                    false => Vec::new(),
                };
                Ok(Said {
                    samples,
                    times: None,
                    unknown,
                })
            }
        }
    }
}

fn samples_of(samples: &Tensor) -> Result<Vec<f32>, Error> {
    let samples = Vec::<f32>::try_from(samples.to_device(Device::Cpu)).unwrap_or_default();
    match samples.iter().all(|sample| sample.is_finite()) {
        true => Ok(samples),
        false => Err(Error::NotNumbers),
    }
}

//! Text to speech: voices of all families, long texts piece by piece.

mod loudness;
mod speaker;
mod speecht5;
mod vits;
mod vocoder;

use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

pub use speaker::Speaker;
pub use speecht5::{Ending, SpeechT5Voice};
pub use vits::VitsVoice;
pub use vocoder::{HifiGanVocoder, Vocoder};

use crate::ctc::Piece as Timed;
use crate::error::Error;
use crate::front::{self, Pause, Word};
use crate::models::{speecht5 as speecht5_model, vits as vits_model};
use loudness::Leveller;

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
                let vocoder = match options.vocoder.clone().or_else(|| model.part("vocoder")) {
                    Some(vocoder) => HifiGanVocoder::open(&vocoder, device, kind)?,
                    None => return Err(Error::NoVocoder),
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
                    vocoder: Box::new(vocoder),
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

    /// Says `text`, of any length; each piece is handed to `sink` as soon as it is made, until that says `false`.
    ///
    /// # Errors
    /// If there is nothing in it that the voice can say.
    pub fn say_with(&self, text: &str, sink: &mut dyn FnMut(Uttered) -> bool) -> Result<(), Error> {
        let words = match self.english {
            true => front::english::words(text),
            false => front::verbatim(text),
        };
        if let Some(seed) = self.options.seed {
            tch::manual_seed(seed as i64);
        }
        let mut leveller = Leveller::new(self.voice_rate());
        let (mut begin, mut said_any) = (0.0, false);
        let mut unknown: Vec<char> = Vec::new();
        let mut pieces = front::pieces(text, words, self.most_characters())
            .into_iter()
            .peekable();
        while let Some(piece) = pieces.next() {
            let text = piece.text();
            let said = self.say_piece(&text)?;
            for letter in said.unknown {
                if !unknown.contains(&letter) {
                    unknown.push(letter);
                }
            }
            let mut samples = said.samples;
            if samples.is_empty() {
                continue;
            }
            said_any = true;
            leveller.level(&mut samples);
            let words = said
                .times
                .map_or(Vec::new(), |times| timed(&piece.words, &times, begin));
            if pieces.peek().is_some() {
                let silence = (self.silence(piece.pause) * f64::from(self.voice_rate())) as usize;
                samples.resize(samples.len() + silence, 0.0);
            }
            begin += samples.len() as f64 / f64::from(self.voice_rate());
            let samples = crate::audio::resampled(samples, self.voice_rate(), self.rate())?;
            let uttered = Uttered {
                samples,
                text,
                words,
                unknown: std::mem::take(&mut unknown),
            };
            if !sink(uttered) {
                return Ok(());
            }
        }
        match said_any {
            true => Ok(()),
            false => Err(Error::NothingToSay),
        }
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
            if !all.text.is_empty() {
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

    fn say_piece(&self, text: &str) -> Result<Said, Error> {
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
                manner.rate *= self.options.speed;
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

/// When each of `count` characters is said, from the frames of tokens that stand for them.
fn times(places: &[Option<usize>], frames: &[i64], second: f64, count: usize) -> Vec<(f64, f64)> {
    let mut times: Vec<Option<(f64, f64)>> = vec![None; count];
    let mut at = 0;
    let mut current = None;
    for (place, frames) in places.iter().zip(frames) {
        let (begin, end) = (at as f64 * second, (at + frames) as f64 * second);
        at += frames;
        current = place.or(current);
        // Blanks between characters belong to the one before.
        if let Some(time) = current.and_then(|place| times.get_mut(place)) {
            let begin = time.map_or(begin, |(begin, _)| begin);
            *time = Some((begin, end));
        }
    }
    let mut latest = 0.0;
    let filled = times.into_iter().map(|time| {
        let (begin, end) = time.unwrap_or((latest, latest));
        latest = end;
        (begin, end)
    });
    filled.collect()
}

/// When each word is said: from its first character's begin to its last one's end.
fn timed(words: &[Word], times: &[(f64, f64)], begin: f64) -> Vec<Timed> {
    let mut at = 0;
    let mut latest: f64 = 0.0;
    words
        .iter()
        .map(|word| {
            let count = word.said.chars().count();
            let own = &times[at.min(times.len())..(at + count).min(times.len())];
            at += count + 1;
            let heard = || own.iter().filter(|(begin, end)| end > begin);
            let start = heard().next().map_or(latest, |(begin, _)| *begin);
            latest = heard().next_back().map_or(start, |(_, end)| *end);
            Timed {
                text: word.said.clone(),
                start: begin + start,
                end: begin + latest,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_time_of_their_characters() {
        // "ab c" with blanks between characters, two frames each; nothing stands for the space.
        let places = [None, Some(0), None, Some(1), None, Some(3), None];
        let found = times(&places, &[2; 7], 0.5, 4);
        assert_eq!(found, [(1.0, 3.0), (3.0, 5.0), (5.0, 5.0), (5.0, 7.0)]);
        let words = front::verbatim("ab c");
        let found = timed(&words, &found, 10.0);
        let found: Vec<_> = found.iter().map(|word| (word.start, word.end)).collect();
        assert_eq!(found, [(11.0, 15.0), (15.0, 17.0)]);
    }
}

//! Speech to text, whichever family the model is of.

use sensorium_generation::GenerationConfig;
use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind};

use crate::audio::{Audio, AudioError};
use crate::ctc::{BeamSearch, Chunks, CtcRecognizer, Piece};
use crate::error::Error;
use crate::moonshine::{self, MoonshineOptions, MoonshineRecognizer, Phrase};
use crate::subtitles::Caption;
use crate::voice::{VoiceActivity, Voices};
use crate::whisper::{Checks, Task, WhisperOptions, WhisperRecognizer};

/// Writes down what is said: Whisper, Moonshine, wav2vec2, HuBERT, WavLM, wav2vec2-BERT.
#[derive(Debug)]
pub struct SpeechToText {
    recognizer: Recognizer,
    options: SpeechToTextOptions,
}

#[derive(Debug)]
enum Recognizer {
    Writing {
        model: Box<WhisperRecognizer>,
        options: Box<WhisperOptions>,
    },
    Moonshine {
        model: Box<MoonshineRecognizer>,
        options: Box<MoonshineOptions>,
    },
    Spelling(Box<CtcRecognizer>),
}

/// How recordings are heard.
#[derive(Debug, Clone)]
pub struct SpeechToTextOptions {
    /// The language that is spoken, as a code (`en`); found by the model if none is named.
    pub language: Option<String>,
    /// Write an English translation, where the model can.
    pub translate: bool,
    /// Find when things are said.
    pub timestamps: bool,
    /// Find when each word is said.
    pub words: bool,
    /// What was said before, or words to expect, where the model can make use of it.
    pub prompt: Option<String>,
    /// Words that may be said, such as names, of which the model is reminded in each part of the recording.
    pub hot_words: Option<String>,
    /// How a model that spells searches; the likeliest token of each step if there is none. Hot words need it.
    pub beam_search: Option<BeamSearch>,
    /// Where nobody speaks nothing is heard, or everywhere if there is none.
    pub voice_activity: Option<VoiceActivity>,
    /// The channel that is heard, from 0; the mean of all if none is named.
    pub channel: Option<usize>,
    /// Where to begin, in seconds.
    pub start: f64,
    /// Where to end, in seconds.
    pub end: Option<f64>,
    /// How tokens are chosen, where the model writes; what is left out comes from the model's own settings.
    pub generation: GenerationConfig,
}

impl Default for SpeechToTextOptions {
    fn default() -> Self {
        Self {
            language: None,
            translate: false,
            timestamps: false,
            words: false,
            prompt: None,
            hot_words: None,
            beam_search: None,
            voice_activity: Some(VoiceActivity::default()),
            channel: None,
            start: 0.0,
            end: None,
            generation: GenerationConfig::default(),
        }
    }
}

/// What is said in a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spoken {
    /// All of it.
    pub text: String,
    /// Its parts with their times since the recording's beginning; empty unless asked for.
    pub captions: Vec<Caption>,
}

impl SpeechToText {
    /// Opens a checkpoint; floating-point weights are converted to `kind` if one is named.
    ///
    /// # Errors
    /// If a file is missing or damaged, the family is not supported, the configuration makes no sense, tensors are
    /// missing, misshapen or left over, or the model cannot do what `options` ask for.
    pub fn open(
        model: &Model,
        device: Device,
        kind: Option<Kind>,
        options: SpeechToTextOptions,
    ) -> Result<Self, Error> {
        let config = model.config()?;
        let recognizer = match config.get("model_type").and_then(Value::as_str) {
            Some("whisper") => {
                let model = WhisperRecognizer::open(model, device, kind)?;
                // As the model's own program does: five beams.
                let mut generation = options.generation.clone();
                generation.num_beams = generation.num_beams.or(Some(5));
                let prompt = options
                    .prompt
                    .as_deref()
                    .map(|text| model.prompt(text))
                    .transpose()?;
                let hot_words = options.hot_words.as_deref().map(|words| model.words(words));
                let options = WhisperOptions {
                    hot_words: hot_words.transpose()?.unwrap_or_default(),
                    language: options.language.clone(),
                    task: options.translate.then_some(Task::Translate),
                    timestamps: options.timestamps,
                    words: options.words,
                    prompt: prompt.unwrap_or_default(),
                    generation,
                    checks: Some(Checks::default()),
                };
                Recognizer::Writing {
                    model: Box::new(model),
                    options: Box::new(options),
                }
            }
            Some("moonshine") => {
                let unknown = [
                    (options.translate, "translate"),
                    (options.words, "tell when words are said"),
                    (options.prompt.is_some(), "take a prompt"),
                    (options.hot_words.is_some(), "take hot words"),
                ];
                if let Some(&(_, cannot)) = unknown.iter().find(|(asked, _)| *asked) {
                    return Err(Error::OnlyWrites { cannot });
                }
                Recognizer::Moonshine {
                    model: Box::new(MoonshineRecognizer::open(model, device, kind)?),
                    options: Box::new(MoonshineOptions {
                        timestamps: options.timestamps,
                        generation: options.generation.clone(),
                    }),
                }
            }
            _ if options.translate => return Err(Error::OnlySpells { cannot: "translate" }),
            _ if options.prompt.is_some() => {
                return Err(Error::OnlySpells {
                    cannot: "take a prompt",
                });
            }
            _ => Recognizer::Spelling(Box::new(CtcRecognizer::open(model, device, kind)?)),
        };
        let mut options = options;
        if let (Some(words), Recognizer::Spelling(_)) = (&options.hot_words, &recognizer) {
            let hot = words
                .split([',', ' '])
                .filter(|word| !word.is_empty())
                .map(str::to_string);
            options.beam_search.get_or_insert_default().hot_words.extend(hot);
        }
        Ok(Self { recognizer, options })
    }

    /// What is said in `audio`.
    ///
    /// # Errors
    /// If there is nothing to hear, the language is not known, or a setting makes no sense.
    pub fn transcribe(&self, audio: &Audio) -> Result<Spoken, Error> {
        let from = self.options.start.clamp(0.0, audio.seconds());
        let clip = match self.options.channel {
            Some(channel) => audio.channel(channel)?.clip(from, self.options.end),
            None => audio.clip(from, self.options.end),
        };
        if clip.frames() == 0 {
            return Err(AudioError::Empty.into());
        }
        let voices = match &self.options.voice_activity {
            Some(activity) => activity.find(&clip)?,
            None => Voices::whole(&clip),
        };
        let heard = voices.of(&clip);
        if heard.frames() == 0 {
            return Ok(Spoken::default());
        }
        let mut spoken = match &self.recognizer {
            Recognizer::Writing { model, options } => written(&heard, model, options)?,
            Recognizer::Moonshine { model, options } => said(model.transcribe(&heard, options)?),
            Recognizer::Spelling(model) => spelt(&heard, model, self.options.beam_search.as_ref())?,
        };
        if !self.options.timestamps && !self.options.words {
            spoken.captions.clear();
        }
        let length = heard.seconds();
        for caption in &mut spoken.captions {
            if !self.options.words {
                caption.words.clear();
            }
            for word in &mut caption.words {
                let end = word.end.min(length).max(word.start);
                let (start, end) = voices.original_span(word.start, end);
                (word.start, word.end) = (start + from, end + from);
            }
            let end = caption.end.min(length).max(caption.start);
            caption.start = voices.original(caption.start, true) + from;
            caption.end = voices.original(end, false).max(caption.start - from) + from;
        }
        Ok(spoken)
    }
}

fn written(clip: &Audio, model: &WhisperRecognizer, options: &WhisperOptions) -> Result<Spoken, Error> {
    let length = clip.seconds();
    let found = model.read(clip, options, None)?;
    let mut latest = 0.0;
    let captions = found.chunks.into_iter().map(|chunk| {
        let start = chunk.start.unwrap_or(latest).min(length);
        latest = chunk.end.unwrap_or(length).max(start);
        Caption {
            start,
            end: latest,
            text: chunk.text,
            words: chunk.words,
        }
    });
    Ok(Spoken {
        captions: captions.collect(),
        text: found.text.trim().to_string(),
    })
}

fn said(phrases: Vec<Phrase>) -> Spoken {
    let text = moonshine::joined(&phrases);
    let caption = |Phrase { start, end, text }| Caption {
        start,
        end,
        text,
        words: Vec::new(),
    };
    Spoken {
        captions: phrases.into_iter().map(caption).collect(),
        text,
    }
}

fn spelt(clip: &Audio, model: &CtcRecognizer, search: Option<&BeamSearch>) -> Result<Spoken, Error> {
    let (text, words) = match search {
        Some(search) => model.search(clip, search)?,
        None => {
            let spelling = model.transcribe(clip, Chunks::for_length(clip.seconds()))?;
            (spelling.text(), model.lasting(spelling.words()))
        }
    };
    let caption = |phrase: Vec<Piece>| {
        let texts: Vec<&str> = phrase.iter().map(|word| word.text.as_str()).collect();
        let text = texts.join(" ");
        let (start, end) = (phrase.first()?.start, phrase.last()?.end);
        let spaced = |word: Piece| Piece {
            text: format!(" {}", word.text),
            ..word
        };
        Some(Caption {
            start,
            end,
            text,
            words: phrase.into_iter().map(spaced).collect(),
        })
    };
    Ok(Spoken {
        captions: phrases(words).into_iter().filter_map(caption).collect(),
        text,
    })
}

/// Words before and behind a pause, or more than seven seconds of words, are not shown together.
fn phrases(words: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut phrases: Vec<Vec<Piece>> = Vec::new();
    for word in words {
        match phrases.last_mut() {
            Some(phrase)
                if phrase.last().is_some_and(|last| word.start - last.end < 0.8)
                    && word.end - phrase[0].start < 7.0 =>
            {
                phrase.push(word);
            }
            _ => phrases.push(vec![word]),
        }
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_and_seven_seconds_end_a_phrase() {
        let word = |start: f64| Piece {
            text: "a".to_string(),
            start,
            end: start + 0.5,
        };
        let found = phrases(
            [0.0, 0.6, 3.0, 3.6, 4.4, 5.2, 6.0, 6.8, 7.6, 8.4, 9.2, 10.0]
                .map(word)
                .to_vec(),
        );
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [2, 9, 1]);
    }
}

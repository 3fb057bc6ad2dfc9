//! Speech to text, whichever family the model is of.

use std::ops::ControlFlow;

use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind};

use crate::audio::{Audio, AudioStream, Damage, Spool};
use crate::ctc::{BeamSearch, Chunks, CtcRecognizer, Speller, likeliest};
use crate::error::Error;
use crate::features::Samples as _;
use crate::intake::{Heard, Intake, detector};
use crate::moonshine::{self, MoonshineOptions, MoonshineRecognizer};
use crate::options::SpeechToTextOptions;
use crate::subtitles::Caption;
use crate::teller::{News, Phrases, Teller};
use crate::voice::{PAUSES, Silero};
use crate::whisper::{Recording, STEP, Segment, Task, WhisperOptions, WhisperRecognizer};

/// Writes down what is said: Whisper, Moonshine, wav2vec2, HuBERT, WavLM, wav2vec2-BERT.
#[derive(Debug)]
pub struct SpeechToText {
    pub(crate) recognizer: Recognizer,
    pub(crate) options: SpeechToTextOptions,
    silero: Option<Silero>,
}

#[derive(Debug)]
pub(crate) enum Recognizer {
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

/// What is said in a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spoken {
    /// All of it.
    pub text: String,
    /// Its parts with their times since the recording's beginning; empty unless asked for.
    pub captions: Vec<Caption>,
    /// What the recording lacks, if it is cut or damaged.
    pub damage: Option<Damage>,
}

/// Frames that are taken together of a recording in memory.
const BLOCK: usize = 1 << 14;

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
        let silero = options.voice_detector.as_deref().map(Silero::open).transpose()?;
        let config = model.config()?;
        let recognizer = match config.get("model_type").and_then(Value::as_str) {
            Some("whisper") => writing(WhisperRecognizer::open(model, device, kind)?, &options)?,
            Some("moonshine") => {
                options.refuse_all_but_text()?;
                Recognizer::Moonshine {
                    model: Box::new(MoonshineRecognizer::open(model, device, kind)?),
                    options: Box::new(MoonshineOptions {
                        timestamps: options.timestamps,
                        generation: options.generation.clone(),
                    }),
                }
            }
            _ => {
                options.refuse_all_but_letters()?;
                let model = CtcRecognizer::open(model, device, kind)?;
                if options.letters && !model.spells_letters() {
                    return Err(Error::SpellsWords);
                }
                Recognizer::Spelling(Box::new(model))
            }
        };
        let mut options = options;
        if let (Some(words), Recognizer::Spelling(_)) = (&options.hot_words, &recognizer) {
            let hot = words
                .split([',', ' '])
                .filter(|word| !word.is_empty())
                .map(str::to_string);
            options.beam_search.get_or_insert_default().hot_words.extend(hot);
        }
        Ok(Self {
            recognizer,
            options,
            silero,
        })
    }

    /// What is said in `audio`.
    ///
    /// # Errors
    /// If there is nothing to hear, the language is not known, or a setting makes no sense.
    pub fn transcribe(&self, audio: &Audio) -> Result<Spoken, Error> {
        let mut intake = self.intake(audio.channels(), audio.rate())?;
        for block in audio.samples().chunks(BLOCK * audio.channels()) {
            if !intake.push(block)? {
                break;
            }
        }
        self.hear(intake.finish()?, &mut |_| ControlFlow::Continue(()))
    }

    /// What is said in a recording of any length, of which no more than ten minutes are in memory at a time; a longer
    /// one is kept in a temporary file. `tell` is told what is found on the way, and may end the hearing.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe), if the recording cannot be read or kept, and if `tell` ends the hearing.
    pub fn transcribe_stream(
        &self,
        audio: AudioStream,
        tell: &mut dyn FnMut(News<'_>) -> ControlFlow<()>,
    ) -> Result<Spoken, Error> {
        let heard = self.take_in(audio, tell)?;
        self.hear(heard, tell)
    }

    /// Reads a recording to its end, and makes it ready to be heard.
    pub(crate) fn take_in(
        &self,
        mut audio: AudioStream,
        tell: &mut dyn FnMut(News<'_>) -> ControlFlow<()>,
    ) -> Result<Heard, Error> {
        let mut intake = self.intake(audio.channels(), audio.rate())?;
        let end = self.options.end.unwrap_or(f64::INFINITY);
        let of = audio.seconds().map(|seconds| seconds.min(end));
        while let Some(block) = audio.next_block()? {
            let more = intake.push(block)?;
            let at = intake.seconds().min(end);
            if tell(News::Read { at, of }).is_break() {
                return Err(Error::Stopped);
            }
            if !more {
                break;
            }
        }
        Ok(Heard {
            damage: audio.damage(),
            ..intake.finish()?
        })
    }

    /// What takes a recording of so many channels at `rate` Hz.
    fn intake(&self, channels: usize, rate: u32) -> Result<Intake<'_>, Error> {
        let silero = self.silero.as_ref();
        Ok(Intake::new((channels, rate), self.rate(), &self.options, silero)?)
    }

    /// The rate at which the model hears, in Hz.
    fn rate(&self) -> u32 {
        match &self.recognizer {
            Recognizer::Writing { model, .. } => model.rate(),
            Recognizer::Moonshine { model, .. } => model.rate(),
            Recognizer::Spelling(model) => model.rate(),
        }
    }

    fn hear(
        &self,
        mut heard: Heard,
        tell: &mut dyn FnMut(News<'_>) -> ControlFlow<()>,
    ) -> Result<Spoken, Error> {
        let mut samples = std::mem::take(&mut heard.samples);
        let mut teller = Teller::new(heard, &self.options, Some(tell));
        if samples.count() > 0 {
            match &self.recognizer {
                Recognizer::Writing { model, options } => {
                    let recording = self.recording(samples, model)?;
                    model.alone(recording, self.options.batch_size, options, &mut |segment| {
                        take_segment(segment, model, &mut teller)
                    })?;
                }
                Recognizer::Moonshine { model, options } => said(samples, model, options, &mut teller)?,
                Recognizer::Spelling(model) => spelt(
                    &mut samples,
                    model,
                    self.options.beam_search.as_ref(),
                    &mut teller,
                )?,
            }
        }
        Ok(teller.spoken)
    }

    /// `samples` as a recording for Whisper, in parts if that is asked for.
    pub(crate) fn recording<'a>(
        &self,
        mut samples: Spool,
        model: &'a WhisperRecognizer,
    ) -> Result<Recording<'a>, Error> {
        if !self.options.in_parts {
            return model.recording(samples);
        }
        let pauses = PAUSES
            .find_by(detector(self.silero.as_ref()), &mut samples, model.rate())?
            .pauses();
        Ok(model.recording(samples)?.in_parts(&pauses))
    }
}

/// Whisper, set up as its own program is.
fn writing(model: WhisperRecognizer, options: &SpeechToTextOptions) -> Result<Recognizer, Error> {
    if options.translate && !model.tokens().can(Task::Translate) {
        return Err(Error::OnlyTranscribes);
    }
    let asked = [
        (options.names_letters(), "take an n-gram language model"),
        (options.letters, "tell when characters are said"),
    ];
    if let Some(&(_, cannot)) = asked.iter().find(|(asked, _)| *asked) {
        return Err(Error::OnlyWrites { cannot });
    }
    let mut generation = options.generation.clone();
    // As the model's own program does: five beams.
    generation.num_beams = generation.num_beams.or(Some(5));
    let prompt = options.prompt.as_deref().map(|text| model.prompt(text));
    let hot_words = options.hot_words.as_deref().map(|words| model.words(words));
    let options = WhisperOptions {
        hot_words: hot_words.transpose()?.unwrap_or_default(),
        language: options.language.clone(),
        task: options.translate.then_some(Task::Translate),
        timestamps: options.timestamps,
        words: options.words,
        prompt: prompt.transpose()?.unwrap_or_default(),
        generation,
        checks: Some(options.checks.clone()),
    };
    Ok(Recognizer::Writing {
        model: Box::new(model),
        options: Box::new(options),
    })
}

pub(crate) fn take_segment(
    segment: Segment,
    model: &WhisperRecognizer,
    teller: &mut Teller<'_>,
) -> Result<(), Error> {
    let (first_time, window) = (model.tokens().first_time, model.features().chunk_length as f64);
    let chunk = model.chunk(&segment)?;
    let all = (segment.start, segment.end);
    let (start, end) = match segment.words.as_slice() {
        [] => told(&segment.ids, first_time, all, window),
        _ => all,
    };
    teller.text(&chunk.text)?;
    teller.caption(Caption {
        start: rounded(start).min(teller.length()),
        end: rounded(end),
        text: chunk.text,
        words: chunk.words,
    })?;
    teller.heard(end)
}

/// Begin and end of a segment by the times that it tells, which may be less than all of its window, if that is where
/// `from` and `to` are.
fn told(ids: &[i64], first_time: i64, (from, to): (f64, f64), window: f64) -> (f64, f64) {
    let time = |id: &i64| (*id >= first_time).then(|| (id - first_time) as f64 * STEP);
    let ids = match ids {
        // The second of a pair is the next one's.
        [.., last, next] if time(last).is_some() && time(next).is_some() => &ids[..ids.len() - 1],
        ids => ids,
    };
    let Some(begin) = ids.first().and_then(time) else {
        return (from, to);
    };
    match ids[1..].iter().rev().find_map(time) {
        Some(end) if end > 0.0 => (to - (end - begin), to),
        // It goes on to the end of the window.
        None if begin > 0.0 => (to, to - begin + window),
        _ => (from + begin, to),
    }
}

/// To hundredths, which are the model's.
fn rounded(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}

fn said(
    samples: Spool,
    model: &MoonshineRecognizer,
    options: &MoonshineOptions,
    teller: &mut Teller<'_>,
) -> Result<(), Error> {
    model.listen(samples, options, &mut |phrase| {
        let blank = moonshine::between(&teller.spoken.text, &phrase.text);
        teller.text(&format!("{blank}{}", phrase.text))?;
        let end = phrase.end;
        teller.caption(Caption {
            start: phrase.start,
            end,
            text: phrase.text,
            words: Vec::new(),
        })?;
        teller.heard(end)
    })
}

fn spelt(
    samples: &mut Spool,
    model: &CtcRecognizer,
    search: Option<&BeamSearch>,
    teller: &mut Teller<'_>,
) -> Result<(), Error> {
    let length = teller.length();
    let mut phrases = Phrases::default();
    if let Some(search) = search {
        let (text, words) = model.search_in(samples, length, search)?;
        teller.text(&text)?;
        phrases.say(words, teller)?;
        return phrases.end(teller);
    }
    let mut speller = Speller::new(model);
    model.hear(samples, Chunks::for_length(length), &mut |scores, at| {
        let (text, words) = speller.push(&likeliest(&scores));
        teller.text(&text)?;
        phrases.say(words, teller)?;
        teller.heard(at)
    })?;
    let (text, words) = speller.finish();
    teller.text(&text)?;
    phrases.say(words, teller)?;
    phrases.end(teller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_where_they_tell() {
        // 100 is 0.00, so 150 is 1.00
        let check = |ids: &[i64], all: (f64, f64), expected: (f64, f64)| {
            let (start, end) = told(ids, 100, all, 30.0);
            assert_eq!((rounded(start), rounded(end)), expected, "{ids:?}");
        };
        // All of a window that begins at 30 seconds.
        check(&[150, 7, 8, 200], (30.0, 32.0), (31.0, 32.0));
        check(&[150, 7, 200, 8], (30.0, 32.0), (31.0, 32.0));
        check(&[150, 7, 8], (30.0, 31.0), (31.0, 60.0));
        check(&[100, 7, 8], (30.0, 60.0), (30.0, 60.0));
        check(&[7, 8], (30.0, 60.0), (30.0, 60.0));
        // Parts of one.
        check(&[150, 7, 200], (31.0, 32.0), (31.0, 32.0));
        check(&[150, 7, 200, 230], (31.0, 32.0), (31.0, 32.0));
    }
}

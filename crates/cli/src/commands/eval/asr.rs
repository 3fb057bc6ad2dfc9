//! `sensorium eval asr`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use sensorium::SpeechToTextOptions;
use sensorium::hub::Model;
use sensorium::metrics::normalize;
use sensorium::metrics::wer::{Errors, character_errors, word_errors};
use sensorium::speech::{Audio, SpeechToText};
use sensorium::train::recipes::asr::strings;
use sensorium::train::recordings::Recording;
use serde_json::json;

use super::recordings::{LeftOut, RecordingArgs};
use crate::context::Context;
use crate::{print, progress, table};

/// What to evaluate.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a folder, a shipped model or a hub id
    #[arg(short, long)]
    model: String,
    #[command(flatten)]
    recordings: RecordingArgs,
    /// Hear this many strings of recordings, with silence in between, in the place of single ones
    #[arg(long, value_name = "N")]
    strings: Option<usize>,
    /// The most recordings of a string
    #[arg(long, value_name = "N", default_value_t = 10, requires = "strings")]
    join: usize,
    /// The language that is spoken, e.g. en [default: the model finds it]
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// How texts are made alike before they are compared
    #[arg(long, value_enum, value_name = "NAME", default_value = "plain")]
    normalize: Normalizer,
    /// Compare texts as they are: short for --normalize none
    #[arg(long, conflicts_with = "normalize")]
    raw: bool,
    /// Show this many of the worst results
    #[arg(long, value_name = "N", default_value_t = 5)]
    worst: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Normalizer {
    /// Not at all
    None,
    /// Small letters, no punctuation
    Plain,
    /// As Whisper's authors do for English: numbers as figures, contractions in full, and the spellings of the model's
    /// normalizer.json
    Whisper,
    /// As Whisper's authors do for other languages
    WhisperBasic,
}

/// What makes a text comparable.
type Normalize = Box<dyn Fn(&str) -> String>;

impl Normalizer {
    /// What texts are made by it.
    fn function(self, model: &Model) -> Result<Normalize> {
        Ok(match self {
            Self::None => Box::new(str::to_string),
            Self::Plain => Box::new(plain),
            Self::WhisperBasic => Box::new(normalize::basic),
            Self::Whisper => {
                let file = "normalizer.json";
                let english = match model.read(file)? {
                    Some(_) => normalize::English::new(model.json_as(file)?),
                    None => normalize::English::default(),
                };
                Box::new(move |text| english.normalize(text))
            }
        })
    }
}

/// A recording, what is said in it, and what was heard.
struct Heard {
    name: String,
    said: String,
    heard: String,
    words: Errors,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let chosen = chosen(args, context)?;
    let model = context.hub()?.resolve(&args.model)?;
    let options = SpeechToTextOptions {
        language: args.language.clone(),
        ..SpeechToTextOptions::default()
    };
    let normalizer = if args.raw {
        Normalizer::None
    } else {
        args.normalize
    };
    let alike = normalizer.function(&model)?;
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let recognizer = SpeechToText::open(&model, context.device()?, kind, options)?;
    let bar = progress::items(chosen.len() as u64, "recordings", context.shows_progress());
    let (begin, mut seconds) = (Instant::now(), 0.0);
    let mut results = Vec::with_capacity(chosen.len());
    let mut left_out = LeftOut::default();
    let (mut words, mut characters) = (Errors::default(), Errors::default());
    for (name, audio, said) in chosen {
        bar.inc(1);
        let heard = audio().and_then(|audio| {
            let heard = recognizer.transcribe(&audio);
            let heard = heard.with_context(|| format!("{name} cannot be used"))?;
            seconds += audio.seconds();
            Ok(heard.text)
        });
        let heard = match heard {
            Ok(heard) => heard,
            Err(error) => {
                left_out.add(&name, &error);
                continue;
            }
        };
        let [said, heard] = [said, heard].map(|text| alike(&text));
        let errors = word_errors(&said, &heard);
        words = words.plus(&errors);
        characters = characters.plus(&character_errors(&said, &heard));
        results.push(Heard {
            name,
            said,
            heard,
            words: errors,
        });
    }
    bar.finish_and_clear();
    left_out.check(results.len())?;
    let speed = seconds / begin.elapsed().as_secs_f64();
    results.sort_by_key(|result| std::cmp::Reverse(result.words.count()));
    let whole = results.iter().filter(|result| result.words.count() == 0).count();
    let count = results.len();
    results.retain(|result| result.words.count() > 0);
    results.truncate(args.worst);
    if context.global.json {
        let worst = results
            .iter()
            .map(|result| json!({ "input": result.name, "said": result.said, "heard": result.heard }));
        print::json(&json!({
            "wer": words.rate(), "cer": characters.rate(), "words": words, "characters": characters,
            "recordings": count, "without_error": whole, "times_real_time": speed,
            "worst": worst.collect::<Vec<_>>(), "left_out": left_out.json(),
        }))?;
        return Ok(left_out.exit_code());
    }
    let row = |name: &str, errors: &Errors| {
        let numbers = [
            errors.said(),
            errors.substitutions,
            errors.deletions,
            errors.insertions,
        ];
        let rate = format!("{:.2} %", 100.0 * errors.rate());
        let mut row = vec![name.to_string(), rate];
        row.extend(numbers.map(|number| table::thousands(number as u64)));
        row
    };
    let header = ["errors of", "rate", "said", "wrong", "missed", "added"];
    let rows = [
        header.map(str::to_string).to_vec(),
        row("words", &words),
        row("characters", &characters),
    ];
    let mut text = table::aligned(&rows, None);
    text += &format!("\n{whole} of {count} recordings without an error; {speed:.1} times real time\n");
    for result in &results {
        text += &format!(
            "\n{}\n  said   {}\n  heard  {}\n",
            result.name, result.said, result.heard
        );
    }
    text += &left_out.text();
    print::text(&text)?;
    Ok(left_out.exit_code())
}

type Sound = Box<dyn FnOnce() -> Result<Audio>>;

/// Names, sounds and texts of what is heard.
fn chosen(args: &Args, context: &Context) -> Result<Vec<(String, Sound, String)>> {
    let chosen = args.recordings.read(context)?;
    let Some(count) = args.strings else {
        let sound = |recording: Recording| {
            let (name, text) = (recording.id.clone(), recording.text.clone());
            let sound: Sound = Box::new(move || Ok(recording.audio()?));
            (name, sound, text)
        };
        return Ok(chosen.into_iter().map(sound).collect());
    };
    let rate = chosen[0].audio()?.rate();
    let strings = strings(&chosen, count, args.join, rate, context.global.seed.unwrap_or(0))?;
    let sound = |(number, (samples, text)): (usize, (Vec<f32>, String))| {
        let sound: Sound = Box::new(move || Ok(Audio::new(samples, 1, rate)?));
        (format!("string {}", number + 1), sound, text)
    };
    Ok(strings.into_iter().enumerate().map(sound).collect())
}

/// In small letters, words apart by single blanks, without punctuation but for apostrophes within words.
fn plain(text: &str) -> String {
    let kept: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '\'' { c } else { ' ' })
        .collect();
    let words = kept.split_whitespace().map(|word| word.trim_matches('\''));
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn punctuation_does_not_count() {
        assert_eq!(plain("Don't -- stop, 'Élan'!"), "don't stop élan");
    }
}

//! `sensorium eval asr`.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use sensorium::SpeechToTextOptions;
use sensorium::speech::{Audio, SpeechToText};
use sensorium::train::recipes::asr::Strings;
use sensorium::train::recordings::Recording;
use serde_json::{Map, Value, json};

use super::normalizer::{Compared, Normalizer, Tally};
use super::recordings::{LeftOut, RecordingArgs};
use crate::context::Context;
use crate::numbers::count;
use crate::search_args::SearchArgs;
use crate::{print, progress};

/// What to evaluate.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a folder, a shipped model or a hub id
    #[arg(short, long)]
    model: String,
    #[command(flatten)]
    recordings: RecordingArgs,
    /// Hear this many strings of recordings, with silence in between, in the place of single ones
    #[arg(long, value_name = "N", value_parser = count)]
    strings: Option<usize>,
    /// The most recordings of a string
    #[arg(long, value_name = "N", value_parser = count, default_value_t = 10, requires = "strings")]
    join: usize,
    /// The language that is spoken, e.g. en [default: the model finds it]
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    #[command(flatten)]
    search: SearchArgs,
    /// How texts are made alike before the worst results are found; errors as the texts are and by Whisper's normaliser
    /// are told beside
    #[arg(long, value_enum, value_name = "NAME", default_value = "plain")]
    normalize: Normalizer,
    /// Find the worst results in the texts as they are: short for --normalize none
    #[arg(long, conflicts_with = "normalize")]
    raw: bool,
    /// Show this many of the worst results
    #[arg(long, value_name = "N", default_value_t = 5)]
    worst: usize,
}

/// What came of the recordings.
struct Results {
    /// By each way to make texts alike.
    tallies: Vec<Tally>,
    /// The way that decides.
    chosen: Normalizer,
    /// Recordings by their names, those with the most errors first.
    heard: Vec<(String, Compared)>,
    left_out: LeftOut,
    /// Of the time that hearing took, without reading files and comparing texts.
    times_real_time: f64,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let sounds = sounds(args, context)?;
    let model = context.hub()?.resolve(&args.model)?;
    let options = args.search.add_to(SpeechToTextOptions {
        language: args.language.clone(),
        ..SpeechToTextOptions::default()
    })?;
    let chosen = if args.raw {
        Normalizer::None
    } else {
        args.normalize
    };
    let tallies = Normalizer::all(chosen, args.language.as_deref());
    let tallies = tallies.into_iter().map(|by| Tally::new(by, &model));
    let mut results = Results {
        tallies: tallies.collect::<Result<_>>()?,
        chosen,
        heard: Vec::new(),
        left_out: LeftOut::default(),
        times_real_time: 0.0,
    };
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let recognizer = SpeechToText::open(&model, context.device()?, kind, options)?;
    results.hear(sounds, &recognizer, context)?;
    match context.global.json {
        true => print::json(&results.json(args.worst))?,
        false => print::text(&results.text(args.worst))?,
    }
    Ok(results.left_out.exit_code())
}

impl Results {
    fn hear(&mut self, sounds: Sounds, recognizer: &SpeechToText, context: &Context) -> Result<()> {
        let bar = progress::items(sounds.count as u64, "recordings", context.shows_progress());
        let (mut took, mut seconds) = (Duration::ZERO, 0.0);
        for (name, sound) in sounds.all {
            bar.inc(1);
            let heard = sound.and_then(|(audio, said)| {
                let begin = Instant::now();
                let heard = recognizer.transcribe(&audio);
                let heard = heard.with_context(|| format!("{name} cannot be used"))?;
                took += begin.elapsed();
                seconds += audio.seconds();
                Ok((said, heard.text))
            });
            match heard {
                Ok((said, heard)) => self.add(name, &said, &heard),
                Err(error) => self.left_out.add(&name, &error),
            }
        }
        bar.finish_and_clear();
        self.left_out.check(self.heard.len())?;
        self.times_real_time = seconds / took.as_secs_f64();
        self.heard
            .sort_by_key(|(_, compared)| std::cmp::Reverse(compared.words.count()));
        Ok(())
    }

    fn add(&mut self, name: String, said: &str, heard: &str) {
        for tally in &mut self.tallies {
            let compared = tally.add(said, heard);
            if tally.by() == self.chosen {
                self.heard.push((name.clone(), compared));
            }
        }
    }

    /// Recordings without an error.
    fn whole(&self) -> usize {
        let all = self.heard.iter();
        all.filter(|(_, compared)| compared.words.count() == 0).count()
    }

    fn worst(&self, most: usize) -> &[(String, Compared)] {
        &self.heard[..most.min(self.heard.len() - self.whole())]
    }

    fn json(&self, worst: usize) -> Value {
        let worst = self
            .worst(worst)
            .iter()
            .map(|(name, compared)| json!({ "input": name, "said": compared.said, "heard": compared.heard }));
        // The chosen one's rates stand by themselves, too.
        let chosen = self.tallies.iter().find(|tally| tally.by() == self.chosen);
        let (name, mut all) = chosen.map(Tally::json).unwrap_or_default();
        let more = json!({
            "normalize": name,
            "normalizers": self.tallies.iter().map(Tally::json).collect::<Map<_, _>>(),
            "recordings": self.heard.len(), "without_error": self.whole(),
            "times_real_time": self.times_real_time,
            "worst": worst.collect::<Vec<_>>(), "left_out": self.left_out.json(),
        });
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
            all.extend(more);
        }
        all
    }

    fn text(&self, worst: usize) -> String {
        let mut text = Tally::table(&self.tallies);
        text += &format!(
            "\n{} of {} recordings without an error; {:.1} times real time\n",
            self.whole(),
            self.heard.len(),
            self.times_real_time
        );
        for (name, Compared { said, heard, .. }) in self.worst(worst) {
            text += &format!("\n{name}\n  said   {said}\n  heard  {heard}\n");
        }
        text + &self.left_out.text()
    }
}

/// What is heard, one after the other.
struct Sounds {
    /// How many there are if none is damaged.
    count: usize,
    all: Box<dyn Iterator<Item = Named>>,
}

/// A recording's name, its sound, and what is said in it.
type Named = (String, Result<(Audio, String)>);

fn sounds(args: &Args, context: &Context) -> Result<Sounds> {
    let recordings = args.recordings.read(context)?;
    let Some(count) = args.strings else {
        let sound = |recording: Recording| {
            let sound = recording.audio().map(|audio| (audio, recording.text));
            (recording.id, sound.map_err(Into::into))
        };
        return Ok(Sounds {
            count: recordings.len(),
            all: Box::new(recordings.into_iter().map(sound)),
        });
    };
    let mut strings = Strings::new(recordings, args.join, context.global.seed.unwrap_or(0))?;
    let one = move |number| {
        let string = strings.string(number);
        // A damaged recording is left out of its strings.
        let damaged = strings.damaged().into_iter();
        let mut sounds: Vec<_> = damaged.map(|(name, error)| (name, Err(error.into()))).collect();
        if let Some((samples, text)) = string {
            let sound = Audio::new(samples, 1, strings.rate()).map(|audio| (audio, text));
            sounds.push((format!("string {}", number + 1), sound.map_err(Into::into)));
        }
        sounds
    };
    Ok(Sounds {
        count,
        all: Box::new((0..count).flat_map(one)),
    })
}

//! `sensorium speak`: texts aloud.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use sensorium::hub::atomic;
use sensorium::speech::audio::{SampleKind, WavFile, WavStream};
use sensorium::speech::ctc::Piece;
use sensorium::speech::front::english::lexicon::Lexicon;
use sensorium::speech::subtitles::{self, Caption, Format, Shape};
use sensorium::speech::{Sound, SpeakOptions, Speaker, TextToSpeech, Uttered};
use sensorium::{Output, Speech};
use serde_json::json;

use crate::context::Context;
use crate::inputs::{self, Items};
use crate::outputs::Outputs;
use crate::{print, rewrite, usage};

/// Hardly two sentences have the same length, so what was compiled for one seldom serves another: more than one
/// sentence needs would let memory grow with the text.
const COMPILED_SHAPES: usize = 64;

/// The flags of `speak`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Texts, files, folders, glob patterns, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    /// The voice: a folder, a shipped model or a hub id
    #[arg(short, long, default_value = "en-slt")]
    model: String,

    /// Write to this WAV file; of several inputs, to files of their names in this folder
    #[arg(
        short,
        long,
        value_name = "PATH",
        required_unless_present = "stream",
        conflicts_with = "stream"
    )]
    out: Option<PathBuf>,

    /// Write to standard output while the rest is being made
    #[arg(long)]
    stream: bool,

    /// What standard output is given
    #[arg(long, value_enum, default_value = "wav", conflicts_with = "out")]
    format: FormatName,

    /// Samples as 32-bit floats [default: 16-bit integers]
    #[arg(long)]
    float: bool,

    /// Who speaks: a number, or a file with features (an x-vector, as .npy or text)
    #[arg(long, value_name = "N|FILE")]
    speaker: Option<String>,

    /// How fast; 2 is twice as fast
    #[arg(long, value_name = "FACTOR", value_parser = factor, default_value_t = 1.0)]
    speed: f64,

    /// Higher, or lower below 0, in standard deviations of the voice's pitch; for voices that guess it
    #[arg(long, value_name = "X", value_parser = deviation, default_value_t = 0.0, allow_negative_numbers = true)]
    pitch: f64,

    /// Louder and more lively, or less below 0, in standard deviations of the voice's energy
    #[arg(long, value_name = "X", value_parser = deviation, default_value_t = 0.0, allow_negative_numbers = true)]
    energy: f64,

    /// How words are said, a word and its phonemes a line: `hello  HH AH0 L OW1`
    #[arg(long, value_name = "FILE")]
    lexicon: Option<PathBuf>,

    /// How long pauses are between sentences and paragraphs; 0 is none
    #[arg(long, value_name = "FACTOR", value_parser = share_of_pause, default_value_t = 1.0)]
    pause: f64,

    /// Another rate than the voice's, in Hz
    #[arg(long, value_name = "HZ", value_parser = clap::value_parser!(u32).range(4000..=192_000))]
    sample_rate: Option<u32>,

    /// The vocoder of a voice that comes without one: a folder or a hub id
    #[arg(long, value_name = "MODEL")]
    vocoder: Option<String>,

    /// The language whose figures and signs are read, e.g. en [default: the voice's]
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,

    /// Also write when each word is said, beside the WAV file
    #[arg(long, value_enum, value_name = "KIND", conflicts_with = "stream")]
    timings: Option<TimingsName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// With a header that does not know the length
    Wav,
    /// Samples alone, the lower byte first
    Pcm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TimingsName {
    /// Words with their begin and end in seconds
    Json,
    /// SubRip subtitles
    Srt,
    /// Lyrics
    Lrc,
}

impl TimingsName {
    fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Srt => "srt",
            Self::Lrc => "lrc",
        }
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let factor = text
        .parse()
        .ok()
        .filter(|factor| SpeakOptions::SPEEDS.contains(factor));
    factor.ok_or_else(|| "expected a number from 0.1 to 10".to_string())
}

fn deviation(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| (-5.0..=5.0).contains(factor));
    factor.ok_or_else(|| "expected a number from -5 to 5".to_string())
}

fn share_of_pause(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| (0.0..=100.0).contains(factor));
    factor.ok_or_else(|| "expected a number from 0 to 100".to_string())
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    if args.stream && context.global.json {
        return Err(usage::wrong(
            "--stream gives standard output the sound, which leaves no place for --json: name a file with --out",
        ));
    }
    sensorium::blocks::keep_compiled_shapes(COMPILED_SHAPES);
    let Items { items, several } = inputs::expand(&args.inputs)?;
    if args.stream && several {
        bail!("several inputs make several sounds: name a folder for them with --out");
    }
    let device = context.device()?;
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let hub = context.hub()?;
    let options = SpeakOptions {
        speaker: speaker(args.speaker.as_deref())?,
        speed: args.speed,
        pitch: args.pitch,
        energy: args.energy,
        lexicon: args.lexicon.as_deref().map(Lexicon::open).transpose()?,
        pause: args.pause,
        seed: context.global.seed,
        rate: args.sample_rate,
        vocoder: args
            .vocoder
            .as_deref()
            .map(|name| hub.resolve(name))
            .transpose()?,
        language: args.language.clone(),
    };
    let voice = TextToSpeech::open(&hub.resolve(&args.model)?, device, kind, options)?;
    let mut failed = false;
    let mut outputs = Outputs::default();
    for item in &items {
        let name = item.name();
        let result = rewrite::read(item).and_then(|(text, path)| match &args.out {
            None => stream(args, &voice, &text, context).map(|()| None),
            Some(out) => {
                let target = rewrite::target(out, path.as_deref(), several)?;
                let target = if target == *out {
                    target
                } else {
                    target.with_extension("wav")
                };
                let times = args.timings.map(|kind| target.with_extension(kind.ending()));
                if times.as_ref() == Some(&target) {
                    bail!(
                        "{} would be replaced by the times: name a .wav file with --out",
                        target.display()
                    );
                }
                for written in [Some(&target), times.as_ref()].into_iter().flatten() {
                    if path
                        .as_ref()
                        .is_some_and(|input| rewrite::same_file(input, written))
                    {
                        bail!(
                            "{} would be replaced: name another file with --out",
                            written.display()
                        );
                    }
                    outputs.take(written, &name)?;
                }
                save(args, &voice, &text, &target, context).map(Some)
            }
        });
        match result {
            Ok(Some(speech)) if context.global.json => {
                let output = Output::Speech(speech);
                match several {
                    true => print::json(&json!({ "input": name, "output": output }))?,
                    false => print::json(&output)?,
                }
            }
            Ok(_) => {}
            // Nobody listens any more.
            Err(error) if error.downcast_ref::<print::StdoutError>().is_some() => return Err(error),
            Err(error) => {
                failed = true;
                rewrite::tell_failure(&name, &error, several, context)?;
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn speaker(named: Option<&str>) -> Result<Speaker> {
    Ok(match named {
        None => Speaker::Own,
        Some(number) if !number.is_empty() && number.chars().all(|digit| digit.is_ascii_digit()) => {
            Speaker::Number(
                number
                    .parse()
                    .context("there is no speaker of so high a number")?,
            )
        }
        Some(file) => Speaker::read(Path::new(file))?,
    })
}

fn kind(args: &Args) -> SampleKind {
    match args.float {
        true => SampleKind::Float32,
        false => SampleKind::Int16,
    }
}

fn stream(args: &Args, voice: &TextToSpeech, text: &str, context: &Context) -> Result<()> {
    let begin = Instant::now();
    let raw = args.format == FormatName::Pcm;
    // The header waits for the first sound: there may be none.
    let mut out: Option<WavStream<Box<dyn Write>>> = None;
    let mut problem = None;
    voice.say_with(text, &mut |piece| {
        tell_notes(&piece, voice, context);
        let written = match &mut out {
            Some(out) => out.write(&piece.samples),
            None => {
                context.detail(&format!(
                    "first sound after {:.0} ms",
                    begin.elapsed().as_secs_f64() * 1000.0
                ));
                let stdout: Box<dyn Write> = Box::new(io::stdout().lock());
                WavStream::new(stdout, voice.rate(), kind(args), raw).and_then(|mut stream| {
                    stream.write(&piece.samples)?;
                    out = Some(stream);
                    Ok(())
                })
            }
        };
        problem = written.err();
        problem.is_none()
    })?;
    match problem {
        Some(error) => Err(print::stdout_error(error)),
        None => Ok(()),
    }
}

fn save(args: &Args, voice: &TextToSpeech, text: &str, target: &Path, context: &Context) -> Result<Speech> {
    let begin = Instant::now();
    let mut file = WavFile::create(target, voice.rate(), kind(args))?;
    let (mut problem, mut count, mut words) = (None, 0, 0);
    let (mut captions, mut phonemes) = (Vec::new(), Vec::new());
    voice.say_with(text, &mut |piece| {
        tell_notes(&piece, voice, context);
        count += piece.samples.len();
        problem = file.write(&piece.samples).err();
        if !piece.words.is_empty() {
            let in_all = |sound: &Sound| Sound {
                word: words + sound.word,
                ..sound.clone()
            };
            phonemes.extend(piece.phonemes.iter().map(in_all));
            words += piece.words.len();
        }
        captions.extend(caption(piece));
        problem.is_none()
    })?;
    if let Some(problem) = problem {
        return Err(problem.into());
    }
    file.finish()?;
    if let Some(timings) = args.timings {
        let text = match timings {
            TimingsName::Json => timings_json(&captions, &phonemes)?,
            TimingsName::Srt => sentences(&captions, Format::Srt),
            TimingsName::Lrc => sentences(&captions, Format::Lrc),
        };
        atomic::write_bytes(&target.with_extension(timings.ending()), text.as_bytes())?;
    }
    let seconds = count as f64 / f64::from(voice.rate());
    let speed = seconds / begin.elapsed().as_secs_f64();
    context.detail(&format!(
        "{}: {seconds:.2} s, {speed:.1} times real time",
        target.display()
    ));
    Ok(Speech {
        path: Some(target.to_path_buf()),
        sampling_rate: voice.rate(),
        seconds,
        samples: Vec::new(),
        notes: Vec::new(),
    })
}

/// A piece as a subtitle.
fn caption(piece: Uttered) -> Option<Caption> {
    let (first, last) = (piece.words.first()?, piece.words.last()?);
    Some(Caption {
        start: first.start,
        end: last.end,
        text: piece.text,
        words: piece.words,
    })
}

/// What was said, sentence by sentence.
fn sentences(captions: &[Caption], format: Format) -> String {
    let whole = |caption: &Caption| Caption {
        words: Vec::new(),
        ..caption.clone()
    };
    let captions: Vec<Caption> = captions.iter().map(whole).collect();
    subtitles::write(format, &captions, Shape::default())
}

/// Words with their times and, where the voice tells, those of their phonemes.
fn timings_json(captions: &[Caption], phonemes: &[Sound]) -> Result<String> {
    let timed =
        |piece: &Piece| json!({ "text": piece.text, "start": round(piece.start), "end": round(piece.end) });
    let is_mark = |sound: &Sound| !sound.piece.text.starts_with(char::is_alphabetic);
    let mut rest = phonemes.iter().filter(|sound| !is_mark(sound)).peekable();
    let words = captions.iter().flat_map(|caption| &caption.words).zip(0..);
    let words = words.map(|(word, number)| {
        let mut entry = timed(word);
        let mut own = Vec::new();
        while let Some(sound) = rest.next_if(|sound| sound.word <= number) {
            own.push(timed(&sound.piece));
        }
        if !own.is_empty() {
            entry["phonemes"] = own.into();
        }
        entry
    });
    Ok(serde_json::to_string(&words.collect::<Vec<_>>())? + "\n")
}

/// To milliseconds.
fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// The notes of a piece, and what can be done.
fn tell_notes(piece: &Uttered, voice: &TextToSpeech, context: &Context) {
    for note in piece.notes() {
        context.note(&note);
    }
    if !piece.spelled.is_empty() {
        context.note("--lexicon or [[phonemes]] say how words sound");
    }
    if voice.wants_roman() && piece.left_out().iter().any(|letter| letter.is_alphabetic()) {
        context.note("the voice reads Latin letters: romanise the text first, as uroman does");
    }
}

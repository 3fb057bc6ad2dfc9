//! `sensorium align`: when each word of a known text is said.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use sensorium::speech::{Aligned, Audio, AudioError, AudioStream, CtcRecognizer, Damage};
use sensorium::{Char, Chunk, Transcription, Word};

use crate::caption_args::{self, CaptionArgs};
use crate::context::Context;
use crate::{inputs, print, usage};

/// The most samples of a recording, which is heard as a whole: 1 GiB of them.
const MOST_SAMPLES: usize = 1 << 28;

/// The flags of `align`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The recording, or - for standard input
    #[arg(value_name = "RECORDING")]
    recording: PathBuf,

    /// What is said in it
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "text_file",
        conflicts_with = "text_file"
    )]
    text: Option<String>,

    /// A file with what is said in it, a line for each subtitle
    #[arg(long, value_name = "FILE")]
    text_file: Option<PathBuf>,

    /// A model that spells (wav2vec2, HuBERT, WavLM, wav2vec2-BERT): a folder, a shipped model or a hub id
    #[arg(short, long, default_value = "fsdd-strings")]
    model: String,

    /// Also say when each character of the words is said, if the model spells by letters (with --json)
    #[arg(long)]
    chars: bool,

    #[command(flatten)]
    captions: CaptionArgs,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let captions = args.captions.captions(context.global.json)?;
    if args.chars && !caption_args::shows_all(captions.as_ref(), context.global.json) {
        return Err(usage::wrong(caption_args::CHARS));
    }
    let name = args.recording.display();
    let said = match is_stdin(&args.recording) {
        true => "standard input".to_string(),
        false => name.to_string(),
    };
    let (audio, damage) = read(&args.recording).with_context(|| format!("cannot use {said}"))?;
    let notes: Vec<String> = damage.iter().map(ToString::to_string).collect();
    for note in &notes {
        context.note(&format!("{said} {note}"));
    }
    let text = match (&args.text, &args.text_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => {
            let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            inputs::utf8(bytes, &file.display().to_string())?
        }
        (None, None) => String::new(),
    };
    let model = context.hub()?.resolve(&args.model)?;
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let recognizer = CtcRecognizer::open(&model, context.device()?, kind)?;
    if args.chars && !recognizer.spells_letters() {
        bail!(sensorium::speech::Error::SpellsWords);
    }
    let words = recognizer
        .align(&audio, &text)
        .with_context(|| format!("cannot align {said}"))?;
    for word in words.iter().filter(|word| word.score == 0.0) {
        context.note(&format!("the model knows no letter of `{}`", word.piece.text));
    }
    let found = Transcription {
        notes,
        ..transcription(&text, &words, args.chars)
    };
    match captions {
        Some(captions) => {
            if let Some(text) = captions.put(&name.to_string(), &found, false)? {
                print::text(&text)?;
            }
        }
        None if context.global.json => print::json(&found)?,
        None => {
            let line = |word: &Aligned| {
                let piece = &word.piece;
                format!(
                    "{:.2}\t{:.2}\t{:.2}\t{}\n",
                    piece.start, piece.end, word.score, piece.text
                )
            };
            print::text(&words.iter().map(line).collect::<String>())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// All of a recording, and what it lacks.
fn read(path: &Path) -> Result<(Audio, Option<Damage>), AudioError> {
    let mut stream = match is_stdin(path) {
        true => AudioStream::new(io::stdin())?,
        false => AudioStream::open(path)?,
    };
    let audio = stream.collect_at_most(MOST_SAMPLES)?;
    match audio.frames() {
        0 => Err(AudioError::NoSamples),
        _ => Ok((audio, stream.damage())),
    }
}

/// A chunk for each line of the text.
fn transcription(text: &str, words: &[Aligned], chars: bool) -> Transcription {
    let mut left = words.iter();
    let chunk = |line: &str| {
        let words: Vec<&Aligned> = left.by_ref().take(line.split_whitespace().count()).collect();
        let (first, last) = (words.first()?, words.last()?);
        Some(Chunk {
            timestamp: (first.piece.start, last.piece.end),
            text: line.trim().to_string(),
            words: words
                .iter()
                .map(|word| Word {
                    timestamp: (word.piece.start, word.piece.end),
                    text: format!(" {}", word.piece.text),
                    chars: match chars {
                        true => word.piece.letters.iter().map(Char::from).collect(),
                        false => Vec::new(),
                    },
                })
                .collect(),
        })
    };
    Transcription {
        chunks: text.lines().filter_map(chunk).collect(),
        text: text.trim().to_string(),
        notes: Vec::new(),
    }
}

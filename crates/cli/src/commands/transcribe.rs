//! `sensorium transcribe`: what is said in recordings.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;
use sensorium::speech::VoiceActivity;
use sensorium::speech::subtitles::{Format, Shape};
use sensorium::{OutputKind, SpeechToTextOptions};

use crate::args::InputArgs;
use crate::context::Context;
use crate::predict::{self, Captions, Kind, Request};

/// The flags of `transcribe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: InputArgs,

    /// A folder, a shipped model or a hub id
    #[arg(short, long)]
    model: Option<String>,

    /// The language that is spoken, e.g. en [default: the model finds it]
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,

    /// Write an English translation
    #[arg(long)]
    translate: bool,

    /// What was said before, or words to expect
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,

    /// Words that may be said, such as names, to be spelt like this
    #[arg(long, value_name = "TEXT")]
    hot_words: Option<String>,

    /// Hear pauses of more than two seconds, too, instead of leaving them out
    #[arg(long)]
    no_vad: bool,

    /// Also say when things are said (with --json)
    #[arg(long)]
    timestamps: bool,

    /// Also say when each word is said (with --json)
    #[arg(long)]
    words: bool,

    /// Write a file of this kind [default: the text alone]
    #[arg(short, long, value_enum)]
    format: Option<FormatName>,

    /// Write to this file; of several inputs, to files of their names in this folder
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,

    /// The most characters of a subtitle's line
    #[arg(long, value_name = "N", help_heading = "Subtitles")]
    max_line_width: Option<usize>,

    /// The most lines of a subtitle
    #[arg(long, value_name = "N", help_heading = "Subtitles")]
    max_line_count: Option<usize>,

    /// The most words of a subtitle's line
    #[arg(long, value_name = "N", help_heading = "Subtitles")]
    max_words_per_line: Option<usize>,

    /// Underline each word while it is said
    #[arg(long, help_heading = "Subtitles")]
    highlight_words: bool,

    /// Hear this channel, from 0 [default: the mean of all]
    #[arg(long, value_name = "N")]
    channel: Option<usize>,

    /// Begin here, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value_t = 0.0, hide_default_value = true)]
    start: f64,

    /// End here, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    end: Option<f64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatName {
    /// A line for each part
    Txt,
    /// SubRip subtitles
    Srt,
    /// WebVTT subtitles
    Vtt,
    /// A table: begin and end in milliseconds, text
    Tsv,
    /// Lyrics: the begin of each line
    Lrc,
    /// All that is known
    Json,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0);
    seconds.ok_or_else(|| "expected a number of seconds, 0 or more".to_string())
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let kind = match args.format {
        Some(FormatName::Json) => Some(Kind::Json),
        Some(FormatName::Txt) => Some(Kind::Captions(Format::Text)),
        Some(FormatName::Srt) => Some(Kind::Captions(Format::Srt)),
        Some(FormatName::Vtt) => Some(Kind::Captions(Format::Vtt)),
        Some(FormatName::Tsv) => Some(Kind::Captions(Format::Tsv)),
        Some(FormatName::Lrc) => Some(Kind::Captions(Format::Lrc)),
        None if args.out.is_some() => Some(match context.global.json {
            true => Kind::Json,
            false => Kind::Captions(by_name(args)),
        }),
        None => None,
    };
    let shape = Shape {
        max_line_width: args.max_line_width,
        max_line_count: args.max_line_count,
        max_words_per_line: args.max_words_per_line,
        highlight_words: args.highlight_words,
    };
    let request = Request {
        inputs: &args.inputs.inputs,
        task: Some("automatic-speech-recognition"),
        model: args.model.as_deref(),
        output: Some(OutputKind::Transcription),
        speech: SpeechToTextOptions {
            language: args.language.clone(),
            translate: args.translate,
            timestamps: args.timestamps || kind.is_some(),
            words: args.words || shape != Shape::default(),
            prompt: args.prompt.clone(),
            hot_words: args.hot_words.clone(),
            voice_activity: (!args.no_vad).then(VoiceActivity::default),
            channel: args.channel,
            start: args.start,
            end: args.end,
            ..SpeechToTextOptions::default()
        },
        captions: kind.map(|kind| Captions {
            kind,
            shape,
            out: args.out.clone(),
        }),
        ..Request::default()
    };
    predict::run(&request, context)
}

/// The kind of file that the name in `--out` stands for.
fn by_name(args: &Args) -> Format {
    let ending = args
        .out
        .as_ref()
        .and_then(|out| out.extension())
        .map(|ending| ending.to_ascii_lowercase());
    match ending.as_ref().and_then(|ending| ending.to_str()) {
        Some("srt") => Format::Srt,
        Some("vtt") => Format::Vtt,
        Some("tsv") => Format::Tsv,
        Some("lrc") => Format::Lrc,
        _ => Format::Text,
    }
}

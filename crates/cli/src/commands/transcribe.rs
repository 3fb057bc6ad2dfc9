//! `sensorium transcribe`: what is said in recordings.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use sensorium::speech::VoiceActivity;
use sensorium::speech::subtitles::{Format, Shape};
use sensorium::{OutputKind, SpeechToTextOptions};

use super::live;
use crate::caption_args::{self, CaptionArgs};
use crate::check_args::CheckArgs;
use crate::context::Context;
use crate::predict::{self, Captions, Kind, Request};
use crate::search_args::SearchArgs;
use crate::usage;

/// The flags of `transcribe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, folders, glob patterns, or - for standard input
    #[arg(
        required_unless_present = "live",
        conflicts_with = "live",
        value_name = "INPUT"
    )]
    inputs: Vec<PathBuf>,

    /// Write down what is being said: raw samples from standard input, 16 bits, one channel (`arecord -f S16_LE -r 16000
    /// | sensorium transcribe --live`)
    #[arg(long, conflicts_with_all = ["start", "end", "channel", "format", "out", "beside", "chars", "batch_size", "parts", "max_line_width", "max_line_count", "max_words_per_line", "highlight_words"])]
    live: bool,

    /// The rate of raw samples, in Hz
    #[arg(long, value_name = "HZ", default_value_t = 16_000, conflicts_with = "inputs", value_parser = clap::value_parser!(u32).range(4_000..=384_000))]
    rate: u32,

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

    #[command(flatten)]
    search: SearchArgs,

    /// Cut recordings at their pauses into parts of at most 30 seconds, so that --batch-size of them can be heard at once;
    /// each is heard without what was said before it (Whisper)
    #[arg(long)]
    parts: bool,

    /// Recordings, or parts of them, that are heard at once, which takes less time and more memory; only Whisper can, others
    /// hear one by one
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch_size: u16,

    /// Hear pauses of more than two seconds, too, instead of leaving them out
    #[arg(long)]
    no_vad: bool,

    /// Leave out pauses that Silero's detector finds: its silero_vad_16k.safetensors, or the folder that it is in; where
    /// Moonshine cuts long speech is not its matter [default: a detector that is built in]
    #[arg(long, value_name = "PATH", conflicts_with = "no_vad")]
    vad: Option<PathBuf>,

    /// Also say when things are said (with --json)
    #[arg(long)]
    timestamps: bool,

    /// Also say when each word is said (with --json)
    #[arg(long)]
    words: bool,

    /// Also say when each character of the words is said, where the model spells by letters (with --json)
    #[arg(long)]
    chars: bool,

    #[command(flatten)]
    captions: CaptionArgs,

    /// Hear this channel, from 0 [default: the mean of all]
    #[arg(long, value_name = "N")]
    channel: Option<usize>,

    /// Begin here, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value_t = 0.0, hide_default_value = true)]
    start: f64,

    /// End here, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    end: Option<f64>,

    #[command(flatten)]
    checks: CheckArgs,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0);
    seconds.ok_or_else(|| "expected a number of seconds, 0 or more".to_string())
}

impl Args {
    /// Whether words are written down while they are said.
    pub fn is_live(&self) -> bool {
        self.live
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let captions = args.captions.captions(context.global.json)?;
    check_times(args, captions.as_ref(), context.global.json)?;
    let speech = SpeechToTextOptions {
        language: args.language.clone(),
        translate: args.translate,
        timestamps: args.timestamps || captions.is_some(),
        words: args.words || args.captions.shape() != Shape::default(),
        letters: args.chars,
        prompt: args.prompt.clone(),
        voice_activity: (!args.no_vad).then(VoiceActivity::default),
        voice_detector: args.vad.clone(),
        channel: args.channel,
        start: args.start,
        end: args.end,
        batch_size: args.batch_size.into(),
        in_parts: args.parts,
        checks: args.checks.checks(),
        ..args.search.add_to(SpeechToTextOptions::default())?
    };
    if args.live {
        let model = args.model.as_deref().unwrap_or("fsdd-strings");
        return live::run(model, speech, args.rate, context);
    }
    let request = Request {
        inputs: &args.inputs,
        task: Some("automatic-speech-recognition"),
        model: args.model.as_deref(),
        output: Some(OutputKind::Transcription),
        speech,
        captions,
        ..Request::default()
    };
    predict::run(&request, context)
}

/// Says so if times are asked for that nothing would show.
fn check_times(args: &Args, captions: Option<&Captions>, json: bool) -> Result<()> {
    let kind = captions.map(|captions| captions.kind);
    let none = match kind {
        Some(Kind::Captions(format)) => format == Format::Text,
        Some(Kind::Json) => false,
        None => !json,
    };
    let shows_all = caption_args::shows_all(captions, json);
    if args.words && !shows_all {
        return Err(usage::wrong(
            "--words says when words are said, which only JSON shows: add --json",
        ));
    }
    if args.chars && !shows_all {
        return Err(usage::wrong(caption_args::CHARS));
    }
    if args.timestamps && none {
        return Err(usage::wrong(
            "--timestamps says when things are said, which a plain text does not show: add --json, or --format srt, vtt, \
             tsv, lrc or json",
        ));
    }
    Ok(())
}

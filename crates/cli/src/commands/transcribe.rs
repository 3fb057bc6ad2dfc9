//! `sensorium transcribe`: what is said in recordings.

use std::process::ExitCode;

use anyhow::Result;
use sensorium::speech::VoiceActivity;
use sensorium::speech::subtitles::Shape;
use sensorium::{OutputKind, SpeechToTextOptions};

use crate::args::InputArgs;
use crate::caption_args::CaptionArgs;
use crate::context::Context;
use crate::predict::{self, Request};

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
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0);
    seconds.ok_or_else(|| "expected a number of seconds, 0 or more".to_string())
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let captions = args.captions.captions(context.global.json);
    let request = Request {
        inputs: &args.inputs.inputs,
        task: Some("automatic-speech-recognition"),
        model: args.model.as_deref(),
        output: Some(OutputKind::Transcription),
        speech: SpeechToTextOptions {
            language: args.language.clone(),
            translate: args.translate,
            timestamps: args.timestamps || captions.is_some(),
            words: args.words || args.captions.shape() != Shape::default(),
            prompt: args.prompt.clone(),
            hot_words: args.hot_words.clone(),
            voice_activity: (!args.no_vad).then(VoiceActivity::default),
            channel: args.channel,
            start: args.start,
            end: args.end,
            ..SpeechToTextOptions::default()
        },
        captions,
        ..Request::default()
    };
    predict::run(&request, context)
}

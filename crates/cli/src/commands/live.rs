//! `sensorium transcribe --live`: words as they are said.

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, anyhow};
use sensorium::SpeechToTextOptions;
use sensorium::speech::ctc::Piece;
use sensorium::speech::{self, LiveTranscriber, SpeechToText};
use serde_json::json;

use crate::context::Context;
use crate::interrupt;
use crate::print;

/// Seconds of silence that end a line.
const PAUSE: f64 = 1.5;

/// Hears 16-bit samples of one channel at `rate` Hz from standard input until it ends.
pub fn run(model: &str, options: SpeechToTextOptions, rate: u32, context: &Context) -> Result<ExitCode> {
    let options = SpeechToTextOptions {
        words: true,
        timestamps: true,
        ..options
    };
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let model = context.hub()?.resolve(model)?;
    let recognizer = SpeechToText::open(&model, context.device()?, kind, options).map_err(|error| {
        let error = anyhow::Error::from(error);
        match error.downcast_ref() {
            Some(speech::Error::NoTimesOfWords) => anyhow!(
                "{} cannot be heard live, since it does not tell when words are said: record first and give \
                 the file, or take a model that tells, such as Whisper or wav2vec2",
                model.name()
            ),
            _ => error,
        }
    })?;
    // The recorder before the pipe gets Ctrl-C, too: what it sent is still heard.
    let stop = interrupt::flag()?;
    let mut live = LiveTranscriber::new(&recognizer, rate);
    let mut input = io::stdin().lock();
    let mut line = Line::default();
    // A tenth of a second at a time: more than that need not be waited for.
    let mut bytes = vec![0u8; rate as usize / 10 * 2];
    let mut odd: Option<u8> = None;
    loop {
        let count = match input.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).context("cannot read standard input"),
        };
        let all: Vec<u8> = odd
            .take()
            .into_iter()
            .chain(bytes[..count].iter().copied())
            .collect();
        let pairs = all.chunks_exact(2);
        odd = pairs.remainder().first().copied();
        let samples: Vec<f32> = pairs
            .map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0)
            .collect();
        line.tell(live.push(&samples)?, context)?;
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    line.tell(live.finish()?, context)?;
    line.end(context)?;
    Ok(ExitCode::SUCCESS)
}

/// What stands in the terminal's last line.
#[derive(Default)]
struct Line {
    /// When its last word ended.
    end: Option<f64>,
}

impl Line {
    fn tell(&mut self, words: Vec<Piece>, context: &Context) -> Result<()> {
        for word in words {
            if context.global.json {
                let text = word.text.trim();
                print::json(&json!({ "text": text, "start": round(word.start), "end": round(word.end) }))?;
                continue;
            }
            let before = match self.end {
                None => "",
                Some(end) if word.start - end > PAUSE => "\n",
                Some(_) => " ",
            };
            print::text(&format!("{before}{}", word.text.trim()))?;
            io::stdout().flush().map_err(print::stdout_error)?;
            self.end = Some(word.end);
        }
        Ok(())
    }

    fn end(&self, context: &Context) -> Result<()> {
        match self.end {
            Some(_) if !context.global.json => print::text("\n"),
            _ => Ok(()),
        }
    }
}

/// To milliseconds.
fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

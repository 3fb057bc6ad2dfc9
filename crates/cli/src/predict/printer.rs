//! How results are printed.

use std::process::ExitCode;

use anyhow::Result;
use sensorium::speech::subtitles::Writer;
use sensorium::{Output, Partial, Route};
use serde::Serialize;

use super::{Captions, captions};
use crate::context::Context;
use crate::print;

/// A line of JSON when there are several inputs.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Output { input: &'a str, output: &'a Output },
    Error { input: &'a str, error: &'a str },
}

/// How a command that only explains answers with `--json`.
#[derive(Serialize)]
struct Explanation<'a> {
    task: &'a str,
    model: Option<&'a str>,
    why: &'a [String],
}

/// What was printed of an input that is not done yet.
pub enum Told {
    Nothing,
    /// The beginning of its text.
    Text,
    /// Captions.
    Captions(Writer),
}

/// Prints results as they come, and remembers whether one failed.
pub struct Printer<'a> {
    pub context: &'a Context,
    /// Whether results are labelled with their input.
    pub several: bool,
    /// How many results, errors among them, there were.
    pub printed: usize,
    /// Whether one has failed.
    pub failed: bool,
    /// How transcripts are written to files; `None` for their texts alone.
    pub captions: Option<&'a Captions>,
    /// How many classes each of several inputs is shown with.
    pub labels: usize,
    /// What was printed of the input that is not done yet.
    pub told: Told,
    /// Standard output, or a test's buffer.
    pub out: &'a mut dyn std::io::Write,
}

impl Printer<'_> {
    /// What is to be printed of an input before it is done: of a single one that is printed as text.
    pub fn part(&mut self, partial: &Partial<'_>) -> Option<String> {
        let text = match (self.captions, partial) {
            _ if self.several => return None,
            (None, Partial::Text(text)) if !self.context.global.json => {
                self.told = Told::Text;
                (*text).to_string()
            }
            (Some(captions), Partial::Chunk(chunk)) => {
                if let Told::Nothing = self.told {
                    self.told = Told::Captions(captions.writer()?);
                }
                let Told::Captions(writer) = &mut self.told else {
                    return None;
                };
                writer.push(&captions::caption(chunk))
            }
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Prints the result of one input, or what is left of it.
    pub fn print(&mut self, input: &str, result: Result<Output, String>) -> Result<()> {
        self.printed += 1;
        let rest = match std::mem::replace(&mut self.told, Told::Nothing) {
            Told::Nothing => None,
            Told::Text => Some("\n".to_string()),
            Told::Captions(writer) => Some(writer.finish()),
        };
        let was_told = rest.is_some();
        if let Some(rest) = rest {
            self.write(&rest)?;
        }
        if let Ok(Output::Transcription(found)) = &result {
            let notes = found.notes.iter();
            let name = if input == "-" { "standard input" } else { input };
            notes.for_each(|note| self.context.note(&format!("{name} {note}")));
        }
        if was_told && result.is_ok() {
            return Ok(());
        }
        let result = match (self.captions, result) {
            (Some(captions), Ok(Output::Transcription(found))) => {
                match captions.put(input, &found, self.several) {
                    Ok(None) => return Ok(()),
                    Ok(Some(text)) => return self.write(&text),
                    Err(error) => Err(print::one_line(&error)),
                }
            }
            (_, result) => result,
        };
        self.failed |= result.is_err();
        if let Ok(Output::Speech(speech)) = &result {
            speech.notes.iter().for_each(|note| self.context.note(note));
        }
        let text = match (&result, self.context.global.json, self.several) {
            (Ok(output), true, false) => print::json_line(output)?,
            (Ok(output), true, true) => print::json_line(&Line::Output { input, output })?,
            (Ok(output), false, false) => print::one(output, self.context.terminal),
            (Ok(output), false, true) => format!("{input}\t{}\n", print::brief(output, self.labels)),
            (Err(error), true, true) => print::json_line(&Line::Error { input, error })?,
            (Err(error), _, _) => {
                eprintln!("error: {error}");
                return Ok(());
            }
        };
        self.write(&text)
    }

    /// Prints a route and why it was taken.
    pub fn explain(&mut self, route: &Route<'_>) -> Result<()> {
        let (task, model) = (route.task.name, route.model.as_deref());
        let text = if self.context.global.json {
            print::json_line(&Explanation {
                task,
                model,
                why: &route.why,
            })?
        } else {
            let reasons: String = route.why.iter().map(|reason| format!("- {reason}\n")).collect();
            format!("task:  {task}\nmodel: {}\n{reasons}", model.unwrap_or("none"))
        };
        self.write(&text)
    }

    /// Prints text as it is, at once.
    pub fn write(&mut self, text: &str) -> Result<()> {
        let written = self.out.write_all(text.as_bytes());
        written
            .and_then(|()| self.out.flush())
            .map_err(print::stdout_error)
    }

    /// The command's exit status.
    pub fn exit_code(&self) -> ExitCode {
        if self.failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

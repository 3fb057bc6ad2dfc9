//! Results on standard output. A write that fails is an error, which `main` takes quietly when the
//! reader is gone.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::io::{self, Write};

use anyhow::Result;
use sensorium::{Label, Output};
use serde::Serialize;

use crate::bars;
use crate::context::Terminal;

/// Writes text as it is.
pub fn text(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(stdout_error)
}

/// Standard output could not be written.
#[derive(Debug)]
pub struct StdoutError(io::Error);

impl StdoutError {
    /// Whether the reader is gone, as `| head` is when it has seen enough.
    pub fn reader_is_gone(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Display for StdoutError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("cannot write to standard output")
    }
}

impl Error for StdoutError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// A failed write to standard output as an error that `main` knows.
pub fn stdout_error(error: io::Error) -> anyhow::Error {
    StdoutError(error).into()
}

/// Writes a value as one line of JSON.
pub fn json(value: &impl Serialize) -> Result<()> {
    text(&json_line(value)?)
}

/// A value as one line of JSON.
pub fn json_line(value: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(value)? + "\n")
}

/// An error and its causes as one sentence; a cause that the text before it already has is left out.
pub fn one_line(error: &anyhow::Error) -> String {
    joined(error.chain())
}

/// [`one_line`] for any error.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    joined(anyhow::Chain::new(error))
}

fn joined<'a>(chain: impl Iterator<Item = &'a (dyn Error + 'static)>) -> String {
    let mut sentence = String::new();
    for cause in chain {
        let cause = cause.to_string();
        let cause = without_stack(&cause);
        if sentence.is_empty() {
            sentence = cause.to_owned();
        } else if !sentence.contains(cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence.replace('\n', " ")
}

/// A message of libtorch's without the stack trace that it adds, with true or escaped line ends.
pub fn without_stack(message: &str) -> &str {
    let Some(stack) = message.find("Exception raised from") else {
        return message;
    };
    message[..stack].trim_end_matches("\\n").trim_end()
}

/// The one result of a command, in full.
pub fn one(output: &Output, terminal: Terminal) -> String {
    match output {
        Output::Classification(labels) if terminal.is_terminal => bars::chart(labels, terminal),
        Output::Classification(labels) => labels
            .iter()
            .map(|Label { label, score }| format!("{label}\t{score:.6}\n"))
            .collect(),
        other => brief(other, 1) + "\n",
    }
}

/// One of several results, in a line, with so many classes.
pub fn brief(output: &Output, most: usize) -> String {
    match output {
        Output::Classification(labels) if labels.is_empty() => "no class".to_owned(),
        Output::Classification(labels) => {
            let label = |Label { label, score }: &Label| format!("{label}\t{score:.6}");
            let labels: Vec<String> = labels.iter().take(most).map(label).collect();
            labels.join("\t")
        }
        Output::Generation { generated_text: text }
        | Output::Caption { generated_text: text }
        | Output::Translation {
            translation_text: text,
        }
        | Output::Summary { summary_text: text } => text.clone(),
        Output::Transcription(transcription) => transcription.text.clone(),
        Output::Answer(answer) => format!("{}\t{:.6}", answer.answer, answer.score),
        Output::Speech(speech) if speech.path.is_none() => {
            let (seconds, rate) = (speech.seconds, speech.sampling_rate);
            format!("{seconds:.2} s of speech at {rate} Hz; `sensorium speak` writes it to a file")
        }
        Output::Other(serde_json::Value::String(text)) => text.clone(),
        other => serde_json::to_string(other).unwrap_or_else(|error| format!("no JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn an_error_is_one_line_without_repetition() {
        let error = anyhow!("not found")
            .context("cannot read x: not found")
            .context("cannot\nstart");
        assert_eq!(one_line(&error), "cannot start: cannot read x: not found");
    }

    #[test]
    fn stack_traces_are_left_out() {
        for stack in
            ["\n", "\\n", " "].map(|gap| format!("{gap}Exception raised from x at y.cpp:1\nframe #0: z"))
        {
            let message = format!("shape '[2]' is invalid{stack}");
            assert_eq!(without_stack(&message), "shape '[2]' is invalid");
            let error = anyhow!(message).context("cannot classify");
            assert_eq!(one_line(&error), "cannot classify: shape '[2]' is invalid");
        }
    }

    #[test]
    fn results_in_words() {
        let label = |label: &str, score| Label {
            label: label.into(),
            score,
        };
        let output = Output::Classification(vec![label("7", 0.75), label("1", 0.25)]);
        let pipe = Terminal {
            is_terminal: false,
            width: 80,
            unicode: true,
            color: false,
        };
        assert_eq!(one(&output, pipe), "7\t0.750000\n1\t0.250000\n");
        assert_eq!(brief(&output, 1), "7\t0.750000");
        assert_eq!(brief(&output, 3), "7\t0.750000\t1\t0.250000");
        assert_eq!(
            brief(&Output::Other(serde_json::json!({"n": 3})), 1),
            r#"{"n":3}"#
        );
    }
}

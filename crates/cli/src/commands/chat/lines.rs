//! Where lines come from: an editor on a terminal, else standard input as it is.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context as _, Result};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::inputs;

const PROMPT: &str = "> ";

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line.
    Text(String),
    /// Ctrl-C, the first in a row.
    Interrupted,
    /// There are no more: the end of the input, Ctrl-D, or Ctrl-C twice.
    End,
}

/// The lines that a person types, or that a pipe holds.
pub struct Lines {
    source: Source,
    interrupted: bool,
}

enum Source {
    Editor(Box<DefaultEditor>),
    Plain { read: usize },
}

impl Lines {
    /// With an editor and its history if both ends are a terminal.
    pub fn open() -> Result<Self> {
        let source = if io::stdin().is_terminal() && io::stdout().is_terminal() {
            Source::Editor(Box::new(DefaultEditor::new().context("cannot use the terminal")?))
        } else {
            Source::Plain { read: 0 }
        };
        Ok(Self {
            source,
            interrupted: false,
        })
    }

    /// Whether there is a person at the other end.
    pub fn is_terminal(&self) -> bool {
        matches!(self.source, Source::Editor(_))
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// If it cannot be read, or is not UTF-8.
    pub fn next(&mut self) -> Result<Line> {
        let line = match &mut self.source {
            Source::Editor(editor) => match editor.readline(PROMPT) {
                Ok(line) => {
                    if !line.trim().is_empty() {
                        editor.add_history_entry(&line)?;
                    }
                    Line::Text(line)
                }
                Err(ReadlineError::Interrupted) if !self.interrupted => Line::Interrupted,
                Err(ReadlineError::Interrupted | ReadlineError::Eof) => Line::End,
                Err(error) => return Err(error).context("cannot read the terminal"),
            },
            Source::Plain { read } => plain(&mut io::stdin().lock(), read)?,
        };
        self.interrupted = line == Line::Interrupted;
        Ok(line)
    }
}

fn plain(input: &mut impl BufRead, read: &mut usize) -> Result<Line> {
    let mut bytes = Vec::new();
    input
        .read_until(b'\n', &mut bytes)
        .context("cannot read standard input")?;
    if bytes.is_empty() {
        return Ok(Line::End);
    }
    *read += 1;
    let line = inputs::utf8(bytes, &format!("line {read} of standard input"))?;
    Ok(Line::Text(line.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_lines_end_with_the_input() {
        let mut input = &b"one\r\n\ntwo"[..];
        let mut read = 0;
        for expected in ["one", "", "two"] {
            assert_eq!(plain(&mut input, &mut read).unwrap(), Line::Text(expected.into()));
        }
        assert_eq!(plain(&mut input, &mut read).unwrap(), Line::End);
        let error = plain(&mut &b"ab\xff\n"[..], &mut read).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 4 of standard input is not UTF-8: the byte at 2 begins no character"
        );
    }
}

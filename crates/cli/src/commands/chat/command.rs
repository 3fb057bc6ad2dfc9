//! What a line that begins with `/` asks for.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use sensorium::hub::near_names;

/// A command of the chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// List the commands.
    Help,
    /// Write the conversation to a file.
    Save(PathBuf),
    /// Go on with the conversation in a file.
    Load(PathBuf),
    /// Forget what was said.
    Clear,
    /// Tell the model how to behave; `None` for nothing.
    System(Option<String>),
    /// Answer the last message again.
    Retry,
    /// Leave.
    Exit,
}

/// Each command with its argument, and what it does, in the order of `/help`.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("help", "", "list the commands"),
    ("save", "FILE", "write the conversation to a file, as JSON"),
    ("load", "FILE", "go on with the conversation in a file"),
    ("clear", "", "begin a new conversation (also /new)"),
    (
        "system",
        "TEXT",
        "tell the model how to behave; without a text, nothing",
    ),
    ("retry", "", "answer the last message again"),
    ("exit", "", "leave (also /quit, Ctrl-D)"),
];

/// What `/help` prints.
pub fn help() -> String {
    let line = |(name, argument, what): &(&str, &str, &str)| {
        let usage = format!("/{name} {argument}");
        format!("  {usage:<14} {what}\n")
    };
    let lines: String = COMMANDS.iter().map(line).collect();
    lines + "  Ctrl-C         stop an answer\n"
}

impl Command {
    /// The command in `line`; `None` if it is a message. What begins like a path (`/usr/bin`) is one.
    ///
    /// # Errors
    /// If there is no such command, or it lacks its argument or has one too many.
    pub fn parse(line: &str) -> Result<Option<Self>> {
        let Some(rest) = line.strip_prefix('/') else {
            return Ok(None);
        };
        let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '?') {
            return Ok(None);
        }
        let argument = argument.trim();
        let file = || -> Result<PathBuf> {
            if argument.is_empty() {
                bail!("/{name} needs the name of a file");
            }
            Ok(in_home(argument))
        };
        let command = match name {
            "save" => return Ok(Some(Self::Save(file()?))),
            "load" => return Ok(Some(Self::Load(file()?))),
            "system" => {
                let text = (!argument.is_empty()).then(|| argument.to_owned());
                return Ok(Some(Self::System(text)));
            }
            "help" | "?" => Self::Help,
            "clear" | "new" => Self::Clear,
            "retry" => Self::Retry,
            "exit" | "quit" | "bye" => Self::Exit,
            _ => {
                let near = near_names(name, COMMANDS.iter().map(|(name, _, _)| *name));
                let meant = match near.first() {
                    Some(near) => format!(" (did you mean /{near}?)"),
                    None => String::new(),
                };
                bail!("there is no command /{name}{meant}; /help lists them");
            }
        };
        if !argument.is_empty() {
            bail!("/{name} takes nothing, but `{argument}` follows it");
        }
        Ok(Some(command))
    }
}

/// The path, with the user's home for a first `~`.
fn in_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => Path::new(path).to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_messages_are_told_apart() {
        let parse = |line| Command::parse(line).unwrap();
        assert_eq!(parse("Hello"), None);
        assert_eq!(parse("/usr/bin is a folder"), None);
        assert_eq!(parse("/ or not"), None);
        assert_eq!(parse("/new"), Some(Command::Clear));
        assert_eq!(
            parse("/save a chat.json "),
            Some(Command::Save("a chat.json".into()))
        );
        assert_eq!(
            parse("/system Be short."),
            Some(Command::System(Some("Be short.".into())))
        );
        assert_eq!(parse("/system"), Some(Command::System(None)));
    }

    #[test]
    fn mistakes_are_explained() {
        let error = |line| Command::parse(line).unwrap_err().to_string();
        assert_eq!(
            error("/retyr"),
            "there is no command /retyr (did you mean /retry?); /help lists them"
        );
        assert_eq!(error("/save"), "/save needs the name of a file");
        assert_eq!(error("/exit now"), "/exit takes nothing, but `now` follows it");
    }
}

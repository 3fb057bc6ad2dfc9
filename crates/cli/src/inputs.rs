//! From what was on the command line to the inputs: files, folders, glob patterns, standard input, and texts
//! that stand there themselves.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use sensorium::{Input, InputError, MAX_INPUT_BYTES, Origin};
use walkdir::WalkDir;

use crate::print;

/// One input, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The file; `-` for standard input.
    pub path: PathBuf,
    /// Whether it was found in a folder rather than named.
    pub from_folder: bool,
    /// Whether the argument may be a text itself: it names no file, and does not look as if it were to.
    pub may_be_text: bool,
    /// Why there is nothing to read: an empty folder, a pattern that fits nothing.
    problem: Option<String>,
}

/// Why there is no input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It lies in a folder among the inputs and is something else.
    Other(String),
    /// It cannot be read or used.
    Failed(String),
}

/// The inputs that some arguments stand for.
#[derive(Debug, PartialEq, Eq)]
pub struct Items {
    /// In order.
    pub items: Vec<Item>,
    /// Whether results are labelled with their input: for a folder, a pattern, or several arguments.
    pub several: bool,
}

/// Finds the inputs that `arguments` stand for. Folders are walked in the order of names; files and
/// folders whose names begin with a dot are left out.
///
/// What stands for nothing or cannot be listed is an item whose [`Item::read`] says so.
///
/// # Errors
/// If standard input is named twice.
pub fn expand(arguments: &[PathBuf]) -> Result<Items> {
    let mut items = Vec::new();
    let mut several = arguments.len() > 1;
    for argument in arguments {
        let before = items.len();
        if argument.is_dir() {
            several = true;
            walk(argument, &mut items);
            if items.len() == before {
                items.push(Item::bad(
                    argument,
                    format!("the folder {} holds no files", argument.display()),
                ));
            }
        } else if let Some(pattern) = pattern(argument) {
            several |= fitting(pattern, &mut items);
            if items.len() == before {
                items.push(if is_wordy(argument) || is_question(argument) {
                    Item::named(argument) // "Who goes there?"
                } else if glob::Pattern::new(pattern).is_err() {
                    Item::file(argument) // a name with a bracket
                } else {
                    Item::bad(argument, format!("no file fits `{pattern}`"))
                });
            }
        } else {
            items.push(Item::named(argument));
        }
    }
    if items.iter().filter(|item| item.is_stdin()).count() > 1 {
        bail!("standard input (`-`) can be read only once");
    }
    Ok(Items { items, several })
}

/// Bytes as text; `name` says where they came from.
///
/// # Errors
/// If they are not UTF-8.
pub fn utf8(bytes: Vec<u8>, name: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow!("{name} is not UTF-8: the byte at {at} begins no character")
    })
}

/// Adds the files that fit `pattern`; says whether there are any.
fn fitting(pattern: &str, items: &mut Vec<Item>) -> bool {
    let before = items.len();
    for path in glob::glob(pattern).into_iter().flatten() {
        match path {
            Ok(path) if path.is_dir() => walk(&path, items),
            Ok(path) => items.push(Item::file(&path)),
            Err(error) => items.push(Item::bad(error.path(), unlistable(error.path(), error.error()))),
        }
    }
    items.len() > before
}

fn walk(folder: &Path, items: &mut Vec<Item>) {
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    let entries = WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    for entry in entries.filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name())) {
        match entry {
            // A pipe or a device would be waited for.
            Ok(entry) if entry.file_type().is_file() => items.push(Item {
                from_folder: true,
                ..Item::file(entry.path())
            }),
            Ok(_) => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder);
                let problem = match error.io_error() {
                    Some(cause) => unlistable(path, cause),
                    None => error.to_string(), // folders that contain each other
                };
                items.push(Item::bad(path, problem));
            }
        }
    }
}

fn unlistable(path: &Path, cause: &io::Error) -> String {
    format!("cannot read {}: {cause}", path.display())
}

/// The argument as a glob pattern, if it is one and not a file of that very name.
fn pattern(argument: &Path) -> Option<&str> {
    let text = argument.to_str()?;
    (text.contains(['*', '?', '[']) && !argument.exists()).then_some(text)
}

/// Whether the argument is a word with a question mark behind it.
fn is_question(argument: &Path) -> bool {
    let text = argument.to_str().unwrap_or_default();
    let word = text.trim_end_matches(['?', '!', '.']);
    !word.is_empty() && word.len() < text.len() && word.chars().all(char::is_alphanumeric)
}

/// Whether the argument has several words, and does not end like a file's name.
fn is_wordy(argument: &Path) -> bool {
    let text = argument.to_str().unwrap_or_default();
    text.trim().contains(char::is_whitespace) && !has_ending(argument)
}

fn has_ending(argument: &Path) -> bool {
    let ending = argument.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| (2..=5).contains(&ending.len()) && ending.chars().all(char::is_alphanumeric))
}

impl Item {
    /// What an argument names.
    fn named(argument: &Path) -> Self {
        let text = argument.to_str().unwrap_or_default();
        let word = text != "-" && !text.contains(['/', '\\']) && !has_ending(argument);
        Self {
            path: argument.to_path_buf(),
            may_be_text: (word || is_wordy(argument)) && !argument.exists(),
            ..Self::file(argument)
        }
    }

    /// A file, whatever its name.
    fn file(path: &Path) -> Self {
        let is_dash = path == Path::new("-"); // the name of standard input
        Self {
            path: if is_dash {
                Path::new(".").join(path)
            } else {
                path.to_path_buf()
            },
            from_folder: false,
            may_be_text: false,
            problem: None,
        }
    }

    /// Something that stands for no input.
    fn bad(path: &Path, problem: String) -> Self {
        Self {
            problem: Some(problem),
            ..Self::file(path)
        }
    }

    /// The argument as a text, if it can be one; with `any` also if it is a single word.
    pub fn text(&self, any: bool) -> Option<Input> {
        let text = self.path.to_str()?;
        (self.may_be_text && (any || is_wordy(&self.path))).then(|| Input::text(text))
    }

    /// What the input is called in results.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Reads and recognises it.
    pub fn read(&self) -> Result<Input, Unread> {
        if let Some(problem) = &self.problem {
            return Err(Unread::Failed(problem.clone()));
        }
        let input = if self.is_stdin() {
            Input::read_from(io::stdin(), Origin::Stdin, MAX_INPUT_BYTES)
        } else {
            Input::read(&self.path, MAX_INPUT_BYTES)
        };
        input.map_err(|error| match error {
            InputError::Unrecognized { looks_like, .. } if self.from_folder => {
                Unread::Other(format!("{} {looks_like}", self.name()))
            }
            error => Unread::Failed(print::causes(&error)),
        })
    }

    fn is_stdin(&self) -> bool {
        self.path == Path::new("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(items: &Items, root: &Path) -> Vec<String> {
        let relative = |item: &Item| item.path.strip_prefix(root).unwrap().display().to_string();
        items.items.iter().map(relative).collect()
    }

    #[test]
    fn folders_are_walked_in_order_without_hidden_files() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for name in ["b.png", "a.png", ".hidden", "sub/c.png", "sub/.git/x"] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let found = expand(&[root.to_path_buf()]).unwrap();
        assert_eq!(names(&found, root), ["a.png", "b.png", "sub/c.png"]);
        assert!(found.several && found.items.iter().all(|item| item.from_folder));

        let found = expand(&[root.join("*.png")]).unwrap();
        assert_eq!(names(&found, root), ["a.png", "b.png"]);
        assert!(found.several && !found.items[0].from_folder);

        assert!(!expand(&[root.join("a.png")]).unwrap().several);
        assert!(expand(&["-".into(), "-".into()]).is_err());
    }

    #[test]
    fn what_stands_for_nothing_says_so_and_the_others_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("empty")).unwrap();
        fs::create_dir(root.join("full")).unwrap();
        fs::write(root.join("full/a.txt"), "some words").unwrap();
        fs::write(root.join("b[1.txt"), "more words").unwrap();
        let arguments = ["*.gif", "empty", "full", "b[1.txt", "c[1.txt"].map(|name| root.join(name));
        let read: Vec<_> = expand(&arguments).unwrap().items.iter().map(Item::read).collect();
        let failed = |at: usize, part: &str| match &read[at] {
            Err(Unread::Failed(problem)) => assert!(problem.contains(part), "{problem}"),
            other => panic!("{other:?}"),
        };
        failed(0, "no file fits");
        failed(1, "holds no files");
        assert!(read[2].is_ok() && read[3].is_ok());
        failed(4, "cannot read");
        assert_eq!(read.len(), 5);
    }

    #[test]
    fn a_question_is_a_text() {
        for (argument, expected) in [
            ("What?", true),
            ("Really?!", true),
            ("page?.txt", false),
            ("?", false),
        ] {
            let found = expand(&[PathBuf::from(argument)]).unwrap();
            assert_eq!(found.items[0].text(true).is_some(), expected, "{argument}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_to_nowhere_and_pipes_do_not_end_a_walk() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::write(root.join("z.txt"), "words").unwrap();
        std::os::unix::fs::symlink("nowhere", root.join("a.txt")).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(root.join("pipe"))
            .status();
        assert!(made.unwrap().success());
        let found = expand(&[root.to_path_buf()]).unwrap();
        assert_eq!(names(&found, root), ["a.txt", "z.txt"]);
        assert!(matches!(found.items[0].read(), Err(Unread::Failed(problem)) if problem.contains("a.txt")));
        assert!(found.items[1].read().is_ok());
    }

    #[test]
    fn a_file_may_be_called_dash() {
        assert!(!Item::file(Path::new("-")).is_stdin());
        assert!(!Item::named(Path::new("./-")).is_stdin());
        assert!(Item::named(Path::new("-")).is_stdin());
    }

    #[test]
    fn words_may_be_a_text_and_names_of_files_are_not() {
        let text = |argument: &str, any| {
            let items = expand(&[argument.into()]).unwrap();
            assert!(!items.several && items.items.len() == 1);
            items.items[0].text(any).is_some()
        };
        for argument in [
            "Once upon a time",
            "Who goes there?",
            "either/or is [open",
            "at 3.5 or U.S.A",
        ] {
            assert!(text(argument, false), "{argument}");
        }
        assert!(text("Hello", true) && !text("Hello", false));
        assert!(text(" ", true), "a blank says nothing, but names nothing either");
        for argument in ["photo.png", "my photo.png", "a/b", "-", "Cargo.toml"] {
            assert!(!text(argument, true), "{argument}");
        }
    }
}

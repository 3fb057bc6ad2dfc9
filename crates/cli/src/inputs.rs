//! From what was on the command line to the inputs: files, folders, glob patterns, standard input, and texts
//! that stand there themselves.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use sensorium::{Input, InputError, MAX_INPUT_BYTES, Origin};
use walkdir::WalkDir;

/// One input, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The file; `-` for standard input.
    pub path: PathBuf,
    /// Whether it was found in a folder rather than named.
    pub from_folder: bool,
    /// Whether the argument may be a text itself: it names no file, and does not look as if it were to.
    pub may_be_text: bool,
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
/// # Errors
/// If a folder cannot be walked, or a pattern or folder stands for nothing.
pub fn expand(arguments: &[PathBuf]) -> Result<Items> {
    let mut items = Vec::new();
    let mut several = arguments.len() > 1;
    for argument in arguments {
        let before = items.len();
        if argument.is_dir() {
            several = true;
            walk(argument, &mut items)?;
            if items.len() == before {
                bail!("the folder {} holds no files", argument.display());
            }
        } else if let Some(pattern) = pattern(argument) {
            let paths = match glob::glob(pattern) {
                Err(_) if is_wordy(argument) => {
                    items.push(Item::named(argument));
                    continue;
                }
                paths => paths.with_context(|| format!("`{pattern}` is not a glob pattern"))?,
            };
            for path in paths {
                let path = path.with_context(|| format!("cannot list what fits `{pattern}`"))?;
                if path.is_dir() {
                    walk(&path, &mut items)?;
                } else {
                    items.push(Item::named(&path));
                }
            }
            if items.len() > before {
                several = true;
            } else if is_wordy(argument) {
                items.push(Item::named(argument)); // "Who goes there?"
            } else {
                bail!("no file fits `{pattern}`");
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

fn walk(folder: &Path, items: &mut Vec<Item>) -> Result<()> {
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    let entries = WalkDir::new(folder)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter();
    for entry in entries.filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name())) {
        let entry = entry.with_context(|| format!("cannot walk the folder {}", folder.display()))?;
        if !entry.file_type().is_dir() {
            items.push(Item {
                path: entry.into_path(),
                from_folder: true,
                may_be_text: false,
            });
        }
    }
    Ok(())
}

/// The argument as a glob pattern, if it is one and not a file of that very name.
fn pattern(argument: &Path) -> Option<&str> {
    let text = argument.to_str()?;
    (text.contains(['*', '?', '[']) && !argument.exists()).then_some(text)
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
        let word =
            !text.trim().is_empty() && text != "-" && !text.contains(['/', '\\']) && !has_ending(argument);
        Self {
            path: argument.to_path_buf(),
            from_folder: false,
            may_be_text: (word || is_wordy(argument)) && !argument.exists(),
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
    pub fn read(&self) -> Result<Input, InputError> {
        if self.is_stdin() {
            Input::read_from(io::stdin().lock(), Origin::Stdin, MAX_INPUT_BYTES)
        } else {
            Input::read(&self.path, MAX_INPUT_BYTES)
        }
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
        assert!(
            expand(&[root.join("*.gif")])
                .unwrap_err()
                .to_string()
                .starts_with("no file fits")
        );
        assert!(expand(&["-".into(), "-".into()]).is_err());
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
        for argument in ["photo.png", "my photo.png", "a/b", "-", "", " ", "Cargo.toml"] {
            assert!(!text(argument, true), "{argument}");
        }
    }
}

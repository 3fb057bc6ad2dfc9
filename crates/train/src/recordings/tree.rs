//! The files of a folder or an archive.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::{Sound, problem};
use crate::error::Result;

/// Recordings, and texts that may describe them, by their paths within the data set.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub sounds: BTreeMap<String, Sound>,
    pub texts: BTreeMap<String, String>,
    /// The folder at the top, if it is no archive.
    pub root: Option<PathBuf>,
    /// Whether all of it was looked at.
    pub whole: bool,
}

/// The endings of recordings.
pub(super) const SOUNDS: &[&str] = &["wav", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac"];
const TEXTS: &[&str] = &["txt", "tsv", "csv", "jsonl", "json"];
const ARCHIVES: &[&str] = &[".tar", ".tar.gz", ".tgz"];

/// The files at `path`; or a manifest that is named, alone, and what the tree calls it.
pub(super) fn read(path: &Path) -> Result<(Tree, Option<String>)> {
    let mut tree = Tree {
        whole: true,
        ..Tree::default()
    };
    if path.is_dir() {
        tree.root = Some(path.to_path_buf());
        tree.walk(path, "", true)?;
        return Ok((tree, None));
    }
    if is_archive(&path.to_string_lossy()) {
        tree.unpack(path)?;
        return Ok((tree, None));
    }
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| TEXTS.contains(&ending(name).as_str()));
    let Some(name) = name else {
        let message = "is no data set: expected a folder, a .tar, .tar.gz, .jsonl, .csv or .tsv".to_string();
        return Err(problem(path, message));
    };
    let text = fs::read(path).map_err(|error| problem(path, format!("cannot be read: {error}")))?;
    let text = String::from_utf8(text).map_err(|_| problem(path, "is no text in UTF-8".to_string()))?;
    let tree = Tree {
        sounds: BTreeMap::new(),
        texts: BTreeMap::from([(name.clone(), text)]),
        root: Some(path.parent().unwrap_or(Path::new("")).to_path_buf()),
        whole: false,
    };
    Ok((tree, Some(name)))
}

impl Tree {
    /// The recordings in a folder.
    pub fn sounds_of(folder: &Path) -> Result<BTreeMap<String, Sound>> {
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let mut tree = Self::default();
        tree.walk(folder, "", false)?;
        Ok(tree.sounds)
    }

    /// Adds the recordings in a folder, and with `all` the texts and what is in archives.
    fn walk(&mut self, folder: &Path, prefix: &str, all: bool) -> Result<()> {
        let fail = |error: std::io::Error| problem(folder, format!("cannot be read: {error}"));
        for entry in fs::read_dir(folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let inner = format!("{prefix}{name}");
            if path.is_dir() {
                self.walk(&path, &format!("{inner}/"), all)?;
            } else if SOUNDS.contains(&ending(name).as_str()) {
                self.sounds.insert(inner, Sound::File(path));
            } else if all && is_archive(name) {
                self.unpack(&path)?;
            } else if all && TEXTS.contains(&ending(name).as_str()) {
                let text =
                    fs::read(&path).map_err(|error| problem(&path, format!("cannot be read: {error}")))?;
                self.add_text(inner, text);
            }
        }
        Ok(())
    }

    fn unpack(&mut self, path: &Path) -> Result<()> {
        let fail = |error: std::io::Error| problem(path, format!("cannot be unpacked: {error}"));
        let file = File::open(path).map_err(|error| problem(path, format!("cannot be read: {error}")))?;
        let stream: Box<dyn Read> = match path.extension().is_some_and(|ending| ending == "tar") {
            true => Box::new(file),
            false => Box::new(GzDecoder::new(file)),
        };
        for entry in tar::Archive::new(stream).entries().map_err(fail)? {
            let mut entry = entry.map_err(fail)?;
            let name = entry.path().map_err(fail)?.to_string_lossy().into_owned();
            let name = name.trim_start_matches("./").to_string();
            let (sound, text) = (
                SOUNDS.contains(&ending(&name).as_str()),
                TEXTS.contains(&ending(&name).as_str()),
            );
            if !entry.header().entry_type().is_file() || !(sound || text) {
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(fail)?;
            if sound {
                self.sounds.insert(name, Sound::Bytes(bytes.into()));
            } else {
                self.add_text(name, bytes);
            }
        }
        Ok(())
    }

    fn add_text(&mut self, name: String, bytes: Vec<u8>) {
        // What is no text describes nothing.
        if let Ok(text) = String::from_utf8(bytes) {
            self.texts.insert(name, text);
        }
    }
}

fn is_archive(name: &str) -> bool {
    ARCHIVES.iter().any(|ending| name.ends_with(ending))
}

/// What is behind the last dot, in small letters.
pub(super) fn ending(name: &str) -> String {
    name.rsplit_once('.')
        .map(|(_, ending)| ending.to_lowercase())
        .unwrap_or_default()
}

/// The file's name without folders and ending.
pub(super) fn stem(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

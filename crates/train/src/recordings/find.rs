//! The recordings that manifests name.

use std::collections::HashMap;
use std::path::{Component, Path};

use super::tree::{SOUNDS, Tree, stem};
use super::{Sound, problem};
use crate::error::Result;

/// Finds recordings in a tree, and in the files around it.
pub(super) struct Finder<'a> {
    tree: &'a Tree,
    /// All recordings by their files' names without endings, once one is asked for by no more than its name.
    names: Option<HashMap<String, Vec<(String, Sound)>>>,
}

impl<'a> Finder<'a> {
    pub fn new(tree: &'a Tree) -> Self {
        Self { tree, names: None }
    }

    /// What `manifest`, in this folder of the tree, calls `audio`: a path from there, from the top of the tree or from
    /// the root of all files, with its ending or not; or a mere name, of a recording in any folder.
    pub fn find(&mut self, manifest: &Path, folder: &str, audio: &str) -> Result<Sound> {
        let base = match audio.rsplit_once('.') {
            Some((base, ending)) if SOUNDS.contains(&ending.to_lowercase().as_str()) => base,
            _ => audio,
        };
        let others = SOUNDS.iter().map(|ending| format!("{base}.{ending}"));
        let mut paths = std::iter::once(audio.to_string()).chain(others);
        if let Some(sound) = paths.find_map(|path| self.at(folder, &path)) {
            return Ok(sound);
        }
        let fail = |why: &str| Err(problem(manifest, format!("names {audio}, {why}")));
        if audio.contains('/') {
            return fail("which is not there");
        }
        let named = self.named(stem(audio))?;
        let is_it = |(path, _): &&(String, Sound)| path.rsplit('/').next() == Some(audio);
        let mut found: Vec<&(String, Sound)> = named.iter().filter(is_it).collect();
        if found.is_empty() {
            found.extend(named);
        }
        match found[..] {
            [] => fail("which is not there"),
            [(_, sound)] => Ok(sound.clone()),
            [(a, _), (b, _), ..] => fail(&format!("and there are several, {a} and {b}: name their folders")),
        }
    }

    /// The recording at a path.
    fn at(&self, folder: &str, path: &str) -> Option<Sound> {
        let folders = [folder, ""];
        let inner = folders
            .iter()
            .find_map(|from| self.tree.sounds.get(&within(from, path)?));
        if let Some(sound) = inner {
            return Some(sound.clone());
        }
        // An absolute path takes the place of what it is joined to.
        let root = self
            .tree
            .root
            .as_deref()
            .or(Path::new(path).is_absolute().then_some(Path::new("")))?;
        let files = folders.map(|from| root.join(from).join(path));
        files.into_iter().find(|file| file.is_file()).map(Sound::File)
    }

    /// The recordings of that name in any folder.
    fn named(&mut self, name: &str) -> Result<&[(String, Sound)]> {
        if self.names.is_none() {
            let all = match (&self.tree.root, self.tree.whole) {
                (Some(root), false) => Tree::sounds_of(root)?,
                _ => self.tree.sounds.clone(),
            };
            let mut names: HashMap<String, Vec<(String, Sound)>> = HashMap::new();
            for (path, sound) in all {
                names
                    .entry(stem(&path).to_string())
                    .or_default()
                    .push((path, sound));
            }
            self.names = Some(names);
        }
        let names = self.names.as_ref();
        Ok(names.and_then(|names| names.get(name)).map_or(&[], Vec::as_slice))
    }
}

/// What `path` is called in the tree, if it goes from `folder` to something in it.
fn within(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

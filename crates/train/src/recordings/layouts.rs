//! Where data sets keep their texts.

use std::path::Path;

use super::find::Finder;
use super::manifest::{self, Row};
use super::tree::{Tree, ending, stem};
use super::{Part, Recording, problem};
use crate::error::Result;

/// The recordings of `tree`, by the manifest that was named, or else by the first layout that fits.
pub(super) fn recordings(path: &Path, tree: &Tree, named: Option<String>) -> Result<Vec<Recording>> {
    if let Some(name) = named {
        return of_manifest(path, &name, &mut Finder::new(tree), tree);
    }
    let manifests: Vec<&str> = tree
        .texts
        .keys()
        .map(String::as_str)
        .filter(|name| ending(name) != "txt" && manifest::is_one(name, &tree.texts[*name]))
        .collect();
    if !manifests.is_empty() {
        let mut finder = Finder::new(tree);
        let all = manifests
            .iter()
            .map(|name| of_manifest(&path.join(name), name, &mut finder, tree));
        return Ok(all.collect::<Result<Vec<_>>>()?.concat());
    }
    for layout in [librispeech, spoken_digits, yes_no, pairs] {
        let found = layout(tree);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The recordings of the manifest `file`, which the tree calls `name`.
fn of_manifest(file: &Path, name: &str, finder: &mut Finder<'_>, tree: &Tree) -> Result<Vec<Recording>> {
    let rows = manifest::rows(name, &tree.texts[name]).map_err(|message| problem(file, message))?;
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let recording = |Row { audio, text, speaker }| {
        Ok(Recording {
            sound: finder.find(file, folder, &audio)?,
            id: audio,
            text,
            speaker,
            part: part_of(name),
        })
    };
    rows.into_iter().map(recording).collect()
}

/// What a file or folder is for, by its name.
fn part_of(name: &str) -> Option<Part> {
    let has = |words: &[&str]| {
        name.split('/')
            .any(|part| words.iter().any(|word| part.starts_with(word)))
    };
    match () {
        () if has(&["train"]) => Some(Part::Train),
        () if has(&["valid", "val.", "dev"]) => Some(Part::Validation),
        () if has(&["test"]) => Some(Part::Test),
        () => None,
    }
}

/// LibriSpeech: beside the recordings of a chapter a text with a line for each: its name and what is said.
fn librispeech(tree: &Tree) -> Vec<Recording> {
    let texts = tree.texts.iter().filter(|(name, _)| name.ends_with(".trans.txt"));
    let mut recordings = Vec::new();
    for (name, text) in texts {
        let folder = name
            .rsplit_once('/')
            .map_or(String::new(), |(folder, _)| format!("{folder}/"));
        for (id, said) in text.lines().filter_map(|line| line.split_once(' ')) {
            let file = ["flac", "wav"].map(|ending| format!("{folder}{id}.{ending}"));
            if let Some(sound) = file.iter().find_map(|file| tree.sounds.get(file)) {
                recordings.push(Recording {
                    id: id.to_string(),
                    text: said.to_string(),
                    speaker: id.split('-').next().map(str::to_string),
                    part: part_of(name),
                    sound: sound.clone(),
                });
            }
        }
    }
    recordings
}

const DIGITS: [&str; 10] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
];

/// The Free Spoken Digit Dataset: `7_jackson_32.wav`; the numbers from 0 to 4 of each speaker are the test.
fn spoken_digits(tree: &Tree) -> Vec<Recording> {
    let recording = |(name, sound): (&String, &super::Sound)| {
        let mut parts = stem(name).split('_');
        let digit: usize = parts.next()?.parse().ok()?;
        let speaker = parts.next().filter(|speaker| speaker.parse::<u64>().is_err())?;
        let number: u64 = parts.next()?.parse().ok()?;
        Some(Recording {
            id: stem(name).to_string(),
            text: (*DIGITS.get(digit)?).to_string(),
            speaker: Some(speaker.to_string()),
            part: Some(if number < 5 { Part::Test } else { Part::Train }),
            sound: sound.clone(),
        })
    };
    tree.sounds.iter().filter_map(recording).collect()
}

/// Kaldi's yes/no: `1_0_0_1_1_1_0_1.wav`, yes and seven more words; those that begin with yes are the test.
fn yes_no(tree: &Tree) -> Vec<Recording> {
    let recording = |(name, sound): (&String, &super::Sound)| {
        let words: Option<Vec<&str>> = stem(name)
            .split('_')
            .map(|word| match word {
                "0" => Some("no"),
                "1" => Some("yes"),
                _ => None,
            })
            .collect();
        let words = words.filter(|words| words.len() == 8)?;
        Some(Recording {
            id: stem(name).to_string(),
            text: words.join(" "),
            speaker: None,
            part: Some(if words[0] == "yes" {
                Part::Test
            } else {
                Part::Train
            }),
            sound: sound.clone(),
        })
    };
    tree.sounds.iter().filter_map(recording).collect()
}

/// `x.wav` with `x.txt` beside it.
fn pairs(tree: &Tree) -> Vec<Recording> {
    let recording = |(name, sound): (&String, &super::Sound)| {
        let text = tree.texts.get(&format!("{}.txt", name.rsplit_once('.')?.0))?;
        Some(Recording {
            id: name.clone(),
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            speaker: None,
            part: part_of(name),
            sound: sound.clone(),
        })
    };
    tree.sounds.iter().filter_map(recording).collect()
}

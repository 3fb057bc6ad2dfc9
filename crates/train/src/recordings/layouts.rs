//! Where data sets keep their texts.

use std::collections::HashMap;
use std::path::Path;

use super::manifest::{self, Row};
use super::tree::{Tree, ending, stem};
use super::{Part, Recording, problem};
use crate::error::Result;

/// The recordings of `tree`, by the manifest that was named, or else by the first layout that fits.
pub(super) fn recordings(path: &Path, tree: &Tree, named: Option<String>) -> Result<Vec<Recording>> {
    if let Some(name) = named {
        return of_manifests(path, tree, &[&name]);
    }
    let manifests: Vec<&str> = tree
        .texts
        .keys()
        .map(String::as_str)
        .filter(|name| ending(name) != "txt" && manifest::is_one(name, &tree.texts[*name]))
        .collect();
    if !manifests.is_empty() {
        return of_manifests(path, tree, &manifests);
    }
    for layout in [librispeech, spoken_digits, yes_no, pairs] {
        let found = layout(tree);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

fn of_manifests(path: &Path, tree: &Tree, names: &[&str]) -> Result<Vec<Recording>> {
    let stems: HashMap<&str, &String> = tree.sounds.keys().map(|name| (stem(name), name)).collect();
    let mut recordings = Vec::new();
    for name in names {
        let rows = manifest::rows(name, &tree.texts[*name])
            .map_err(|message| problem(path, format!("{name}: {message}")))?;
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for Row { audio, text, speaker } in rows {
            let beside = match folder {
                "" => audio.clone(),
                folder => format!("{folder}/{audio}"),
            };
            let found = [&beside, &audio]
                .into_iter()
                .find(|name| tree.sounds.contains_key(*name));
            let found = found.or_else(|| stems.get(stem(&audio)).copied());
            let sound = match found {
                Some(found) => tree.sounds[found].clone(),
                None if Path::new(&audio).is_absolute() => super::Sound::File(audio.clone().into()),
                None => return Err(problem(path, format!("{name} names {audio}, which is not there"))),
            };
            recordings.push(Recording {
                id: audio,
                text,
                speaker,
                part: part_of(name),
                sound,
            });
        }
    }
    Ok(recordings)
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

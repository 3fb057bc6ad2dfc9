//! English in words, beside the transcripts of LJ Speech, whose readers wrote down what they said.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sensorium_speech::front::english;

/// Ways to write or say the same.
const SAME: &[(&str, &str)] = &[
    ("mr", "mister"),
    ("mrs", "missis"),
    ("dr", "doctor"),
    ("st", "saint"),
    ("co", "company"),
    ("jr", "junior"),
    ("etc", "et cetera"),
    ("maj", "major"),
    ("gen", "general"),
    ("rev", "reverend"),
    ("hon", "honorable"),
    ("lt", "lieutenant"),
    ("sgt", "sergeant"),
    ("capt", "captain"),
    ("inc", "incorporated"),
    ("ltd", "limited"),
    ("eg", "for example"),
    ("ie", "that is"),
];

/// Days of a month are said both ways.
const ORDINALS: &[(&str, &str)] = &[
    ("first", "one"),
    ("second", "two"),
    ("third", "three"),
    ("fifth", "five"),
    ("eighth", "eight"),
    ("ninth", "nine"),
    ("twelfth", "twelve"),
    ("twentieth", "twenty"),
    ("thirtieth", "thirty"),
];

/// Lower-case words, of which letters that are said one by one stand together.
fn plain(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut letters = false;
    let text = text.to_lowercase().replace('’', "'");
    for word in text.split(|letter: char| !letter.is_alphanumeric() && letter != '\'') {
        let word = word.trim_matches('\'');
        let word = word.strip_suffix("'s").unwrap_or(word);
        if word.is_empty() {
            continue;
        }
        let letter = word.chars().count() == 1;
        match words.last_mut() {
            Some(last) if letter && letters => last.push_str(word),
            _ => words.push(word.to_string()),
        }
        letters = letter;
    }
    let same = |word: &String| -> String {
        let word = word.trim_end_matches("'s");
        let ordinal = ORDINALS.iter().find(|(ordinal, _)| *ordinal == word);
        let word = ordinal.map_or(word, |(_, cardinal)| cardinal);
        let word = word
            .strip_suffix("th")
            .filter(|word| english::say("14 6 7 10 11 13 15 16 17 18 19 4").contains(word))
            .unwrap_or(word);
        SAME.iter()
            .find(|(short, _)| *short == word)
            .map_or(word, |(_, long)| long)
            .to_string()
    };
    words.iter().map(same).collect::<Vec<_>>().join(" ")
}

/// Where the data is beside the checkout.
#[test]
fn figures_and_abbreviations_are_read_as_people_read_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets/ljspeech-mini");
    let Ok(file) = File::open(folder.join("metadata-all-13100.csv.gz")) else {
        return;
    };
    let mut table = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut table)
        .expect("a table");
    let (mut count, mut same, mut changed, mut others) = (0, 0, 0, Vec::new());
    for line in table.lines() {
        let fields: Vec<&str> = line.split('|').collect();
        let [_, written, said] = fields.as_slice() else {
            panic!("three fields: {line}");
        };
        if written == said {
            // Nothing but words, or figures that were left as they were.
            changed += usize::from(plain(&english::say(written)) != plain(said));
            continue;
        }
        count += 1;
        let found = english::say(written);
        match plain(&found) == plain(said) {
            true => same += 1,
            false => others.push(format!("{written}\n  {found}\n  {said}")),
        }
    }
    let worst = others.join("\n");
    println!("{same} of {count} that are read otherwise, {changed} of others\n{worst}");
    assert!(count == 1505, "{count}");
    assert!(same >= 1390, "{same} of {count}:\n{worst}");
    assert!(changed <= 8, "{changed}");
}

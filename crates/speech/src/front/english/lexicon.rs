//! How English words sound: the CMU Pronouncing Dictionary, words of one's own, and what follows from parts of words.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use flate2::read::GzDecoder;

/// The sounds of American English, as the CMU Pronouncing Dictionary names them (ARPAbet); vowels carry a stress of 0,
/// 1 (the word's) or 2.
pub const PHONEMES: [&str; 39] = [
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY",
    "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y",
    "Z", "ZH",
];

const VOWELS: [&str; 15] = [
    "AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW",
];

/// Whether `phoneme` is one of [`PHONEMES`], with a stress if it is a vowel.
pub fn is_phoneme(phoneme: &str) -> bool {
    match phoneme.strip_suffix(['0', '1', '2']) {
        Some(vowel) => VOWELS.contains(&vowel),
        None => PHONEMES.contains(&phoneme),
    }
}

/// Whether `phoneme` is a vowel, with a stress or without.
pub fn is_vowel(phoneme: &str) -> bool {
    VOWELS.contains(&phoneme.trim_end_matches(['0', '1', '2']))
}

/// Why a lexicon cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the lexicon {} {problem}", path.display())]
pub struct LexiconError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, as the end of the sentence.
    pub problem: String,
}

/// Pronunciations of words.
#[derive(Debug, Default, Clone)]
pub struct Lexicon {
    own: HashMap<String, Vec<String>>,
}

/// Lines of a word and its phonemes, in the order of bytes.
static DICTIONARY: LazyLock<String> = LazyLock::new(|| {
    let packed = include_bytes!("../../../data/cmudict.txt.gz");
    let mut text = String::new();
    // What is part of the program can be unpacked.
    let read = GzDecoder::new(packed.as_slice()).read_to_string(&mut text);
    debug_assert!(read.is_ok());
    text
});

impl Lexicon {
    /// The dictionary, and before it the words of a file: a word and its phonemes a line, with blanks between them, as
    /// in the CMU Pronouncing Dictionary. Lines that begin with `#` or `;;;` are comments.
    ///
    /// # Errors
    /// If the file cannot be read, or a line of it is something else.
    pub fn open(path: &Path) -> Result<Self, LexiconError> {
        let mut own = HashMap::new();
        for (word, phonemes) in Self::entries(path)? {
            // As in the dictionary's own files, the first one counts.
            own.entry(word).or_insert(phonemes);
        }
        Ok(Self { own })
    }

    /// The words of a file and their phonemes, in their order.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn entries(path: &Path) -> Result<Vec<(String, Vec<String>)>, LexiconError> {
        let wrong = |problem: String| LexiconError {
            path: path.to_path_buf(),
            problem,
        };
        let bytes = fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| wrong("is no text (UTF-8)".to_string()))?;
        parse(&text).map_err(wrong)
    }

    /// All words of the dictionary and their phonemes.
    pub fn dictionary() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
        DICTIONARY
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(word, phonemes)| (word, phonemes.split(' ').collect()))
    }

    /// The phonemes of a word that is known, whatever its case.
    pub fn find(&self, word: &str) -> Option<Vec<String>> {
        let word = word.to_lowercase().replace('’', "'");
        self.exact(&word)
            .or_else(|| self.exact(word.trim_matches('\'')))
            .or_else(|| self.inflected(word.trim_matches('\'')))
    }

    fn exact(&self, word: &str) -> Option<Vec<String>> {
        if let Some(found) = self.own.get(word) {
            return Some(found.clone());
        }
        let found = dictionary(word)?;
        Some(found.split(' ').map(str::to_string).collect())
    }

    /// Of a word that is another one with an ending.
    fn inflected(&self, word: &str) -> Option<Vec<String>> {
        let past = |stem: Vec<String>| {
            let ending: &[&str] = match () {
                () if ends(&stem, &["T", "D"]) => &["IH0", "D"],
                () if ends(&stem, &["P", "K", "F", "TH", "S", "SH", "CH"]) => &["T"],
                () => &["D"],
            };
            with(stem, ending)
        };
        let stem = |ending: &str| word.strip_suffix(ending).filter(|stem| stem.len() > 2);
        if let Some(found) = stem("'s").or(stem("s'")).and_then(|stem| self.exact(stem)) {
            return Some(plural(found));
        }
        if let Some(found) = stem("s").and_then(|stem| self.exact(stem)) {
            return Some(plural(found));
        }
        if let Some(found) = stem("es").and_then(|stem| self.exact(stem)) {
            return Some(plural(found));
        }
        for (ending, again) in [("ed", true), ("d", false)] {
            if let Some(found) = stem(ending).and_then(|stem| self.stem(stem, again)) {
                return Some(past(found));
            }
        }
        if let Some(found) =
            stem("ing").and_then(|stem| self.stem(stem, true).or_else(|| self.exact(&format!("{stem}e"))))
        {
            return Some(with(found, &["IH0", "NG"]));
        }
        for (ending, sounds) in [
            ("ly", &["L", "IY0"][..]),
            ("ness", &["N", "AH0", "S"]),
            ("less", &["L", "AH0", "S"]),
            ("ful", &["F", "AH0", "L"]),
            ("ment", &["M", "AH0", "N", "T"]),
            ("er", &["ER0"]),
        ] {
            if let Some(found) = stem(ending).and_then(|stem| self.stem(stem, true)) {
                return Some(with(found, sounds));
            }
        }
        for (beginning, sounds) in [
            ("un", &["AH0", "N"][..]),
            ("re", &["R", "IY0"]),
            ("non", &["N", "AA1", "N"]),
        ] {
            let rest = word.strip_prefix(beginning).filter(|rest| rest.len() > 3);
            if let Some(found) = rest.and_then(|rest| self.exact(rest)) {
                let sounds = sounds.iter().map(ToString::to_string);
                return Some(sounds.chain(found).collect());
            }
        }
        None
    }

    /// A stem whose last letter may be doubled before an ending.
    fn stem(&self, stem: &str, doubled: bool) -> Option<Vec<String>> {
        self.exact(stem).or_else(|| {
            let mut letters = stem.chars().rev();
            let twice = letters.next() == letters.next();
            (doubled && twice).then(|| self.exact(&stem[..stem.len() - 1]))?
        })
    }

    /// The names of a word's letters and figures.
    pub fn spell(&self, word: &str) -> Vec<String> {
        word.chars()
            .flat_map(|letter| {
                let name = match letter.to_ascii_lowercase() {
                    // As a word it is “uh”.
                    'a' => return vec!["EY1".to_string()],
                    letter => letter.to_string(),
                };
                self.exact(&name).unwrap_or_default()
            })
            .collect()
    }
}

fn ends(phonemes: &[String], sounds: &[&str]) -> bool {
    phonemes
        .last()
        .is_some_and(|last| sounds.contains(&last.as_str()))
}

fn with(mut phonemes: Vec<String>, ending: &[&str]) -> Vec<String> {
    phonemes.extend(ending.iter().map(ToString::to_string));
    phonemes
}

/// Several of what sounds like `stem`, or what belongs to it.
pub(super) fn plural(stem: Vec<String>) -> Vec<String> {
    let ending: &[&str] = match () {
        () if ends(&stem, &["S", "Z", "SH", "ZH", "CH", "JH"]) => &["IH0", "Z"],
        () if ends(&stem, &["P", "T", "K", "F", "TH"]) => &["S"],
        () => &["Z"],
    };
    with(stem, ending)
}

/// Words and their phonemes, a word a line.
fn parse(text: &str) -> Result<Vec<(String, Vec<String>)>, String> {
    let mut words = Vec::new();
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with(";;;") {
            continue;
        }
        let mut parts = line.split_whitespace();
        let word = parts.next().unwrap_or_default().to_lowercase();
        let phonemes: Vec<String> = parts.map(str::to_uppercase).collect();
        if phonemes.is_empty() {
            return Err(format!("has a word without phonemes in line {number}: `{word}`"));
        }
        if let Some(unknown) = phonemes.iter().find(|phoneme| !is_phoneme(phoneme)) {
            return Err(format!(
                "has `{unknown}` in line {number}, which is no phoneme; phonemes are written as in `hello  HH AH0 L OW1`"
            ));
        }
        // Further pronunciations are numbered in brackets.
        let word = word.split('(').next().unwrap_or(&word).to_string();
        words.push((word, phonemes));
    }
    Ok(words)
}

/// What the dictionary says of `word`.
pub(super) fn dictionary(word: &str) -> Option<&'static str> {
    let text = DICTIONARY.as_str();
    let line = |at: usize| {
        let begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        (begin, end)
    };
    let (mut low, mut high) = (0, text.len());
    while low < high {
        let (begin, end) = line(low + (high - low) / 2);
        let (found, phonemes) = text[begin..end].split_once(' ')?;
        match found.cmp(word) {
            std::cmp::Ordering::Equal => return Some(phonemes),
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = begin,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(word: &str) -> String {
        Lexicon::default()
            .find(word)
            .map_or("?".to_string(), |found| found.join(" "))
    }

    #[test]
    fn words_are_found_and_endings_follow() {
        for (word, expected) in [
            ("hello", "HH AH0 L OW1"),
            ("A", "AH0"),
            ("zywicki", "Z IH0 W IH1 K IY0"),
            ("don’t", "D OW1 N T"),
            ("'tis", "T IH1 Z"),
            ("elephants'", "EH1 L AH0 F AH0 N T S"),
            ("tweeted", "T W IY1 T IH0 D"),
            ("unhelpfulness", "AH0 N HH EH1 L P F AH0 L N AH0 S"),
            ("qqqq", "?"),
            ("", "?"),
        ] {
            assert_eq!(said(word), expected, "{word}");
        }
        let all: Vec<&str> = DICTIONARY.lines().collect();
        assert_eq!(all.len(), 124_926);
        for line in all.iter().step_by(997) {
            let (word, phonemes) = line.split_once(' ').expect("a word and phonemes");
            assert_eq!(dictionary(word), Some(phonemes));
            assert!(phonemes.split(' ').all(is_phoneme), "{line}");
        }
        assert_eq!(Lexicon::default().spell("BA7").join(" "), "B IY1 EY1");
    }

    #[test]
    fn own_words_come_first_and_mistakes_are_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("own.dict");
        let words = "# mine\nHello  HH EH0 L OW1\n\nsensorium s eh0 n s ao1 r iy0 ah0 m";
        fs::write(&path, words).expect("a file");
        let lexicon = Lexicon::open(&path).expect("a lexicon");
        assert_eq!(lexicon.find("hello").expect("a word").join(" "), "HH EH0 L OW1");
        assert_eq!(
            lexicon
                .find("Sensoriums")
                .expect("a word")
                .last()
                .expect("a sound"),
            "Z"
        );
        for (text, problem) in [
            ("hello", "without phonemes in line 1"),
            ("\na QX1", "`QX1` in line 2"),
            ("a B1", "`B1`"),
        ] {
            let error = parse(text).expect_err("a mistake");
            assert!(error.contains(problem), "{error}");
        }
    }
}

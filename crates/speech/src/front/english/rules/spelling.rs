//! Words in capitals: acronyms, which are spelled, and words that are shouted.

use super::super::lexicon::{Lexicon, dictionary};
use super::super::units::READ_AS_WORDS;
use super::abbreviations::stop;
use super::{Found, Rule, letters, word};

pub fn rules() -> Vec<Rule> {
    vec![
        word(r"\b(?<a>(?:\p{Lu}\.){2,})(?:(?<s>s)\b)?", |found| {
            Some(several(letters(&found["a"].replace('.', "")), found.get("s")) + stop(found))
        }),
        word(r"\b(?<a>\p{Lu}{2,6})(?<s>s)?\b", acronym),
        word(r"\b(?<all>(?<a>\p{Lu}{2,6}))\d", acronym),
    ]
}

/// Letters, or several things that they stand for.
pub fn several(letters: String, ending: Option<&str>) -> String {
    match ending {
        Some(_) => letters + "'s",
        None => letters,
    }
}

/// Letter by letter, unless it can be read as a word.
fn acronym(found: &Found<'_>) -> Option<String> {
    let word = &found["a"];
    let plural = found.get("s");
    if READ_AS_WORDS.contains(&word) || plural.is_none() && (is_contraction(found) || is_word(found)) {
        return None;
    }
    // What is longer is a word that is shouted.
    let vowels = word.chars().filter(|letter| "AEIOUY".contains(*letter)).count();
    let readable = word.chars().count() >= 4 && vowels * 3 >= word.chars().count();
    (!readable).then(|| several(letters(word), plural))
}

/// “DON'T” and “IT'S”, of which the apostrophe is a part.
fn is_contraction(found: &Found<'_>) -> bool {
    let rest = found.after().strip_prefix(['\'', '’']).unwrap_or_default();
    let end = rest
        .find(|letter: char| !letter.is_alphabetic())
        .unwrap_or(rest.len());
    let whole = format!("{}'{}", &found["a"], &rest[..end]);
    end > 0 && rest.starts_with(char::is_uppercase) && is_known(&whole)
}

/// Whether it is a word in capitals: one that is often shouted, one that no acronym looks like, or one among others.
fn is_word(found: &Found<'_>) -> bool {
    let word = &found["a"];
    match word.len() {
        2 if !SHORT.contains(&word) && word != "US" => false,
        _ if EMPHASISED.contains(&word) => true,
        4.. if is_known(word) => true,
        _ => (SHORT.contains(&word) || is_known(word)) && is_shouted(found),
    }
}

/// Words of two letters that texts in capitals are full of.
const SHORT: &[&str] = &[
    "AM", "AN", "AS", "AT", "BE", "BY", "DO", "GO", "HE", "IF", "IN", "IS", "IT", "ME", "MY", "NO", "OF",
    "ON", "OR", "SO", "TO", "UP", "US", "WE",
];

/// Those of them that are shorter forms, too: nothing follows from them for their neighbours.
const DOUBTFUL: &[&str] = &["AM", "IN", "IT", "ME", "OR", "US"];

/// Words that are stressed by capitals in the midst of others.
const EMPHASISED: &[&str] = &[
    "ALL", "AND", "ANY", "ARE", "BE", "BUT", "CAN", "DID", "DO", "FOR", "HAD", "HAS", "HER", "HIM", "HIS",
    "HOW", "IF", "IS", "MY", "NEW", "NO", "NOT", "NOW", "OFF", "OUR", "OUT", "SHE", "SO", "THE", "TOO",
    "TWO", "WAS", "WE", "WHY", "YES", "YOU",
];

/// Whether the dictionary has it as a word rather than as its letters.
fn is_known(word: &str) -> bool {
    let unstressed = |phonemes: &str| phonemes.replace(['0', '1', '2'], "");
    let spelled = || unstressed(&Lexicon::default().spell(word).join(" "));
    word.contains(['A', 'E', 'I', 'O', 'U', 'Y'])
        && dictionary(&word.to_lowercase()).is_some_and(|phonemes| unstressed(phonemes) != spelled())
}

/// Whether its neighbours tell that it is a word: they are words in capitals, or there are no small letters at all.
fn is_shouted(found: &Found<'_>) -> bool {
    const NEAR: usize = 3;
    let apart = |letter: char| !letter.is_alphabetic() && letter != '\'' && letter != '’';
    let is_capital = |word: &&str| !word.contains(char::is_lowercase);
    let (mut before, mut after) = (found.before(), found.after());
    let word = &found["a"];
    if DOUBTFUL.contains(&word) {
        // Another sentence tells nothing of these.
        before = before.rsplit(['.', '!', '?']).next().unwrap_or_default();
        after = after.split(['.', '!', '?']).next().unwrap_or_default();
    }
    let words = |word: &&str| !word.is_empty();
    let left: Vec<&str> = before
        .rsplit(apart)
        .filter(words)
        .take_while(is_capital)
        .take(NEAR)
        .collect();
    let right: Vec<&str> = after
        .split(apart)
        .filter(words)
        .take_while(is_capital)
        .take(NEAR)
        .collect();
    // The country, rather than “us”.
    if word == "US" && left.first().is_none_or(|word| ["THE", "A"].contains(word)) {
        return false;
    }
    let telling = |word: &&str| match word.chars().count() {
        0..=3 => !DOUBTFUL.contains(word) && (SHORT.contains(word) || EMPHASISED.contains(word)),
        4..=6 => is_known(word) && !READ_AS_WORDS.contains(word),
        _ => true,
    };
    let small = |text: &str| text.contains(char::is_lowercase);
    left.iter().chain(&right).any(telling) || !small(found.before()) && !small(found.after())
}

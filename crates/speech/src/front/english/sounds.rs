//! English text as phonemes.

use super::article::{ends_an_initial, is_letter_a};
use super::lexicon::{Lexicon, is_phoneme, is_vowel, plural};

/// A text as phonemes and marks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sounds {
    /// Phonemes, and the marks `,` `.` `?` `!`.
    pub tokens: Vec<String>,
    /// For each token the character of the text that it stands for, or that its word begins with.
    pub places: Vec<usize>,
    /// Words that are in no dictionary and that could not be guessed: their letters were named.
    pub spelled: Vec<String>,
    /// Characters that are neither letters nor marks and were left out, in their order and once each.
    pub unknown: Vec<char>,
}

/// What guesses the phonemes of a word that is in no dictionary, which is lower-case letters and apostrophes; nothing
/// if it cannot.
pub type Guess<'a> = &'a dyn Fn(&str) -> Option<Vec<String>>;

/// The sounds of `text`, in which figures and signs are words already. What stands in `[[…]]` are phonemes.
///
/// # Errors
/// What is wrong with the phonemes in brackets, as the end of a sentence that begins with “the text”.
pub fn sounds(text: &str, lexicon: &Lexicon, guess: Guess<'_>) -> Result<Sounds, String> {
    let letters: Vec<char> = text.chars().collect();
    let mut found = Sounds::default();
    let mut at = 0;
    // The article is said otherwise before vowels.
    let mut article = None;
    while at < letters.len() {
        let letter = letters[at];
        let begin = at;
        if letter == '[' && letters.get(at + 1) == Some(&'[') {
            let end = (at..letters.len()).find(|&i| letters[i] == ']' && letters.get(i + 1) == Some(&']'));
            let end = end.ok_or("has `[[` without `]]`")?;
            let inside: String = letters[at + 2..end].iter().collect();
            let phonemes = given(&inside)?;
            found.say(phonemes, begin, &mut article);
            at = end + 2;
        } else if ends_an_initial(&letters, at) {
            at += 1;
        } else if let Some(mark) = mark(letter) {
            // Several marks are one pause.
            let again = found
                .tokens
                .last()
                .is_some_and(|last| self::mark(first(last)).is_some());
            if !again && !found.tokens.is_empty() {
                found.tokens.push(mark.to_string());
                found.places.push(begin);
            }
            article = None;
            at += 1;
        } else if is_letter(letter) {
            let mut word = String::new();
            while at < letters.len() && (is_letter(letters[at]) || letters[at] == '\u{301}') {
                word.push_str(&plain(letters[at]));
                at += 1;
            }
            if word.chars().any(|letter| letter.is_ascii_alphabetic()) {
                let behind_phonemes = begin > 1 && letters[begin - 2..begin] == [']', ']'];
                if word == "'s" && behind_phonemes {
                    found.pluralise();
                    continue;
                }
                let phonemes = match word.as_str() {
                    "a" | "A" if is_letter_a(&letters, begin) => lexicon.spell(&word),
                    _ => found.word(&word, lexicon, guess),
                };
                let is_article = word.eq_ignore_ascii_case("the");
                found.say(phonemes, begin, &mut article);
                article = is_article.then(|| found.tokens.len() - 1);
            }
        } else {
            let harmless = letter.is_whitespace() || "-‐‑\"“”„‟«»()[]{}<>_'‘’`´".contains(letter);
            if !harmless && !found.unknown.contains(&letter) {
                found.unknown.push(letter);
            }
            at += 1;
        }
    }
    Ok(found)
}

impl Sounds {
    fn say(&mut self, phonemes: Vec<String>, place: usize, article: &mut Option<usize>) {
        if let (Some(at), true) = (
            article.take(),
            phonemes.first().is_some_and(|first| is_vowel(first)),
        ) {
            self.tokens[at] = "IY0".to_string();
        }
        self.places.extend(std::iter::repeat_n(place, phonemes.len()));
        self.tokens.extend(phonemes);
    }

    /// The ending of several of what was said last.
    fn pluralise(&mut self) {
        let said = std::mem::take(&mut self.tokens);
        self.tokens = plural(said);
        let place = self.places.last().copied().unwrap_or_default();
        self.places.resize(self.tokens.len(), place);
    }

    fn word(&mut self, word: &str, lexicon: &Lexicon, guess: Guess<'_>) -> Vec<String> {
        let known = lexicon.find(word).or_else(|| joined(word, lexicon));
        // What has no vowel is read letter by letter.
        let sayable = |word: &String| word.contains(['a', 'e', 'i', 'o', 'u', 'y']);
        let lower = Some(word.to_lowercase()).filter(sayable);
        if let Some(found) = known.or_else(|| guess(&lower?).filter(|found| !found.is_empty())) {
            return found;
        }
        if !self.spelled.iter().any(|other| other == word) {
            self.spelled.push(word.to_string());
        }
        lexicon.spell(word)
    }
}

/// A word of two that are known, the second as long as can be.
fn joined(word: &str, lexicon: &Lexicon) -> Option<Vec<String>> {
    const LEAST: usize = 3;
    (LEAST..word.len().saturating_sub(LEAST - 1)).find_map(|at| {
        let (first, second) = (word.get(..at)?, word.get(at..)?);
        let mut found = lexicon.find(first)?;
        found.extend(lexicon.find(second)?);
        Some(found)
    })
}

fn given(text: &str) -> Result<Vec<String>, String> {
    let phonemes: Vec<String> = text.split_whitespace().map(str::to_uppercase).collect();
    match phonemes.iter().find(|phoneme| !is_phoneme(phoneme)) {
        Some(unknown) => Err(format!(
            "has `{unknown}` in `[[…]]`, which is no phoneme; phonemes are written as in `[[HH AH0 L OW1]]`"
        )),
        None if phonemes.is_empty() => Err("has `[[…]]` with nothing in it".to_string()),
        None => Ok(phonemes),
    }
}

fn first(token: &str) -> char {
    token.chars().next().unwrap_or(' ')
}

pub(super) fn mark(letter: char) -> Option<&'static str> {
    match letter {
        ',' | ';' | ':' | '—' | '–' | '，' | '；' | '：' | '、' => Some(","),
        '.' | '…' | '。' => Some("."),
        '?' | '？' => Some("?"),
        '!' | '！' => Some("!"),
        _ => None,
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '\'' || letter == '’' || !plain(letter).is_empty()
}

/// A letter of the Latin alphabet without its accents; nothing for others.
fn plain(letter: char) -> String {
    match letter {
        'a'..='z' | 'A'..='Z' | '\'' => letter.to_string(),
        '’' => "'".to_string(),
        'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => "a".to_string(),
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A".to_string(),
        'æ' | 'Æ' => "ae".to_string(),
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c".to_string(),
        'Ç' | 'Ć' | 'Č' => "C".to_string(),
        'ď' | 'đ' | 'ð' | 'Ď' | 'Đ' | 'Ð' => "d".to_string(),
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e".to_string(),
        'È'..='Ë' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => "E".to_string(),
        'ĝ' | 'ğ' | 'ġ' | 'ģ' | 'Ğ' => "g".to_string(),
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'Ì'..='Ï' | 'İ' => "i".to_string(),
        'ķ' => "k".to_string(),
        'ĺ' | 'ļ' | 'ľ' | 'ł' | 'Ł' => "l".to_string(),
        'ñ' | 'ń' | 'ņ' | 'ň' | 'Ñ' | 'Ń' | 'Ň' => "n".to_string(),
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ő' => "o".to_string(),
        'œ' | 'Œ' => "oe".to_string(),
        'ŕ' | 'ŗ' | 'ř' | 'Ř' => "r".to_string(),
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' | 'Ś' | 'Ş' | 'Š' | 'Ș' => "s".to_string(),
        'ß' => "ss".to_string(),
        'ţ' | 'ť' | 'ț' | 'Ť' | 'Ț' => "t".to_string(),
        'þ' | 'Þ' => "th".to_string(),
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'Ù'..='Ü' | 'Ū' | 'Ů' | 'Ű' => {
            "u".to_string()
        }
        'ý' | 'ÿ' | 'Ý' | 'Ÿ' => "y".to_string(),
        'ź' | 'ż' | 'ž' | 'Ź' | 'Ż' | 'Ž' => "z".to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(text: &str) -> String {
        let found = sounds(text, &Lexicon::default(), &|_| None).expect("sounds");
        assert_eq!(found.tokens.len(), found.places.len());
        found.tokens.join(" ")
    }

    #[test]
    fn texts_are_sounded() {
        for (text, expected) in [
            ("Hello, world!", "HH AH0 L OW1 , W ER1 L D !"),
            ("The end. The start…?", "DH IY0 EH1 N D . DH AH0 S T AA1 R T ."),
            (
                "a [[T AH0 M AA1 T OW2]] (café)",
                "AH0 T AH0 M AA1 T OW2 K AH0 F EY1",
            ),
            ("[[B AH1 S]]'s [[K AE1 T]]’s", "B AH1 S IH0 Z K AE1 T S"),
            (
                "the CIA of the C I A",
                "DH AH0 S IY1 AY1 EY1 AH1 V DH AH0 S IY1 AY1 EY1",
            ),
            (
                "by A. Lincoln, plan A",
                "B AY1 EY1 L IH1 NG K AH0 N , P L AE1 N EY1",
            ),
            (
                "the C E O's D V D's",
                "DH AH0 S IY1 IY1 OW1 Z D IY1 V IY1 D IY1 Z",
            ),
            ("the [[AA]] [[AA P]]", "DH IY0 AA AA P"),
            ("well-known 'quotes'", "W EH1 L N OW1 N K W OW1 T S"),
            ("teapotlid", "T IY1 P AA2 T L IH1 D"),
            ("...", ""),
            ("", ""),
        ] {
            assert_eq!(said(text), expected, "{text}");
        }
        let found = sounds("Zzyzx 文 and ☃ 文", &Lexicon::default(), &|_| None).expect("sounds");
        assert_eq!(found.unknown, ['文', '☃']);
        assert_eq!(found.spelled, ["Zzyzx"]);
        let guess = |word: &str| (word == "blorpy").then(|| vec!["B".to_string()]);
        let found = sounds("Blorpy zzz", &Lexicon::default(), &guess).expect("sounds");
        assert_eq!(
            (found.tokens[0].as_str(), found.spelled),
            ("B", vec!["zzz".to_string()])
        );
        for (text, problem) in [("[[A", "without"), ("[[]]", "nothing"), ("[[hello]]", "`HELLO`")] {
            let error = sounds(text, &Lexicon::default(), &|_| None).expect_err("a mistake");
            assert!(error.contains(problem), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,60}") {
            if let Ok(found) = sounds(&text, &Lexicon::default(), &|_| None) {
                prop_assert_eq!(found.tokens.len(), found.places.len());
                prop_assert!(found.places.is_sorted());
                prop_assert!(found.places.iter().all(|&place| place < text.chars().count()));
            }
        }
    }
}

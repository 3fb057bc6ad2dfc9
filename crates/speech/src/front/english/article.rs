//! The word “a” and the letter A, which are written alike.

use super::super::initials::{is_initial, is_lettered};
use super::sounds::mark as mark_of;

/// Words that the article never stands before, but the letter does: “from a to z”, “A is for apple”.
const BEHIND_A_LETTER: &[&str] = &[
    "and", "are", "as", "at", "for", "has", "in", "is", "of", "on", "or", "to", "was", "with",
];

/// Whether the `a` or `A` at a place of `text` is the letter's name rather than the article.
pub fn is_letter_a(text: &[char], at: usize) -> bool {
    let (before, after) = (Side::before(text, at), Side::after(text, at + 1));
    let capital = text[at] == 'A';
    if after.joined == Some('-') {
        // “an A-list” and “a-going”
        return capital;
    }
    let quoted = after.joined.is_some_and(|letter| "\"”)]»".contains(letter));
    if ends_an_initial(text, at + 1) || after.mark || quoted {
        return true;
    }
    let mut rest = text[at + 1..].iter().skip_while(|letter| letter.is_whitespace());
    if rest.next() == Some(&'[') && rest.next() == Some(&'[') {
        return false;
    }
    let Some(next) = after.word.as_deref() else {
        return capital || before.word.is_none();
    };
    let single = |word: &str| word.chars().count() == 1 && !after.compound;
    if !after.compound && BEHIND_A_LETTER.contains(&next) {
        return true;
    }
    if !capital {
        // “a m” and “a b c”
        return single(next) && next.starts_with(char::is_lowercase);
    }
    if single(next) && next.starts_with(char::is_uppercase) {
        return true;
    }
    let previous = before
        .word
        .as_deref()
        .filter(|_| !before.mark && before.joined.is_none());
    previous.is_some_and(|word| match next.starts_with(char::is_uppercase) {
        // “the U S A Today”, but “Once Upon A Time”
        true => is_lettered(word) || is_spelled(&text[..at]),
        false => true,
    })
}

/// Whether `text` ends in single capital letters, and not with the word “I” alone.
fn is_spelled(text: &[char]) -> bool {
    let text: String = text.iter().rev().take(5).collect();
    let mut words = text.split_whitespace();
    let mut single = || {
        words
            .next()
            .filter(|word| word.len() == 1 && word.starts_with(char::is_uppercase))
    };
    let (last, one_before) = (single(), single());
    last.is_some_and(|last| last != "I" || one_before.is_some())
}

/// What is on one side of a place.
struct Side {
    /// The next word.
    word: Option<String>,
    /// Whether it goes on with a hyphen or an apostrophe.
    compound: bool,
    /// Whether there is a pause between.
    mark: bool,
    /// What is beside the place, if that is no blank.
    joined: Option<char>,
}

impl Side {
    fn before(text: &[char], at: usize) -> Self {
        let mut side = Self::of(text[..at].iter().rev().copied());
        side.word = side.word.map(|word| word.chars().rev().collect());
        side
    }

    fn after(text: &[char], at: usize) -> Self {
        Self::of(text[at..].iter().copied())
    }

    fn of(letters: impl Iterator<Item = char>) -> Self {
        let mut letters = letters.peekable();
        let joined = letters.peek().copied().filter(|letter| !letter.is_whitespace());
        let mut mark = false;
        while let Some(letter) = letters.next_if(|letter| !letter.is_alphanumeric()) {
            mark |= mark_of(letter).is_some();
        }
        let mut word = String::new();
        while let Some(letter) = letters.next_if(|letter| letter.is_alphanumeric()) {
            word.push(letter);
        }
        let compound = letters.next().is_some_and(|letter| "-'’".contains(letter))
            && letters.next().is_some_and(char::is_alphanumeric);
        Self {
            word: Some(word).filter(|word| !word.is_empty()),
            compound,
            mark,
            joined,
        }
    }
}

/// Whether the full stop at a place of `text` is behind the first letter of a name.
pub fn ends_an_initial(text: &[char], at: usize) -> bool {
    let blank = |i: usize| text.get(i).is_none_or(|letter| letter.is_whitespace());
    if text.get(at) != Some(&'.') || !blank(at + 1) {
        return false;
    }
    let begin = (0..at).rev().find(|&i| blank(i)).map_or(0, |i| i + 1);
    let word: String = text[begin..=at].iter().collect();
    let word_to = |end: usize| {
        let begin = (0..end).rev().find(|&i| blank(i)).map_or(0, |i| i + 1);
        text[begin..end].iter().collect::<String>()
    };
    let before = (0..begin)
        .rev()
        .find(|&i| !blank(i))
        .map(|last| word_to(last + 1));
    let after = (at + 1..text.len()).find(|&i| !blank(i)).map(|first| {
        let end = (first..text.len()).find(|&i| blank(i)).unwrap_or(text.len());
        text[first..end].iter().collect::<String>()
    });
    is_initial(before.as_deref(), &word, after.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_told_from_articles() {
        // The one that is meant is marked.
        for (text, expected) in [
            ("the C I *A", true),
            ("*A I is here", true),
            ("the U S *A Today", true),
            ("The C I *A Director", true),
            ("at three *a m", true),
            ("Class *A, and so on", true),
            ("plan *A works", true),
            ("Vitamin *A Deficiency", true),
            ("from *a to z", true),
            ("*A is for apple", true),
            ("an *A-list actor", true),
            ("grade *A.", true),
            ("the letter “*a” is", true),
            ("a [[T AH0]] or *a [[B IY1]]", false),
            ("*A. Lincoln spoke", true),
            ("by *A. B. Smith", true),
            ("*a", true),
            ("*A", true),
            ("*A [[T IY1]] of", false),
            ("*A dog barks", false),
            ("it was *a dog", false),
            ("*a-going", false),
            ("in *A Tale of Two Cities", false),
            ("Once Upon *A Time", false),
            ("THIS IS *A TEST", false),
            ("*a T-shirt", false),
            ("*A T-shirt", false),
            ("Am I *a fool", false),
            ("Am I *A Fool", false),
            ("He said, “*A man came", false),
            ("came. *A man", false),
            ("*a to-do list", false),
            ("such *a", false),
        ] {
            let at = text.find('*').expect("a place");
            let letters: Vec<char> = text.replace('*', "").chars().collect();
            assert_eq!(
                is_letter_a(&letters, text[..at].chars().count()),
                expected,
                "{text}"
            );
        }
    }
}

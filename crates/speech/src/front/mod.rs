//! From written text to what is said: words in place of figures and signs, and pieces that a voice can say in one go.

pub mod english;
mod initials;
mod pieces;
mod say_as;
pub mod ssml;

use std::ops::Range;

pub use pieces::{Pause, Piece, pieces};

/// A word or figure of a text, and how it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Where it stands in the text, in bytes.
    pub written: Range<usize>,
    /// What is said: one or more words, with the punctuation around them.
    pub said: String,
}

/// The words of `text` as they stand there, between blanks.
pub fn verbatim(text: &str) -> Vec<Word> {
    words_between(text, 0..text.len())
}

/// The words of `text`, which is read in English or as it stands; the parts in `read` always are as they stand.
pub fn words(text: &str, read: &[Range<usize>], english: bool) -> Vec<Word> {
    let words_of = |part: Range<usize>| match english {
        true => english::words_within(text, part),
        false => words_between(text, part),
    };
    let (mut words, mut at) = (Vec::new(), 0);
    for part in read {
        glue(&mut words, words_of(at..part.start));
        glue(&mut words, words_between(text, part.clone()));
        at = part.end;
    }
    glue(&mut words, words_of(at..text.len()));
    words
}

/// Puts `more` behind `words`; marks that stand beside a word without a blank become a part of it.
fn glue(words: &mut Vec<Word>, more: Vec<Word>) {
    let mut more = more.into_iter().peekable();
    if let (Some(last), Some(first)) = (words.last_mut(), more.peek()) {
        let all = |word: &Word, marks: &str| word.said.chars().all(|letter| marks.contains(letter));
        let belongs = all(first, ",.;:!?)]}\"'”’…»")
            || ["'s", "’s"].contains(
                &first
                    .said
                    .trim_end_matches(|letter: char| ",.;:!?".contains(letter)),
            )
            || all(last, "([{\"'“‘«");
        if last.written.end == first.written.start && belongs {
            last.written.end = first.written.end;
            last.said += &first.said;
            more.next();
        }
    }
    words.extend(more);
}

/// The words in a part of `text`; phonemes in brackets are one.
fn words_between(text: &str, range: Range<usize>) -> Vec<Word> {
    let mut words = Vec::new();
    let mut begin = None;
    let part = &text[range.clone()];
    let mut phonemes = bracketed(part).into_iter().peekable();
    for (at, letter) in part.char_indices().chain([(part.len(), ' ')]) {
        while phonemes.next_if(|phonemes| phonemes.end <= at).is_some() {}
        let within = phonemes.peek().is_some_and(|phonemes| phonemes.contains(&at));
        match (begin, letter.is_whitespace() && !within) {
            (None, false) => begin = Some(at),
            (Some(from), true) => {
                words.push(Word {
                    written: range.start + from..range.start + at,
                    said: part[from..at].to_string(),
                });
                begin = None;
            }
            _ => {}
        }
    }
    words
}

/// Where phonemes stand in brackets: `[[HH AH0 L OW1]]`.
fn bracketed(text: &str) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(begin) = text[at..].find("[[").map(|begin| at + begin) {
        let Some(length) = text[begin..].find("]]") else {
            break;
        };
        at = begin + length + 2;
        found.push(begin..at);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str, read: &[&str]) -> Vec<String> {
        let place = |part: &&str| text.find(part).map(|at| at..at + part.len());
        let read: Vec<Range<usize>> = read.iter().filter_map(place).collect();
        words(text, &read, true)
            .into_iter()
            .map(|word| word.said)
            .collect()
    }

    #[test]
    fn parts_that_were_read_stay_as_they_are() {
        for (text, read, expected) in [
            (
                "Call one two, now 12.",
                vec!["one two"],
                vec!["Call", "one", "two,", "now", "twelve."],
            ),
            ("a (A B C) b", vec!["A B C"], vec!["a", "(A", "B", "C)", "b"]),
            (
                "to [[T AH0]]'s 5.",
                vec!["[[T AH0]]"],
                vec!["to", "[[T AH0]]'s", "five."],
            ),
            (
                "at 5 p.m. NASA BBC",
                vec!["NASA BBC"],
                vec!["at", "five p m", "NASA", "BBC"],
            ),
            ("[[T AH0]], [[B", vec![], vec!["[[T AH0]],", "[[B"]),
        ] {
            assert_eq!(said(text, &read), expected, "{text}");
        }
        let found: Vec<String> = verbatim("a ([[T AH0 M]]) [[b c")
            .into_iter()
            .map(|word| word.said)
            .collect();
        assert_eq!(found, ["a", "([[T AH0 M]])", "[[b", "c"]);
    }
}

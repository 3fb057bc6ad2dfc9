//! English figures, signs and abbreviations in words.

mod article;
pub(super) mod ipa;
pub mod lexicon;
pub(super) mod numbers;
mod rules;
pub mod sounds;
mod units;

use std::ops::Range;

use super::{Word, words_between};
use rules::RULES;
pub(super) use rules::date;

/// The words of `text` as they are read aloud: numbers, money, dates, times, units, ordinals, abbreviations, letters of
/// acronyms, addresses and emoji in words.
pub fn words(text: &str) -> Vec<Word> {
    words_within(text, 0..text.len())
}

/// The words in a part of `text`, of which the rest tells how they are read.
pub(super) fn words_within(text: &str, part: Range<usize>) -> Vec<Word> {
    let end = part.end;
    // The next place of each rule, and what is said there.
    let mut next: Vec<_> = RULES
        .iter()
        .map(|rule| rule.find(text, part.start, end))
        .collect();
    let (mut words, mut at) = (Vec::new(), part.start);
    // Whether an amount ends there, so that a dash is “to”.
    let mut amount = false;
    loop {
        let begins = |from: usize| {
            let mut places = RULES.iter().zip(&next).filter(|(rule, _)| rule.amount);
            places.find_map(|(_, found)| found.clone().filter(|(range, _)| range.start == from))
        };
        let range = dash(&text[at..end]).filter(|_| amount).and_then(|dash| {
            let found = begins(at + dash.len())?;
            let equation = text[found.0.end..].trim_start().starts_with('=');
            (!equation).then_some((dash, found))
        });
        let (place, said) = match range {
            Some((dash, found)) => {
                let begin = at + dash.len() - dash.trim_start().len();
                words.push(Word {
                    written: begin..begin + dash.trim().len(),
                    said: "to".to_string(),
                });
                at = found.0.start;
                found
            }
            None => match next.iter().flatten().min_by_key(|found| found.0.start) {
                Some(found) => found.clone(),
                None => break,
            },
        };
        words.extend(words_between(text, at..place.start));
        // Marks that stand beside it without a blank belong to it.
        let before = glued_before(&mut words, text, place.start, at);
        let behind = glued_behind(&text[place.end..end]);
        at = place.end + behind.len();
        amount = behind.is_empty() && is_amount(&next, &place);
        words.push(Word {
            written: before.as_ref().map_or(place.start, |before| before.written.start)..at,
            said: before.map_or(String::new(), |before| before.said) + &said + behind,
        });
        for (rule, found) in RULES.iter().zip(&mut next) {
            if found.as_ref().is_some_and(|(range, _)| range.start < at) {
                *found = rule.find(text, at, end);
            }
        }
    }
    words.extend(words_between(text, at..end));
    words
}

/// Whether the first rule that fits `place` is one for amounts.
fn is_amount(next: &[Option<(Range<usize>, String)>], place: &Range<usize>) -> bool {
    let fits =
        |found: &Option<(Range<usize>, String)>| found.as_ref().is_some_and(|(range, _)| range == place);
    let first = RULES.iter().zip(next).find(|(_, found)| fits(found));
    first.is_some_and(|(rule, _)| rule.amount)
}

/// The dash that `text` begins with, with the blanks around it.
fn dash(text: &str) -> Option<&str> {
    ["-", "–", " – "].into_iter().find(|dash| text.starts_with(dash))
}

/// The marks that `text` begins with, or an ending: “the CEO's”.
fn glued_behind(text: &str) -> &str {
    let marks = [',', '.', ';', ':', '!', '?', ')', ']', '"', '”', '’', '\'', '…'];
    for mark in ['\'', '’'] {
        let ending = text
            .strip_prefix(mark)
            .and_then(|rest| rest.strip_prefix(['s', 'S']));
        if let Some(rest) = ending.filter(|rest| !rest.starts_with(char::is_alphanumeric)) {
            return &text[..text.len() - rest.trim_start_matches(marks).len()];
        }
    }
    &text[..text.len() - text.trim_start_matches(marks).len()]
}

/// Takes a word that is nothing but opening marks and ends where the next one begins.
fn glued_before(words: &mut Vec<Word>, text: &str, start: usize, at: usize) -> Option<Word> {
    let opening = |word: &Word| {
        word.written.end == start
            && word.written.start >= at
            && text[word.written.clone()]
                .chars()
                .all(|letter| "\"'“‘([".contains(letter))
    };
    words.pop_if(|word| opening(word))
}

/// What is said, with blanks between the words.
pub fn say(text: &str) -> String {
    let words = words(text);
    let said: Vec<&str> = words.iter().map(|word| word.said.as_str()).collect();
    said.join(" ")
}

#[cfg(test)]
mod tests;

//! Figures with letters behind them that are no unit: ordinals and decades.

use super::super::numbers::{decade, ordinal};
use super::{Found, Rule, amount, word};

pub fn rules() -> Vec<Rule> {
    vec![
        amount(r"\b(?<n>\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)\b", |found| {
            Some(ordinal(&found["n"]))
        }),
        amount(r"(?<all>['’](?<n>\d0)s)\b", |found| Some(decade(&found["n"]))),
        amount(r"\b(?<n>\d{1,3}0)['’]?s\b", |found| {
            (!is_measured(found)).then(|| decade(&found["n"]))
        }),
        // Several of a kind: “MP3s”.
        word(r"(?<n>\d+)s\b", |found| {
            let kind = found.before().ends_with(char::is_alphabetic);
            kind.then(|| decade(&found["n"]))
        }),
    ]
}

/// Whether the word before tells that seconds are meant: “for 30s”.
fn is_measured(found: &Found<'_>) -> bool {
    const BEFORE: &[&str] = &[
        "a", "about", "after", "an", "another", "every", "for", "just", "lasts", "only", "over", "per",
        "takes", "took", "under", "wait", "waited", "within",
    ];
    let word = found.before().split_whitespace().next_back();
    found["n"].len() < 4 && word.is_some_and(|word| BEFORE.contains(&word.to_lowercase().as_str()))
}

//! Words that are shortened.

use super::super::super::initials::is_starter;
use super::super::units::{ABBREVIATIONS, BEFORE_NUMBERS, DEGREES, LAST_ABBREVIATIONS};
use super::spelling::several;
use super::{Found, Rule, alternatives, listed, word};

pub fn rules() -> Vec<Rule> {
    let short = alternatives(ABBREVIATIONS.iter().map(|(name, _)| *name));
    let last = alternatives(LAST_ABBREVIATIONS.iter().map(|(name, _)| *name));
    let degree = alternatives(DEGREES.iter().map(|(name, _)| *name));
    let before = alternatives(BEFORE_NUMBERS.iter().map(|(name, _)| *name));
    vec![
        word(r"\b(?<all>(?<a>St|Dr)\.)", street),
        word(format!(r"\b(?<all>(?<a>{before})) ?[$£€#]?\d"), |found| {
            listed(BEFORE_NUMBERS, &found["a"])
        }),
        word(r"\b(?<all>c\.) ?\d{3,4}\b", |_| Some("circa".to_string())),
        word(r"\b(?<all>v\.) \p{Lu}", |_| Some("versus".to_string())),
        word(format!(r"\b(?<all>(?<a>{degree})(?:(?<s>s)\b)?)"), |found| {
            let whole = !found.after().starts_with(char::is_alphanumeric);
            let known = whole.then(|| listed(DEGREES, &found["a"]))??;
            Some(several(known, found.get("s")) + stop(found))
        }),
        word(format!(r"\b(?<a>{short})"), |found| {
            listed(ABBREVIATIONS, &found["a"])
        }),
        word(
            format!(r"\b(?<a>(?<all>{last}))(?:\s+[\p{{Lu}}“\x22]|\s*$)"),
            |found| Some(listed(LAST_ABBREVIATIONS, &found["a"])? + "."),
        ),
        word(format!(r"\b(?<a>{last})"), |found| {
            listed(LAST_ABBREVIATIONS, &found["a"])
        }),
    ]
}

/// The mark of what ends in a full stop, where the sentence ends there, too.
pub fn stop(found: &Found<'_>) -> &'static str {
    let next = found.after().split_whitespace().next();
    let ends = next.is_none_or(|next| is_starter(next) || next.starts_with(['“', '"']))
        && !found.after().starts_with(char::is_alphanumeric);
    match found.text[found.all.clone()].ends_with('.') && ends {
        true => ".",
        false => "",
    }
}

/// “Main Street” and “Saint Louis”, “Sunset Drive” and “Doctor Smith”.
fn street(found: &Found<'_>) -> Option<String> {
    const KNOWN: &[&str] = &[
        "Baker", "Broad", "Church", "Downing", "Elm", "Fleet", "High", "Main", "Maple", "Market", "Oak",
        "Wall",
    ];
    let (road, title) = match &found["a"] {
        "St" => ("Street", "Saint"),
        _ => ("Drive", "Doctor"),
    };
    let mut before = found.before().strip_suffix(' ').unwrap_or_default().rsplit(' ');
    let name = before.next().unwrap_or_default();
    let numbered = before
        .next()
        .is_some_and(|number| number.ends_with(|digit: char| digit.is_ascii_digit()));
    let is_name = name.starts_with(char::is_uppercase)
        && name.len() > 2
        && name
            .chars()
            .all(|letter| letter.is_alphabetic() || "'’-".contains(letter))
        && !is_starter(name);
    let is_ordinal = name.starts_with(|digit: char| digit.is_ascii_digit())
        && name.ends_with(|letter: char| letter.is_ascii_lowercase());
    let next = found
        .after()
        .strip_prefix(' ')
        .unwrap_or_default()
        .trim_start_matches('“');
    let next = next.split_whitespace().next().unwrap_or_default();
    let goes_on = next.starts_with(char::is_uppercase) && !is_starter(next);
    let is_road =
        is_ordinal || is_name && (!goes_on || numbered || road == "Street" && KNOWN.contains(&name));
    Some(match is_road {
        true => format!("{road}{}", stop(found)),
        false => title.to_string(),
    })
}

//! Addresses of pages and mail, names of hosts and files.

use super::super::numbers::spelt;
use super::{Rule, letters, word};

/// Endings of hosts that are no words of their own, or are hardly ever behind a full stop without a blank.
const HOSTS: &str =
    "com|org|net|edu|gov|mil|info|biz|io|ai|dev|app|tv|eu|uk|de|fr|nl|jp|ca|au|ch|ru|cn|nz|se";

/// Endings of files and languages.
const FILES: &str = "js|ts|py|rs|cpp|md|txt|pdf|png|jpg|jpeg|gif|svg|html|css|json|xml|csv|zip|gz|exe|mp3|mp4|wav|docx|xlsx|pptx|yaml|toml|sh";

/// Endings that are said as words although they look like none, or the other way round.
const NAMED: &[(&str, &str)] = &[
    ("org", "org"),
    ("txt", "text"),
    ("jpg", "J peg"),
    ("jpeg", "J peg"),
    ("io", "I O"),
    ("ai", "A I"),
    ("edu", "E D U"),
    ("eu", "E U"),
    ("uk", "U K"),
    ("de", "D E"),
    ("ca", "C A"),
    ("au", "A U"),
    ("py", "P Y"),
    ("exe", "E X E"),
    ("se", "S E"),
];

pub fn rules() -> Vec<Rule> {
    vec![
        word(r"\b(?:(?:https?|ftp)://|www\.)(?<a>[^\s<>]*[\w/])", |found| {
            Some(address(&found["a"]))
        }),
        word(r"\b(?<a>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)\b", |found| {
            Some(address(&found["a"]))
        }),
        word(
            format!(r"\b(?<a>(?:[\w-]+\.)+(?:{HOSTS})\b(?:[/:?#][^\s<>]*[\w/])?)"),
            |found| Some(address(&found["a"])),
        ),
        word(format!(r"\b(?<a>[\w-]+(?:\.[\w-]+)*\.(?:{FILES}))\b"), |found| {
            let name = &found["a"];
            // “5.rs” is no file.
            name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
                .then(|| address(name))
        }),
        word(r"(?:^|[\s(])(?<all>\.(?:NET|net))\b", |_| {
            Some("dot net".to_string())
        }),
    ]
}

/// The parts of an address, with its signs in words.
fn address(text: &str) -> String {
    let mut said = String::new();
    let text = text.trim_end_matches('/').trim_start_matches("www.");
    let mut part = String::new();
    // A sign at the end closes the last part.
    for letter in text.chars().map(Some).chain([None]) {
        if let Some(letter) = letter.filter(|letter| letter.is_alphabetic() || *letter == '\'') {
            part.push(letter);
            continue;
        }
        said += &of_a_part(&std::mem::take(&mut part), said.ends_with("dot "));
        let Some(letter) = letter else { break };
        let name = match letter {
            '.' => "dot",
            '/' => "slash",
            '@' => "at",
            '-' => "dash",
            '_' => "underscore",
            ':' => "colon",
            '?' => "question mark",
            '=' => "equals",
            '&' => "and",
            '#' => "hash",
            '%' => "percent",
            '~' => "tilde",
            '+' => "plus",
            letter if letter.is_ascii_digit() => {
                said += &format!(" {} ", spelt(&letter.to_string()));
                continue;
            }
            letter => {
                said.push(letter);
                continue;
            }
        };
        said += &format!(" {name} ");
    }
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A word of an address, or the letters of one that cannot be said.
fn of_a_part(part: &str, behind_a_dot: bool) -> String {
    let lower = part.to_lowercase();
    if let Some(named) = super::listed(NAMED, &lower).filter(|_| behind_a_dot) {
        return named;
    }
    let sayable = lower.contains(|letter: char| "aeiouy".contains(letter) || !letter.is_ascii());
    match part.len() {
        2..=4 if !sayable => letters(&part.to_uppercase()),
        _ => part.to_string(),
    }
}

//! Numbers without a unit: years, ranges, versions and what else figures stand for.

use super::super::numbers::{cardinal, decimal, old_year, spelt, year};
use super::{BEFORE_A_SIGN, NUMBER, Rule, amount, letters, word};

pub fn rules() -> Vec<Rule> {
    vec![
        amount(format!(r"\b(?<a>{NUMBER})[-–](?<b>{NUMBER})\b"), |found| {
            let (a, b) = (&found["a"], &found["b"]);
            // “two thousand five to oh six”
            let end = match b.strip_prefix('0') {
                Some(rest) if a.len() == 4 && b.len() == 2 => format!("oh {}", cardinal(rest)),
                _ => number(b),
            };
            Some(format!("{} to {end}", number(a)))
        }),
        amount(
            format!(r"{BEFORE_A_SIGN}(?<all>[-−–](?<n>{NUMBER}))\b"),
            |found| Some(format!("minus {}", decimal(&found["n"]))),
        ),
        word(format!(r"(?:#|No\. ?|№ ?)(?<n>{NUMBER})"), |found| {
            Some(format!("number {}", decimal(&found["n"])))
        }),
        amount(r"\b(?<n>\d{1,3}(?:,\d{3})+(?:\.\d+)?)\b", |found| {
            Some(decimal(&found["n"]))
        }),
        // Versions.
        word(r"(?<n>\d+\.\d+(?:\.\d+)+)", |found| {
            let parts: Vec<String> = found["n"].split('.').map(cardinal).collect();
            Some(parts.join(" point "))
        }),
        // Before and after Christ.
        amount(
            r"\b(?<all>(?<n>\d{3,4})) ?(?:B\.C\.|A\.D\.|BC|AD|BCE|CE)(?:\W|$)",
            |found| Some(old_year(&found["n"])),
        ),
        // A mark of letters and figures, as on a plate.
        word(r"\b(?<a>\p{Lu}{1,4})-?(?<n>\d{3,})\b", |found| {
            Some(format!("{} {}", letters(&found["a"]), spelt(&found["n"])))
        }),
        word(
            r"(?:^|\s)(?<all>\.(?<n>\d\d)[- ])(?:cal|rifle|pistol|revolver)",
            |found| Some(cardinal(&found["n"])),
        ),
        amount(r"(?<n>\d*\.\d+)", |found| Some(decimal(&found["n"]))),
        amount(r"(?<n>\d+)", |found| Some(number(&found["n"]))),
    ]
}

/// A number, which is a year where it looks like one.
fn number(figures: &str) -> String {
    match figures.len() == 4 && ("1100".."2100").contains(&figures) && !figures.contains(['.', ',']) {
        true => year(figures),
        false => decimal(figures),
    }
}

//! Numbers with a unit behind them.

use super::super::numbers::decimal;
use super::super::units::UNITS;
use super::{DASH, Found, NUMBER, Rule, alternatives, minus, signed};

pub fn rules() -> Vec<Rule> {
    let unit = alternatives(
        UNITS
            .iter()
            .map(|(name, ..)| *name)
            .filter(|name| !name.starts_with('°')),
    );
    let from = format!(r"(?:(?<from>{NUMBER}){DASH})?");
    let scale = r"(?: ?(?<scale>million|billion|trillion|thousand))?";
    let mut rules = Vec::new();
    rules.extend(signed(
        &format!(r"(?:(?<from>{NUMBER}) ?%?{DASH})?(?<n>{NUMBER}) ?%"),
        |found| {
            Some(format!(
                "{}{}{} percent",
                minus(found),
                begin(found),
                decimal(&found["n"])
            ))
        },
    ));
    rules.extend(signed(
        &format!(r"{from}(?<n>{NUMBER}){scale}(?<joint> ?|-)(?<u>{unit})(?-u:\b)\.?"),
        of_unit,
    ));
    rules.extend(signed(
        &format!(r"(?:(?<from>{NUMBER}) ?°?{DASH})?(?<n>{NUMBER})(?<joint>) ?(?<u>°[CF]?)"),
        of_unit,
    ));
    rules
}

/// Where a range begins.
fn begin(found: &Found<'_>) -> String {
    found
        .get("from")
        .map_or(String::new(), |from| format!("{} to ", decimal(from)))
}

fn of_unit(found: &Found<'_>) -> Option<String> {
    let (name, one, several) = UNITS.iter().find(|(known, ..)| *known == &found["u"])?;
    let joined = &found["joint"] == "-";
    // Neither “5-s” nor “MP3s” are seconds.
    let mark = found.before().ends_with(char::is_alphabetic);
    if mark || joined && name.len() == 1 && *name != "m" {
        return None;
    }
    let scale = found
        .get("scale")
        .map(|scale| format!(" {scale}"))
        .unwrap_or_default();
    let single = &found["n"] == "1" && scale.is_empty() && found.get("from").is_none();
    // “a five kilometer run”
    let unit = if single || joined { one } else { several };
    Some(format!(
        "{}{}{}{scale} {unit}{}",
        minus(found),
        begin(found),
        decimal(&found["n"]),
        stop(found)
    ))
}

/// The full stop of a unit that ends in one, unless the sentence goes on: “5 oz. lighter”, “6 ft. 2 in. tall”.
fn stop(found: &Found<'_>) -> &'static str {
    let goes_on = |next: char| next.is_lowercase() || next.is_ascii_digit();
    let behind = found.after();
    let next = behind.trim_start();
    match found.text[found.all.clone()].ends_with('.') {
        true if next.len() == behind.len() || !next.starts_with(goes_on) => ".",
        _ => "",
    }
}

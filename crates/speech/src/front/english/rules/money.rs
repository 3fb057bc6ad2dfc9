//! Sums of money.

use super::super::numbers::{cardinal, decimal};
use super::super::units::{CURRENCIES, SCALES};
use super::{DASH, Found, NUMBER, Rule, alternatives, listed, minus, signed};

pub fn rules() -> Vec<Rule> {
    let signs: Vec<String> = CURRENCIES.iter().map(|(sign, _)| sign.to_string()).collect();
    let sign = alternatives(signs.iter().map(String::as_str));
    let scale = format!(
        r"(?: ?(?<scale>{})\b)?",
        alternatives(SCALES.iter().map(|(name, _)| *name))
    );
    let lower = scale.replace("<scale>", "<lower>");
    let sum = format!(
        "(?<sign>{sign}) ?(?<debt>[-−])?(?:(?<from>{NUMBER}){lower}{DASH}(?:{sign})?)?(?<n>{NUMBER}){scale}"
    );
    let behind = format!("(?:(?<from>{NUMBER}){lower}{DASH})?(?<n>{NUMBER}){scale} ?(?<sign>{sign})");
    let before = signed(&sum, |found| Some(signs_of(found) + &sums(found)?));
    let behind = signed(&behind, |found| {
        // In “5 $10 notes” the sign is the next number's.
        let next = found.after().starts_with(|letter: char| letter.is_ascii_digit());
        (!next).then(|| Some(signs_of(found) + &sums(found)?))?
    });
    before.into_iter().chain(behind).collect()
}

fn signs_of(found: &Found<'_>) -> String {
    match found.get("debt") {
        Some(_) => "minus ".to_string(),
        None => minus(found).to_string(),
    }
}

/// One sum, or from one to another.
fn sums(found: &Found<'_>) -> Option<String> {
    let (sign, last, scale) = (&found["sign"], &found["n"], found.get("scale"));
    let last_sum = money(sign, last, scale)?;
    let Some(first) = found.get("from") else {
        return Some(last_sum);
    };
    let lower = found.get("lower");
    let same = lower.is_none() || lower == scale;
    let cents = scale.is_none() && (first.contains('.') || last.contains('.'));
    let first_sum = match same && !cents {
        // “five to ten dollars”
        true => decimal(first),
        false => money(sign, first, lower)?,
    };
    Some(format!("{first_sum} to {last_sum}"))
}

fn money(sign: &str, number: &str, scale: Option<&str>) -> Option<String> {
    let (_, [one, several, part, parts]) = CURRENCIES.iter().find(|(known, _)| sign.starts_with(*known))?;
    if let Some(scale) = scale {
        return Some(format!(
            "{} {} {several}",
            decimal(number),
            listed(SCALES, scale)?
        ));
    }
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    let name = |count: &str, one: &str, several: &str| {
        let name = if count == "1" { one } else { several };
        format!("{} {name}", cardinal(count))
    };
    let main = name(whole, one, several);
    match rest.len() {
        0 => Some(main),
        2 if !part.is_empty() => {
            let rest = rest.trim_start_matches('0');
            Some(match (rest, whole) {
                ("", _) => main,
                (_, "0" | "") => name(rest, part, parts),
                _ => format!("{main} and {}", name(rest, part, parts)),
            })
        }
        _ => Some(format!("{} {several}", decimal(number))),
    }
}

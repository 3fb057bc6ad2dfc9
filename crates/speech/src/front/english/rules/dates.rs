//! Dates, with months in words or in figures.

use super::super::numbers::{ordinal, year};
use super::super::units::MONTHS;
use super::{DASH, Rule, amount};

/// How months are shortened.
const SHORT_MONTHS: &str = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec";

/// What stands behind the figures of a day.
const TH: &str = "(?:st|nd|rd|th)?";

pub fn rules() -> Vec<Rule> {
    let months = format!("{}|{SHORT_MONTHS}", MONTHS.join("|"));
    let mut rules = vec![
        amount(
            format!(
                r"\b(?<m>{months})\.? (?<d>\d{{1,2}}){TH}(?:{DASH}(?<to>\d{{1,2}}){TH})?(?:,? (?<y>\d{{4}}))?\b"
            ),
            |found| {
                let days = match found.get("to") {
                    Some(to) => format!("{} to {}", day(&found["d"])?, day(to)?),
                    None => day(&found["d"])?,
                };
                Some(format!(
                    "{} {days}{}",
                    month(&found["m"])?,
                    behind(found.get("y"))
                ))
            },
        ),
        amount(
            format!(
                r"\b(?<the>[Tt]he )?(?:(?<from>\d{{1,2}}){TH}{DASH})?(?<d>\d{{1,2}}){TH} (?:(?<short>{SHORT_MONTHS})\.|(?<m>{months})\b)(?:,? (?<y>\d{{4}})\b)?"
            ),
            |found| {
                let the = found.get("the").unwrap_or("the ");
                let days = match found.get("from") {
                    Some(from) => format!("{} to the {}", day(from)?, day(&found["d"])?),
                    None => day(&found["d"])?,
                };
                let name = found.get("short").or(found.get("m"))?;
                Some(format!(
                    "{the}{days} of {}{}",
                    month(name)?,
                    behind(found.get("y"))
                ))
            },
        ),
    ];
    for sign in ["-", "/", r"\."] {
        rules.push(amount(
            format!(r"\b(?<y>[12]\d{{3}}){sign}(?<m>\d{{1,2}}){sign}(?<d>\d{{1,2}})\b"),
            |found| alone(found).then(|| in_words(&found["d"], &found["m"], Some(&found["y"])))?,
        ));
    }
    // Americans name the month first, but not between full stops.
    rules.extend([
        amount(r"\b(?<a>\d{1,2})/(?<b>\d{1,2})/(?<y>\d{4}|\d\d)\b", month_first),
        amount(r"\b(?<a>\d{1,2})-(?<b>\d{1,2})-(?<y>\d{4})\b", month_first),
        amount(r"\b(?<b>\d{1,2})\.(?<a>\d{1,2})\.(?<y>\d{4})\b", month_first),
        amount(r"\b(?<a>\d{1,2})/(?<b>\d{1,2})\b", without_year),
    ]);
    rules
}

/// The date with the month `a` and the day `b`, or the other way round if there is no such month.
fn month_first(found: &super::Found<'_>) -> Option<String> {
    let (a, b, year) = (&found["a"], &found["b"], found.get("y"));
    alone(found).then(|| in_words(b, a, year).or_else(|| in_words(a, b, year)))?
}

/// A day and its month, where the word before says that it is one.
fn without_year(found: &super::Found<'_>) -> Option<String> {
    let word = found.before().split_whitespace().next_back()?.to_lowercase();
    let large = found["b"].parse::<u32>().ok()? > 16;
    let is_date = ["on", "dated", "due", "since", "until"].contains(&word.as_str())
        || large && ["by", "from", "before", "after", "through", "of"].contains(&word.as_str());
    let is_part = found.after().starts_with(" of ") || found.after().starts_with(" full");
    (alone(found) && is_date && !is_part).then(|| in_words(&found["b"], &found["a"], None))?
}

/// Whether it is not a part of more figures.
fn alone(found: &super::Found<'_>) -> bool {
    let more = |letter: char| letter.is_ascii_digit();
    let before = found.before().trim_end_matches(['/', '-', '.', ',']);
    let after = found.after().trim_start_matches(['/', '-', '.', ',']);
    let apart = |text: &str, whole: &str, digit: bool| text.len() == whole.len() || !digit;
    apart(before, found.before(), before.ends_with(more))
        && apart(after, found.after(), after.starts_with(more))
}

/// What is said of a day, month and year in figures, if there are such.
fn in_words(of_month: &str, month: &str, of: Option<&str>) -> Option<String> {
    let name = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
    Some(format!("{name} {}{}", day(of_month)?, behind(of)))
}

/// The figures of a date in the order that `format` tells, such as `mdy` or `yyyymmdd`; none if they are not.
pub fn by_format(text: &str, format: &str) -> Option<String> {
    let mut order: Vec<char> = format
        .to_lowercase()
        .chars()
        .filter(|part| "ymd".contains(*part))
        .collect();
    order.dedup();
    let mut rest: String = text.chars().filter(char::is_ascii_digit).collect();
    let mut fields: Vec<&str> = text.split(|letter: char| !letter.is_ascii_digit()).collect();
    fields.retain(|field| !field.is_empty());
    let mut parts = Vec::new();
    if fields.len() == 1 && order.len() > 1 {
        // Without signs between them each has its length.
        let short = rest.len() == 2 * order.len();
        for part in &order {
            let length = if *part == 'y' && !short { 4 } else { 2 };
            let tail = (rest.len() >= length).then(|| rest.split_off(length))?;
            parts.push(std::mem::replace(&mut rest, tail));
        }
        if !rest.is_empty() {
            return None;
        }
    } else {
        parts = fields.into_iter().map(str::to_string).collect();
    }
    if parts.len() != order.len() || text.contains(char::is_alphabetic) {
        return None;
    }
    let find = |wanted| {
        order
            .iter()
            .position(|part| *part == wanted)
            .map(|at| parts[at].as_str())
    };
    match (find('d'), find('m'), find('y')) {
        (Some(day), Some(month), year) => in_words(day, month, year),
        (None, Some(month), Some(of)) => {
            let name = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
            Some(format!("{name} {}", full_year(of)))
        }
        (None, Some(month), None) => Some(
            MONTHS
                .get(month.parse::<usize>().ok()?.checked_sub(1)?)?
                .to_string(),
        ),
        (Some(of_month), None, None) => day(of_month),
        (None, None, Some(of)) => Some(full_year(of)),
        _ => None,
    }
}

fn day(digits: &str) -> Option<String> {
    let number = digits.parse::<u32>().ok()?;
    (1..=31).contains(&number).then(|| ordinal(&number.to_string()))
}

fn month(name: &str) -> Option<&'static str> {
    MONTHS.into_iter().find(|month| month.starts_with(&name[..3]))
}

/// A year behind a date.
fn behind(of: Option<&str>) -> String {
    of.map_or(String::new(), |of| format!(", {}", full_year(of)))
}

/// A year of two or four figures; of two it is one of this century up to 49.
fn full_year(digits: &str) -> String {
    match (digits.len(), digits < "50") {
        (2, true) => year(&format!("20{digits}")),
        (2, false) => year(&format!("19{digits}")),
        _ => year(digits),
    }
}

//! Numbers that are read group by group: those of telephones, cards and books.

use super::super::numbers::{cardinal, spelt};
use super::{Found, Rule, amount, word};

pub fn rules() -> Vec<Rule> {
    let begin = r"(?:(?<plus>\+) ?)?(?:\b(?<one>1)[-. ]\(?|\()?";
    vec![
        // The area code may be in brackets.
        word(
            format!(r"{begin}\b(?<a>\d{{3}})\)?[-. ]? ?(?<b>\d{{3}})[-.](?<c>\d{{4}})\b"),
            |found| {
                let (before, after) = (found.before(), found.after());
                let part = before.ends_with(|letter: char| letter.is_ascii_digit() || letter == '-')
                    || after.starts_with('-')
                        && after[1..].starts_with(|letter: char| letter.is_ascii_digit());
                (!part).then(|| groups(found, &["one", "a", "b", "c"]))
            },
        ),
        // Words on its keys stay words.
        word(r"\b(?<all>(?<one>1)-(?<a>\d{3}))-\p{Lu}", |found| {
            Some(groups(found, &["one", "a"]) + ",")
        }),
        // Of other countries.
        word(
            r"\+(?<all_of_it>\d{1,3}(?:[ .-]?\(\d{1,5}\)|[ .-]\d{1,5}){2,6})\b",
            |found| Some(format!("plus {}", each(&found["all_of_it"]))),
        ),
        // Of cards.
        word(
            r"\b(?<n>\d{4}(?:[ -]\d{4}){3}|\d{4}[ -]\d{6}[ -]\d{5})\b",
            |found| Some(each(&found["n"])),
        ),
        // Of books, insurances, formations: three groups or more.
        word(r"\b(?<n>\d+(?:-\d+){2,}(?:-X)?)\b", |found| {
            let number = &found["n"];
            match number.split('-').all(|group| group.len() <= 2) {
                true => {
                    let groups: Vec<String> = number.split('-').map(group_in_words).collect();
                    Some(groups.join(" "))
                }
                false => Some(each(number)),
            }
        }),
        amount(r"\b(?<a>\d{3})-(?<b>\d{4})\b", |found| {
            let (a, b) = (&found["a"], &found["b"]);
            // Round numbers are the ends of a range.
            let range = a.ends_with("00") && b.ends_with("00");
            (!range).then(|| format!("{}, {}", spelt(a), spelt(b)))
        }),
    ]
}

fn group_in_words(group: &str) -> String {
    match group {
        "X" => "X".to_string(),
        group => cardinal(group),
    }
}

/// The named groups that are there, digit by digit, but 800 and its like in hundreds.
fn groups(found: &Found<'_>, names: &[&str]) -> String {
    let said = names.iter().filter_map(|name| {
        let group = found.get(name)?;
        let free = *name == "a" && found.get("one").is_some() && ["800", "900"].contains(&group);
        Some(if free { cardinal(group) } else { spelt(group) })
    });
    let plus = if found.get("plus").is_some() { "plus " } else { "" };
    plus.to_string() + &said.collect::<Vec<_>>().join(", ")
}

/// Every group digit by digit.
fn each(number: &str) -> String {
    let groups = number.split(|letter: char| !letter.is_ascii_digit() && letter != 'X');
    let said = groups.filter(|group| !group.is_empty()).map(|group| match group {
        "X" => "X".to_string(),
        group => spelt(group),
    });
    said.collect::<Vec<_>>().join(", ")
}

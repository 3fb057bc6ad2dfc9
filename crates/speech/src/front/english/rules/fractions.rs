//! Fractions, alone, behind whole numbers and before units.

use super::super::numbers::{cardinal, decimal, fraction};
use super::super::units::{FRACTIONS, UNITS};
use super::{Found, NUMBER, Rule, alternatives, amount, minus, signed, word};

pub fn rules() -> Vec<Rule> {
    let unit = format!(
        r"(?:[ -]?(?<u>{})\b)?",
        alternatives(UNITS.iter().map(|(name, ..)| *name))
    );
    let signs: String = FRACTIONS.iter().map(|(sign, _)| *sign).collect();
    let slash = r"(?<a>\d{1,3})[/⁄](?<b>\d{1,3})\b";
    let mut rules = vec![
        // What is known by its figures.
        word(r"\b(?<a>\d\d?)/(?<b>\d\d?)\b", |found| {
            let (a, b) = (&found["a"], &found["b"]);
            let known = [("24", "7"), ("9", "11"), ("20", "20"), ("50", "50")].contains(&(a, b));
            (known && alone(found) && !found.after().starts_with(" of"))
                .then(|| format!("{} {}", cardinal(a), cardinal(b)))
        }),
        // Of music.
        word(r"\b(?<all>(?<a>[2-9]|12)/(?<b>[248]|16))[ -]time\b", |found| {
            alone(found).then(|| format!("{} {}", cardinal(&found["a"]), cardinal(&found["b"])))
        }),
    ];
    rules.extend(signed(
        &format!(r"\b(?<whole>{NUMBER})[ -]{slash}{unit}"),
        |found| {
            let proper = found["a"].parse::<u32>().ok()? < found["b"].parse::<u32>().ok()?;
            (proper && alone(found))
                .then(|| Some(minus(found).to_string() + &mixed(found, parts(found)?)?))?
        },
    ));
    rules.extend(signed(
        &format!(r"\b(?<whole>{NUMBER}) ?(?<sign>[{signs}]){unit}"),
        |found| Some(minus(found).to_string() + &mixed(found, sign(found)?)?),
    ));
    rules.push(amount(format!(r"(?<sign>[{signs}]){unit}"), |found| {
        part_of(found, sign(found)?)
    }));
    rules.extend(signed(&format!(r"\b{slash}{unit}"), |found| {
        alone(found).then(|| Some(minus(found).to_string() + &part_of(found, parts(found)?)?))?
    }));
    rules
}

/// Whether it is not a part of more slashes.
fn alone(found: &Found<'_>) -> bool {
    let slash = |letter: char| letter == '/';
    !found.before().ends_with(slash) && !found.after().starts_with(slash)
}

fn parts(found: &Found<'_>) -> Option<String> {
    let below = &found["b"];
    (!below.starts_with('0')).then(|| fraction(&found["a"], below))
}

fn sign(found: &Found<'_>) -> Option<String> {
    let sign = found["sign"].chars().next()?;
    FRACTIONS
        .iter()
        .find(|(known, _)| *known == sign)
        .map(|(_, name)| (*name).to_string())
}

fn unit(found: &Found<'_>) -> Option<(&'static str, &'static str)> {
    let name = found.get("u")?;
    UNITS
        .iter()
        .find(|(known, ..)| *known == name)
        .map(|(_, one, several)| (*one, *several))
}

/// “two and a half miles”
fn mixed(found: &Found<'_>, part: String) -> Option<String> {
    let part = match part.strip_prefix("one ") {
        Some(name @ ("half" | "quarter")) => format!("a {name}"),
        _ => part,
    };
    let unit = unit(found).map_or(String::new(), |(_, several)| format!(" {several}"));
    Some(format!("{} and {part}{unit}", decimal(&found["whole"])))
}

/// “half a mile”
fn part_of(found: &Found<'_>, part: String) -> Option<String> {
    let Some((one, _)) = unit(found) else {
        return Some(part);
    };
    let article = if one.starts_with(['a', 'e', 'i', 'o', 'u']) || one == "hour" {
        "an"
    } else {
        "a"
    };
    Some(match part.as_str() {
        "one half" => format!("half {article} {one}"),
        part => format!("{part} of {article} {one}"),
    })
}

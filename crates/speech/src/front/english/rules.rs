//! What is read otherwise than it is written, in order: the first rule that fits at a place is taken.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::numbers::{cardinal, decade, decimal, fraction, old_year, ordinal, spelt, year};
use super::roman;
use super::units::{
    ABBREVIATIONS, CURRENCIES, LAST_ABBREVIATIONS, MONTHS, READ_AS_WORDS, SCALES, SIGNS, UNITS,
};

/// A pattern and how it is read; nothing if it does not mean that after all.
pub struct Rule {
    pattern: Regex,
    read: Read,
}

type Read = fn(&Captures<'_>) -> Option<String>;

impl Rule {
    /// The first place from byte `from` on, and what is said there.
    pub fn find(&self, text: &str, mut from: usize) -> Option<(Range<usize>, String)> {
        while from <= text.len() {
            let found = self.pattern.captures_at(text, from)?;
            let all = found.name("all").or_else(|| found.get(0))?;
            if let Some(said) = (self.read)(&found) {
                return Some((all.range(), said));
            }
            from = all.end().max(from + 1);
            while !text.is_char_boundary(from) {
                from += 1;
            }
        }
        None
    }
}

fn alternatives<'a>(words: impl Iterator<Item = &'a str>) -> String {
    // The longest first, or “k” would be found in “kg”.
    let mut words: Vec<&str> = words.collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words
        .iter()
        .map(|word| regex::escape(word))
        .collect::<Vec<_>>()
        .join("|")
}

/// A number with groups of thousands or none, and a fraction or none.
const NUMBER: &str = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?";

/// All rules.
pub static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let short_months = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec";
    let months = format!("{}|{short_months}", MONTHS.join("|"));
    let currency = alternatives(["$", "£", "€", "¥"].into_iter());
    let scale = alternatives(SCALES.iter().map(|(name, _)| *name));
    let unit = alternatives(UNITS.iter().map(|(name, ..)| *name));
    let short = alternatives(ABBREVIATIONS.iter().map(|(name, _)| *name));
    let last = alternatives(LAST_ABBREVIATIONS.iter().map(|(name, _)| *name));
    let signs = alternatives(
        [
            "&", "+", "=", "@", "%", "×", "÷", "±", "≈", "<", ">", "≤", "≥", "→", "°", "©", "®", "™", "§",
            "~", "/", "\\", "#", "*", "^", "|", "½", "¼", "¾", "²", "³",
        ]
        .into_iter(),
    );
    let patterns: Vec<(String, Read)> = vec![
        // Phonemes stay as they are.
        (r"\[\[[^\]]*\]\]".into(), |c| Some(c[0].to_string())),
        (r"\b(?:https?://|www\.)(?<a>[^\s<>]*[\w/])".into(), |c| Some(address(c.name("a")?.as_str()))),
        (r"\b(?<a>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)\b".into(), |c| Some(address(c.name("a")?.as_str()))),
        (r"\b(?<y>\d{4})-(?<m>0[1-9]|1[0-2])-(?<d>0[1-9]|[12]\d|3[01])\b".into(), |c| {
            let month = MONTHS.get(c["m"].parse::<usize>().ok()?.checked_sub(1)?)?;
            Some(format!("{month} {}, {}", ordinal(&c["d"]), year(&c["y"])))
        }),
        (format!(r"\b(?<m>{months})\.? (?<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?<y>\d{{4}}))?\b"), |c| {
            let day = ordinal(day(&c["d"])?);
            let year = c.name("y").map(|y| format!(", {}", year(y.as_str()))).unwrap_or_default();
            Some(format!("{} {day}{year}", month(&c["m"])?))
        }),
        (format!(r"\b(?<the>[Tt]he )?(?<d>\d{{1,2}})(?:st|nd|rd|th)? (?:(?<short>{short_months})\.|(?<m>{months})\b)(?:,? (?<y>\d{{4}})\b)?"), |c| {
            let day = ordinal(day(&c["d"])?);
            let the = c.name("the").map_or("the ", |the| the.as_str());
            let year = c.name("y").map(|y| format!(", {}", year(y.as_str()))).unwrap_or_default();
            let name = c.name("short").or(c.name("m"))?;
            Some(format!("{the}{day} of {}{year}", month(name.as_str())?))
        }),
        (r"\b(?<all>(?<h>[01]?\d|2[0-3]):(?<m>[0-5]\d)(?: ?(?<half>[ap])(?:m\b|\.m\.?))?)(?<last>\s*$|\s+[\p{Lu}“])?".into(), |c| {
            let hour = cardinal(&c["h"].parse::<u32>().ok()?.to_string());
            let half = c.name("half").map(|half| format!(" {} m", half.as_str())).unwrap_or_default();
            let minute = match &c["m"] {
                "00" if half.is_empty() => " o'clock".to_string(),
                "00" => String::new(),
                minute if minute.starts_with('0') => format!(" oh {}", cardinal(&minute[1..])),
                minute => format!(" {}", cardinal(minute)),
            };
            Some(hour + &minute + &half + full_stop(c))
        }),
        (r"\b(?<all>(?<h>1[0-2]|[1-9]) ?(?<half>[ap])(?:m\b|\.m\.?))(?<last>\s*$|\s+[\p{Lu}“])?".into(), |c| {
            Some(format!("{} {} m{}", cardinal(&c["h"]), &c["half"], full_stop(c)))
        }),
        (format!(r"(?<sign>{currency}) ?(?<n>{NUMBER})(?: ?(?<scale>{scale})\b)?"), |c| {
            money(&c["sign"], &c["n"], c.name("scale").map(|scale| scale.as_str()))
        }),
        (format!(r"(?<n>{NUMBER}) ?%"), |c| Some(format!("{} percent", decimal(&c["n"])))),
        (r"\b(?<n>\d{1,3}(?:,\d{3})*|\d+)(?:st|nd|rd|th)\b".into(), |c| Some(ordinal(&c["n"]))),
        (r"(?<all>'(?<n>\d0)s)\b".into(), |c| Some(decade(&c["n"]))),
        (r"\b(?<n>\d{2,3}0)'?s\b".into(), |c| Some(decade(&c["n"]))),
        (r"\b(?<a>\d{3})-(?<b>\d{4})\b".into(), |c| Some(format!("{}, {}", spelt(&c["a"]), spelt(&c["b"])))),
        (r"\b(?<a>\d{3})[- ](?<b>\d{3})-(?<c>\d{4})\b".into(), |c| {
            Some(format!("{}, {}, {}", spelt(&c["a"]), spelt(&c["b"]), spelt(&c["c"])))
        }),
        (format!(r"(?<n>(?:{NUMBER}))(?: ?(?<scale>million|billion|trillion|thousand))? ?(?<u>{unit})(?-u:\b)"), |c| unit_of(c)),
        (format!(r"(?<n>(?:{NUMBER})) ?(?<u>°[CF]?)"), |c| unit_of(c)),
        (r"\b(?<a>\d+)[-–](?<b>\d+)\b".into(), |c| {
            Some(format!("{} to {}", plain_number(&c["a"]), plain_number(&c["b"])))
        }),
        (r"\b(?<a>\d{1,3})/(?<b>\d{1,3})\b".into(), |c| {
            (&c["b"] != "0" && !c["b"].starts_with('0')).then(|| fraction(&c["a"], &c["b"]))
        }),
        (r"(?:^|[\s(])(?<all>[-−](?<n>\d+(?:\.\d+)?))\b".into(), |c| Some(format!("minus {}", decimal(&c["n"])))),
        (format!(r"(?:#|No\. ?|№ ?)(?<n>{NUMBER})"), |c| Some(format!("number {}", decimal(&c["n"])))),
        (r"\b(?<n>\d{1,3}(?:,\d{3})+(?:\.\d+)?)\b".into(), |c| Some(decimal(&c["n"]))),
        (r"(?<n>\d+\.\d+(?:\.\d+)+)".into(), |c| {
            let parts: Vec<String> = c["n"].split('.').map(cardinal).collect();
            Some(parts.join(" point "))
        }),
        // Before and after Christ.
        (r"\b(?<all>(?<n>\d{3,4})) ?(?:B\.C\.|A\.D\.|BC|AD|BCE|CE)(?:\W|$)".into(), |c| Some(old_year(&c["n"]))),
        // A mark of letters and figures, as on a plate.
        (r"\b(?<a>\p{Lu}{1,4})-?(?<n>\d{3,})\b".into(), |c| Some(format!("{} {}", letters(&c["a"]), spelt(&c["n"])))),
        (roman::AFTER_A_NAME.into(), |c| roman::of_a_ruler(&c["name"], &c["n"])),
        (roman::ONE_AFTER_A_NAME.into(), |c| roman::of_a_ruler(&c["name"], "I")),
        (roman::AFTER_A_WORD.into(), |c| roman::of_a_part(&c["name"], &c["n"])),
        (r"(?:^|\s)(?<all>\.(?<n>\d\d)[- ])(?:cal|rifle|pistol|revolver)".into(), |c| Some(cardinal(&c["n"]))),
        (r"(?<n>\d*\.\d+)".into(), |c| Some(decimal(&c["n"]))),
        (r"(?<n>\d+)".into(), |c| Some(plain_number(&c["n"]))),
        (format!(r"\b(?<a>{short})"), |c| listed(ABBREVIATIONS, &c["a"])),
        (format!(r"\b(?<a>(?<all>{last}))(?:\s+[\p{{Lu}}“\x22]|\s*$)"), |c| {
            Some(listed(LAST_ABBREVIATIONS, &c["a"])? + ".")
        }),
        (format!(r"\b(?<a>{last})"), |c| listed(LAST_ABBREVIATIONS, &c["a"])),
        (r"\b(?<all>(?:\p{Lu}\.){2,})(?<last>\s*$)?".into(), |c| {
            Some(letters(&c["all"].replace('.', "")) + full_stop(c))
        }),
        (r"\b(?<a>\p{Lu}{2,6})(?<s>s?)\b".into(), |c| acronym(&c["a"], &c["s"])),
        (r"(?<e>[\u{203C}-\u{3299}\u{1F000}-\u{1FAFF}][\u{FE0F}\u{200D}\u{1F3FB}-\u{1F3FF}\u{1F000}-\u{1FAFF}\u{2640}\u{2642}]*)".into(), |c| {
            Some(emojis::get(&c["e"]).or_else(|| emojis::get(c["e"].trim_end_matches('\u{FE0F}')))?.name().to_string())
        }),
        (format!(r"(?<s>{signs})"), |c| {
            let sign = c["s"].chars().next()?;
            SIGNS.iter().find(|(known, _)| *known == sign).map(|(_, name)| (*name).to_string())
        }),
        (r"(?:\s)(?<all>[-–—]+)(?:\s)".into(), |_| Some(",".to_string())),
    ];
    let rule = |(pattern, read): (String, Read)| Rule {
        pattern: Regex::new(&pattern).expect("a valid pattern"),
        read,
    };
    patterns.into_iter().map(rule).collect()
});

/// The mark of an abbreviation that ends a sentence as well.
fn full_stop(found: &Captures<'_>) -> &'static str {
    match found["all"].ends_with('.') && found.name("last").is_some() {
        true => ".",
        false => "",
    }
}

fn day(digits: &str) -> Option<&str> {
    (1..=31).contains(&digits.parse::<u32>().ok()?).then_some(digits)
}

fn month(name: &str) -> Option<&'static str> {
    MONTHS.into_iter().find(|month| month.starts_with(&name[..3]))
}

/// A year where it looks like one.
fn plain_number(digits: &str) -> String {
    match digits.len() == 4 && ("1100".."2100").contains(&digits) {
        true => year(digits),
        false => cardinal(digits),
    }
}

fn listed(list: &[(&str, &str)], name: &str) -> Option<String> {
    list.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, said)| (*said).to_string())
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
        2 => {
            let rest = rest.trim_start_matches('0');
            Some(match (rest, whole) {
                ("", _) => main,
                (_, "0") => name(rest, part, parts),
                _ => format!("{main} and {}", name(rest, part, parts)),
            })
        }
        _ => Some(format!("{} {several}", decimal(number))),
    }
}

fn unit_of(found: &Captures<'_>) -> Option<String> {
    let (_, one, several) = UNITS.iter().find(|(known, ..)| *known == &found["u"])?;
    let number = decimal(&found["n"]);
    let scale = found
        .name("scale")
        .map(|scale| format!(" {}", scale.as_str()))
        .unwrap_or_default();
    let unit = if &found["n"] == "1" && scale.is_empty() {
        one
    } else {
        several
    };
    Some(format!("{number}{scale} {unit}"))
}

fn letters(word: &str) -> String {
    word.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

/// Letter by letter, unless it can be read as a word.
fn acronym(word: &str, several: &str) -> Option<String> {
    if READ_AS_WORDS.contains(&word) {
        return None;
    }
    // What is longer is a word that is shouted.
    let vowels = word.chars().filter(|letter| "AEIOUY".contains(*letter)).count();
    let readable = word.chars().count() >= 4 && vowels * 3 >= word.chars().count();
    (!readable).then(|| match several {
        "" => letters(word),
        _ => letters(word) + "s",
    })
}

/// The parts of an address, with its signs in words.
fn address(text: &str) -> String {
    let mut said = String::new();
    for letter in text.trim_end_matches('/').trim_start_matches("www.").chars() {
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

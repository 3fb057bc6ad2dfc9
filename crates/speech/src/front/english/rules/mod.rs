//! What is read otherwise than it is written, in order: of the rules that fit at a place the first one is taken.

mod abbreviations;
mod addresses;
mod dates;
mod endings;
mod figures;
mod fractions;
mod money;
mod quantities;
mod roman;
mod signs;
mod spelling;
mod telephone;
mod times;

use std::ops::{Index, Range};
use std::sync::LazyLock;

use regex::{Captures, Regex};

pub use dates::by_format as date;

/// A pattern and how it is read; nothing if it does not mean that after all.
pub struct Rule {
    pattern: Regex,
    read: Read,
    /// Whether it is a number, a time or the like, of which two with a dash between them are a range.
    pub amount: bool,
}

type Read = fn(&Found<'_>) -> Option<String>;

/// A place that a pattern fits.
struct Found<'a> {
    captures: Captures<'a>,
    text: &'a str,
    all: Range<usize>,
}

impl<'a> Found<'a> {
    /// What a group of the pattern stands for, if it is there.
    fn get(&self, name: &str) -> Option<&'a str> {
        self.captures.name(name).map(|found| found.as_str())
    }

    /// The text before it, as far as is looked at.
    fn before(&self) -> &'a str {
        let begin = boundary(self.text, self.all.start.saturating_sub(Rule::CONTEXT));
        &self.text[begin..self.all.start]
    }

    /// The text behind it, as far as is looked at.
    fn after(&self) -> &'a str {
        &self.text[self.all.end..boundary(self.text, self.all.end + Rule::CONTEXT)]
    }
}

impl Index<&str> for Found<'_> {
    type Output = str;

    fn index(&self, name: &str) -> &str {
        &self.captures[name]
    }
}

impl Rule {
    /// Bytes on each side of a place that what is said there may depend on.
    const CONTEXT: usize = 200;

    /// The first place in `text` from byte `from` on and before `end`, and what is said there.
    pub fn find(&self, text: &str, mut from: usize, end: usize) -> Option<(Range<usize>, String)> {
        let near = boundary(text, end.saturating_add(Self::CONTEXT));
        while from < end {
            let mut found = self.at(text, near, from)?;
            if found.all.start >= end {
                return None;
            }
            if found.all.end > end {
                found = self.at(text, end, from)?;
            }
            if let Some(said) = (self.read)(&found) {
                return Some((found.all, said));
            }
            from = boundary(text, found.all.end.max(from + 1));
        }
        None
    }

    /// The first place from byte `from` on, as if the text ended at `end`.
    fn at<'a>(&self, text: &'a str, end: usize, from: usize) -> Option<Found<'a>> {
        let captures = self.pattern.captures_at(&text[..end], from)?;
        let all = captures.name("all").or_else(|| captures.get(0))?.range();
        Some(Found { captures, text, all })
    }
}

/// The first character of `text` that begins at byte `at` or later.
fn boundary(text: &str, at: usize) -> usize {
    (at..text.len())
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(text.len())
}

/// All rules.
pub static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    // Phonemes stay as they are.
    let phonemes = word(r"\[\[[^\]]*\]\]", |found| {
        found.captures.get(0).map(|all| all.as_str().to_string())
    });
    [
        vec![phonemes],
        signs::emoji(),
        addresses::rules(),
        dates::rules(),
        times::rules(),
        money::rules(),
        endings::rules(),
        telephone::rules(),
        fractions::rules(),
        quantities::rules(),
        figures::rules(),
        roman::rules(),
        abbreviations::rules(),
        spelling::rules(),
        signs::rules(),
    ]
    .into_iter()
    .flatten()
    .collect()
});

/// A number with groups of thousands or none, and a fraction or none.
const NUMBER: &str = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)";

/// What may stand before the sign of a number.
const BEFORE_A_SIGN: &str = r"(?:^|[\s(\[“\x22=<>≤≥≈×÷^*/])";

/// What stands between the ends of a range.
const DASH: &str = "(?:[-–]| – )";

/// A rule for something that is no amount.
fn word(pattern: impl AsRef<str>, read: Read) -> Rule {
    Rule {
        // Figures of other scripts have no names here.
        pattern: Regex::new(&pattern.as_ref().replace(r"\d", "[0-9]")).expect("a valid pattern"),
        read,
        amount: false,
    }
}

/// A rule for an amount.
fn amount(pattern: impl AsRef<str>, read: Read) -> Rule {
    Rule {
        amount: true,
        ..word(pattern, read)
    }
}

/// Rules for an amount with a sign, which is the group `minus`, and without.
fn signed(pattern: &str, read: Read) -> [Rule; 2] {
    [
        amount(format!("{BEFORE_A_SIGN}(?<all>(?<minus>[-−–]){pattern})"), read),
        amount(format!("(?<all>{pattern})"), read),
    ]
}

/// “minus” where there is a sign.
fn minus(found: &Found<'_>) -> &'static str {
    match found.get("minus") {
        Some(_) => "minus ",
        None => "",
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

fn listed(list: &[(&str, &str)], name: &str) -> Option<String> {
    list.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, said)| (*said).to_string())
}

/// The letters of a word, with blanks between them.
fn letters(word: &str) -> String {
    word.chars().map(String::from).collect::<Vec<_>>().join(" ")
}

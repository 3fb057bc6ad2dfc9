//! Spoken English numbers as figures.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::pattern;

/// What a word means among numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Meaning {
    Zero,
    /// One to nineteen.
    One(u128),
    /// The same with an ending.
    OneEnding(u128, &'static str),
    /// Twenty to ninety.
    Ten(u128),
    TenEnding(u128, &'static str),
    /// Hundred and above.
    Many(u128),
    ManyEnding(u128, &'static str),
    /// A sign before a number.
    Before(char),
    /// A sign whose word comes after.
    After(char),
    Percent,
    /// `per`, before `cent`.
    Per,
    And,
    /// So many times the next figure.
    Times(usize),
    Point,
}

use Meaning::{
    After, And, Before, Many, ManyEnding, One, OneEnding, Per, Percent, Point, Ten, TenEnding, Times, Zero,
};

static WORDS: LazyLock<HashMap<String, Meaning>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    let mut add = |word: String, meaning| {
        words.insert(word, meaning);
    };
    for zero in ["o", "oh", "zero"] {
        add(zero.to_string(), Zero);
    }
    let ones = [
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    for (name, value) in ones.into_iter().zip(1..) {
        add(name.to_string(), One(value));
        let plural = if name == "six" {
            "sixes".to_string()
        } else {
            format!("{name}s")
        };
        add(plural, OneEnding(value, "s"));
        let ordinal = match value {
            1..=3 | 5 | 12 => continue,
            _ if name.ends_with('t') => format!("{name}h"),
            _ => format!("{name}th"),
        };
        add(ordinal, OneEnding(value, "th"));
    }
    for (word, value, ending) in [
        ("zeroth", 0, "th"),
        ("first", 1, "st"),
        ("second", 2, "nd"),
        ("third", 3, "rd"),
        ("fifth", 5, "th"),
        ("twelfth", 12, "th"),
    ] {
        add(word.to_string(), OneEnding(value, ending));
    }
    let tens = [
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    for (name, value) in tens.into_iter().zip((20..).step_by(10)) {
        add(name.to_string(), Ten(value));
        add(name.replace('y', "ies"), TenEnding(value, "s"));
        add(name.replace('y', "ieth"), TenEnding(value, "th"));
    }
    let many = [
        "thousand",
        "million",
        "billion",
        "trillion",
        "quadrillion",
        "quintillion",
        "sextillion",
        "septillion",
        "octillion",
        "nonillion",
        "decillion",
    ];
    let values = many.into_iter().zip((1..).map(|power| 1000u128.pow(power)));
    for (name, value) in values.chain([("hundred", 100)]) {
        add(name.to_string(), Many(value));
        add(format!("{name}s"), ManyEnding(value, "s"));
        add(format!("{name}th"), ManyEnding(value, "th"));
    }
    for (word, sign) in [
        ("minus", '-'),
        ("negative", '-'),
        ("plus", '+'),
        ("positive", '+'),
    ] {
        add(word.to_string(), Before(sign));
    }
    for (word, sign) in [("pound", '£'), ("euro", '€'), ("dollar", '$'), ("cent", '¢')] {
        add(word.to_string(), After(sign));
        add(format!("{word}s"), After(sign));
    }
    for (word, meaning) in [
        ("per", Per),
        ("percent", Percent),
        ("and", And),
        ("double", Times(2)),
        ("triple", Times(3)),
        ("point", Point),
    ] {
        add(word.to_string(), meaning);
    }
    words
});

const SIGNS: [char; 6] = ['-', '+', '£', '€', '$', '¢'];

/// A number that is not complete yet.
#[derive(Debug, Clone)]
enum Value {
    Number(u128),
    /// Figures, perhaps with a point.
    Figures(String),
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Figures(figures) => f.write_str(figures),
        }
    }
}

impl Value {
    /// With figures behind it.
    fn then(&self, more: impl std::fmt::Display) -> Self {
        Self::Figures(format!("{self}{more}"))
    }

    /// Of figures: a number if it is whole.
    fn of(figures: &str) -> Self {
        match whole(figures, 1) {
            Some(number) => Self::Number(number),
            None => Self::Figures(figures.to_string()),
        }
    }
}

/// Figures, perhaps with a point, times `factor`, if that is whole.
fn whole(figures: &str, factor: u128) -> Option<u128> {
    let (before, after) = figures.split_once('.').unwrap_or((figures, ""));
    if before.is_empty() && after.is_empty() {
        return None;
    }
    let after = after.trim_end_matches('0');
    let digits = format!("0{before}{after}").parse::<u128>().ok()?;
    let product = digits.checked_mul(factor)?;
    let divisor = 10u128.checked_pow(u32::try_from(after.len()).ok()?)?;
    (product % divisor == 0).then_some(product / divisor)
}

fn is_number(word: &str) -> bool {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\d+(\.\d+)?$"));
    NUMBER.is_match(word)
}

/// The words of a text, one after the other.
#[derive(Debug, Default)]
struct Reader {
    prefix: Option<char>,
    value: Option<Value>,
    words: Vec<String>,
}

impl Reader {
    fn put(&mut self, word: impl std::fmt::Display) {
        let prefix = self.prefix.take().map_or(String::new(), String::from);
        self.words.push(format!("{prefix}{word}"));
        self.value = None;
    }

    /// Puts down the number so far.
    fn flush(&mut self) {
        if let Some(value) = self.value.take() {
            self.put(value);
        }
    }

    /// What a number becomes with one of one to nineteen behind it.
    fn with_one(&self, one: u128, before: Option<Meaning>) -> Value {
        let after_ten = matches!(before, Some(Ten(_))) && one < 10;
        match &self.value {
            None => Value::Number(one),
            Some(Value::Figures(figures)) if after_ten => {
                // The last nought makes room for it.
                let mut figures = figures.clone();
                figures.pop();
                Value::Figures(format!("{figures}{one}"))
            }
            Some(value @ Value::Figures(_)) => value.then(one),
            Some(value) if matches!(before, Some(One(_))) => value.then(one),
            Some(value @ Value::Number(number)) => match number % if one < 10 { 10 } else { 100 } {
                0 => Value::Number(number.saturating_add(one)),
                _ => value.then(one),
            },
        }
    }

    fn with_ten(&self, ten: u128) -> Value {
        match &self.value {
            None => Value::Number(ten),
            Some(Value::Number(number)) if number % 100 == 0 => Value::Number(number.saturating_add(ten)),
            Some(value) => value.then(ten),
        }
    }

    /// Figures so far; nothing and nought are none.
    fn figures(&self) -> String {
        match &self.value {
            None | Some(Value::Number(0)) => String::new(),
            Some(value) => value.to_string(),
        }
    }

    /// A hundred, a thousand: the number and whether it goes on from the one before.
    fn times(&mut self, factor: u128) -> Value {
        let scaled = |figures: &str| whole(figures, factor).map(Value::Number);
        match &self.value {
            None => Value::Number(factor),
            Some(Value::Number(0)) => Value::Number(0),
            Some(Value::Figures(figures)) => match scaled(figures) {
                Some(value) => value,
                None => {
                    self.flush();
                    Value::Number(factor)
                }
            },
            Some(Value::Number(number)) => {
                let rest = (number % 1000).saturating_mul(factor);
                Value::Number((number / 1000 * 1000).saturating_add(rest))
            }
        }
    }
}

fn read(words: &[&str]) -> Vec<String> {
    let meaning = |word: Option<&&str>| word.and_then(|word| WORDS.get(*word)).copied();
    let mut reader = Reader::default();
    let mut skip = false;
    for (i, &current) in words.iter().enumerate() {
        if std::mem::take(&mut skip) {
            continue;
        }
        let next = words.get(i + 1);
        let before = meaning(i.checked_sub(1).and_then(|i| words.get(i)));
        let after = meaning(next);
        let number_next = next.is_some_and(|next| is_number(next));
        let sign = current.chars().next().filter(|sign| SIGNS.contains(sign));
        let unsigned = sign.map_or(current, |sign| &current[sign.len_utf8()..]);
        if is_number(unsigned) {
            match &reader.value {
                // Decimals, parts of an address.
                Some(value @ Value::Figures(figures)) if figures.ends_with('.') => {
                    reader.value = Some(value.then(current));
                    continue;
                }
                _ => reader.flush(),
            }
            reader.prefix = sign.or(reader.prefix);
            reader.value = Some(Value::of(unsigned));
            continue;
        }
        let Some(meaning) = meaning(Some(&current)) else {
            reader.flush();
            reader.put(current);
            continue;
        };
        match meaning {
            Zero => reader.value = Some(Value::Figures(reader.figures() + "0")),
            One(one) => reader.value = Some(reader.with_one(one, before)),
            OneEnding(one, ending) => {
                let value = reader.with_one(one, before);
                reader.put(format!("{value}{ending}"));
            }
            Ten(ten) => reader.value = Some(reader.with_ten(ten)),
            TenEnding(ten, ending) => {
                let value = reader.with_ten(ten);
                reader.put(format!("{value}{ending}"));
            }
            Many(factor) => reader.value = Some(reader.times(factor)),
            ManyEnding(factor, ending) => {
                let value = reader.times(factor);
                reader.put(format!("{value}{ending}"));
            }
            Before(sign) => {
                reader.flush();
                match after.is_some() || number_next {
                    true => reader.prefix = Some(sign),
                    false => reader.put(current),
                }
            }
            After(sign) => match reader.value.is_some() {
                true => {
                    reader.prefix = Some(sign);
                    reader.flush();
                }
                false => reader.put(current),
            },
            Per | Percent => match reader.value.take() {
                Some(value) if meaning == Percent => reader.put(format!("{value}%")),
                Some(value) if next == Some(&"cent") => {
                    reader.put(format!("{value}%"));
                    skip = true;
                }
                Some(value) => {
                    reader.put(value);
                    reader.put(current);
                }
                None => reader.put(current),
            },
            _ if after.is_none() && !number_next => {
                reader.flush();
                reader.put(current);
            }
            And => {
                // One hundred and one.
                if !matches!(before, Some(Many(_))) {
                    reader.flush();
                    reader.put(current);
                }
            }
            Times(count) => match after {
                Some(One(_) | Zero) => {
                    let figure = match after {
                        Some(One(one)) => one,
                        _ => 0,
                    };
                    let figures = reader.figures() + &figure.to_string().repeat(count);
                    reader.value = Some(Value::Figures(figures));
                    skip = true;
                }
                _ => {
                    reader.flush();
                    reader.put(current);
                }
            },
            Point => {
                if number_next || matches!(after, Some(One(_) | Ten(_) | Zero)) {
                    reader.value = Some(Value::Figures(reader.figures() + "."));
                }
            }
        }
    }
    reader.flush();
    reader.words
}

/// Numbers that are written out as figures, with their signs before them.
pub(super) fn standard_numbers(text: &str) -> String {
    let text = prepared(text);
    let words: Vec<&str> = text.split_whitespace().collect();
    finished(&read(&words).join(" "))
}

/// “Two and a half” as “two point five”, and letters apart from figures.
fn prepared(text: &str) -> String {
    static HALF: LazyLock<Regex> = LazyLock::new(|| pattern(r"\band\s+a\s+half\b"));
    static LETTER_FIGURE: LazyLock<Regex> = LazyLock::new(|| pattern("([a-z])([0-9])"));
    static FIGURE_LETTER: LazyLock<Regex> = LazyLock::new(|| pattern("([0-9])([a-z])"));
    static ENDING: LazyLock<Regex> = LazyLock::new(|| pattern(r"([0-9])\s+(st|nd|rd|th|s)\b"));
    let parts: Vec<&str> = HALF.split(text).collect();
    let mut results = Vec::new();
    for (i, part) in parts.iter().enumerate() {
        let Some(last) = part.split_whitespace().next_back() else {
            continue;
        };
        results.push(*part);
        if i + 1 < parts.len() {
            let counted = matches!(WORDS.get(last), Some(One(_) | Ten(_) | Zero | Many(_)));
            results.push(if counted { "point five" } else { "and a half" });
        }
    }
    let text = results.join(" ");
    let text = LETTER_FIGURE.replace_all(&text, "$1 $2");
    let text = FIGURE_LETTER.replace_all(&text, "$1 $2");
    ENDING.replace_all(&text, "$1$2").into_owned()
}

/// “$2 and ¢7” as “$2.07”, and “1” as “one”.
fn finished(text: &str) -> String {
    static CENTS: LazyLock<Regex> = LazyLock::new(|| pattern(r"([€£$])([0-9]+) (?:and )?¢([0-9]{1,2})\b"));
    static ONLY_CENTS: LazyLock<Regex> = LazyLock::new(|| pattern(r"[€£$]0.([0-9]{1,2})\b"));
    static ONE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b1(s?)\b"));
    let text = CENTS.replace_all(text, |found: &Captures<'_>| {
        format!("{}{}.{:0>2}", &found[1], &found[2], &found[3])
    });
    let text = ONLY_CENTS.replace_all(&text, |found: &Captures<'_>| {
        format!("¢{}", found[1].parse::<u8>().unwrap_or_default())
    });
    ONE.replace_all(&text, "one$1").into_owned()
}

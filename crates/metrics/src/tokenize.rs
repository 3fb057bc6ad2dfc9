//! The tokenizers of BLEU, as in sacreBLEU.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::words::{is_blank, split};

/// How a segment becomes words before BLEU counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Tokenize {
    /// The rules of `mteval-v13a.pl`, the standard of WMT.
    #[default]
    V13a,
    /// The international rules of `mteval-v14.pl`: all punctuation and symbols of Unicode.
    International,
    /// Each Chinese character by itself, all else as [`Tokenize::V13a`].
    Chinese,
    /// Each character by itself.
    Characters,
    /// Words between blanks, as they are: for texts that are tokenised already.
    None,
}

impl Tokenize {
    /// The name in signatures.
    pub fn name(self) -> &'static str {
        match self {
            Self::V13a => "13a",
            Self::International => "intl",
            Self::Chinese => "zh",
            Self::Characters => "char",
            Self::None => "none",
        }
    }

    /// The tokens of a segment, with one space between them.
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::V13a => v13a(text),
            Self::International => international(text),
            Self::Chinese => chinese(text),
            Self::Characters => spaced(text.chars()),
            Self::None => text.to_string(),
        }
    }
}

/// The pattern must be right: it is part of the program.
fn pattern(text: &str) -> Regex {
    #[expect(
        clippy::expect_used,
        reason = "the patterns are constants that every test compiles"
    )]
    Regex::new(text).expect("a valid pattern")
}

/// Characters with a space between them.
fn spaced(chars: impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    for (i, c) in chars.enumerate() {
        if i > 0 {
            text.push(' ');
        }
        text.push(c);
    }
    text
}

fn joined(text: &str) -> String {
    split(text).collect::<Vec<_>>().join(" ")
}

/// Patterns with what they are replaced by, in order.
type Rules = Vec<(Regex, &'static str)>;

fn apply(rules: &Rules, text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    for (pattern, new) in rules {
        text = Cow::Owned(pattern.replace_all(&text, *new).into_owned());
    }
    joined(&text)
}

/// Punctuation of ASCII, and points, commas and dashes that are not within numbers.
fn western(text: &str) -> String {
    static RULES: LazyLock<Rules> = LazyLock::new(|| {
        vec![
            (pattern(r"([\{-~\[-` -&\(-\+:-@/])"), " $1 "),
            (pattern(r"([^0-9])([\.,])"), "$1 $2 "),
            (pattern(r"([\.,])([^0-9])"), " $1 $2"),
            (pattern(r"([0-9])(-)"), "$1 $2 "),
        ]
    });
    apply(&RULES, text)
}

fn v13a(text: &str) -> String {
    let mut text = text
        .replace("<skipped>", "")
        .replace("-\n", "")
        .replace('\n', " ");
    if text.contains('&') {
        for (escaped, plain) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
            text = text.replace(escaped, plain);
        }
    }
    western(&format!(" {text} "))
}

fn international(text: &str) -> String {
    static RULES: LazyLock<Rules> = LazyLock::new(|| {
        vec![
            (pattern(r"(\P{N})(\p{P})"), "$1 $2 "),
            (pattern(r"(\p{P})(\P{N})"), " $1 $2"),
            (pattern(r"(\p{S})"), " $1 "),
        ]
    });
    apply(&RULES, text)
}

/// What counts as Chinese. The two ranges that look odd are those that the reference arrives at by comparing
/// strings of two characters.
const CHINESE: &[(char, char)] = &[
    ('\u{2001}', '\u{2a6d}'),
    ('\u{2e80}', '\u{2eff}'),
    ('\u{2f00}', '\u{2fdf}'),
    ('\u{2ff0}', '\u{2fff}'),
    ('\u{3000}', '\u{303f}'),
    ('\u{3100}', '\u{312f}'),
    ('\u{31a0}', '\u{31bf}'),
    ('\u{31c0}', '\u{31ef}'),
    ('\u{3200}', '\u{33ff}'),
    ('\u{3400}', '\u{4db5}'),
    ('\u{4e00}', '\u{9fbb}'),
    ('\u{f900}', '\u{fa2d}'),
    ('\u{fa30}', '\u{fa6a}'),
    ('\u{fa70}', '\u{fad9}'),
    ('\u{fe10}', '\u{fe1f}'),
    ('\u{fe30}', '\u{fe4f}'),
    ('\u{ff00}', '\u{ffef}'),
];

fn chinese(text: &str) -> String {
    let mut apart = String::with_capacity(text.len());
    for c in text.trim_matches(is_blank).chars() {
        if CHINESE.iter().any(|&(first, last)| (first..=last).contains(&c)) {
            apart.extend([' ', c, ' ']);
        } else {
            apart.push(c);
        }
    }
    western(&apart)
}

/// What TER does to a segment, after tercom's normaliser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tercom {
    pub normalized: bool,
    pub no_punctuation: bool,
    pub asian: bool,
    pub case_sensitive: bool,
}

impl Tercom {
    pub fn words(self, text: &str) -> Vec<String> {
        let mut text = text.trim_end_matches(is_blank).to_string();
        if text.is_empty() {
            return Vec::new();
        }
        if !self.case_sensitive {
            text = text.to_lowercase();
        }
        if self.normalized {
            text = tercom_western(&text);
            if self.asian {
                text = tercom_asian(&text);
            }
        }
        if self.no_punctuation {
            text.retain(|c| !".,?:;!\"()".contains(c));
            if self.asian {
                text.retain(|c| !is_asian_mark(c));
            }
        }
        split(&text).map(str::to_string).collect()
    }
}

fn tercom_western(text: &str) -> String {
    static RULES: LazyLock<Rules> = LazyLock::new(|| {
        vec![
            (pattern(r"([{-~\[-` -&(-+:-@/])"), " $1 "),
            (pattern("'s "), " 's "),
            (pattern("'s$"), " 's"),
            (pattern(r"([^0-9])([\.,])"), "$1 $2 "),
            (pattern(r"([\.,])([^0-9])"), " $1 $2"),
            (pattern("([0-9])(-)"), "$1 $2 "),
        ]
    });
    let mut text = text.replace("\n-", "").replace('\n', " ");
    for (escaped, plain) in [("&quot;", "\""), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")] {
        text = text.replace(escaped, plain);
    }
    let mut text = format!(" {text} ");
    for (pattern, new) in RULES.iter() {
        text = pattern.replace_all(&text, *new).into_owned();
    }
    text
}

/// Han characters and the marks around them apart; the reference's rules for kana only ever fit a text that is
/// nothing but kana.
fn tercom_asian(text: &str) -> String {
    static HAN: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            r"[\x{4e00}-\x{9fff}\x{3400}-\x{4dbf}]",
            r"[\x{31c0}-\x{31ef}\x{2e80}-\x{2eff}]",
            r"[\x{3300}-\x{33ff}\x{f900}-\x{faff}\x{fe30}-\x{fe4f}]",
            r"[\x{3200}-\x{3f22}]",
        ]
        .map(pattern)
        .to_vec()
    });
    static KANA: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        [
            r"^[\x{3040}-\x{309f}]+$",
            r"^[\x{30a0}-\x{30ff}]+$",
            r"^[\x{31f0}-\x{31ff}]+$",
        ]
        .map(pattern)
        .to_vec()
    });
    static MARKS: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"[\x{3001}\x{3002}\x{3008}-\x{3011}\x{3014}-\x{301f}\x{ff61}-\x{ff65}\x{30fb}]|[\x{ff0e}\x{ff0c}\x{ff1f}\x{ff1a}\x{ff1b}\x{ff01}\x{ff02}\x{ff08}\x{ff09}]",
        )
    });
    let apart = |found: &Captures<'_>| format!(" {} ", &found[0]);
    let mut text = text.to_string();
    for pattern in HAN.iter().chain(KANA.iter()).chain([&*MARKS]) {
        text = pattern.replace_all(&text, apart).into_owned();
    }
    text
}

fn is_asian_mark(c: char) -> bool {
    matches!(c, '\u{3001}' | '\u{3002}' | '\u{3008}'..='\u{3011}' | '\u{3014}'..='\u{301f}' | '\u{ff61}'..='\u{ff65}'
        | '\u{30fb}' | '\u{ff0e}' | '\u{ff0c}' | '\u{ff1f}' | '\u{ff1a}' | '\u{ff1b}' | '\u{ff01}' | '\u{ff02}'
        | '\u{ff08}' | '\u{ff09}')
}

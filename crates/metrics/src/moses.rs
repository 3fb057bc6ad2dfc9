//! A tokenizer after Moses' `tokenizer.perl`, for BLEU as older papers print it.

use std::sync::LazyLock;

use regex::Regex;

use crate::words::split;

/// Words before a point that ends no sentence, the commonest of each language.
const ENGLISH: &[&str] = &[
    "Mr", "Mrs", "Ms", "Dr", "Prof", "St", "Jr", "Sr", "vs", "Gen", "Col", "Lt", "Sgt", "Capt", "Rev", "Hon",
    "Inc", "Ltd", "Co", "Corp", "Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept", "Oct", "Nov",
    "Dec", "e.g", "i.e", "Bros", "Esq", "Gov", "Maj", "Messrs", "Mlle", "Mme", "Mt", "Rep", "Sen", "Supt",
    "v", "rev",
];
const GERMAN: &[&str] = &[
    "Dr", "Prof", "Hr", "Fr", "St", "Nr", "Abs", "Art", "Bd", "Str", "Tel", "bzw", "usw", "ca", "vgl", "z",
    "B", "d", "h", "u", "a", "Jan", "Feb", "Apr", "Aug", "Sep", "Sept", "Okt", "Nov", "Dez", "Mio", "Mrd",
    "inkl", "evtl", "Jh",
];
const FRENCH: &[&str] = &[
    "M", "MM", "Mme", "Mlle", "Dr", "Pr", "St", "Ste", "av", "bd", "etc", "env", "p", "pp", "vol", "fig",
    "art", "cf", "janv", "févr", "avr", "juil", "sept", "oct", "nov", "déc", "Jr", "No",
];

/// The tokens of a segment with a space between them, as `tokenizer.perl -no-escape -l LANGUAGE` gives them for
/// `en`, `de` and `fr`, but for abbreviations that are rare.
pub fn moses_tokenize(text: &str, language: &str) -> String {
    static PATTERNS: LazyLock<Patterns> = LazyLock::new(Patterns::new);
    let text: String = split(text).collect::<Vec<_>>().join(" ");
    let text: String = text.chars().filter(|c| *c >= ' ').collect();
    let mut text = PATTERNS.other.replace_all(&text, " $1 ").into_owned();
    text = PATTERNS
        .points
        .replace_all(&text, |found: &regex::Captures<'_>| {
            // Kept together through what follows, which looks for points.
            format!(" {} ", "\u{e000}".repeat(found[0].len()))
        })
        .into_owned();
    for pattern in &PATTERNS.commas {
        text = pattern.0.replace_all(&text, pattern.1).into_owned();
    }
    let apostrophes = match language {
        "en" => &PATTERNS.english,
        "fr" | "it" => &PATTERNS.french,
        _ => &PATTERNS.plain,
    };
    for pattern in apostrophes {
        text = pattern.0.replace_all(&text, pattern.1).into_owned();
    }
    let words: Vec<&str> = split(&text).collect();
    let mut result = Vec::with_capacity(words.len());
    for (i, word) in words.iter().enumerate() {
        match word.strip_suffix('.') {
            Some(before) if !before.is_empty() && !keeps_point(before, words.get(i + 1), language) => {
                result.extend([before, "."]);
            }
            _ => result.push(word),
        }
    }
    let text = result.join(" ");
    let text = match text.strip_suffix(".'") {
        Some(before) => format!("{} . '", before.trim_end()),
        None => text,
    };
    split(&text.replace('\u{e000}', "."))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Whether the point behind `word` belongs to it: an abbreviation, or the sentence goes on.
fn keeps_point(word: &str, next: Option<&&str>, language: &str) -> bool {
    let known = match language {
        "de" => GERMAN,
        "fr" => FRENCH,
        _ => ENGLISH,
    };
    let mut letters = word.chars();
    let initial = matches!((letters.next(), letters.next()), (Some(c), None) if c.is_uppercase());
    (word.contains('.') && word.chars().any(char::is_alphabetic))
        || initial
        || known.contains(&word)
        || next.is_some_and(|next| next.starts_with(char::is_lowercase))
        || (word == "No" && next.is_some_and(|next| next.starts_with(|c: char| c.is_ascii_digit())))
}

struct Patterns {
    other: Regex,
    points: Regex,
    commas: Vec<(Regex, &'static str)>,
    english: Vec<(Regex, &'static str)>,
    french: Vec<(Regex, &'static str)>,
    plain: Vec<(Regex, &'static str)>,
}

impl Patterns {
    fn new() -> Self {
        let all =
            |rules: &[(&str, &'static str)]| rules.iter().map(|(text, new)| (pattern(text), *new)).collect();
        Self {
            other: pattern(r"([^\p{Alphabetic}\p{M}\p{N}\s.'`,\-])"),
            points: pattern(r"\.{2,}"),
            commas: all(&[
                (r"(\P{N}),", "$1 , "),
                (r",(\P{N})", " , $1"),
                (r"(\p{N}),$", "$1 , "),
            ]),
            english: all(&[
                (r"(\P{Alphabetic})'(\P{Alphabetic})", "$1 ' $2"),
                (r"([^\p{Alphabetic}\p{N}])'(\p{Alphabetic})", "$1 ' $2"),
                (r"(\p{Alphabetic})'(\P{Alphabetic})", "$1 ' $2"),
                (r"(\p{Alphabetic})'(\p{Alphabetic})", "$1 '$2"),
                (r"(\p{N})'(s)", "$1 '$2"),
            ]),
            french: all(&[
                (r"(\P{Alphabetic})'(\P{Alphabetic})", "$1 ' $2"),
                (r"(\P{Alphabetic})'(\p{Alphabetic})", "$1 ' $2"),
                (r"(\p{Alphabetic})'(\P{Alphabetic})", "$1 ' $2"),
                (r"(\p{Alphabetic})'(\p{Alphabetic})", "$1' $2"),
            ]),
            plain: all(&[("'", " ' ")]),
        }
    }
}

fn pattern(text: &str) -> Regex {
    #[expect(
        clippy::expect_used,
        reason = "the patterns are constants that every test compiles"
    )]
    Regex::new(text).expect("a valid pattern")
}

#[cfg(test)]
mod tests {
    use super::moses_tokenize;

    #[test]
    fn as_moses_does() {
        for (language, text, expected) in [
            (
                "en",
                "A man, who's 3.5 ft. tall: \"hi!\"",
                "A man , who 's 3.5 ft. tall : \" hi ! \"",
            ),
            (
                "en",
                "Two dogs run... Mr. X isn't here.",
                "Two dogs run ... Mr. X isn 't here .",
            ),
            (
                "de",
                "Ein Mann geht's an (z.B. heute).",
                "Ein Mann geht ' s an ( z.B. heute ) .",
            ),
            (
                "fr",
                "L'homme à l'air d'un chat.",
                "L' homme à l' air d' un chat .",
            ),
            ("de", "1,000 Leute, 5%.", "1,000 Leute , 5 % ."),
        ] {
            assert_eq!(moses_tokenize(text, language), expected);
        }
    }
}

//! How the text of a `say-as` is read.

use super::english::date;
use super::english::numbers::{decimal, ordinal, spelt};

/// What is said of `text`, which is to be read as `how`; none if it is read as its look tells.
///
/// # Errors
/// If that is not known, or the text is nothing of that kind.
pub fn said_as(how: &str, format: Option<&str>, text: &str) -> Result<Option<String>, String> {
    let said = match how {
        "characters" | "spell-out" | "verbatim" => (characters(text), "characters"),
        "cardinal" | "number" => (number(text), "number"),
        "ordinal" => (place(text), "number"),
        "digits" | "telephone" => (groups(text), "number"),
        "date" => match format {
            Some(format) => (date(text, format), "date of that format"),
            None => return Ok(date(text, "ymd").filter(|_| text.chars().all(|digit| digit.is_ascii_digit()))),
        },
        "time" | "currency" | "unit" => return Ok(None),
        _ => {
            return Err(format!(
                "has a <say-as> that is to be read as `{how}`, which is not known"
            ));
        }
    };
    match said {
        (Some(said), _) => Ok(Some(said)),
        (None, _) if text.is_empty() => Ok(None),
        (None, wanted) => Err(format!(
            "has a <say-as> that is to be read as `{how}` with `{text}`, which is no {wanted}"
        )),
    }
}

/// Every character by its name; letters are capitals, or “a” would be the article.
fn characters(text: &str) -> Option<String> {
    let letters = text.chars().filter(|letter| !letter.is_whitespace());
    let said: Vec<String> = letters.map(character).collect();
    (!said.is_empty()).then(|| said.join(" "))
}

fn character(letter: char) -> String {
    match letter.is_ascii_digit() {
        true => spelt(&letter.to_string()),
        false => letter.to_uppercase().collect(),
    }
}

/// A number with a sign or without.
fn number(text: &str) -> Option<String> {
    let (sign, figures) = match text.strip_prefix(['-', '−', '–']) {
        Some(rest) => ("minus ", rest),
        None => ("", text.trim_start_matches('+')),
    };
    let figures: String = figures.chars().filter(|letter| !letter.is_whitespace()).collect();
    is_number(&figures).then(|| format!("{sign}{}", decimal(&figures)))
}

/// Figures with commas and at most one point.
fn is_number(text: &str) -> bool {
    text.contains(|letter: char| letter.is_ascii_digit())
        && text
            .chars()
            .all(|letter| letter.is_ascii_digit() || ",.".contains(letter))
        && text.matches('.').count() < 2
        && !text.ends_with('.')
}

fn place(text: &str) -> Option<String> {
    let endings = ["st", "nd", "rd", "th"];
    let figures = endings
        .iter()
        .find_map(|ending| text.strip_suffix(ending))
        .unwrap_or(text);
    (is_number(figures) && !figures.contains('.')).then(|| ordinal(figures))
}

/// Figures and letters one by one, with a pause between groups.
fn groups(text: &str) -> Option<String> {
    let mut groups: Vec<Vec<String>> = vec![Vec::new()];
    for letter in text.chars() {
        match letter {
            '+' => groups.last_mut()?.push("plus".to_string()),
            _ if letter.is_alphanumeric() => groups.last_mut()?.push(character(letter)),
            _ if letter.is_whitespace() || "-‐‑–./()".contains(letter) => groups.push(Vec::new()),
            _ => return None,
        }
    }
    groups.retain(|group| !group.is_empty());
    let said: Vec<String> = groups.iter().map(|group| group.join(" ")).collect();
    (!said.is_empty()).then(|| said.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_said_as_told() {
        for (how, format, text, expected) in [
            ("characters", None, "cab 1", Some("C A B one")),
            ("cardinal", None, "-5", Some("minus five")),
            (
                "cardinal",
                None,
                "−1,234.5",
                Some("minus one thousand two hundred thirty-four point five"),
            ),
            ("number", None, "10 000", Some("ten thousand")),
            ("ordinal", None, "22nd", Some("twenty-second")),
            ("ordinal", None, "3", Some("third")),
            ("digits", None, "12", Some("one two")),
            (
                "telephone",
                None,
                "1-800-CALL",
                Some("one, eight zero zero, C A L L"),
            ),
            ("telephone", None, "+44 (20)", Some("plus four four, two zero")),
            (
                "date",
                Some("mdy"),
                "12/25/2024",
                Some("December twenty-fifth, twenty twenty-four"),
            ),
            (
                "date",
                Some("dmy"),
                "05/06/2024",
                Some("June fifth, twenty twenty-four"),
            ),
            (
                "date",
                Some("ymd"),
                "20240229",
                Some("February twenty-ninth, twenty twenty-four"),
            ),
            (
                "date",
                Some("yyyymmdd"),
                "2024-02-29",
                Some("February twenty-ninth, twenty twenty-four"),
            ),
            (
                "date",
                Some("mmddyy"),
                "022924",
                Some("February twenty-ninth, twenty twenty-four"),
            ),
            ("date", Some("my"), "2/2024", Some("February twenty twenty-four")),
            ("date", Some("md"), "7/4", Some("July fourth")),
            ("date", Some("y"), "1987", Some("nineteen eighty-seven")),
            (
                "date",
                None,
                "20240229",
                Some("February twenty-ninth, twenty twenty-four"),
            ),
            ("date", None, "March 3", None),
            ("time", None, "3:30", None),
            ("cardinal", None, "", None),
        ] {
            let found = said_as(how, format, text);
            assert_eq!(found, Ok(expected.map(str::to_string)), "{how} {text}");
        }
        for (how, format, text) in [
            ("cardinal", None, "hello"),
            ("cardinal", None, "$5"),
            ("ordinal", None, "abc"),
            ("ordinal", None, "3.5"),
            ("telephone", None, "-"),
            ("digits", None, "1%2"),
            ("date", Some("mdy"), "25/12/2024"),
            ("date", Some("ymd"), "12"),
            ("song", None, "la"),
        ] {
            let problem = said_as(how, format, text).unwrap_err();
            assert!(problem.contains(how), "{problem}");
        }
    }
}

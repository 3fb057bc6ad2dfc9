//! Roman numerals of rulers, wars and chapters.

use super::super::numbers::{cardinal, ordinal};
use super::{Rule, word};

/// A name and a numeral behind it.
const AFTER_A_NAME: &str = r"\b(?<name>\p{Lu}\p{Ll}+) (?<all>(?<n>[IVX]{2,}|[VX]))\b";

/// The numeral of the first of a name, where it cannot be the speaker.
const ONE_AFTER_A_NAME: &str =
    r"\b(?<name>\p{Lu}\p{Ll}+) (?<all>I)(?:[.,;:)’']|\s+(?:and|of|or|was|died)\b|$)";

/// A word for a part of something and its numeral.
const AFTER_A_WORD: &str = r"\b(?<name>\p{Lu}\p{Ll}+) (?<all>(?<n>[IVX]+))\b";

pub fn rules() -> Vec<Rule> {
    vec![
        word(AFTER_A_NAME, |found| of_a_ruler(&found["name"], &found["n"])),
        word(ONE_AFTER_A_NAME, |found| of_a_ruler(&found["name"], "I")),
        word(AFTER_A_WORD, |found| of_a_part(&found["name"], &found["n"])),
    ]
}

/// Names that several rulers had.
const RULERS: &[&str] = &[
    "Alexander",
    "Alfonso",
    "Benedict",
    "Catherine",
    "Charles",
    "Christian",
    "Clement",
    "Constantine",
    "Darius",
    "Edward",
    "Elizabeth",
    "Ferdinand",
    "Francis",
    "Frederick",
    "George",
    "Gregory",
    "Gustav",
    "Haakon",
    "Harold",
    "Henry",
    "Innocent",
    "James",
    "John",
    "Joseph",
    "Julius",
    "Leo",
    "Leopold",
    "Louis",
    "Ludwig",
    "Mary",
    "Nebuchadnezzar",
    "Maximilian",
    "Napoleon",
    "Nicholas",
    "Otto",
    "Paul",
    "Peter",
    "Philip",
    "Pius",
    "Ptolemy",
    "Ramesses",
    "Richard",
    "Robert",
    "Rudolf",
    "Sixtus",
    "Stephen",
    "Urban",
    "Victor",
    "Victoria",
    "Wilhelm",
    "William",
    "Xerxes",
];

/// Words behind which single letters are numerals, too.
const PARTS: &[&str] = &[
    "Act", "Appendix", "Article", "Book", "Bowl", "Canto", "Chapter", "Class", "Figure", "Grade", "Level",
    "Mark", "Part", "Phase", "Plate", "Scene", "Section", "Stage", "Table", "Title", "Type", "Volume", "War",
];

/// “the third”, if rulers have that name.
fn of_a_ruler(name: &str, numeral: &str) -> Option<String> {
    let number = value(numeral)?;
    RULERS
        .contains(&name)
        .then(|| format!("the {}", ordinal(&number.to_string())))
}

/// “three”, if parts have that name.
fn of_a_part(name: &str, numeral: &str) -> Option<String> {
    let number = value(numeral)?;
    PARTS.contains(&name).then(|| cardinal(&number.to_string()))
}

/// The value of a numeral below 40 that is written as it should be.
fn value(numeral: &str) -> Option<u32> {
    let tens = numeral.len() - numeral.trim_start_matches('X').len();
    let ones = ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"];
    let ones = ones.iter().position(|&ones| ones == &numeral[tens..])?;
    let value = 10 * u32::try_from(tens).ok()? + u32::try_from(ones).ok()?;
    (1..40).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numerals_have_values() {
        for (numeral, expected) in [
            ("I", Some(1)),
            ("IV", Some(4)),
            ("IX", Some(9)),
            ("XIV", Some(14)),
            ("XXXIX", Some(39)),
            ("IIII", None),
            ("VX", None),
            ("", None),
        ] {
            assert_eq!(value(numeral), expected, "{numeral}");
        }
    }
}

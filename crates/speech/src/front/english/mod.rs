//! English figures, signs and abbreviations in words.

pub(super) mod ipa;
pub mod lexicon;
pub(super) mod numbers;
mod roman;
mod rules;
pub mod sounds;
mod units;

use super::{Word, words_between};
use rules::RULES;

/// The words of `text` as they are read aloud: numbers, money, dates, times, units, ordinals, abbreviations, letters of
/// acronyms, addresses and emoji in words.
pub fn words(text: &str) -> Vec<Word> {
    // The next place of each rule, and what is said there.
    let mut next: Vec<_> = RULES.iter().map(|rule| rule.find(text, 0)).collect();
    let (mut words, mut at) = (Vec::new(), 0);
    while let Some(best) = next.iter().flatten().min_by_key(|found| found.0.start).cloned() {
        let (range, said) = best;
        words.extend(words_between(text, at..range.start));
        // Marks that stand beside it without a blank belong to it.
        let before = glued_before(&mut words, text, range.start, at);
        let mut said = before + &said;
        at = range.end;
        let tail = &text[at..];
        let marks = tail.len()
            - tail
                .trim_start_matches([',', '.', ';', ':', '!', '?', ')', ']', '"', '”', '’', '\'', '…'])
                .len();
        said += &tail[..marks];
        at += marks;
        words.push(Word {
            written: range.start..at,
            said,
        });
        for (rule, found) in RULES.iter().zip(&mut next) {
            if found.as_ref().is_some_and(|(range, _)| range.start < at) {
                *found = rule.find(text, at);
            }
        }
    }
    words.extend(words_between(text, at..text.len()));
    words
}

/// Takes a word that is nothing but opening marks and ends where the next one begins.
fn glued_before(words: &mut Vec<Word>, text: &str, start: usize, at: usize) -> String {
    let opening = |word: &Word| {
        word.written.end == start
            && word.written.start >= at
            && text[word.written.clone()]
                .chars()
                .all(|letter| "\"'“‘([".contains(letter))
    };
    match words.pop_if(|word| opening(word)) {
        Some(word) => word.said,
        None => String::new(),
    }
}

/// What is said, with blanks between the words.
pub fn say(text: &str) -> String {
    let words = words(text);
    let said: Vec<&str> = words.iter().map(|word| word.said.as_str()).collect();
    said.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_words() {
        let mut wrong = Vec::new();
        for (written, said) in [
            ("It has 3 rooms.", "It has three rooms."),
            (
                "In 1987, 1,234 of 2000000 came.",
                "In nineteen eighty-seven, one thousand two hundred thirty-four of two million came.",
            ),
            (
                "the year 2005 or 2024",
                "the year two thousand five or twenty twenty-four",
            ),
            ("−5 or 3.14", "minus five or three point one four"),
            ("1st, 22nd and 3rd", "first, twenty-second and third"),
            (
                "$5, $1.50, £3m and €20",
                "five dollars, one dollar and fifty cents, three million pounds and twenty euros",
            ),
            ("50% of 1/2", "fifty percent of one half"),
            (
                "at 3:30 pm or 14:05 or 9:00",
                "at three thirty p m or fourteen oh five or nine o'clock",
            ),
            (
                "March 3, 2024 and 4 July 1999",
                "March third, twenty twenty-four and the fourth of July, nineteen ninety-nine",
            ),
            ("2024-02-29", "February twenty-ninth, twenty twenty-four"),
            (
                "5 km, 20°C and 3kg",
                "five kilometers, twenty degrees Celsius and three kilograms",
            ),
            ("1 km at 60 km/h", "one kilometer at sixty kilometers per hour"),
            (
                "Dr. Smith vs. Mrs. Jones, etc.",
                "Doctor Smith versus Missis Jones, et cetera.",
            ),
            ("The BBC and NASA use HTML.", "The B B C and NASA use H T M L."),
            (
                "See https://example.com/a-b or me@x.org.",
                "See example dot com slash a dash b or me at x dot org.",
            ),
            ("salt & pepper #1", "salt and pepper number one"),
            ("1990s and '80s", "nineteen nineties and eighties"),
            ("pages 10-12", "pages ten to twelve"),
            ("Fine 😀!", "Fine grinning face!"),
            ("(5)", "(five)"),
            ("call 555-1234", "call five five five, one two three four"),
            ("007", "zero zero seven"),
            ("on the 14th June", "on the fourteenth of June"),
            ("No. He saw No. 7.", "No. He saw number seven."),
            ("rifle C2766", "rifle C two seven six six"),
            (
                "in 2250 B.C., or 44 BC",
                "in twenty-two fifty B C, or forty-four B C",
            ),
            (
                "George III., Charles I and World War II",
                "George the third., Charles the first and World War two",
            ),
            ("until the 9th May. Then", "until the ninth of May. Then"),
            ("It is 5 pm. So", "It is five p m. So"),
            ("at 5 p.m. in the U.S.", "at five p m in the U S."),
            ("at 5:30 p.m. They", "at five thirty p m. They"),
            ("a .38-caliber pistol", "a thirty-eight caliber pistol"),
            (
                "on 4 Feb. 1999",
                "on the fourth of February, nineteen ninety-nine",
            ),
            ("Chapter V of Part I", "Chapter five of Part one"),
            ("The IV drip, and George I met", "The I V drip, and George I met"),
        ] {
            let found = say(written);
            if found != said {
                wrong.push(format!("{written}\n  {found}\n  {said}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn plain_words_stay_as_they_are() {
        for text in [
            "The cat sat on the mat, didn't it?",
            "",
            "  ",
            "“Well,” said I; and left.",
        ] {
            assert_eq!(say(text), text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }
}

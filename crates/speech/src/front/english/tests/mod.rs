//! Texts and how they are read.

mod amounts;
mod words;

use proptest::prelude::*;

use super::*;

/// Texts and how they are read.
#[track_caller]
fn check(texts: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (written, said) in texts {
        let found = say(written);
        if found != *said {
            wrong.push(format!("{written}\n  {found}\n  {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn figures_become_words() {
    check(&[
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
    ]);
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

proptest! {
    #[test]
    fn every_letter_is_in_one_word(
        text in "\\PC{0,60}|[0-9A-Fa-fstm$€%°./:;,'’–\\- \\n½😂]{0,40}",
        cut in 0..60usize,
    ) {
        let cut = text.char_indices().nth(cut).map_or(text.len(), |(at, _)| at);
        for part in [0..text.len(), 0..cut, cut..text.len()] {
            let mut at = part.start;
            for word in words_within(&text, part.clone()) {
                prop_assert!(text[at..word.written.start].trim().is_empty());
                prop_assert!(word.written.end > word.written.start && !word.said.is_empty());
                at = word.written.end;
            }
            prop_assert!(text[at..part.end].trim().is_empty());
        }
    }
}

//! Capitals, abbreviations, addresses and signs.

use super::super::{say, units};
use super::check;

#[test]
fn capitals_are_words_or_letters() {
    check(&[
        (
            "WARNING: DO NOT ENTER. STOP IT NOW. HELLO WORLD.",
            "WARNING: DO NOT ENTER. STOP IT NOW. HELLO WORLD.",
        ),
        ("DON'T DO IT! IT'S NOW OR NEVER", "DON'T DO IT! IT'S NOW OR NEVER"),
        ("I did NOT say NO. STOP!", "I did NOT say NO. STOP!"),
        ("BIG DOG", "BIG DOG"),
        ("THE US ARMY GAVE US FOOD", "THE U S ARMY GAVE US FOOD"),
        ("BBC NEWS", "B B C NEWS"),
        ("The CIA, FBI and NATO.", "The C I A, F B I and NATO."),
        (
            "US GDP fell, IT firms and the UN",
            "U S G D P fell, I T firms and the U N",
        ),
        ("The WHO and the CDC", "The W H O and the C D C"),
        (
            "HTML CSS and SQL on an IBM PC",
            "H T M L C S S and S Q L on an I B M P C",
        ),
        ("The SAT and AM/FM", "The S A T and A M slash F M"),
        ("MP3s of NATO", "M P threes of NATO"),
        ("USA", "U S A"),
    ]);
}

#[test]
fn endings_go_with_their_letters() {
    check(&[
        ("CEO's, U.K.'s and UN’s", "C E O's, U K's and U N’s"),
        (
            "Louis XIV's and the 5th's",
            "Louis the fourteenth's and the fifth's",
        ),
        ("CEOs, IDs, PDFs and PhDs", "C E O's, I D's, P D F's and P H D's"),
        ("NASA's PINs, DVD's.", "NASA's PINs, D V D's."),
        ("'the BBC' said", "'the B B C' said"),
    ]);
}

#[test]
fn abbreviations_are_told_from_ends() {
    check(&[
        (
            "George W. Bush met J. K. Rowling, Ph.D., on Main St.",
            "George W. Bush met J. K. Rowling, P H D, on Main Street.",
        ),
        (
            "St. Louis, East St. Louis and St. Paul's",
            "Saint Louis, East Saint Louis and Saint Paul's",
        ),
        (
            "on Wall St. today, 42nd St. and 12 Elm St. Boston",
            "on Wall Street today, forty-second Street and twelve Elm Street Boston",
        ),
        ("On Main St. He left.", "On Main Street. He left."),
        (
            "Dr. Smith of Sunset Dr. in L.A.",
            "Doctor Smith of Sunset Drive in L A.",
        ),
        ("She has a Ph.D. It helps.", "She has a P H D. It helps."),
        (
            "The U.S. Army left the U.S. It won.",
            "The U S Army left the U S. It won.",
        ),
        (
            "no. 7, p. 5, pp. 5-7 and ca. 1900",
            "number seven, page five, pages five to seven and circa nineteen hundred",
        ),
        ("He said no. Then we slept.", "He said no. Then we slept."),
        ("Roe v. Wade", "Roe versus Wade"),
    ]);
}

#[test]
fn addresses_are_read() {
    check(&[
        ("google.com and Node.js.", "google dot com and Node dot J S."),
        (
            "ftp://x.org, bbc.co.uk/news",
            "x dot org, B B C dot co dot U K slash news",
        ),
        (
            "README.md, photo.jpg and .NET",
            "README dot M D, photo dot J peg and dot net",
        ),
        ("It is over.But no. The end.", "It is over.But no. The end."),
    ]);
}

#[test]
fn every_emoji_is_read() {
    let joy = "face with tears of joy";
    check(&[
        ("😂😂😂", &format!("{joy} {joy} {joy}")),
        ("❤️🔥 but ❤️‍🔥", "red heart fire but heart on fire"),
        ("Hi😂!", &format!("Hi {joy}!")),
        ("🇺🇸🇩🇪", "flag: United States flag: Germany"),
        ("5️⃣ or 5", "keycap: 5 or five"),
        ("👍🏽👍", "thumbs up: medium skin tone thumbs up"),
        ("a → b", "a to b"),
    ]);
}

#[test]
fn every_sign_of_the_tables_is_read() {
    for (sign, name) in units::SIGNS {
        assert_eq!(say(&format!("x{sign}y")), format!("x {name} y"));
    }
    for (sign, [one, several, ..]) in units::CURRENCIES {
        assert_eq!(say(&format!("{sign}2 {sign}")), format!("two {several} {one}"));
    }
    for (sign, name) in units::FRACTIONS {
        assert_eq!(say(&sign.to_string()), *name);
    }
}

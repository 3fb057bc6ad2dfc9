//! Full stops that end no sentence: those behind the first letters of names.

/// Words that sentences often begin with, and names do not go on with.
const STARTERS: &[&str] = &[
    "A", "After", "All", "Although", "An", "And", "As", "At", "Because", "Before", "Both", "But", "By",
    "Did", "Do", "Does", "Each", "For", "From", "Had", "Has", "He", "Her", "Here", "His", "How", "However",
    "I", "I'm", "I've", "If", "In", "Is", "It", "It's", "Its", "Let", "Many", "Most", "My", "No", "Not",
    "Now", "Of", "On", "Once", "One", "Only", "Or", "Our", "She", "Since", "So", "Some", "That", "The",
    "Their", "Then", "There", "These", "They", "This", "Those", "Though", "To", "Two", "Under", "Until",
    "Was", "We", "Were", "What", "When", "Where", "Which", "While", "Who", "Why", "With", "Yes", "Yet",
    "You", "Your",
];

/// Words that letters stand behind which are no names: “vitamin C”.
const LETTERED: &[&str] = &[
    "annex",
    "appendix",
    "article",
    "block",
    "category",
    "chapter",
    "class",
    "column",
    "deck",
    "division",
    "exhibit",
    "factor",
    "figure",
    "gate",
    "grade",
    "group",
    "hepatitis",
    "item",
    "key",
    "letter",
    "level",
    "list",
    "model",
    "note",
    "option",
    "part",
    "phase",
    "plan",
    "point",
    "row",
    "schedule",
    "section",
    "series",
    "side",
    "size",
    "step",
    "table",
    "team",
    "type",
    "unit",
    "version",
    "vitamin",
    "volume",
    "war",
    "zone",
];

/// Words that a letter alone stands behind rather than a name: “an A”.
const NO_NAMES: &[&str] = &["a", "an", "i", "the"];

/// Words within names that are not in capitals.
const WITHIN_NAMES: &[&str] = &[
    "bin", "da", "de", "del", "der", "di", "du", "la", "le", "van", "von",
];

/// Whether `word`, between the ones `before` and `after` it, is the first letter of a name with its full stop, or
/// several: `W.`, `J.K.`, `J.-P.`.
pub fn is_initial(before: Option<&str>, word: &str, after: Option<&str>) -> bool {
    let Some(letters) = word.trim_start_matches(opening).strip_suffix('.') else {
        return false;
    };
    let mut parts = letters
        .split(['.', '-'])
        .filter(|part| !part.is_empty())
        .peekable();
    let is_letter = |part: &str| part.chars().count() == 1 && part.starts_with(char::is_uppercase);
    if parts.peek().is_none() || !parts.all(is_letter) {
        return false;
    }
    let Some(after) = after.map(|after| after.trim_end_matches(closing)) else {
        return false;
    };
    let goes_on =
        after.starts_with(char::is_uppercase) && !is_starter(after) || WITHIN_NAMES.contains(&after);
    // What stands before is another sentence's, or no word of a name.
    let own = before.filter(|before| !before.ends_with(['.', '!', '?', ':']) || is_capital(before));
    let own = own.map(|before| before.trim_start_matches(opening));
    let lettered = own.is_some_and(|before| is_lettered(before) || NO_NAMES.contains(&before));
    let a_name = own.is_some_and(is_capital);
    goes_on && !lettered && (a_name || letters != "I")
}

/// Whether a letter behind `word` is no name's.
pub fn is_lettered(word: &str) -> bool {
    LETTERED.contains(&word.to_lowercase().as_str())
}

/// Whether sentences often begin with `word`.
pub fn is_starter(word: &str) -> bool {
    STARTERS.contains(&word.replace('’', "'").as_str())
}

fn is_capital(word: &str) -> bool {
    word.starts_with(char::is_uppercase)
}

fn opening(letter: char) -> bool {
    "\"'“‘([".contains(letter)
}

fn closing(letter: char) -> bool {
    ".,;:!?\"'”’)]…".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_told_from_ends() {
        for (text, expected) in [
            ("George W. Bush", true),
            ("met J. K. Rowling", true),
            ("- A. Lincoln", true),
            ("by J.K. Rowling", true),
            ("Jean J.-P. Sartre", true),
            ("wrote “J. Smith”", true),
            ("Mister T. Smith", true),
            ("Werner W. von", true),
            ("Samuel I. Newhouse", true),
            ("did I. Bush", false),
            ("vitamin C. Oranges", false),
            ("Plan B. Bob", false),
            ("with Malcolm X. He", false),
            ("George W. went", false),
            ("an A. Bob", false),
            ("the end. Bush", false),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            let found = is_initial(words.first().copied(), words[1], words.get(2).copied());
            assert_eq!(found, expected, "{text}");
        }
        assert!(!is_initial(Some("George"), "W.", None) && is_initial(None, "A.", Some("Lincoln")));
    }
}

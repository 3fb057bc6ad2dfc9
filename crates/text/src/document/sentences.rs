//! Sentences, and shorter pieces of those that are too long.

use unicode_segmentation::UnicodeSegmentation;

/// A piece of a text, and the blanks behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// Without blanks around it.
    pub text: &'a str,
    /// What joins it to the next.
    pub blank: &'a str,
}

/// Words before a point that ends no sentence.
const ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "e.g", "i.e", "cf", "no", "vol", "fig",
    "approx", "gen", "col", "lt", "sgt", "capt", "rev", "hon", "inc", "ltd", "co", "corp", "dept", "jan",
    "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "nr", "bzw", "z.b", "d.h",
    "u.a", "usw", "ca", "hr", "fr", "str", "abs", "art", "mme", "mlle", "av", "env",
];

/// The sentences of `text` (Unicode Standard Annex 29, but an abbreviation or an initial ends none). Joined with
/// their blanks they are `text` without the blanks at its beginning.
pub fn sentences(text: &str) -> Vec<Part<'_>> {
    let mut ends: Vec<usize> = Vec::new();
    let mut at = 0;
    for piece in text.split_sentence_bounds() {
        at += piece.len();
        let goes_on = text[at..].chars().next().is_some_and(char::is_lowercase);
        if at == text.len() || !(goes_on || is_abbreviated(text[..at].trim_end())) {
            ends.push(at);
        }
    }
    parts(text, &ends)
}

fn is_abbreviated(text: &str) -> bool {
    let Some(before) = text.strip_suffix('.') else {
        return false;
    };
    let word = before
        .rsplit(|c: char| c.is_whitespace() || "([\"'“„«".contains(c))
        .next()
        .unwrap_or_default();
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    initial || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

fn parts<'a>(text: &'a str, ends: &[usize]) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'a>> = Vec::new();
    let mut begin = 0;
    for &end in ends {
        let piece = &text[begin..end];
        let bare = piece.trim();
        if !bare.is_empty() {
            let blank = &piece[piece.trim_end().len()..];
            parts.push(Part { text: bare, blank });
        }
        begin = end;
    }
    parts
}

/// `text` cut so that each piece `fits`: behind commas and the like, else between words, else anywhere. Nothing
/// is lost but blanks, which are in the parts.
pub fn pieces_within<'a>(text: &'a str, fits: &impl Fn(&str) -> bool) -> Vec<Part<'a>> {
    if text.trim().is_empty() || fits(text.trim()) {
        return parts(text, &[text.len()]);
    }
    let clauses = |c: char| ",;:–—،、，；：)".contains(c);
    for (is_border, after) in [
        (&clauses as &dyn Fn(char) -> bool, true),
        (&char::is_whitespace as &dyn Fn(char) -> bool, false),
        (&|_| true, false),
    ] {
        if let Some(cut) = middle(text, is_border, after) {
            let (first, second) = text.split_at(cut);
            let mut pieces = pieces_within(first, fits);
            pieces.extend(pieces_within(second, fits));
            return pieces;
        }
    }
    parts(text, &[text.len()])
}

/// The border that is nearest to the middle of `text` and leaves letters on both sides.
fn middle(text: &str, is_border: &dyn Fn(char) -> bool, after: bool) -> Option<usize> {
    let wanted = text.len() / 2;
    let borders = text
        .char_indices()
        .filter(|(_, c)| is_border(*c))
        .map(|(at, c)| if after { at + c.len_utf8() } else { at });
    borders
        .filter(|&at| !text[..at].trim().is_empty() && !text[at..].trim().is_empty())
        .min_by_key(|at| at.abs_diff(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        sentences(text).iter().map(|part| part.text).collect()
    }

    #[test]
    fn abbreviations_end_no_sentence() {
        assert_eq!(
            texts("Dr. Smith came at 3.15 p.m. with J. Doe. Who?  \"Yes!\" he said."),
            [
                "Dr. Smith came at 3.15 p.m. with J. Doe.",
                "Who?",
                "\"Yes!\" he said."
            ]
        );
        assert_eq!(texts("今日は。元気?"), ["今日は。", "元気?"]);
        assert!(texts("  ").is_empty());
    }

    #[test]
    fn nothing_is_lost() {
        let text = "One, two; three four five. Six!  Seven eight nineteneleven… end";
        for limit in 1..40 {
            let fits = |piece: &str| piece.chars().count() <= limit;
            let mut joined = String::new();
            for sentence in sentences(text) {
                let pieces = pieces_within(sentence.text, &fits);
                assert!(pieces.iter().all(|piece| fits(piece.text)), "{limit}: {pieces:?}");
                for piece in pieces {
                    joined += piece.text;
                    joined += piece.blank;
                }
                joined += sentence.blank;
            }
            let bare = |text: &str| text.replace(char::is_whitespace, "");
            assert_eq!(bare(&joined), bare(text), "{limit}");
        }
    }
}

//! Markdown (CommonMark's everyday parts): the words of headings, lists, quotes, tables and paragraphs change.

use super::{Document, lines};

pub(super) fn parse(text: &str, document: &mut Document) {
    let mut fence: Option<&str> = None;
    let mut front = false; // between the two `---` of metadata at the top
    for (i, (line, end)) in lines(text).enumerate() {
        let bare = line.trim_start();
        let opens = ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark));
        if front || (i == 0 && line == "---") {
            front = i == 0 || line != "---";
            document.keep(line);
        } else if let Some(mark) = fence {
            if bare.starts_with(mark) {
                fence = None;
            }
            document.keep(line);
        } else if opens.is_some() {
            fence = opens;
            document.keep(line);
        } else if line.starts_with("    ") || line.starts_with('\t') && !is_item(bare) {
            document.keep(line); // indented code
        } else {
            block(line, document);
        }
        document.keep(end);
    }
}

/// A line that is no code: its marker, then its words, in cells if it is a row of a table.
fn block(line: &str, document: &mut Document) {
    let begin = marker(line);
    document.keep(&line[..begin]);
    let rest = &line[begin..];
    if rest.trim_start().starts_with('|') {
        for (i, cell) in rest.split('|').enumerate() {
            if i > 0 {
                document.keep("|");
            }
            inline(cell, document);
        }
    } else {
        inline(rest, document);
    }
}

/// The length of the markers of headings, lists and quotes at the beginning of `line`.
fn marker(line: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &line[at..];
        let bare = rest.trim_start();
        let blank = rest.len() - bare.len();
        let marks = if bare.starts_with('>') {
            1
        } else if bare.starts_with('#') {
            bare.len() - bare.trim_start_matches('#').len()
        } else {
            item(bare)
        };
        let after = &bare[marks..];
        if marks == 0 || !(after.is_empty() || after.starts_with(' ') || bare.starts_with('>')) {
            return at + blank;
        }
        at += blank + marks;
    }
}

fn is_item(text: &str) -> bool {
    let length = item(text);
    length > 0 && text[length..].starts_with(' ')
}

/// The length of a list's marker: a bullet, or a number with a point.
fn item(text: &str) -> usize {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match text[digits..].chars().next() {
        Some('-' | '*' | '+') if digits == 0 => 1,
        Some('.' | ')') if digits > 0 => digits + 1,
        _ => 0,
    }
}

/// Words between what stays: `code`, the targets of links, addresses, HTML tags.
fn inline(text: &str, document: &mut Document) {
    let mut rest = text;
    while let Some((begin, end)) = verbatim(rest) {
        document.add(&rest[..begin], 1);
        document.keep(&rest[begin..end]);
        rest = &rest[end..];
    }
    document.add(rest, 1);
}

/// The first span that stays as it is.
fn verbatim(text: &str) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(at, c)| {
        let rest = &text[at..];
        let length = match c {
            '`' => {
                let ticks = rest.len() - rest.trim_start_matches('`').len();
                rest[ticks..].find(&rest[..ticks]).map(|end| end + 2 * ticks)
            }
            // `](target)` of a link whose text is translated.
            ']' if rest[1..].starts_with('(') => rest.find(')').map(|end| end + 1),
            '[' | '!' if rest.starts_with('[') || rest.starts_with("![") => {
                Some(rest.find('[').unwrap_or(0) + 1)
            }
            '<' => rest.find('>').map(|end| end + 1),
            'h' if rest.starts_with("http://") || rest.starts_with("https://") => {
                Some(rest.find(char::is_whitespace).unwrap_or(rest.len()))
            }
            _ => None,
        }?;
        Some((at, at + length))
    })
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::shouted;

    #[test]
    fn only_words_change() {
        let text = "---\ntitle: a\n---\n# A title\n\n- [x](http://a.b/c) and `code` here\n12. two\n> > quote\n\
                    | a | 1 |\n|---|---|\n```rust\nlet x = 1;\n```\n    code\nsee https://a.b/c <b>now</b>\n";
        let expected = "---\ntitle: a\n---\n# A TITLE\n\n- [X](http://a.b/c) AND `code` HERE\n12. TWO\n> > QUOTE\n\
                        | A | 1 |\n|---|---|\n```rust\nlet x = 1;\n```\n    code\nSEE https://a.b/c <b>NOW</b>\n";
        assert_eq!(shouted(text, Format::Markdown), expected);
    }
}

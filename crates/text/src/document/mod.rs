//! Texts whose words change while all around them stays: paragraphs, Markdown, subtitles.

mod markdown;
mod plain;
mod sentences;
mod subtitles;

use std::path::Path;

pub use sentences::{Part, pieces_within, sentences};

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Lines and paragraphs.
    Plain,
    /// Markdown: code, links and markers stay.
    Markdown,
    /// SubRip or WebVTT subtitles: numbers, times and tags stay.
    Subtitles,
}

impl Format {
    /// The format that a file's name says; [`Format::Plain`] where it says nothing.
    pub fn of_file(path: &Path) -> Self {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("md" | "markdown") => Self::Markdown,
            Some("srt" | "vtt") => Self::Subtitles,
            _ => Self::Plain,
        }
    }
}

/// A text in pieces: its parts joined in order are the text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Stays as it is.
    Keep(String),
    /// Changes; put on so many lines.
    Words { text: String, lines: usize },
}

impl Document {
    /// Takes `text` apart.
    pub fn new(text: &str, format: Format) -> Self {
        let mut document = Self::default();
        match format {
            Format::Plain => plain::parse(text, &mut document),
            Format::Markdown => markdown::parse(text, &mut document),
            Format::Subtitles => subtitles::parse(text, &mut document),
        }
        document
    }

    /// The texts that change, in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Words { text, .. } => Some(text.as_str()),
            Piece::Keep(_) => None,
        })
    }

    /// The whole text with `new` in place of [`words`](Self::words), one for one.
    pub fn with_words<S: AsRef<str>>(&self, new: &[S]) -> String {
        let mut new = new.iter();
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Keep(kept) => text += kept,
                Piece::Words { text: old, lines } => {
                    let words = new.next().map_or(old.as_str(), AsRef::as_ref);
                    text += &on_lines(words, *lines);
                }
            }
        }
        text
    }

    fn keep(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(Piece::Keep(last)) = self.pieces.last_mut() {
            *last += text;
        } else {
            self.pieces.push(Piece::Keep(text.to_string()));
        }
    }

    /// The words of `text`; blanks around them stay, and so does what has no letters.
    fn add(&mut self, text: &str, lines: usize) {
        let inner = text.trim();
        if !inner.chars().any(char::is_alphabetic) {
            return self.keep(text);
        }
        let begin = text.len() - text.trim_start().len();
        self.keep(&text[..begin]);
        self.pieces.push(Piece::Words {
            text: inner.to_string(),
            lines,
        });
        self.keep(&text[begin + inner.len()..]);
    }
}

/// `text` on at most `lines` lines of like length.
fn on_lines(text: &str, lines: usize) -> String {
    if lines < 2 {
        return text.to_string();
    }
    let total = text.chars().count();
    let (mut result, mut line, mut done) = (String::new(), 0, 0);
    for word in text.split_whitespace() {
        let after = done + word.chars().count() + 1;
        if !result.is_empty() {
            let middle = (done + after) / 2;
            let turn = line + 1 < lines && middle * lines > (line + 1) * total;
            result.push(if turn { '\n' } else { ' ' });
            line += usize::from(turn);
        }
        result += word;
        done = after;
    }
    result
}

/// Lines with what ends them.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_inclusive('\n').map(|line| {
        let bare = line.trim_end_matches(['\n', '\r']);
        (bare, &line[bare.len()..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn shouted(text: &str, format: Format) -> String {
        let document = Document::new(text, format);
        let unchanged: Vec<String> = document.words().map(str::to_string).collect();
        if unchanged.iter().all(|words| !words.contains('\n')) && format != Format::Subtitles {
            assert_eq!(document.with_words(&unchanged), text);
        }
        let new: Vec<String> = document.words().map(str::to_uppercase).collect();
        document.with_words(&new)
    }

    #[test]
    fn lines_are_of_like_length() {
        assert_eq!(on_lines("one two three four", 2), "one two\nthree four");
        assert_eq!(on_lines("one two", 1), "one two");
        assert_eq!(on_lines("word", 3), "word");
    }

    #[test]
    fn the_ending_tells_the_format() {
        assert_eq!(Format::of_file(Path::new("a.SRT")), Format::Subtitles);
        assert_eq!(Format::of_file(Path::new("a.md")), Format::Markdown);
        assert_eq!(Format::of_file(Path::new("a")), Format::Plain);
    }
}

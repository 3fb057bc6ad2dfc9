//! Captions cut to fit a screen.

use super::{Caption, Shape, milliseconds};
use crate::ctc::Piece;

/// What is on the screen for a while.
pub(super) struct Cue {
    pub start: f64,
    pub end: f64,
    pub text: String,
}

/// Puts words into lines and lines into cues (`iterate_subtitles` of the reference); line breaks are in the words.
#[derive(Debug)]
pub(super) struct Lines {
    shape: Shape,
    /// Whether words are placed, or captions as they are, if the first caption had no words.
    of_words: Option<bool>,
    /// The words of the cue that is not full yet.
    cue: Vec<Piece>,
    /// Characters of its last line.
    line: usize,
    /// Its lines.
    count: usize,
    /// When the last word began.
    last: f64,
}

const LONG_PAUSE: f64 = 3.0;

impl Lines {
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            of_words: None,
            cue: Vec::new(),
            line: 0,
            count: 1,
            last: 0.0,
        }
    }

    /// Takes a caption; gives the cues that are full.
    pub fn push(&mut self, caption: &Caption) -> Vec<Cue> {
        if !*self.of_words.get_or_insert(!caption.words.is_empty()) {
            return vec![Cue {
                start: caption.start,
                end: caption.end,
                text: caption.text.trim().to_string(),
            }];
        }
        let mut cues = Vec::new();
        let most = |number: Option<usize>| number.filter(|number| *number > 0).unwrap_or(1000);
        for words in caption.words.chunks(most(self.shape.max_words_per_line)) {
            for (i, word) in words.iter().enumerate() {
                self.place(word.clone(), i == 0, most(self.shape.max_line_width), &mut cues);
            }
        }
        cues
    }

    fn place(&mut self, mut word: Piece, first: bool, width: usize, cues: &mut Vec<Cue>) {
        let keeps = self.shape.max_line_count.is_none() || self.shape.max_line_width.is_none();
        let length = word.text.chars().count();
        let pause = !keeps && !self.cue.is_empty() && word.start - self.last > LONG_PAUSE;
        let breaks = first && !self.cue.is_empty() && keeps;
        if self.line > 0 && self.line + length <= width && !pause && !breaks {
            self.line += length;
        } else {
            word.text = word.text.trim().to_string();
            let full = self
                .shape
                .max_line_count
                .is_some_and(|most| pause || self.count >= most);
            if (!self.cue.is_empty() && full) || breaks {
                cues.extend(self.finish());
                self.count = 1;
            } else if self.line > 0 {
                self.count += 1;
                word.text.insert(0, '\n');
            }
            self.line = word.text.trim().chars().count();
        }
        self.last = word.start;
        self.cue.push(word);
    }

    /// The cues of the words that are left.
    pub fn finish(&mut self) -> Vec<Cue> {
        let words = std::mem::take(&mut self.cue);
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            return Vec::new();
        };
        let (start, end) = (first.start, last.end);
        let text: String = words.iter().map(|word| word.text.as_str()).collect();
        match self.shape.highlight_words {
            false => vec![Cue { start, end, text }],
            true => highlight(&words, &text),
        }
    }
}

/// A cue for each word, and for each pause between words.
fn highlight(words: &[Piece], text: &str) -> Vec<Cue> {
    let mut cues = Vec::new();
    let mut last = words[0].start;
    for (number, word) in words.iter().enumerate() {
        if milliseconds(last) != milliseconds(word.start) {
            cues.push(Cue {
                start: last,
                end: word.start,
                text: text.to_string(),
            });
        }
        let marked = |(i, other): (usize, &Piece)| match i == number {
            true => underlined(&other.text),
            false => other.text.clone(),
        };
        cues.push(Cue {
            start: word.start,
            end: word.end,
            text: words.iter().enumerate().map(marked).collect(),
        });
        last = word.end;
    }
    cues
}

fn underlined(word: &str) -> String {
    let trimmed = word.trim_start();
    format!("{}<u>{trimmed}</u>", &word[..word.len() - trimmed.len()])
}

//! Telling what is found in a recording as soon as it is found.

use std::ops::ControlFlow;

use crate::ctc::Piece;
use crate::error::Error;
use crate::intake::Heard;
use crate::options::SpeechToTextOptions;
use crate::recognize::Spoken;
use crate::subtitles::Caption;

/// What is told while a recording is written down.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// It was read up to this second, of so many if that is known. Nothing is heard before all is read.
    Read {
        /// The place in the recording.
        at: f64,
        /// Where it ends.
        of: Option<f64>,
    },
    /// What is said was written down up to this second.
    Heard {
        /// The place in the recording.
        at: f64,
        /// Where it ends.
        of: f64,
    },
    /// More of the text: [`Spoken::text`] is all of these.
    Text(&'a str),
    /// A caption that will not change any more, with its times in the recording; with its words if asked for.
    Caption(&'a Caption),
}

/// Words that are shown together: not those before and behind a pause, nor more than seven seconds of them.
#[derive(Default)]
pub(crate) struct Phrases(Vec<Piece>);

impl Phrases {
    pub fn say(&mut self, words: Vec<Piece>, teller: &mut Teller<'_>) -> Result<(), Error> {
        for word in words {
            if !self.goes_on(&word) {
                self.end(teller)?;
            }
            self.0.push(word);
        }
        Ok(())
    }

    fn goes_on(&self, word: &Piece) -> bool {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else {
            return true;
        };
        word.start - last.end < 0.8 && word.end - first.start < 7.0
    }

    pub fn end(&mut self, teller: &mut Teller<'_>) -> Result<(), Error> {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else {
            return Ok(());
        };
        let (start, end) = (first.start, last.end);
        let texts: Vec<&str> = self.0.iter().map(|word| word.text.as_str()).collect();
        let text = texts.join(" ");
        let spaced = |word: Piece| Piece {
            text: format!(" {}", word.text),
            ..word
        };
        teller.caption(Caption {
            start,
            end,
            text,
            words: self.0.drain(..).map(spaced).collect(),
        })
    }
}

type Tell<'a> = &'a mut dyn FnMut(News<'_>) -> ControlFlow<()>;

/// Puts together what is found, with times in the recording, and tells it.
pub(crate) struct Teller<'a> {
    heard: Heard,
    options: &'a SpeechToTextOptions,
    pub spoken: Spoken,
    /// Blanks behind the text so far, which it does not end with.
    blanks: String,
    /// Nobody is told if there is none.
    tell: Option<Tell<'a>>,
}

impl<'a> Teller<'a> {
    pub fn new(heard: Heard, options: &'a SpeechToTextOptions, tell: Option<Tell<'a>>) -> Self {
        let spoken = Spoken {
            damage: heard.damage,
            ..Spoken::default()
        };
        Self {
            heard,
            options,
            spoken,
            blanks: String::new(),
            tell,
        }
    }

    /// Seconds that are heard.
    pub fn length(&self) -> f64 {
        self.heard.seconds
    }

    fn tell(&mut self, news: News<'_>) -> Result<(), Error> {
        match self.tell.as_mut().map(|tell| tell(news)) {
            Some(ControlFlow::Break(())) => Err(Error::Stopped),
            _ => Ok(()),
        }
    }

    /// More of the text, which has no blanks at its ends.
    pub fn text(&mut self, more: &str) -> Result<(), Error> {
        let text = std::mem::take(&mut self.blanks) + more;
        let text = match self.spoken.text.is_empty() {
            true => text.trim_start(),
            false => &text,
        };
        let now = text.trim_end();
        self.blanks = text[now.len()..].to_string();
        self.spoken.text += now;
        match now.is_empty() {
            true => Ok(()),
            false => self.tell(News::Text(now)),
        }
    }

    /// A caption with its times in what is heard.
    pub fn caption(&mut self, mut caption: Caption) -> Result<(), Error> {
        let Heard {
            voices,
            seconds,
            from,
            ..
        } = &self.heard;
        for word in &mut caption.words {
            let end = word.end.min(*seconds).max(word.start);
            let (start, end) = voices.original_span(word.start, end);
            (word.start, word.end) = (start + from, end + from);
            if !self.options.letters {
                word.letters.clear();
            }
            let mut latest = word.start;
            for letter in &mut word.letters {
                let (start, end) = voices.original_span(letter.start, letter.end);
                letter.start = (start + from).clamp(latest, word.end);
                letter.end = (end + from).clamp(letter.start, word.end);
                latest = letter.end;
            }
        }
        let end = caption.end.min(*seconds).max(caption.start);
        caption.start = voices.original(caption.start, true) + from;
        caption.end = voices.original(end, false).max(caption.start - from) + from;
        if !self.options.words && !self.options.letters {
            caption.words.clear();
        }
        self.tell(News::Caption(&caption))?;
        if self.options.timestamps || self.options.words || self.options.letters {
            self.spoken.captions.push(caption);
        }
        Ok(())
    }

    /// All was heard up to a moment.
    pub fn heard(&mut self, at: f64) -> Result<(), Error> {
        let Heard { voices, from, to, .. } = &self.heard;
        let (at, of) = (voices.original(at, false) + from, *to);
        self.tell(News::Heard { at: at.min(of), of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_and_seven_seconds_end_a_phrase() {
        let word = |start: f64| Piece {
            text: "a".to_string(),
            start,
            end: start + 0.5,
            ..Piece::default()
        };
        let words = [0.0, 0.6, 3.0, 3.6, 4.4, 5.2, 6.0, 6.8, 7.6, 8.4, 9.2, 10.0].map(word);
        let mut lengths = Vec::new();
        let mut phrases = Phrases::default();
        for word in words {
            if !phrases.goes_on(&word) {
                lengths.push(std::mem::take(&mut phrases.0).len());
            }
            phrases.0.push(word);
        }
        lengths.push(phrases.0.len());
        assert_eq!(lengths, [2, 9, 1]);
    }
}

//! Tokens and text while they are written.

/// Turns tokens into text.
pub trait Detokenize {
    /// The text of `ids`; what is no valid UTF-8 becomes U+FFFD.
    fn decode(&self, ids: &[i64]) -> String;
}

impl<F: Fn(&[i64]) -> String> Detokenize for F {
    fn decode(&self, ids: &[i64]) -> String {
        self(ids)
    }
}

/// What a [`TokenSink`] answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// End this sequence.
    StopRow,
    /// End all sequences.
    Stop,
}

/// Is told tokens as soon as they are fixed.
pub trait TokenSink {
    /// `ids` were appended to sequence `row`, counted as in what [`generate`](crate::generate) returns.
    ///
    /// Beam search fixes nothing before its end: it calls with no ids at each step, so that it can be
    /// stopped.
    fn tokens(&mut self, row: usize, ids: &[i64]) -> Flow;
}

impl<F: FnMut(usize, &[i64]) -> Flow> TokenSink for F {
    fn tokens(&mut self, row: usize, ids: &[i64]) -> Flow {
        self(row, ids)
    }
}

const INCOMPLETE: char = '\u{fffd}';

/// Decodes a sequence token by token.
///
/// Holds back what may still change: characters of which bytes are missing, and what may be the beginning
/// of a stop string. What it gives out, put together, is the text of the whole sequence up to the first
/// stop string.
///
/// ```
/// use sensorium_generation::TextStream;
///
/// let letters = |ids: &[i64]| ids.iter().map(|&id| char::from(id as u8)).collect::<String>();
/// let mut stream = TextStream::new(&letters, &["END".to_string()]);
/// let pieces: Vec<String> = "an ENd END.".bytes().map(|byte| stream.push(byte.into())).collect();
/// assert_eq!(pieces, ["a", "n", " ", "", "", "ENd", " ", "", "", "", ""]);
/// assert_eq!(stream.stopped_by(), Some("END"));
/// ```
#[derive(Clone)]
pub struct TextStream<'a> {
    detokenizer: &'a dyn Detokenize,
    stops: Vec<String>,
    ids: Vec<i64>,
    /// Ids before this one are not looked at again.
    context: usize,
    /// The text of the ids before this one is in `text`.
    read: usize,
    text: String,
    /// Bytes of `text` that were given out.
    given: usize,
    stopped: Option<usize>,
}

impl<'a> TextStream<'a> {
    /// An empty text that ends before the first of `stops`.
    pub fn new(detokenizer: &'a dyn Detokenize, stops: &[String]) -> Self {
        Self {
            detokenizer,
            stops: stops.to_vec(),
            ids: Vec::new(),
            context: 0,
            read: 0,
            text: String::new(),
            given: 0,
            stopped: None,
        }
    }

    /// Appends a token and gives out the text that is certain by now.
    pub fn push(&mut self, id: i64) -> String {
        if self.stopped.is_some() {
            return String::new();
        }
        self.ids.push(id);
        let all = self.detokenizer.decode(&self.ids[self.context..]);
        let certain = all.trim_end_matches(INCOMPLETE);
        let new = self.beyond(certain);
        let old = self.text.len();
        self.text += &new;
        self.find_stop(old);
        if self.stopped.is_none() {
            if certain.len() < all.len() {
                // Decoded again with the next token, which may complete the character.
                self.text.truncate(old);
                return String::new();
            }
            if !new.is_empty() {
                self.context = self.read;
                self.read = self.ids.len();
            }
        }
        self.give(self.held())
    }

    /// The text has ended: gives out what was held back.
    pub fn finish(&mut self) -> String {
        if self.stopped.is_none() {
            let all = self.detokenizer.decode(&self.ids[self.context..]);
            let new = self.beyond(&all);
            self.text += &new;
            self.context = self.ids.len();
            self.read = self.ids.len();
        }
        self.give(0)
    }

    /// The stop string that ended the text.
    pub fn stopped_by(&self) -> Option<&str> {
        self.stopped.map(|i| self.stops[i].as_str())
    }

    /// The text so far, with what is held back because a stop string may begin there.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What `text`, decoded from `context` on, has beyond the ids read before.
    fn beyond(&self, text: &str) -> String {
        let before = self.detokenizer.decode(&self.ids[self.context..self.read]);
        text.get(before.len()..).unwrap_or("").to_string()
    }

    /// Looks for the first stop string that ends behind `old`, and cuts the text there.
    fn find_stop(&mut self, old: usize) {
        let mut first: Option<(usize, usize)> = None;
        for (i, stop) in self.stops.iter().enumerate() {
            let mut from = (old + 1).saturating_sub(stop.len());
            while !self.text.is_char_boundary(from) {
                from -= 1;
            }
            if let Some(at) = self.text[from..].find(stop.as_str()) {
                let at = from + at;
                if first.is_none_or(|(best, _)| at < best) {
                    first = Some((at, i));
                }
            }
        }
        if let Some((at, i)) = first {
            self.text.truncate(at);
            self.stopped = Some(i);
        }
    }

    /// Bytes at the end of the text that may begin a stop string.
    fn held(&self) -> usize {
        if self.stopped.is_some() {
            return 0;
        }
        let begins = |stop: &String| {
            let longest = self.text.len().min(stop.len() - 1);
            (1..=longest)
                .rev()
                .find(|&n| stop.is_char_boundary(n) && self.text.as_bytes().ends_with(&stop.as_bytes()[..n]))
        };
        self.stops.iter().filter_map(begins).max().unwrap_or(0)
    }

    fn give(&mut self, held: usize) -> String {
        let end = self.text.len() - held;
        if end <= self.given {
            return String::new();
        }
        let piece = self.text[self.given..end].to_string();
        self.given = end;
        piece
    }
}

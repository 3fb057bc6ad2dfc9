//! Speech to text while it is being said: words are told as soon as two hearings of them agree (local agreement,
//! Macháček et al., arXiv 2307.14743).

use crate::audio::Audio;
use crate::ctc::Piece;
use crate::error::Error;
use crate::recognize::SpeechToText;

/// Hears a stream of samples.
#[derive(Debug)]
pub struct LiveTranscriber<'a> {
    recognizer: &'a SpeechToText,
    rate: u32,
    /// What is still to be understood, from [`begin`](Self::begin) on.
    samples: Vec<f32>,
    /// Samples before them.
    begin: usize,
    /// Samples that came since the last hearing.
    fresh: usize,
    /// Words of the last hearing that are not sure.
    before: Vec<Piece>,
    /// When the last word that was told ends, in seconds.
    told: f64,
}

/// Seconds between two hearings.
const EVERY: f64 = 1.0;
/// Seconds at the end in which a word may not be complete.
const LATEST: f64 = 0.3;
/// Seconds that are heard at once, at most.
const LONGEST: f64 = 20.0;
/// Seconds that are kept where nothing is said.
const SILENCE: f64 = 2.0;

impl<'a> LiveTranscriber<'a> {
    /// Hears samples of one channel at `rate` Hz; `recognizer` must have been opened to tell when
    /// [`words`](crate::SpeechToTextOptions::words) are said.
    pub fn new(recognizer: &'a SpeechToText, rate: u32) -> Self {
        Self {
            recognizer,
            rate,
            samples: Vec::new(),
            begin: 0,
            fresh: 0,
            before: Vec::new(),
            told: 0.0,
        }
    }

    /// Takes more samples and gives back the words that have become sure, with their times in seconds since the
    /// beginning.
    ///
    /// # Errors
    /// If the recogniser fails.
    pub fn push(&mut self, samples: &[f32]) -> Result<Vec<Piece>, Error> {
        let mut words = Vec::new();
        let step = self.samples_of(EVERY);
        // As if they came bit by bit: how they are cut changes nothing.
        for part in samples.chunks(step.max(1)) {
            let (now, later) = part.split_at(part.len().min(step - self.fresh));
            for part in [now, later] {
                self.samples.extend_from_slice(part);
                self.fresh += part.len();
                if self.fresh >= step {
                    words.extend(self.hear(false)?);
                }
            }
        }
        Ok(words)
    }

    /// The words that were not told yet, at the stream's end.
    ///
    /// # Errors
    /// If the recogniser fails.
    pub fn finish(mut self) -> Result<Vec<Piece>, Error> {
        self.hear(true)
    }

    fn samples_of(&self, seconds: f64) -> usize {
        (seconds * f64::from(self.rate)) as usize
    }

    fn seconds_of(&self, samples: usize) -> f64 {
        samples as f64 / f64::from(self.rate)
    }

    fn hear(&mut self, last: bool) -> Result<Vec<Piece>, Error> {
        self.fresh = 0;
        if self.samples.len() < self.samples_of(0.1) {
            return Ok(Vec::new());
        }
        let from = self.seconds_of(self.begin);
        let audio = Audio::new(self.samples.clone(), 1, self.rate)?;
        let spoken = self.recognizer.transcribe(&audio)?;
        let heard = spoken.captions.into_iter().flat_map(|caption| caption.words);
        let mut heard: Vec<Piece> = heard
            .map(|word| Piece {
                start: word.start + from,
                end: word.end + from,
                ..word
            })
            // A word's middle tells whether it is one that was told.
            .filter(|word| (word.start + word.end) / 2.0 > self.told)
            .collect();
        let now = from + self.seconds_of(self.samples.len());
        let full = self.samples.len() > self.samples_of(LONGEST);
        let sure = match last {
            true => heard.len(),
            // A word that never becomes sure must not stop all others.
            false if full => heard.iter().take_while(|word| word.end < now - LATEST).count(),
            false => heard
                .iter()
                .zip(&self.before)
                .take_while(|(new, old)| alike(new, old) && new.end < now - LATEST)
                .count(),
        };
        let rest = heard.split_off(sure);
        if let Some(word) = heard.last() {
            self.told = word.end;
        }
        // What is understood is not heard again; neither is silence.
        let done = match rest.first() {
            Some(next) => self.told.min(next.start),
            None => self.told.max(now - SILENCE),
        };
        let needless = self.samples_of((done - from).max(0.0)).min(self.samples.len());
        let enough = full || rest.is_empty() || self.samples.len() > self.samples_of(LONGEST / 2.0);
        if enough && needless > self.samples_of(EVERY) {
            self.samples.drain(..needless);
            self.begin += needless;
        }
        self.before = rest;
        Ok(heard)
    }
}

/// The same word, small letters and marks aside.
fn alike(a: &Piece, b: &Piece) -> bool {
    let plain = |text: &str| {
        text.chars()
            .filter(|letter| letter.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    plain(&a.text) == plain(&b.text)
}

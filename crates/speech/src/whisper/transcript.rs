//! Recordings as texts with times.

use super::join::{self, Heard, Marks};
use super::lengths::LikelyWord;
use super::words::{self, Word};
use super::{Segment, WhisperOptions, WhisperRecognizer};
use crate::audio::Audio;
use crate::ctc::{Chunks, Piece};
use crate::error::Error;

/// What is said in a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transcript {
    /// All of it.
    pub text: String,
    /// Its parts, between the times that the model tells.
    pub chunks: Vec<Chunk>,
}

/// Something said between two times.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// What is said.
    pub text: String,
    /// When it begins, in seconds, if the model says so.
    pub start: Option<f64>,
    /// When it ends, in seconds, if the model says so.
    pub end: Option<f64>,
    /// Its words, if asked for.
    pub words: Vec<Piece>,
}

impl WhisperRecognizer {
    /// What is said in `audio`, heard window by window or, independently of each other, in `chunks` that overlap.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe).
    pub fn read(
        &self,
        audio: &Audio,
        options: &WhisperOptions,
        chunks: Option<Chunks>,
    ) -> Result<Transcript, Error> {
        let samples = audio.mono_at(self.rate())?;
        let pieces = match chunks {
            None => vec![self.heard(samples, options, None)?],
            Some(chunks) => self.in_chunks(&samples, options, chunks)?,
        };
        let marks = Marks {
            end: self.tokens.end,
            first_time: self.tokens.first_time,
        };
        let mut transcript = Transcript::default();
        for span in join::spans(&pieces, marks) {
            let text = self.text(&span.ids)?;
            transcript.text += &text;
            transcript.chunks.push(Chunk {
                text,
                start: span.start,
                end: span.end,
                words: self.timed(&span.ids, &span.times, options.language.as_deref())?,
            });
        }
        Ok(transcript)
    }

    /// A segment as text with its words, if it knows when its tokens are said.
    ///
    /// # Errors
    /// If the tokenizer refuses the tokens.
    pub fn chunk(&self, segment: &Segment) -> Result<Chunk, Error> {
        let (ids, times, _) = self.spoken(segment);
        let words = match segment.words.as_slice() {
            [] => self.timed(&ids, &times, segment.language.as_deref())?,
            words => words.to_vec(),
        };
        Ok(Chunk {
            text: self.text(&ids)?,
            start: Some(segment.start),
            end: Some(segment.end),
            words,
        })
    }

    /// The words of a segment that knows when its tokens are said and how likely they are; marks are words of their own.
    pub(super) fn likely_words(&self, segment: &Segment) -> Result<Vec<LikelyWord>, Error> {
        let (ids, times, log_probs) = self.spoken(segment);
        let words = words::words_and_marks(
            &self.tokenizer,
            &ids,
            self.tokens.end,
            segment.language.as_deref(),
        )?;
        let word = |word: Word| {
            let span = span(&word, &times)?;
            let likely = |&token: &usize| f64::from(log_probs.get(token).copied().unwrap_or_default()).exp();
            let probability = word.tokens.iter().map(likely).sum::<f64>() / word.tokens.len() as f64;
            Some(LikelyWord {
                text: word.text,
                start: span[0],
                end: span[1],
                probability,
            })
        };
        Ok(words.into_iter().filter_map(word).collect())
    }

    /// The tokens of words in a segment, with begin and end and with their likelihoods as far as they are known.
    fn spoken(&self, segment: &Segment) -> (Vec<i64>, Vec<[f64; 2]>, Vec<f32>) {
        let (mut ids, mut times, mut log_probs) = (Vec::new(), Vec::new(), Vec::new());
        let mut start = segment.start;
        for (i, &id) in segment.ids.iter().enumerate() {
            let end = segment.times.get(i).copied().map(join::rounded);
            if id < self.tokens.end {
                ids.push(id);
                times.extend(end.map(|end| [start, end]));
                log_probs.extend(segment.log_probs.get(i));
            }
            start = end.unwrap_or(start);
        }
        (ids, times, log_probs)
    }

    /// The words of `ids`, of which `times` are begin and end.
    fn timed(&self, ids: &[i64], times: &[[f64; 2]], language: Option<&str>) -> Result<Vec<Piece>, Error> {
        if times.is_empty() {
            return Ok(Vec::new());
        }
        let words = words::words(&self.tokenizer, ids, self.tokens.end, language)?;
        let words = words.into_iter().filter_map(|word| {
            let [start, end] = span(&word, times)?;
            Some(Piece {
                start,
                end,
                text: word.text,
                ..Piece::default()
            })
        });
        Ok(words.collect())
    }

    fn heard(
        &self,
        samples: Vec<f32>,
        options: &WhisperOptions,
        shared: Option<[f64; 3]>,
    ) -> Result<Heard, Error> {
        let mut heard = Heard {
            shared,
            ..Heard::default()
        };
        for segment in self.segments(samples, options)? {
            heard.ids.extend(segment.ids);
            heard.times.extend(segment.times);
        }
        Ok(heard)
    }

    /// Cut as the reference's pipeline cuts.
    fn in_chunks(
        &self,
        samples: &[f32],
        options: &WhisperOptions,
        chunks: Chunks,
    ) -> Result<Vec<Heard>, Error> {
        let rate = f64::from(self.rate());
        let samples_of = |seconds: f64| (seconds * rate).round_ties_even() as usize;
        let (length, left, right) = (
            samples_of(chunks.length),
            samples_of(chunks.left),
            samples_of(chunks.right),
        );
        let step = length.saturating_sub(left + right).max(1);
        let mut pieces = Vec::new();
        for begin in (0..samples.len()).step_by(step) {
            let end = (begin + length).min(samples.len());
            let last = begin + length >= samples.len();
            let left = if begin == 0 { 0 } else { left };
            let right = if last { 0 } else { right };
            if end - begin > left {
                let shared = [end - begin, left, right].map(|samples| samples as f64 / rate);
                pieces.push(self.heard(samples[begin..end].to_vec(), options, Some(shared))?);
            }
            if last {
                break;
            }
        }
        Ok(pieces)
    }
}

/// Begin and end of a word.
fn span(word: &Word, times: &[[f64; 2]]) -> Option<[f64; 2]> {
    let (first, last) = (word.tokens.first()?, word.tokens.last()?);
    Some([times.get(*first)?[0], times.get(*last)?[1]])
}

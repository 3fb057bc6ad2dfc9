//! A part of a recording, window by window: each begins where the words before it end, and is told what was said
//! before.

use std::collections::VecDeque;
use std::ops::Range;

use super::inventions::{self, Surroundings};
use super::join::rounded;
use super::lengths::Lengths;
use super::segments::{self, Place, Segment};
use super::words::with_marks;
use super::write::{Answer, Request};
use super::{Checks, STEP, WhisperOptions, WhisperRecognizer};
use crate::ctc::Piece;
use crate::error::Error;

/// Frames in a second.
pub(super) const RATE: f64 = 2.0 / STEP;
/// Windows that understand less than so many frames do not go on well,
const SHORT: i64 = 200;
/// and after so many of them all that is written is taken, so that every recording comes to an end.
const PATIENCE: u32 = 3;

/// A part of a recording that is being heard.
#[derive(Debug)]
pub(super) struct Part {
    /// Number of the recording, and of the part in it.
    pub recording: usize,
    pub number: usize,
    /// Whether it is all of the recording.
    pub alone: bool,
    /// Frames that are to be heard.
    clips: VecDeque<Range<i64>>,
    /// Where the next window begins, in frames.
    seek: i64,
    /// What was said before.
    before: Vec<i64>,
    /// Windows one after the other of which little was understood.
    short: u32,
    /// When the last word ended, in seconds.
    last_word: f64,
}

/// A window of a part, in frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub seek: i64,
    pub frames: i64,
    /// Where the clip ends that it is of.
    pub end: i64,
}

/// What is known of a recording.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub options: &'a WhisperOptions,
    /// Its frames.
    pub frames: i64,
    pub language: Option<&'a str>,
}

impl Part {
    pub fn new(
        recording: usize,
        number: usize,
        alone: bool,
        clips: Vec<Range<i64>>,
        options: &WhisperOptions,
    ) -> Self {
        let begin = clips.first().map_or(0, |clip| clip.start);
        let mut part = Self {
            recording,
            number,
            alone,
            clips: clips.into(),
            seek: 0,
            before: options.prompt.clone(),
            short: 0,
            last_word: begin as f64 / RATE,
        };
        part.go_to(0);
        part
    }

    /// The next window, of at most `most` frames; none at the end.
    pub fn window(&self, most: i64) -> Option<Window> {
        let end = self.clips.front()?.end;
        Some(Window {
            seek: self.seek,
            frames: (end - self.seek).min(most),
            end,
        })
    }

    /// Goes on at the frame `seek`, or at the next clip.
    pub fn go_to(&mut self, seek: i64) {
        self.seek = seek;
        while self.clips.front().is_some_and(|clip| clip.end <= self.seek) {
            self.clips.pop_front();
        }
        if let Some(clip) = self.clips.front() {
            self.seek = self.seek.max(clip.start);
        }
    }

    /// What its next window is to be written with, where `wanted` is wanted.
    pub fn request(&self, model: &WhisperRecognizer, wanted: &[i64], options: &WhisperOptions) -> Request {
        let mut prompt = model.reminded(&self.before, &options.hot_words);
        prompt.extend(wanted);
        let seed = options.generation.seed.unwrap_or(0);
        Request {
            prompt,
            wanted: wanted.len(),
            timestamps: wanted.last() != Some(&model.tokens.no_timestamps),
            // Of the place in the recording alone: it does not matter what else is heard at once.
            seed: seed.wrapping_add((self.seek as u64) << 8),
        }
    }

    /// Takes what was written for `window`, with the times of its tokens if they are known: goes on to the next one,
    /// and gives back the segments.
    pub fn take(
        &mut self,
        model: &WhisperRecognizer,
        window: Window,
        (answer, times): (Answer, Vec<f64>),
        about: About<'_>,
    ) -> Result<Vec<Segment>, Error> {
        let Window { seek, frames, end } = window;
        let Answer {
            written,
            temperature,
            quality,
        } = answer;
        let Some(written) = written else {
            self.go_to(seek + frames); // nobody speaks
            return Ok(Vec::new());
        };
        let checks = about.options.checks.as_ref();
        let place = Place {
            offset: seek as f64 / RATE,
            frames,
            whole: checks.is_some() && self.short >= PATIENCE,
        };
        let found = segments::split(written, times, model.tokens.first_time, place);
        let mut segments = found.segments;
        for segment in &mut segments {
            segment.temperature = temperature;
            segment.quality = quality;
            segment.language = about.language.map(str::to_string);
        }
        let mut next = seek + found.frames.clamp(1, frames);
        if checks.is_some() && (about.options.words || about.options.reviews()) {
            let place = Surroundings {
                seek,
                frames,
                window: model.model.frames(),
                next,
                ends_alone: found.ends_alone,
                content: about.frames,
                last_word: self.last_word,
            };
            next = self
                .time(model, &mut segments, place, checks)?
                .clamp(seek + 1, end);
        }
        if let Some(checks) = checks {
            self.remember(model, &mut segments, temperature, checks)?;
        }
        self.short = if next - seek < SHORT { self.short + 1 } else { 0 };
        self.go_to(next);
        if !self.alone {
            let end = end as f64 / RATE;
            for segment in &mut segments {
                let words = segment
                    .words
                    .iter_mut()
                    .map(|word| (&mut word.start, &mut word.end));
                for (from, to) in words.chain([(&mut segment.start, &mut segment.end)]) {
                    (*from, *to) = (from.min(end), to.min(end));
                }
            }
        }
        Ok(segments)
    }

    /// Finds when the words of segments are said, leaves out those that nobody said if that is asked for, and says where
    /// the next window begins: behind the last word.
    fn time(
        &mut self,
        model: &WhisperRecognizer,
        segments: &mut Vec<Segment>,
        place: Surroundings,
        checks: Option<&Checks>,
    ) -> Result<i64, Error> {
        let mut spoken: Vec<_> = segments
            .iter()
            .map(|segment| model.likely_words(segment))
            .collect::<Result<_, _>>()?;
        let lengths = Lengths::of(&spoken);
        lengths.shorten_at_marks(&mut spoken);
        let mut before = self.last_word;
        for (segment, words) in segments.iter_mut().zip(&mut spoken) {
            *words = with_marks(std::mem::take(words));
            for word in words.iter_mut() {
                (word.start, word.end) = (rounded(word.start), rounded(word.end));
            }
            // What is compared with them, too: where a recording begins must not tell which of two equal times is less.
            (segment.start, segment.end) = (rounded(segment.start), rounded(segment.end));
            lengths.fit(words, (&mut segment.start, &mut segment.end), before);
            if !words.is_empty() {
                before = segment.end;
            }
            segment.words = words
                .iter()
                .map(|word| Piece {
                    text: word.text.clone(),
                    start: rounded(word.start),
                    end: rounded(word.end),
                    ..Piece::default()
                })
                .collect();
        }
        if let Some(threshold) = checks.and_then(|checks| checks.hallucination_silence) {
            let review = inventions::review(&spoken, place, threshold);
            segments.truncate(review.keep);
            self.last_word = review.last_word;
            return Ok(review.next);
        }
        let Some(last) = spoken.iter().flatten().last().map(|word| word.end) else {
            return Ok(place.next);
        };
        self.last_word = last;
        let behind = (last * RATE).round() as i64;
        // Where little is understood again and again it would never come to an end.
        let patient = self.short < PATIENCE;
        Ok(match behind > place.seek && !place.ends_alone && patient {
            true => behind,
            false => place.next,
        })
    }

    /// Leaves out segments without words or length, and keeps what was said for the next window.
    fn remember(
        &mut self,
        model: &WhisperRecognizer,
        segments: &mut Vec<Segment>,
        temperature: f64,
        checks: &Checks,
    ) -> Result<(), Error> {
        let mut said = Vec::new();
        for segment in std::mem::take(segments) {
            let blank = model.text(&segment.ids)?.trim().is_empty();
            if !blank && segment.start != segment.end {
                said.push(segment);
            }
        }
        *segments = said;
        let ids = segments.iter().flat_map(|segment| segment.ids.iter().copied());
        let sure = checks.condition_on_previous && temperature <= Checks::UNSURE;
        self.before = model.remembered(&self.before, ids, sure);
        Ok(())
    }
}

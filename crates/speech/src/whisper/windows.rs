//! A part of a recording, window by window: each begins where the words before it end, and is told what was said
//! before.

use std::collections::VecDeque;
use std::ops::Range;

use super::inventions::{self, Surroundings};
use super::segments::{self, Place, Segment};
use super::write::{Answer, Request};
use super::{Checks, STEP, WhisperOptions, WhisperRecognizer};
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
        let mut part = Self {
            recording,
            number,
            alone,
            clips: clips.into(),
            seek: 0,
            before: options.prompt.clone(),
            short: 0,
            last_word: 0.0,
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
        if let Some(threshold) = checks.and_then(|checks| checks.hallucination_silence) {
            let spoken: Vec<_> = segments
                .iter()
                .map(|segment| model.likely_words(segment))
                .collect::<Result<_, _>>()?;
            let surroundings = Surroundings {
                seek,
                frames,
                window: model.model.frames(),
                next,
                ends_alone: found.ends_alone,
                content: about.frames,
                last_word: self.last_word,
            };
            let review = inventions::review(&spoken, surroundings, threshold);
            segments.truncate(review.keep);
            next = review.next.clamp(seek + 1, end);
            self.last_word = review.last_word;
        }
        if let Some(checks) = checks {
            self.remember(model, &mut segments, temperature, checks)?;
        }
        self.short = if next - seek < SHORT { self.short + 1 } else { 0 };
        self.go_to(next);
        if !self.alone {
            let end = end as f64 / RATE;
            for segment in &mut segments {
                segment.start = segment.start.min(end);
                segment.end = segment.end.min(end);
            }
        }
        Ok(segments)
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

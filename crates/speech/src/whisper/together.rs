//! Recordings side by side: the windows of several parts are encoded together and written together, and what is heard
//! to its end makes room for the next.
//!
//! A part's words do not depend on what is heard beside it; one after the other is a batch of one.

use std::collections::VecDeque;

use tch::Tensor;

use super::recording::Recording;
use super::segments::Segment;
use super::windows::{About, Part, Window};
use super::write::Answer;
use super::{WhisperOptions, WhisperRecognizer};
use crate::error::Error;
use crate::features::Spectrogram;

/// What is told of a recording.
#[derive(Debug)]
pub enum Said {
    /// The next segment.
    Segment(Segment),
    /// All of it was heard; or why the rest was not. Nothing follows.
    End(Result<(), Error>),
}

/// Is told what is heard of the recording of a number.
type Each<'e> = &'e mut dyn FnMut(usize, Said) -> Result<(), Error>;

/// A recording that is being heard.
struct Open<'a> {
    number: usize,
    /// None when all is heard.
    mels: Option<Box<dyn Spectrogram + 'a>>,
    frames: i64,
    sound: i64,
    /// Parts that wait.
    waiting: VecDeque<Part>,
    /// What the model is asked for, once the language is known.
    wanted: Option<Vec<i64>>,
    order: Order,
    /// Whether its end was told.
    ended: bool,
}

/// Tells segments in the order of their parts.
#[derive(Debug, Default)]
struct Order {
    /// The part whose segments are told at once.
    now: usize,
    /// For each part what is to be told, and whether it is heard to its end.
    parts: Vec<(Vec<Segment>, bool)>,
}

impl WhisperRecognizer {
    /// What is said in `recordings`, of which windows of up to `most` parts are heard at once; the next recording is taken
    /// when there is room for it. `each` is told the number of a recording and its segments, each as soon as it and all
    /// before it are known, and then how it ended: one that cannot be heard leaves the others alone, and so does an error
    /// of `each`, which ends the recording that it is told of.
    ///
    /// Words, times and likelihoods are the same, rounding aside, however many parts are heard at once.
    pub fn hear_together<'a>(
        &self,
        recordings: impl IntoIterator<Item = Result<Recording<'a>, Error>>,
        most: usize,
        options: &WhisperOptions,
        each: Each<'_>,
    ) {
        let mut recordings = recordings.into_iter();
        let mut open: Vec<Open<'a>> = Vec::new();
        let mut active: Vec<Part> = Vec::new();
        loop {
            while active.len() < most.max(1) {
                if let Some(part) = open.last_mut().and_then(|last| last.waiting.pop_front()) {
                    active.push(part);
                } else if let Some(recording) = recordings.next() {
                    open.push(Open::new(open.len(), recording, options, each));
                } else {
                    break;
                }
            }
            if active.is_empty() {
                return;
            }
            self.round(&mut active, &mut open, options, each);
        }
    }

    /// Hears the next window of each of the active parts; those that end leave.
    fn round(&self, active: &mut Vec<Part>, open: &mut [Open<'_>], options: &WhisperOptions, each: Each<'_>) {
        let (mut windows, mut mels) = (Vec::new(), Vec::new());
        active.retain_mut(|part| {
            let recording = &mut open[part.recording];
            match self.next_window(part, recording, options) {
                Ok(Some((window, part))) => {
                    windows.push(window);
                    mels.push(part);
                    true
                }
                Ok(None) => {
                    recording.end(part, each);
                    false
                }
                Err(error) => {
                    recording.end_with(Err(error), each);
                    false
                }
            }
        });
        if windows.is_empty() {
            return;
        }
        let memory = tch::no_grad(|| {
            let mels = Tensor::stack(&mels, 0).to_device(self.device);
            self.model.remember(&self.model.encode(&mels))
        });
        let mut requests = Vec::new();
        for (row, part) in active.iter().enumerate() {
            let recording = &mut open[part.recording];
            let timestamps = self.needs_times(recording.frames, options);
            if recording.wanted.is_none() {
                match self.wanted(options, timestamps, || self.language(&memory, row)) {
                    Ok(wanted) => recording.wanted = Some(wanted),
                    Err(error) => recording.end_with(Err(error), each),
                }
            }
            // Where there is none the recording has failed.
            let wanted = recording.wanted.as_deref().unwrap_or(&[0]);
            requests.push(part.request(self, wanted, options));
        }
        let answers = self.answers(&memory, &requests, options);
        let mut rows = windows.into_iter().zip(requests).zip(answers).enumerate();
        active.retain_mut(|part| {
            let Some((row, ((window, request), answer))) = rows.next() else {
                return false;
            };
            let recording = &mut open[part.recording];
            let taken = answer.and_then(|answer| {
                let times = match &answer.written {
                    Some(written) if options.words || options.reviews() => {
                        let steps = (recording.sound.min(window.end) - window.seek) / 2;
                        self.token_times(&memory, row, &request.prompt, written, steps)
                    }
                    _ => Vec::new(),
                };
                self.taken(part, recording, window, (answer, times), options)
            });
            match taken {
                Ok(segments) => recording.tell(part, segments, each),
                Err(error) => recording.end_with(Err(error), each),
            }
            if recording.ended {
                return false;
            }
            let goes_on = part.window(1).is_some();
            if !goes_on {
                recording.end(part, each);
            }
            goes_on
        });
    }

    fn taken(
        &self,
        part: &mut Part,
        recording: &Open<'_>,
        window: Window,
        answer: (Answer, Vec<f64>),
        options: &WhisperOptions,
    ) -> Result<Vec<Segment>, Error> {
        let wanted = recording.wanted.as_deref().unwrap_or_default();
        let language = wanted.get(1).and_then(|&id| self.tokens.language_of(id));
        let about = About {
            options,
            frames: recording.frames,
            language,
        };
        part.take(self, window, answer, about)
    }

    /// The next window in which there is something to hear, and its spectrogram.
    fn next_window(
        &self,
        part: &mut Part,
        recording: &mut Open<'_>,
        options: &WhisperOptions,
    ) -> Result<Option<(Window, Tensor)>, Error> {
        let most = self.model.frames();
        let Some(mels) = recording.mels.as_mut().filter(|_| !recording.ended) else {
            return Ok(None);
        };
        while let Some(window) = part.window(most) {
            let heard = mels.part(window.seek, window.frames)?;
            // As quiet everywhere as can be: no model is needed to know that nobody speaks.
            let silent = || heard.max().double_value(&[]) <= heard.min().double_value(&[]);
            if options.checks.is_none() || !silent() {
                return Ok(Some((window, heard.constant_pad_nd([0, most - window.frames]))));
            }
            part.go_to(window.seek + window.frames);
        }
        Ok(None)
    }

    /// Whether the model must tell times, in a recording of so many frames.
    fn needs_times(&self, frames: i64, options: &WhisperOptions) -> bool {
        options.timestamps || options.words || options.reviews() || frames > self.model.frames()
    }
}

impl<'a> Open<'a> {
    fn new(
        number: usize,
        recording: Result<Recording<'a>, Error>,
        options: &WhisperOptions,
        each: Each<'_>,
    ) -> Self {
        let (mels, parts, failed) = match recording {
            Ok(Recording { mels, parts }) => (Some(mels), parts, None),
            Err(error) => (None, Vec::new(), Some(error)),
        };
        let count = parts.len();
        let part = |(i, clips)| Part::new(number, i, count == 1, clips, options);
        let mut open = Self {
            number,
            frames: mels.as_ref().map_or(0, |mels| mels.frames()),
            sound: mels.as_ref().map_or(0, |mels| mels.sound()),
            mels,
            waiting: parts.into_iter().enumerate().map(part).collect(),
            wanted: None,
            order: Order::new(count),
            ended: false,
        };
        if failed.is_some() || count == 0 {
            open.end_with(failed.map_or(Ok(()), Err), each);
        }
        open
    }

    fn tell(&mut self, part: &Part, segments: Vec<Segment>, each: Each<'_>) {
        let told = self.order.push(part.number, segments);
        self.told(told, each);
    }

    /// What is done when `part` is heard to its end.
    fn end(&mut self, part: &Part, each: Each<'_>) {
        let told = self.order.end(part.number);
        self.told(told, each);
        if self.order.is_done() {
            self.end_with(Ok(()), each);
        }
    }

    fn told(&mut self, segments: Vec<Segment>, each: Each<'_>) {
        for segment in segments {
            if self.ended {
                return;
            }
            if let Err(error) = each(self.number, Said::Segment(segment)) {
                self.end_with(Err(error), each);
            }
        }
    }

    /// Tells the end, once, and lets go of what is open.
    fn end_with(&mut self, result: Result<(), Error>, each: Each<'_>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.mels = None;
        self.waiting.clear();
        // It ends anyway.
        let _ = each(self.number, Said::End(result));
    }
}

impl Order {
    fn new(parts: usize) -> Self {
        Self {
            now: 0,
            parts: (0..parts).map(|_| (Vec::new(), false)).collect(),
        }
    }

    fn is_done(&self) -> bool {
        self.now == self.parts.len()
    }

    /// Takes segments of a part, and gives back those that can be told.
    fn push(&mut self, part: usize, segments: Vec<Segment>) -> Vec<Segment> {
        if part == self.now {
            return segments;
        }
        self.parts[part].0.extend(segments);
        Vec::new()
    }

    /// Ends a part, and gives back the segments of the next ones, which can be told.
    fn end(&mut self, part: usize) -> Vec<Segment> {
        self.parts[part].1 = true;
        let mut told = Vec::new();
        while self.parts.get(self.now).is_some_and(|part| part.1) {
            self.now += 1;
            if let Some(next) = self.parts.get_mut(self.now) {
                told.append(&mut next.0);
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_told_in_order() {
        let segment = |start: f64| Segment {
            start,
            ..Segment::default()
        };
        let starts = |segments: Vec<Segment>| -> Vec<f64> { segments.iter().map(|s| s.start).collect() };
        let mut order = Order::new(3);
        assert_eq!(starts(order.push(0, vec![segment(0.0)])), [0.0]);
        assert!(order.push(2, vec![segment(20.0)]).is_empty());
        assert!(order.push(1, vec![segment(10.0)]).is_empty());
        assert!(order.end(2).is_empty());
        assert_eq!(starts(order.end(0)), [10.0]);
        assert_eq!(starts(order.push(1, vec![segment(11.0)])), [11.0]);
        assert!(!order.is_done());
        assert_eq!(starts(order.end(1)), [20.0]);
        assert!(order.is_done());
    }
}

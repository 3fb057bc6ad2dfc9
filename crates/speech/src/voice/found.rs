//! Voices, made of how likely there is one in each frame.

use super::{RATE, VoiceActivity, Voices};

/// The voices among the frames so far.
pub(super) struct Found {
    pub activity: VoiceActivity,
    /// Samples of a frame.
    frame: usize,
    /// Those that have ended, without margins. The last may still go on.
    spans: Vec<(f64, f64)>,
    /// When the one began that is heard now.
    begin: Option<f64>,
    frames: usize,
    /// The likeliest voice of all frames.
    pub likeliest: f32,
}

impl Found {
    pub fn new(activity: VoiceActivity, frame: usize) -> Self {
        Self {
            activity,
            frame,
            spans: Vec::new(),
            begin: None,
            frames: 0,
            likeliest: 0.0,
        }
    }

    /// Up to where frames were judged, in seconds.
    pub fn now(&self) -> f64 {
        self.frames as f64 * self.frame as f64 / f64::from(RATE)
    }

    /// The length of recordings that are too short for a pause.
    pub fn shortest(&self) -> f64 {
        self.activity.least_pause + self.activity.margin
    }

    /// Takes the next frame's likelihood.
    pub fn judge(&mut self, likelihood: f32) {
        self.likeliest = self.likeliest.max(likelihood);
        match self.begin {
            None if likelihood >= self.activity.threshold => self.begin = Some(self.now()),
            Some(from) if likelihood < self.activity.lasting => self.end(from),
            _ => {}
        }
        self.frames += 1;
        if self.begin.is_none() && !self.joins(self.now()) {
            self.leave_out_noise();
        }
    }

    fn end(&mut self, from: f64) {
        let now = self.now();
        match self.spans.last_mut() {
            Some(last) if from - last.1 < self.activity.least_pause => last.1 = now,
            _ => self.spans.push((from, now)),
        }
        self.begin = None;
    }

    /// Whether what begins then is part of the last voice.
    fn joins(&self, begin: f64) -> bool {
        let last = self.spans.last();
        last.is_some_and(|last| begin - last.1 < self.activity.least_pause)
    }

    fn leave_out_noise(&mut self) {
        self.spans
            .pop_if(|last| last.1 - last.0 < self.activity.least_voice);
    }

    /// The voice with that number with its margins, without what is part of the one before.
    fn widened(&self, number: usize, (begin, end): (f64, f64)) -> (f64, f64) {
        let margin = self.activity.margin;
        let before = number
            .checked_sub(1)
            .map_or(0.0, |before| self.spans[before].1 + margin);
        ((begin - margin).max(before), end + margin)
    }

    /// The voices from the one with that number on, as far as they are known, and up to where they are.
    pub fn spans_from(&self, number: usize) -> (Vec<(f64, f64)>, f64) {
        let VoiceActivity {
            least_voice, margin, ..
        } = self.activity;
        let goes_on = self.joins(self.begin.unwrap_or(self.now()));
        let ended = self.spans.len() - usize::from(goes_on);
        let last = self.spans.last().filter(|_| goes_on);
        let end = self.begin.map(|_| self.now()).or(last.map(|last| last.1));
        let ongoing = last.map(|last| last.0).or(self.begin).zip(end);
        let span = |number| self.widened(number, self.spans[number]);
        let mut spans: Vec<(f64, f64)> = (number..ended).map(span).collect();
        let sure = match ongoing {
            Some((begin, end)) if end - begin >= least_voice => {
                spans.push(self.widened(ended, (begin, f64::INFINITY)));
                end
            }
            Some((begin, _)) => begin - margin,
            None => self.now() - margin,
        };
        (spans, sure)
    }

    /// All voices of a recording of `length` seconds.
    pub fn finish(&mut self, length: f64) -> Voices {
        if let Some(from) = self.begin {
            self.end(from);
        }
        self.leave_out_noise();
        let spans = self.spans.iter().enumerate().map(|(number, &span)| {
            let (begin, end) = self.widened(number, span);
            (begin, end.min(length))
        });
        Voices {
            spans: spans.collect(),
        }
    }
}

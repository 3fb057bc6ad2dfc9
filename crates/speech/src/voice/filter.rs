//! Recordings without their pauses.

use super::detector::Detector;
use super::found::Found;
use super::{RATE, VoiceActivity, Voices};
use crate::audio::{AudioError, Resampler};

/// Leaves out where nobody speaks, while a recording comes: what is judged already is not kept.
pub(crate) struct VoiceFilter<'a> {
    rate: u32,
    resampler: Resampler,
    detector: Box<dyn Detector + 'a>,
    /// Samples at [`RATE`] that are not judged yet.
    unheard: Vec<f32>,
    pub(super) found: Found,
    /// Samples of which it is not known whether they are voices.
    pub(super) waiting: Vec<f32>,
    /// Samples before them.
    before: usize,
    /// Voices before them.
    pub(super) passed: usize,
}

impl<'a> VoiceFilter<'a> {
    /// Takes samples at `rate` Hz.
    pub fn new(
        activity: VoiceActivity,
        detector: Box<dyn Detector + 'a>,
        rate: u32,
    ) -> Result<Self, AudioError> {
        Ok(Self {
            rate,
            resampler: Resampler::new(rate, RATE)?,
            found: Found::new(activity, detector.frame()),
            detector,
            unheard: Vec::new(),
            waiting: Vec::new(),
            before: 0,
            passed: 0,
        })
    }

    /// Takes samples; puts those that are surely voices behind the ones in `voiced`.
    pub fn push(&mut self, samples: &[f32], voiced: &mut Vec<f32>) -> Result<(), AudioError> {
        self.waiting.extend_from_slice(samples);
        self.resampler.push(samples, &mut self.unheard)?;
        self.judge(self.detector.frame() * self.detector.together());
        self.pass_sure(voiced);
        Ok(())
    }

    /// The end: the voices that are left, and where all of them are.
    pub fn finish(mut self, voiced: &mut Vec<f32>) -> Result<Voices, AudioError> {
        let length = (self.before + self.waiting.len()) as f64 / f64::from(self.rate);
        self.resampler.finish(&mut self.unheard)?;
        let frame = self.detector.frame();
        self.judge(frame * self.detector.together());
        self.unheard
            .resize(self.unheard.len().next_multiple_of(frame), 0.0);
        self.judge(self.unheard.len());
        if length <= self.found.shortest() {
            let long_enough = length >= self.found.activity.least_voice;
            if long_enough && self.found.likeliest < self.detector.least_of_short() {
                return Ok(Voices::default());
            }
            voiced.append(&mut self.waiting);
            return Ok(Voices::whole(length));
        }
        let voices = self.found.finish(length);
        self.pass(&voices.spans[self.passed..], f64::INFINITY, voiced);
        Ok(voices)
    }

    /// Judges so many samples at a time, as long as there are as many.
    fn judge(&mut self, together: usize) {
        let whole = self.unheard.len() / together.max(1) * together;
        for samples in self.unheard[..whole].chunks_mut(together.max(1)) {
            let found = &mut self.found;
            self.detector
                .judge(samples, &mut |likelihood| found.judge(likelihood));
        }
        self.unheard.drain(..whole);
    }

    pub(super) fn pass_sure(&mut self, voiced: &mut Vec<f32>) {
        if self.found.now() > self.found.shortest() {
            let (spans, sure) = self.found.spans_from(self.passed);
            self.pass(&spans, sure, voiced);
        }
    }

    /// Lets pass what is in `spans`, and forgets all before the moment `sure`.
    pub(super) fn pass(&mut self, spans: &[(f64, f64)], sure: f64, voiced: &mut Vec<f32>) {
        let rate = f64::from(self.rate);
        // Infinity becomes the largest number.
        let place = |seconds: f64| (seconds.max(0.0) * rate).round() as usize;
        let sure = place(sure).clamp(self.before, self.before + self.waiting.len());
        for &(begin, end) in spans {
            let from = place(begin).clamp(self.before, sure);
            let to = place(end).clamp(from, sure);
            voiced.extend_from_slice(&self.waiting[from - self.before..to - self.before]);
            self.passed += usize::from(place(end) <= sure);
        }
        self.waiting.drain(..sure - self.before);
        self.before = sure;
    }
}

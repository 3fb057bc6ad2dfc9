//! Where in a recording somebody speaks, found by `earshot`, so that silence is not written down as words.

use earshot::Detector;

use crate::audio::{Audio, AudioError, Resampler};
use crate::features::Samples;

/// The rate at which voices are looked for, in Hz.
const RATE: u32 = 16000;
/// Samples that are judged together.
const FRAME: usize = 256;

/// The likeliest moment of a recording that is too short for a pause, if there may be a word in it: single words, cut off
/// closely, have 0.45 and more, silence, hum and quiet noise less than 0.38.
const LEAST_OF_SHORT: f32 = 0.4;

/// How voices are told from pauses. The rules are those of Silero's detector, the lengths those that faster-whisper
/// gives it: only long pauses are left out, as short ones help to follow what is said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VoiceActivity {
    /// A voice begins where its likelihood is at least this.
    pub threshold: f32,
    /// It goes on while its likelihood is at least this.
    pub lasting: f32,
    /// A shorter voice is a noise, in seconds.
    pub least_voice: f64,
    /// A shorter pause is part of what is said, in seconds.
    pub least_pause: f64,
    /// What is kept before and behind a voice, in seconds.
    pub margin: f64,
}

impl Default for VoiceActivity {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            lasting: 0.35,
            least_voice: 0.1,
            least_pause: 2.0,
            margin: 0.4,
        }
    }
}

/// The parts of a recording in which somebody speaks: begin and end in seconds, in order, apart from each other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Voices {
    /// The parts.
    pub spans: Vec<(f64, f64)>,
}

impl VoiceActivity {
    /// Finds the voices in `audio`. A recording too short for a pause is one voice from begin to end, or
    /// none.
    ///
    /// # Errors
    /// If its rate makes no sense.
    pub fn find(&self, audio: &Audio) -> Result<Voices, AudioError> {
        self.find_in(&mut audio.mono().as_ref(), audio.rate())
    }

    /// Finds the voices in samples of one channel at `rate` Hz, of which few are in memory at a time.
    pub(crate) fn find_in(&self, samples: &mut dyn Samples, rate: u32) -> Result<Voices, AudioError> {
        const BLOCK: usize = 1 << 14;
        let mut filter = VoiceFilter::new(*self, rate)?;
        let (mut block, mut voiced) = (vec![0.0; BLOCK], Vec::new());
        let count = samples.count();
        for from in (0..count).step_by(BLOCK) {
            let block = &mut block[..BLOCK.min(count - from)];
            samples.read(from, block)?;
            filter.push(block, &mut voiced)?;
            voiced.clear();
        }
        filter.finish(&mut voiced)
    }
}

/// Pauses between words, by which long recordings are cut.
pub(crate) const PAUSES: VoiceActivity = VoiceActivity {
    threshold: 0.5,
    lasting: 0.35,
    least_voice: 0.0,
    least_pause: 0.1,
    margin: 0.0,
};

/// Leaves out where nobody speaks, while a recording comes: what is judged already is not kept.
pub(crate) struct VoiceFilter {
    rate: u32,
    resampler: Resampler,
    detector: Box<Detector>,
    /// Samples at [`RATE`] that are no whole frame yet.
    frame: Vec<f32>,
    found: Found,
    /// Samples of which it is not known whether they are voices.
    waiting: Vec<f32>,
    /// Samples before them.
    before: usize,
    /// Voices before them.
    passed: usize,
}

impl VoiceFilter {
    /// Takes samples at `rate` Hz.
    pub fn new(activity: VoiceActivity, rate: u32) -> Result<Self, AudioError> {
        Ok(Self {
            rate,
            resampler: Resampler::new(rate, RATE)?,
            detector: Detector::default_boxed(),
            frame: Vec::new(),
            found: Found::new(activity),
            waiting: Vec::new(),
            before: 0,
            passed: 0,
        })
    }

    /// Takes samples; puts those that are surely voices behind the ones in `voiced`.
    pub fn push(&mut self, samples: &[f32], voiced: &mut Vec<f32>) -> Result<(), AudioError> {
        self.waiting.extend_from_slice(samples);
        self.resampler.push(samples, &mut self.frame)?;
        self.judge();
        self.pass_sure(voiced);
        Ok(())
    }

    /// The end: the voices that are left, and where all of them are.
    pub fn finish(mut self, voiced: &mut Vec<f32>) -> Result<Voices, AudioError> {
        let length = (self.before + self.waiting.len()) as f64 / f64::from(self.rate);
        self.resampler.finish(&mut self.frame)?;
        self.frame.resize(self.frame.len().next_multiple_of(FRAME), 0.0);
        self.judge();
        if length <= self.found.shortest() {
            let long_enough = length >= self.found.activity.least_voice;
            if long_enough && self.found.likeliest < LEAST_OF_SHORT {
                return Ok(Voices::default());
            }
            voiced.append(&mut self.waiting);
            return Ok(Voices::whole(length));
        }
        let voices = self.found.finish(length);
        self.pass(&voices.spans[self.passed..], f64::INFINITY, voiced);
        Ok(voices)
    }

    fn judge(&mut self) {
        let whole = self.frame.len() / FRAME * FRAME;
        for frame in self.frame[..whole].chunks_exact_mut(FRAME) {
            frame
                .iter_mut()
                .for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
            self.found.judge(self.detector.predict_f32(frame));
        }
        self.frame.drain(..whole);
    }

    fn pass_sure(&mut self, voiced: &mut Vec<f32>) {
        if self.found.now() > self.found.shortest() {
            let (spans, sure) = self.found.spans_from(self.passed);
            self.pass(&spans, sure, voiced);
        }
    }

    /// Lets pass what is in `spans`, and forgets all before the moment `sure`.
    fn pass(&mut self, spans: &[(f64, f64)], sure: f64, voiced: &mut Vec<f32>) {
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

/// The voices among the frames so far.
struct Found {
    activity: VoiceActivity,
    /// Those that have ended, without margins. The last may still go on.
    spans: Vec<(f64, f64)>,
    /// When the one began that is heard now.
    begin: Option<f64>,
    frames: usize,
    /// The likeliest voice of all frames.
    likeliest: f32,
}

impl Found {
    fn new(activity: VoiceActivity) -> Self {
        Self {
            activity,
            spans: Vec::new(),
            begin: None,
            frames: 0,
            likeliest: 0.0,
        }
    }

    /// Up to where frames were judged, in seconds.
    fn now(&self) -> f64 {
        self.frames as f64 * FRAME as f64 / f64::from(RATE)
    }

    /// The length of recordings that are too short for a pause.
    fn shortest(&self) -> f64 {
        self.activity.least_pause + self.activity.margin
    }

    /// Takes the next frame's likelihood.
    fn judge(&mut self, likelihood: f32) {
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
    fn spans_from(&self, number: usize) -> (Vec<(f64, f64)>, f64) {
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
    fn finish(&mut self, length: f64) -> Voices {
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

impl Voices {
    /// What is between them.
    pub(crate) fn pauses(&self) -> Vec<(f64, f64)> {
        let pairs = self.spans.windows(2);
        pairs.map(|pair| (pair[0].1, pair[1].0)).collect()
    }

    /// One voice from begin to end of a recording of `length` seconds.
    pub fn whole(length: f64) -> Self {
        Self {
            spans: vec![(0.0, length)],
        }
    }

    /// The voices of `audio` without the pauses between them.
    pub fn of(&self, audio: &Audio) -> Audio {
        audio.clips(&self.spans)
    }

    /// Where a moment of the joined voices is in the recording. Between two voices it is the end of the first or, if it
    /// `begins` something, the begin of the second.
    pub fn original(&self, moment: f64, begins: bool) -> f64 {
        let mut left = moment;
        for (begin, end) in &self.spans {
            let length = end - begin;
            if left < length || !begins && left <= length {
                return begin + left;
            }
            left -= length;
        }
        self.spans.last().map_or(moment, |(_, end)| end + left)
    }

    /// The same for something short, which does not reach over a pause: both its ends, by its middle.
    pub fn original_span(&self, start: f64, end: f64) -> (f64, f64) {
        let middle = f64::midpoint(start, end);
        let place = self.original(middle, true);
        let (begin, stop) = self
            .spans
            .iter()
            .copied()
            .find(|span| (span.0..=span.1).contains(&place))
            .unwrap_or((place, place));
        (
            (place - (middle - start)).max(begin),
            (place + (end - middle)).min(stop.max(place)),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::path::Path;

    use super::*;

    fn voices() -> Voices {
        Voices {
            spans: vec![(1.0, 3.0), (10.0, 11.0), (20.0, 25.0)],
        }
    }

    #[test]
    fn moments_are_found_again() {
        let found = [0.0, 1.5, 2.5, 3.5, 8.0].map(|moment| voices().original(moment, true));
        assert_eq!(found, [1.0, 2.5, 10.5, 20.5, 25.0]);
        assert_eq!(
            [2.0, 3.0].map(|moment| voices().original(moment, true)),
            [10.0, 20.0]
        );
        assert_eq!(
            [2.0, 3.0].map(|moment| voices().original(moment, false)),
            [3.0, 11.0]
        );
        let (begin, end) = voices().original_span(1.8, 2.3); // its middle is behind the pause
        assert!(begin == 10.0 && (end - 10.3).abs() < 1e-9, "{begin} {end}");
    }

    #[test]
    fn only_long_pauses_part_voices() {
        let frame = |seconds: f64| (seconds * 62.5) as usize;
        let mut likelihoods = vec![0.0; frame(20.0)];
        likelihoods[frame(4.0)..frame(5.0)].fill(0.9);
        likelihoods[frame(5.0)..frame(6.0)].fill(0.4); // goes on
        likelihoods[frame(7.0)..frame(8.0)].fill(0.9);
        likelihoods[frame(12.0)..frame(13.0)].fill(0.4); // never began
        likelihoods[frame(14.0)..frame(14.05)].fill(0.9); // too short
        likelihoods[frame(19.0)..].fill(0.9);
        let mut found = Found::new(VoiceActivity::default());
        likelihoods
            .into_iter()
            .for_each(|likelihood| found.judge(likelihood));
        let voices = found.finish(20.0);
        let rounded = voices
            .spans
            .iter()
            .map(|span| ((span.0 * 10.0).round(), (span.1 * 10.0).round()));
        assert_eq!(rounded.collect::<Vec<_>>(), [(36.0, 84.0), (186.0, 200.0)]);
    }

    #[test]
    fn silence_has_no_voice_and_short_words_are_taken_whole() {
        let silence = |seconds: usize| Audio::new(vec![0.0; 8000 * seconds], 1, 8000).unwrap();
        let found = |seconds| VoiceActivity::default().find(&silence(seconds)).unwrap().spans;
        assert_eq!(found(10), []);
        assert_eq!(found(2), []);
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/samples/speech/pi.wav");
        let word = Audio::open(&sample).unwrap().clip(0.0, Some(0.6));
        let whole = VoiceActivity::default().find(&word).unwrap().spans;
        assert_eq!(whole, [(0.0, word.seconds())]);
    }

    /// The rules for a recording that is there as a whole.
    fn spans_at_once(activity: &VoiceActivity, likelihoods: &[f32], length: f64) -> Vec<(f64, f64)> {
        let seconds = |frame: usize| frame as f64 * FRAME as f64 / f64::from(RATE);
        let mut spans: Vec<(f64, f64)> = Vec::new();
        let mut begin = None;
        let ends = likelihoods.iter().copied().chain([-1.0]).enumerate();
        for (frame, likelihood) in ends {
            match begin {
                None if likelihood >= activity.threshold => begin = Some(seconds(frame)),
                Some(from) if likelihood < activity.lasting => {
                    match spans.last_mut() {
                        Some(last) if from - last.1 < activity.least_pause => last.1 = seconds(frame),
                        _ => spans.push((from, seconds(frame))),
                    }
                    begin = None;
                }
                _ => {}
            }
        }
        spans.retain(|(begin, end)| end - begin >= activity.least_voice);
        let wide = |(begin, end): (f64, f64)| {
            let (begin, end) = (begin - activity.margin, end + activity.margin);
            (begin.max(0.0), end.min(length))
        };
        spans.into_iter().map(wide).collect()
    }

    proptest! {
        /// Voices pass bit by bit as they do at once, and little waits.
        #[test]
        fn what_passes_are_the_voices(
            runs in prop::collection::vec((1..250usize, 0.0..1.0f32), 1..12),
            least_pause in prop::sample::select(vec![2.0, 0.9, 3.3]),
            rate in prop::sample::select(vec![16_000, 8_000, 11_025]),
        ) {
            let activity = VoiceActivity { least_pause, ..VoiceActivity::default() };
            let likelihoods: Vec<f32> = runs
                .iter()
                .flat_map(|&(count, likelihood)| std::iter::repeat_n(likelihood, count))
                .collect();
            let frames = likelihoods.len() * FRAME * rate as usize / RATE as usize;
            let samples: Vec<f32> = (0..frames).map(|i| i as f32).collect();
            let audio = Audio::new(samples.clone(), 1, rate).unwrap();
            let length = audio.seconds();

            let mut filter = VoiceFilter::new(activity, rate).unwrap();
            let (mut found, mut most, mut left) = (Vec::new(), 0, samples.as_slice());
            for (i, &likelihood) in likelihoods.iter().enumerate() {
                let end = (i + 1) * FRAME * rate as usize / RATE as usize;
                let (now, later) = left.split_at(end - (frames - left.len()));
                left = later;
                filter.waiting.extend_from_slice(now);
                filter.found.judge(likelihood);
                filter.pass_sure(&mut found);
                most = most.max(filter.waiting.len());
            }
            prop_assert!(most as f64 <= (least_pause + 2.0 * activity.margin) * f64::from(rate));
            if length <= least_pause + activity.margin {
                prop_assert_eq!(found.len(), 0);
                return Ok(());
            }
            let voices = filter.found.finish(length);
            let spans = voices.spans.clone();
            filter.pass(&spans[filter.passed..], f64::INFINITY, &mut found);
            prop_assert_eq!(&spans, &spans_at_once(&activity, &likelihoods, length));
            let expected = voices.of(&audio);
            prop_assert_eq!(found.as_slice(), expected.samples());
        }
    }
}

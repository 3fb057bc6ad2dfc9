//! Where in a recording somebody speaks, found by `earshot`, so that silence is not written down as words.

use earshot::Detector;

use crate::audio::{Audio, AudioError};

/// The rate at which voices are looked for, in Hz.
const RATE: u32 = 16000;
/// Samples that are judged together.
const FRAME: usize = 256;

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
    /// Finds the voices in `audio`. A recording too short for a pause is one voice from begin to end.
    ///
    /// # Errors
    /// If its rate makes no sense.
    pub fn find(&self, audio: &Audio) -> Result<Voices, AudioError> {
        let length = audio.seconds();
        if length <= self.least_pause + self.margin {
            return Ok(Voices::whole(audio));
        }
        let mut samples = audio.mono_at(RATE)?;
        samples.resize(samples.len().next_multiple_of(FRAME), 0.0);
        let mut detector = Detector::default_boxed();
        let frames = samples.chunks_exact_mut(FRAME).map(|frame| {
            frame
                .iter_mut()
                .for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
            detector.predict_f32(frame)
        });
        Ok(self.spans(frames, length))
    }

    /// The voices in a recording of `length` seconds whose frames have these likelihoods.
    fn spans(&self, likelihoods: impl Iterator<Item = f32>, length: f64) -> Voices {
        let seconds = |frame: usize| frame as f64 * FRAME as f64 / f64::from(RATE);
        let mut spans: Vec<(f64, f64)> = Vec::new();
        let mut begin = None;
        let end = |spans: &mut Vec<(f64, f64)>, begin: f64, end: f64| match spans.last_mut() {
            Some(last) if begin - last.1 < self.least_pause => last.1 = end,
            _ => spans.push((begin, end)),
        };
        let mut count = 0;
        for (frame, likelihood) in likelihoods.enumerate() {
            count = frame + 1;
            match begin {
                None if likelihood >= self.threshold => begin = Some(seconds(frame)),
                Some(from) if likelihood < self.lasting => {
                    end(&mut spans, from, seconds(frame));
                    begin = None;
                }
                _ => {}
            }
        }
        if let Some(from) = begin {
            end(&mut spans, from, seconds(count));
        }
        spans.retain(|(begin, end)| end - begin >= self.least_voice);
        for span in &mut spans {
            *span = (
                (span.0 - self.margin).max(0.0),
                (span.1 + self.margin).min(length),
            );
        }
        Voices { spans }
    }
}

impl Voices {
    /// One voice from begin to end.
    pub fn whole(audio: &Audio) -> Self {
        Self {
            spans: vec![(0.0, audio.seconds())],
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
        let found = VoiceActivity::default().spans(likelihoods.into_iter(), 20.0);
        let rounded = found
            .spans
            .iter()
            .map(|span| ((span.0 * 10.0).round(), (span.1 * 10.0).round()));
        assert_eq!(rounded.collect::<Vec<_>>(), [(36.0, 84.0), (186.0, 200.0)]);
    }

    #[test]
    fn silence_has_no_voice_and_short_recordings_are_taken_whole() {
        let silence = |seconds: usize| Audio::new(vec![0.0; 8000 * seconds], 1, 8000).unwrap();
        let found = |seconds| VoiceActivity::default().find(&silence(seconds)).unwrap().spans;
        assert_eq!(found(10), []);
        assert_eq!(found(2), [(0.0, 2.0)]);
    }
}

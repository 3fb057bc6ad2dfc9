//! Where in a recording somebody speaks, found by `earshot` or Silero's network, so that silence is not written down as
//! words.

mod detector;
mod filter;
mod found;
mod silero;
#[cfg(test)]
mod tests;

use crate::audio::{Audio, AudioError};
use crate::features::Samples;

pub(crate) use detector::{BuiltIn, Detector};
pub(crate) use filter::VoiceFilter;
pub use silero::Silero;

/// The rate at which voices are looked for, in Hz.
const RATE: u32 = 16000;

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
        self.find_by(Box::new(BuiltIn::new()), samples, rate)
    }

    /// The same by another detector.
    pub(crate) fn find_by(
        &self,
        detector: Box<dyn Detector + '_>,
        samples: &mut dyn Samples,
        rate: u32,
    ) -> Result<Voices, AudioError> {
        const BLOCK: usize = 1 << 14;
        let mut filter = VoiceFilter::new(*self, detector, rate)?;
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

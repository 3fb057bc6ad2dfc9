//! Recordings made ready to be heard, while they are read.

use crate::audio::{AudioError, Damage, Resampler, Spool};
use crate::options::SpeechToTextOptions;
use crate::voice::{BuiltIn, Detector, Silero, VoiceFilter, Voices};

/// What is to be heard of a recording.
#[derive(Debug)]
pub(crate) struct Heard {
    /// One channel at the model's rate, without pauses.
    pub samples: Spool,
    /// Their length, in seconds.
    pub seconds: f64,
    /// Where they are in the part that was read.
    pub voices: Voices,
    /// When that part begins in the recording, in seconds.
    pub from: f64,
    /// When it ends.
    pub to: f64,
    /// What the recording lacks.
    pub damage: Option<Damage>,
}

/// Takes a recording block by block: chooses the channel and the part, leaves out pauses and goes to another rate.
pub(crate) struct Intake<'a> {
    channel: Option<usize>,
    channels: usize,
    rate: u32,
    start: f64,
    /// The first frame that is wanted, and the one behind the last.
    wanted: (usize, usize),
    /// Frames that came.
    came: usize,
    /// Frames that are voices.
    voiced: usize,
    filter: Option<VoiceFilter<'a>>,
    resampler: Resampler,
    samples: Spool,
    /// Room for samples on their way.
    rooms: [Vec<f32>; 3],
}

impl<'a> Intake<'a> {
    /// Takes frames of so many `channels` at `rate` Hz, for a model that hears samples at `model_rate` Hz.
    pub fn new(
        (channels, rate): (usize, u32),
        model_rate: u32,
        options: &SpeechToTextOptions,
        silero: Option<&'a Silero>,
    ) -> Result<Self, AudioError> {
        if let Some(number) = options.channel.filter(|&number| number >= channels) {
            return Err(AudioError::NoChannel { number, channels });
        }
        // Infinity becomes the largest number.
        let place = |seconds: f64| (seconds.max(0.0) * f64::from(rate)).round() as usize;
        let filter = options
            .voice_activity
            .map(|activity| VoiceFilter::new(activity, detector(silero), rate));
        Ok(Self {
            channel: options.channel,
            channels,
            rate,
            start: options.start.max(0.0),
            wanted: (place(options.start), place(options.end.unwrap_or(f64::INFINITY))),
            came: 0,
            voiced: 0,
            filter: filter.transpose()?,
            resampler: Resampler::new(rate, model_rate)?,
            samples: Spool::default(),
            rooms: Default::default(),
        })
    }

    /// Seconds that came.
    pub fn seconds(&self) -> f64 {
        self.seconds_of(self.came)
    }

    fn seconds_of(&self, frames: usize) -> f64 {
        frames as f64 / f64::from(self.rate)
    }

    /// Takes interleaved samples, in whole frames; says whether more are wanted.
    pub fn push(&mut self, block: &[f32]) -> Result<bool, AudioError> {
        let frames = block.len() / self.channels;
        let part = |frame: usize| frame.saturating_sub(self.came).min(frames) * self.channels;
        let (from, to) = (part(self.wanted.0), part(self.wanted.1));
        let block = &block[from..to.max(from)];
        self.came += frames;
        let [mono, ..] = &mut self.rooms;
        mono.clear();
        let frames = block.chunks_exact(self.channels);
        match self.channel {
            Some(channel) => mono.extend(frames.map(|frame| frame[channel])),
            None if self.channels == 1 => mono.extend_from_slice(block),
            None => mono.extend(frames.map(|frame| frame.iter().sum::<f32>() / self.channels as f32)),
        }
        self.filter()?;
        Ok(self.came < self.wanted.1)
    }

    fn filter(&mut self) -> Result<(), AudioError> {
        let [mono, voiced, _] = &mut self.rooms;
        voiced.clear();
        match &mut self.filter {
            Some(filter) => filter.push(mono, voiced)?,
            None => std::mem::swap(mono, voiced),
        }
        self.keep()
    }

    fn keep(&mut self) -> Result<(), AudioError> {
        let [_, voiced, resampled] = &mut self.rooms;
        self.voiced += voiced.len();
        resampled.clear();
        self.resampler.push(voiced, resampled)?;
        self.samples.push(resampled)
    }

    /// All that came, ready to be heard.
    ///
    /// # Errors
    /// If nothing came that is wanted.
    pub fn finish(mut self) -> Result<Heard, AudioError> {
        let (first, end) = (self.wanted.0.min(self.came), self.wanted.1.min(self.came));
        if self.came == 0 {
            return Err(AudioError::NoSamples);
        }
        if first >= end {
            return Err(AudioError::Empty);
        }
        let length = self.seconds_of(end - first);
        let [_, voiced, _] = &mut self.rooms;
        voiced.clear();
        let voices = match self.filter.take() {
            Some(filter) => filter.finish(voiced)?,
            None => Voices::whole(length),
        };
        self.keep()?;
        let [_, _, resampled] = &mut self.rooms;
        resampled.clear();
        self.resampler.finish(resampled)?;
        self.samples.push(resampled)?;
        let from = self.start.min(self.seconds());
        Ok(Heard {
            seconds: self.seconds_of(self.voiced),
            to: from + length,
            samples: self.samples,
            voices,
            from,
            damage: None,
        })
    }
}

/// Silero's detector, or the one that is built in.
pub(crate) fn detector(silero: Option<&Silero>) -> Box<dyn Detector + '_> {
    match silero {
        Some(silero) => Box::new(silero.detector()),
        None => Box::new(BuiltIn::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::audio::Audio;
    use crate::features::Samples as _;
    use crate::voice::VoiceActivity;

    /// The sample with pauses around it, at another rate and in two channels.
    fn recording(rate: u32) -> Audio {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/samples/speech/pi.wav");
        let said = Audio::open(&sample).unwrap().mono_at(rate).unwrap();
        let silence = vec![0.0; 5 * rate as usize];
        let all = [&silence[..], &said, &silence, &said, &silence[..1000]].concat();
        Audio::new(all.iter().flat_map(|&x| [x * 0.5, x * 1.5]).collect(), 2, rate).unwrap()
    }

    fn heard(audio: &Audio, cuts: &[usize], options: &SpeechToTextOptions) -> (Vec<f32>, Heard) {
        heard_by(None, audio, cuts, options)
    }

    fn heard_by(
        silero: Option<&Silero>,
        audio: &Audio,
        cuts: &[usize],
        options: &SpeechToTextOptions,
    ) -> (Vec<f32>, Heard) {
        let mut intake = Intake::new((2, audio.rate()), 16_000, options, silero).unwrap();
        let mut left = audio.samples();
        for frames in cuts {
            let (now, later) = left.split_at((frames * 2).min(left.len()));
            left = later;
            if !intake.push(now).unwrap() {
                left = &[];
            }
        }
        intake.push(left).unwrap();
        let mut heard = intake.finish().unwrap();
        let mut samples = vec![0.0; heard.samples.count()];
        heard.samples.read(0, &mut samples).unwrap();
        (samples, heard)
    }

    #[test]
    fn a_detector_that_is_given_decides() {
        let folder = tempfile::tempdir().unwrap();
        let audio = recording(22_050);
        let options = SpeechToTextOptions {
            voice_activity: Some(VoiceActivity::default()),
            ..SpeechToTextOptions::default()
        };
        let unfiltered = SpeechToTextOptions {
            voice_activity: None,
            ..options.clone()
        };
        let (all, whole) = heard(&audio, &[], &unfiltered);
        // Of a published one's shape: it says the same of everything.
        let given = |bias| {
            let file = folder.path().join("silero_vad_16k.safetensors");
            Silero::write_constant(&file, bias);
            let silero = Silero::open(folder.path()).unwrap();
            heard_by(Some(&silero), &audio, &[5000; 9], &options)
        };
        let (samples, heard) = given(9.0);
        assert_eq!(heard.voices.spans.len(), 1);
        assert!((heard.seconds - whole.seconds).abs() < 1e-6 && samples == all);
        let (samples, heard) = given(-9.0);
        assert!(samples.is_empty() && heard.voices.spans.is_empty());
    }

    #[test]
    fn what_is_heard_is_what_was_chosen() {
        for rate in [8_000, 44_100] {
            let audio = recording(rate);
            for (channel, start, end) in [
                (None, 0.0, None),
                (Some(1), 7.3, Some(18.9)),
                (None, 8.0, Some(99.0)),
            ] {
                let options = SpeechToTextOptions {
                    channel,
                    start,
                    end,
                    ..SpeechToTextOptions::default()
                };
                let clip = match channel {
                    Some(channel) => audio.channel(channel).unwrap().clip(start, end),
                    None => audio.clip(start, end),
                };
                let voices = VoiceActivity::default().find(&clip).unwrap();
                let expected = voices.of(&clip);
                let (samples, heard) = heard(&audio, &[12_345; 40], &options);
                assert!(!heard.voices.spans.is_empty() && heard.seconds < clip.seconds());
                assert_eq!(heard.voices, voices);
                assert_eq!(heard.seconds, expected.seconds());
                assert_eq!((heard.from, heard.to), (start, start + clip.seconds()));
                assert!(samples == expected.mono_at(16_000).unwrap(), "{rate} {channel:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn how_it_comes_changes_nothing(cuts in prop::collection::vec(1..9_000usize, 1..200)) {
            let audio = recording(8_000);
            let options = SpeechToTextOptions { start: 0.5, end: Some(20.0), ..SpeechToTextOptions::default() };
            let (samples, found) = heard(&audio, &cuts, &options);
            let (expected, whole) = heard(&audio, &[], &options);
            prop_assert!(samples == expected);
            prop_assert_eq!(found.voices, whole.voices);
        }
    }
}

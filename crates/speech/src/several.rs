//! Several recordings, heard together where the model can.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;

use crate::audio::{AudioError, AudioStream};
use crate::error::Error;
use crate::features::Samples as _;
use crate::recognize::{Recognizer, SpeechToText, Spoken, take_segment};
use crate::teller::{News, Teller};
use crate::whisper::{Recording, Said, WhisperOptions, WhisperRecognizer};

/// Is told what is said in the recording of a number, and may end the hearing.
type Each<'e> = &'e mut dyn FnMut(usize, Result<Spoken, Error>) -> ControlFlow<()>;

impl SpeechToText {
    /// What is said in several recordings. Up to [`batch_size`](crate::SpeechToTextOptions::batch_size) of them are open
    /// at a time, and a model that writes windows hears them at once; others hear one after the other. What is said is
    /// the same, rounding aside.
    ///
    /// `each` is told the number of a recording and what is said in it, or why it could not be heard, as soon as that is
    /// known: a short one may be done before a longer one that was begun earlier.
    pub fn transcribe_together(
        &self,
        recordings: impl IntoIterator<Item = Result<AudioStream, AudioError>>,
        each: Each<'_>,
    ) {
        let recordings = recordings.into_iter();
        if let Recognizer::Writing { model, options } = &self.recognizer {
            return self.write_together(recordings, (model, options), each);
        }
        for (number, audio) in recordings.enumerate() {
            let mut quiet = |_: News<'_>| ControlFlow::Continue(());
            let spoken = audio
                .map_err(Error::from)
                .and_then(|audio| self.transcribe_stream(audio, &mut quiet));
            if each(number, spoken).is_break() {
                return;
            }
        }
    }

    fn write_together(
        &self,
        mut recordings: impl Iterator<Item = Result<AudioStream, AudioError>>,
        (model, options): (&WhisperRecognizer, &WhisperOptions),
        each: Each<'_>,
    ) {
        let tellers = RefCell::new(Vec::new());
        let stopped = Cell::new(false);
        let mut open = |audio: Result<AudioStream, AudioError>| -> Result<Recording<'_>, Error> {
            tellers.borrow_mut().push(None);
            let mut heard = self.take_in(audio?, &mut |_| ControlFlow::Continue(()))?;
            let samples = std::mem::take(&mut heard.samples);
            let teller = Teller::new(heard, &self.options, None);
            if let Some(last) = tellers.borrow_mut().last_mut() {
                *last = Some(teller);
            }
            match samples.count() {
                0 => Ok(model.recording(samples)?.only(&[])),
                _ => self.recording(samples, model),
            }
        };
        let recordings = std::iter::from_fn(|| match stopped.get() {
            true => None,
            false => recordings.next().map(&mut open),
        });
        model.hear_together(
            recordings,
            self.options.batch_size,
            options,
            &mut |number, said| {
                let mut tellers = tellers.borrow_mut();
                let Some(place) = tellers.get_mut(number) else {
                    return Err(Error::Stopped);
                };
                match (said, place.as_mut()) {
                    _ if stopped.get() => return Err(Error::Stopped),
                    (Said::Segment(segment), Some(teller)) => take_segment(segment, model, teller)?,
                    (Said::Segment(_), None) => {}
                    (Said::End(result), _) => {
                        let spoken = place.take().map(|teller| teller.spoken).unwrap_or_default();
                        if each(number, result.map(|()| spoken)).is_break() {
                            stopped.set(true);
                        }
                    }
                }
                Ok(())
            },
        );
    }
}

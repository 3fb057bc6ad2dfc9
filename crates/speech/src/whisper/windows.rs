//! Recordings of any length, window by window: each begins where the words before it end, is written again where it
//! goes in circles, and is told what was said before.

use sensorium_blocks::in_f32;
use tch::Tensor;

use super::quality::Verdict;
use super::segments::{self, Segment};
use super::{Checks, STEP, Task, WhisperOptions, WhisperRecognizer, Written};
use crate::error::Error;
use crate::features::Spectrogram;

impl WhisperRecognizer {
    /// What is said in a spectrogram of any length: `each` is given segment after segment, as soon as it is known.
    ///
    /// # Errors
    /// As [`transcribe`](Self::transcribe), and those of `each`, which end the hearing.
    pub fn hear(
        &self,
        mels: &mut dyn Spectrogram,
        options: &WhisperOptions,
        each: &mut dyn FnMut(Segment) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let window = self.model.frames();
        let (total, sound) = (mels.frames(), mels.sound());
        let begin = self.start(mels, options)?;
        let language = begin.get(1).and_then(|&id| self.tokens.language_of(id));
        let (mut before, mut seek) = (options.prompt.clone(), 0);
        while seek < total {
            let frames = (total - seek).min(window);
            let part = mels.part(seek, frames)?;
            let states = self.encode(&part.constant_pad_nd([0, window - frames]));
            let mut start = self.reminded(&before, &options.hot_words);
            start.extend(&begin);
            let steps = (sound - seek) / 2;
            let (written, sure) = match &options.checks {
                None => (Some(self.write(&states, &start, steps, options, 0.0)?), true),
                Some(checks) => self.write_checked(&states, &start, steps, options, checks)?,
            };
            let Some(written) = written else {
                seek += frames; // nobody speaks
                continue;
            };
            let offset = seek as f64 * STEP / 2.0;
            let found = segments::split(written, self.tokens.first_time, frames, offset);
            seek += found.frames.clamp(1, frames);
            if options
                .checks
                .as_ref()
                .is_some_and(|checks| checks.condition_on_previous)
            {
                let said = found
                    .segments
                    .iter()
                    .flat_map(|segment| segment.ids.iter().copied());
                before = self.remembered(before, said, sure);
            }
            for mut segment in found.segments {
                segment.language = language.map(str::to_string);
                each(segment)?;
            }
        }
        Ok(())
    }

    /// Writes until a window passes the checks; nothing if it is silent. Also says whether the words are sure enough
    /// to be shown to the model again.
    fn write_checked(
        &self,
        states: &Tensor,
        start: &[i64],
        steps: i64,
        options: &WhisperOptions,
        checks: &Checks,
    ) -> Result<(Option<Written>, bool), Error> {
        let mut last = (None, true);
        for &temperature in &checks.temperatures {
            let written = self.write(states, start, steps, options, temperature)?;
            let quality = self.quality(states, start, &written)?;
            let sure = temperature <= Checks::UNSURE;
            match checks.of(&quality) {
                Verdict::Good => return Ok((Some(written), sure)),
                Verdict::Silence => return Ok((None, sure)),
                Verdict::Again => last = (Some(written), sure),
            }
        }
        Ok(last)
    }

    /// What was said, for the next window: no more than the model has room for.
    fn remembered(&self, before: Vec<i64>, said: impl Iterator<Item = i64>, sure: bool) -> Vec<i64> {
        let Some(mark) = self.tokenizer.id("<|startofprev|>").filter(|_| sure) else {
            return Vec::new();
        };
        let words = before.into_iter().filter(|&id| id != mark).chain(said);
        let words: Vec<i64> = words.collect();
        let last = words[words.len().saturating_sub(self.room())..].iter().copied();
        std::iter::once(mark).chain(last).collect()
    }

    /// The tokens that tell the model what was said before, or words to expect.
    ///
    /// # Errors
    /// If the tokenizer has no token that begins such a text.
    pub fn prompt(&self, text: &str) -> Result<Vec<i64>, Error> {
        let begin = self.tokenizer.id("<|startofprev|>").ok_or(Error::NoPrompt)?;
        let ids = self.words(text)?;
        let last = ids[ids.len().saturating_sub(self.room())..].iter().copied();
        Ok(std::iter::once(begin).chain(last).collect())
    }

    /// The tokens of words to expect.
    ///
    /// # Errors
    /// If the tokenizer has no token that begins such a text.
    pub fn words(&self, text: &str) -> Result<Vec<i64>, Error> {
        self.tokenizer.id("<|startofprev|>").ok_or(Error::NoPrompt)?;
        Ok(self.tokenizer.ids(&format!(" {}", text.trim()), false)?)
    }

    /// Tokens that may come before a window: half of what the model takes.
    fn room(&self) -> usize {
        (self.model.max_tokens() / 2 - 1).max(1) as usize
    }

    /// What was said `before`, behind the words to expect; the oldest of it makes room for them.
    fn reminded(&self, before: &[i64], words: &[i64]) -> Vec<i64> {
        let Some(mark) = self.tokenizer.id("<|startofprev|>").filter(|_| !words.is_empty()) else {
            return before.to_vec();
        };
        let words = &words[..words.len().min(self.room())];
        let said: Vec<i64> = before.iter().copied().filter(|&id| id != mark).collect();
        let left = self.room() - words.len();
        let said = &said[said.len().saturating_sub(left)..];
        [&[mark], words, said].concat()
    }

    /// The tokens that say what is wanted.
    fn start(&self, mels: &mut dyn Spectrogram, options: &WhisperOptions) -> Result<Vec<i64>, Error> {
        let mut ids = vec![self.tokens.start];
        match &options.language {
            Some(language) => ids.push(self.tokens.language(language)?),
            None if !self.tokens.languages.is_empty() => ids.push(self.detect(mels)?),
            None => {}
        }
        // Without language and task the reference names no task.
        let task = options
            .task
            .or(options.language.as_ref().map(|_| Task::Transcribe));
        ids.extend(task.and_then(|task| self.tokens.task(task)));
        if !options.timestamps {
            ids.push(self.tokens.no_timestamps);
        }
        Ok(ids)
    }

    /// The token of the language that is spoken in the first window.
    fn detect(&self, mels: &mut dyn Spectrogram) -> Result<i64, Error> {
        let window = self.model.frames();
        let frames = mels.frames().min(window);
        let part = mels.part(0, frames)?.constant_pad_nd([0, window - frames]);
        let logits = tch::no_grad(|| {
            let memory = self.model.remember(&self.encode(&part));
            let start = Tensor::from_slice(&[self.tokens.start])
                .view([1, 1])
                .to_device(self.device);
            let decoder = self.model.decoder();
            let states = decoder.forward(&start, Default::default(), &memory, None, false, None);
            in_f32(&decoder.logits(&states)).view([-1])
        });
        let score = |id: i64| logits.double_value(&[id]);
        let ids = self.tokens.languages.iter().map(|(_, id)| *id);
        let likeliest = ids.max_by(|&a, &b| score(a).total_cmp(&score(b)));
        Ok(likeliest.unwrap_or(self.tokens.start))
    }
}

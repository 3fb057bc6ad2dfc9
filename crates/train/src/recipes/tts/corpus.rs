//! Recordings of one speaker in LJ Speech's layout, with what voices and vocoders learn of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sensorium_speech::Audio;
use sensorium_speech::features::MelShape;
use sensorium_speech::features::pitch::PitchTracker;
use tch::Tensor;

use super::alignment::{self, Segment};
use crate::corpus::problem;
use crate::error::Result;
use crate::rng::permutation;

/// A recording and what is known of it.
#[derive(Debug)]
pub struct Utterance {
    /// Its name in the table.
    pub name: String,
    /// What is said.
    pub text: String,
    /// At the spectrogram's rate.
    pub samples: Vec<f32>,
    /// What it looks like.
    pub spectrogram: Spectrogram,
    /// Of each frame in Hz, 0 where there is none.
    pub pitch: Vec<f32>,
    /// Phonemes and marks, in their order; none without an alignment.
    pub phonemes: Vec<String>,
    /// Frames of each.
    pub frames: Vec<i64>,
}

/// A spectrogram that threads can share.
#[derive(Debug, Clone)]
pub struct Spectrogram {
    values: Vec<f32>,
    bands: usize,
}

impl Spectrogram {
    /// Of a recording's samples.
    pub fn of(samples: &[f32], shape: &MelShape) -> Self {
        let found = shape.spectrogram(&Tensor::from_slice(samples)).contiguous();
        Self {
            values: Vec::try_from(found.view([-1])).unwrap_or_default(),
            bands: shape.bands,
        }
    }

    /// The number of frames.
    pub fn frames(&self) -> usize {
        self.values.len() / self.bands
    }

    /// `[frames, bands]`
    pub fn tensor(&self) -> Tensor {
        self.part(0, self.frames())
    }

    /// `count` frames from `first` on, `[count, bands]`.
    pub fn part(&self, first: usize, count: usize) -> Tensor {
        let part = &self.values[first * self.bands..(first + count) * self.bands];
        Tensor::from_slice(part).view([count as i64, self.bands as i64])
    }

    /// The mean of each frame's bands.
    pub fn means(&self) -> Vec<f32> {
        let frames = self.values.chunks(self.bands);
        frames
            .map(|frame| frame.iter().sum::<f32>() / self.bands as f32)
            .collect()
    }
}

/// Recordings to learn and to validate on.
#[derive(Debug)]
pub struct Corpus {
    /// What the spectrograms are made with.
    pub shape: MelShape,
    /// To learn.
    pub train: Vec<Utterance>,
    /// To validate on.
    pub validation: Vec<Utterance>,
}

/// A line of the table.
struct Row {
    name: String,
    text: String,
}

impl Corpus {
    /// Reads `metadata.csv` (`name|text|text in words`) and `wavs/NAME.wav` (or `.flac`) in `folder`, and `NAME.ctm` (or
    /// `.TextGrid`) in `alignments`; one in `held_out` is validated on, drawn by `seed`.
    ///
    /// # Errors
    /// If a file is missing or damaged, or there are fewer than two recordings.
    pub fn read(
        folder: &Path,
        alignments: &Path,
        shape: MelShape,
        held_out: usize,
        seed: u64,
    ) -> Result<Self> {
        let rows = table(&folder.join("metadata.csv"))?;
        let mut all = rows
            .iter()
            .map(|row| utterance(folder, alignments, row, shape))
            .collect::<Result<Vec<_>>>()?;
        let aside = (all.len() / held_out.max(2)).max(1);
        if all.len() < 2 {
            return Err(problem(
                &folder.join("metadata.csv"),
                "names fewer than two recordings",
            ));
        }
        let chosen: BTreeSet<usize> = permutation(all.len(), seed).into_iter().take(aside).collect();
        let mut number = 0..;
        let (validation, train) = all.drain(..).partition(|_| {
            let number = number.next().unwrap_or(0);
            chosen.contains(&number)
        });
        Ok(Self {
            shape,
            train,
            validation,
        })
    }

    /// Those to learn, then those to validate on.
    pub fn utterances(&self) -> impl Iterator<Item = &Utterance> {
        self.train.iter().chain(&self.validation)
    }

    /// All phonemes and marks that occur, in order.
    pub fn phonemes(&self) -> Vec<String> {
        let all: BTreeSet<&String> = self
            .utterances()
            .flat_map(|utterance| &utterance.phonemes)
            .collect();
        all.into_iter().cloned().collect()
    }

    /// What tells one corpus from another, an utterance at a time.
    pub(super) fn digest(&self) -> impl Iterator<Item = Vec<u8>> {
        let digest = |utterance: &Utterance| {
            let sound = utterance.samples.iter().flat_map(|x| x.to_le_bytes());
            let frames = utterance.frames.iter().flat_map(|x| x.to_le_bytes());
            let names = utterance.phonemes.join(" ").into_bytes();
            sound.chain(frames).chain(names).collect()
        };
        self.utterances().map(digest)
    }
}

fn table(path: &Path) -> Result<Vec<Row>> {
    let text =
        fs::read_to_string(path).map_err(|error| problem(path, &format!("cannot be read: {error}")))?;
    let rows = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    rows.map(|(line, number)| {
        let parts: Vec<&str> = line.split('|').collect();
        let (Some(name), Some(text)) = (parts.first(), parts.last().filter(|_| parts.len() > 1)) else {
            return Err(problem(path, &format!("has no `name|text` in line {number}")));
        };
        Ok(Row {
            name: (*name).to_string(),
            text: (*text).to_string(),
        })
    })
    .collect()
}

fn utterance(folder: &Path, alignments: &Path, row: &Row, shape: MelShape) -> Result<Utterance> {
    let name = &row.name;
    let path = ["wav", "flac"]
        .map(|ending| folder.join("wavs").join(format!("{name}.{ending}")))
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| folder.join("wavs").join(format!("{name}.wav")));
    let samples = Audio::open(&path)
        .and_then(|audio| audio.mono_at(shape.rate))
        .map_err(|error| problem(&path, &format!("cannot be used: {error}")))?;
    if samples.len() < shape.fft as usize {
        return Err(problem(&path, "is too short to learn from"));
    }
    let spectrogram = Spectrogram::of(&samples, &shape);
    let mut pitch = PitchTracker::new(shape.rate, shape.hop).pitches(&samples);
    let count = spectrogram.frames();
    pitch.resize(count, 0.0);
    let frame = shape.hop as f64 / f64::from(shape.rate);
    let segments = alignment::read(alignments, name, frame)?.unwrap_or_default();
    let frames = frames(&segments, &shape, count as i64);
    Ok(Utterance {
        name: name.clone(),
        text: row.text.clone(),
        phonemes: segments.into_iter().map(|segment| segment.phoneme).collect(),
        samples,
        spectrogram,
        pitch,
        frames,
    })
}

/// How many of `count` frames each segment has: a frame belongs to the segment in which its middle is.
fn frames(segments: &[Segment], shape: &MelShape, count: i64) -> Vec<i64> {
    let mut at = 0;
    let last = segments.len().saturating_sub(1);
    segments
        .iter()
        .enumerate()
        .map(|(i, segment)| {
            let end = (segment.end * f64::from(shape.rate) / shape.hop as f64).ceil() as i64;
            let end = if i == last { count } else { end.clamp(at, count) };
            let frames = end - at;
            at = end;
            frames
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_add_up() {
        let segment = |end| Segment {
            phoneme: "A".to_string(),
            end,
        };
        let shape = MelShape::SPEECHT5; // 16 ms a frame
        let found = frames(
            &[segment(0.016), segment(0.05), segment(0.05), segment(0.1)],
            &shape,
            9,
        );
        assert_eq!(found, [1, 3, 0, 5]);
        assert_eq!(frames(&[], &shape, 9), [0i64; 0]);
        assert_eq!(frames(&[segment(9.0), segment(10.0)], &shape, 4), [4, 0]);
    }
}

//! Recordings and their parts.

use std::ops::Range;

use super::windows::RATE;
use crate::features::Spectrogram;

/// Seconds of a part that is heard at once.
const MOST: f64 = 30.0;

/// A recording to be heard.
pub struct Recording<'a> {
    pub(super) mels: Box<dyn Spectrogram + 'a>,
    /// Frames of each part.
    pub(super) parts: Vec<Vec<Range<i64>>>,
}

impl std::fmt::Debug for Recording<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl<'a> Recording<'a> {
    /// A recording that is heard from begin to end.
    pub fn new(mels: impl Spectrogram + 'a) -> Self {
        let all = 0..mels.frames();
        Self {
            mels: Box::new(mels),
            parts: vec![vec![all]],
        }
    }

    /// Cut into parts that know nothing of each other, and so can be heard at once: of at most 30 seconds each where
    /// there are `pauses`, which are given as begin and end in seconds, in order.
    #[must_use]
    pub fn in_parts(self, pauses: &[(f64, f64)]) -> Self {
        let length = self.mels.frames() as f64 / RATE;
        let cuts = cuts(pauses, length, MOST);
        self.cut_at(&cuts)
    }

    /// Cut at these moments, in seconds, into parts that know nothing of each other.
    #[must_use]
    pub fn cut_at(self, moments: &[f64]) -> Self {
        let inner = moments.iter().map(|moment| (moment * RATE).round() as i64);
        let mut cuts: Vec<i64> = std::iter::once(0)
            .chain(inner.map(|cut| cut.clamp(0, self.mels.frames())))
            .chain([self.mels.frames()])
            .collect();
        cuts.sort_unstable();
        let ranges = cuts.windows(2).map(|pair| pair[0]..pair[1]);
        let part = |range: Range<i64>| within(&self.parts, &range);
        Self {
            parts: ranges.map(part).filter(|part| !part.is_empty()).collect(),
            mels: self.mels,
        }
    }

    /// Of each part only what is in one of `clips`, which are given as begin and end in seconds, in order.
    #[must_use]
    pub fn only(self, clips: &[(f64, f64)]) -> Self {
        let frame = |seconds: f64| (seconds * RATE).round() as i64;
        let clips: Vec<Range<i64>> = clips
            .iter()
            .map(|&(begin, end)| frame(begin)..frame(end))
            .collect();
        let part = |part: Vec<Range<i64>>| {
            let part = [part];
            clips.iter().flat_map(|clip| within(&part, clip)).collect()
        };
        let parts = self.parts.into_iter().map(part);
        Self {
            parts: parts.filter(|part: &Vec<_>| !part.is_empty()).collect(),
            mels: self.mels,
        }
    }
}

/// What of `parts` is in `range`.
fn within(parts: &[Vec<Range<i64>>], range: &Range<i64>) -> Vec<Range<i64>> {
    let clips = parts.iter().flatten();
    let clips = clips.map(|clip| clip.start.max(range.start)..clip.end.min(range.end));
    clips.filter(|clip| !clip.is_empty()).collect()
}

/// Where a recording of `length` seconds is cut into parts of at most `most`: at the longest pause towards a part's end,
/// or at the last one; where there is no pause parts are longer.
fn cuts(pauses: &[(f64, f64)], length: f64, most: f64) -> Vec<f64> {
    let middle = |pause: &(f64, f64)| f64::midpoint(pause.0, pause.1);
    let mut cuts = Vec::new();
    let mut begin = 0.0;
    while length - begin > most {
        let behind = &pauses[pauses.partition_point(|pause| middle(pause) <= begin)..];
        let (near, far) = behind.split_at(behind.partition_point(|pause| middle(pause) <= begin + most));
        let late = near
            .iter()
            .filter(|pause| middle(pause) > begin + most * 2.0 / 3.0);
        let longest = late.max_by(|a, b| (a.1 - a.0).total_cmp(&(b.1 - b.0)));
        let Some(pause) = longest.or(near.last()).or(far.first()) else {
            break;
        };
        begin = middle(pause);
        if begin < length {
            cuts.push(begin);
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::WholeSpectrogram;
    use tch::{Device, Kind, Tensor};

    fn recording(seconds: i64) -> Recording<'static> {
        let frames = seconds * 100;
        Recording::new(WholeSpectrogram {
            mels: Tensor::zeros([1, frames], (Kind::Float, Device::Cpu)),
            sound: frames,
        })
    }

    #[test]
    fn recordings_are_cut_at_their_pauses() {
        let pauses = [
            (3.0, 3.4),
            (22.0, 23.0),
            (27.0, 27.2),
            (50.0, 50.2),
            (95.0, 96.0),
            (100.0, 100.5),
        ];
        // The longer pause, the last one, the next one where there is none for long.
        assert_eq!(cuts(&pauses, 120.0, 30.0), [22.5, 50.1, 95.5]);
        assert!(cuts(&pauses, 30.0, 30.0).is_empty());
        assert!(cuts(&[], 500.0, 30.0).is_empty());
        let found = recording(120).in_parts(&pauses).parts;
        let ends: Vec<(i64, i64)> = found
            .iter()
            .flatten()
            .map(|part| (part.start, part.end))
            .collect();
        assert_eq!(ends, [(0, 2250), (2250, 5010), (5010, 9550), (9550, 12_000)]);
        assert_eq!(found.len(), 4);
    }

    #[test]
    fn clips_are_taken_out_of_parts() {
        let found = recording(100).cut_at(&[40.0, 60.0]).only(&[
            (5.0, 10.0),
            (30.0, 50.0),
            (80.0, 90.0),
            (99.0, 120.0),
        ]);
        let ends = |part: &Vec<Range<i64>>| -> Vec<(i64, i64)> {
            part.iter().map(|clip| (clip.start, clip.end)).collect()
        };
        let found: Vec<_> = found.parts.iter().map(ends).collect();
        assert_eq!(found[0], [(500, 1000), (3000, 4000)]);
        assert_eq!(found[1], [(4000, 5000)]);
        assert_eq!(found[2], [(8000, 9000), (9900, 10_000)]);
        assert!(recording(10).only(&[(20.0, 30.0)]).parts.is_empty());
    }
}

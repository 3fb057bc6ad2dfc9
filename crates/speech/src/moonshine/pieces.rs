//! Long recordings in pieces, cut where nobody speaks.

use std::ops::Range;

use crate::audio::AudioError;
use crate::features::Samples;
use crate::voice::{PAUSES, Voices};

/// A part of a recording that is heard at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    /// Its samples: those of all pieces are the whole recording.
    pub samples: Range<usize>,
    /// When the voices in it begin and end, in seconds.
    pub voice: (f64, f64),
}

/// The share of the longest piece that a piece has at least, where another one follows.
const LEAST: f64 = 0.4;
/// Seconds that the last piece has at least.
const LAST: f64 = 1.0;
/// Seconds over which quiet is judged where there is no pause.
const QUIET: f64 = 0.1;
/// Cuts `samples` of one channel into pieces of at most `longest` seconds, in the longest pauses, or where it is
/// quietest if nobody pauses.
///
/// # Errors
/// If the rate makes no sense, or samples cannot be read.
pub(super) fn pieces(samples: &mut dyn Samples, rate: u32, longest: f64) -> Result<Vec<Piece>, AudioError> {
    let count = samples.count();
    let length = count as f64 / f64::from(rate);
    if length <= longest {
        let whole = Piece {
            samples: 0..count,
            voice: (0.0, length),
        };
        return Ok(vec![whole]);
    }
    let voices = PAUSES.find_in(samples, rate)?;
    let cuts = cuts(&voices, length, longest, |from, to| {
        quietest(samples, rate, from, to)
    })?;
    let place = |seconds: f64| ((seconds * f64::from(rate)) as usize).min(count);
    let ends = cuts.iter().copied().chain([length]);
    let begins = [0.0].into_iter().chain(cuts.iter().copied());
    let piece = |(begin, end)| Piece {
        samples: place(begin)..if end < length { place(end) } else { count },
        voice: within(&voices, begin, end),
    };
    Ok(begins.zip(ends).map(piece).collect())
}

/// Where to cut `length` seconds, in seconds; `quiet` finds the quietest place between two.
fn cuts(
    voices: &Voices,
    length: f64,
    longest: f64,
    mut quiet: impl FnMut(f64, f64) -> Result<f64, AudioError>,
) -> Result<Vec<f64>, AudioError> {
    let pauses = voices.pauses();
    let mut cuts = Vec::new();
    let mut begin = 0.0;
    while length - begin > longest {
        let (from, to) = (begin + longest * LEAST, (begin + longest).min(length - LAST));
        let inside = pauses
            .iter()
            .map(|pause| (pause.1 - pause.0, f64::midpoint(pause.0, pause.1)))
            .filter(|(_, middle)| (from..=to).contains(middle));
        let longest_pause = inside.max_by(|a, b| a.0.total_cmp(&b.0));
        begin = match longest_pause {
            Some((_, middle)) => middle,
            None => quiet(from, to)?,
        };
        cuts.push(begin);
    }
    Ok(cuts)
}

/// The middle of the quietest stretch between two moments, in seconds.
fn quietest(samples: &mut dyn Samples, rate: u32, from: f64, to: f64) -> Result<f64, AudioError> {
    let place = |seconds: f64| ((seconds * f64::from(rate)) as usize).min(samples.count());
    let (first, last, stretch) = (place(from), place(to), place(QUIET).max(1));
    let mut between = vec![0.0; last.saturating_sub(first)];
    samples.read(first, &mut between)?;
    let quiet = between.windows(stretch).enumerate().step_by(stretch.div_ceil(4));
    let power = |stretch: &[f32]| -> f32 { stretch.iter().map(|x| x * x).sum() };
    let best = quiet.min_by(|(_, a), (_, b)| power(a).total_cmp(&power(b)));
    Ok(best.map_or(to, |(begin, _)| {
        ((first + begin) as f64 + stretch as f64 / 2.0) / f64::from(rate)
    }))
}

/// When the voices between two moments begin and end.
fn within(voices: &Voices, begin: f64, end: f64) -> (f64, f64) {
    let mut inside = voices.spans.iter().filter(|span| span.1 > begin && span.0 < end);
    let first = inside.next();
    let last = inside.next_back().or(first);
    match (first, last) {
        (Some(first), Some(last)) => (first.0.max(begin), last.1.min(end)),
        _ => (begin, end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pauses_are_cut() {
        let voices = Voices {
            spans: vec![(0.5, 9.0), (9.2, 14.0), (15.0, 19.0), (19.3, 41.0), (41.2, 44.0)],
        };
        let middle = |from: f64, to: f64| Ok(f64::midpoint(from, to));
        let close = |found: &[f64], expected: &[f64]| {
            let mut pairs = found.iter().zip(expected);
            found.len() == expected.len() && pairs.all(|(a, b)| (a - b).abs() < 1e-9)
        };
        assert!(close(&cuts(&voices, 44.0, 30.0, middle).unwrap(), &[14.5]));
        let found = cuts(&voices, 44.0, 10.0, middle).unwrap();
        assert!(
            close(&found, &[9.1, 14.5, 19.15, 26.15, 33.15, 41.1]),
            "{found:?}"
        );
        let late = Voices {
            spans: vec![(0.0, 9.8), (10.2, 10.4)],
        };
        let found = cuts(&late, 10.4, 10.3, middle).unwrap();
        assert!(
            close(&found, &[6.76]),
            "{found:?}: the last second is not cut off"
        );
        assert_eq!(within(&voices, 9.1, 14.5), (9.2, 14.0));
        assert_eq!(within(&voices, 26.15, 33.15), (26.15, 33.15));
        assert_eq!(within(&voices, 14.1, 14.9), (14.1, 14.9));
    }

    #[test]
    fn pieces_are_the_whole_recording() {
        let rate = 8000;
        let mut samples: Vec<f32> = (0..rate * 7).map(|i| (i as f32 * 0.3).sin()).collect();
        samples[rate * 2 + 1000..rate * 2 + 3000].fill(0.01);
        let found = pieces(&mut samples.as_slice(), rate as u32, 3.0).unwrap();
        assert_eq!(found.first().unwrap().samples.start, 0);
        assert_eq!(found.last().unwrap().samples.end, samples.len());
        assert!(
            found
                .windows(2)
                .all(|pair| pair[0].samples.end == pair[1].samples.start)
        );
        assert!(found.iter().all(|piece| piece.samples.len() <= rate * 3));
        let cut = found[0].samples.end;
        assert!((rate * 2 + 1000..rate * 2 + 3000).contains(&cut), "{cut}");
        assert_eq!(
            pieces(&mut samples.as_slice(), rate as u32, 10.0).unwrap(),
            [Piece {
                samples: 0..samples.len(),
                voice: (0.0, 7.0)
            }]
        );
    }
}

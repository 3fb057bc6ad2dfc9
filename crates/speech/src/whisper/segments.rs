//! A window's tokens, cut where it tells times.

use super::write::Written;
use super::{Quality, STEP};
use crate::ctc::Piece;

/// Something said, with its times.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Segment {
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
    /// What is said, times included.
    pub ids: Vec<i64>,
    /// When each of them is said, in seconds; empty if nobody asked.
    pub times: Vec<f64>,
    /// Its words, with checks and if somebody asked when they are said.
    pub words: Vec<Piece>,
    /// The logarithm of the probability of each of its tokens, by the rules that they are chosen by; empty without checks.
    pub log_probs: Vec<f32>,
    /// How good its window is, with checks.
    pub quality: Option<Quality>,
    /// What its window was drawn with; 0 for the likeliest words.
    pub temperature: f64,
    /// The code of the language that is spoken, in models of several.
    pub language: Option<String>,
}

/// What a window gave.
pub(super) struct Split {
    pub segments: Vec<Segment>,
    /// Frames until the next window begins.
    pub frames: i64,
    /// Whether nothing is said after the last time.
    pub ends_alone: bool,
}

/// Where a window is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// When it begins, in seconds.
    pub offset: f64,
    /// Its length.
    pub frames: i64,
    /// What comes after the last pair of times is taken, too, instead of being heard again.
    pub whole: bool,
}

/// Cuts what was written for a window, with the `times` of its tokens if they are known; times are tokens from
/// `first_time` on.
///
/// `_retrieve_segment` of the reference: two times side by side end a segment and begin the next one. A single time
/// at the end says that nothing follows it; else what comes after the last pair is heard again in the next window.
pub(super) fn split(written: Written, times: Vec<f64>, first_time: i64, place: Place) -> Split {
    let Place {
        offset,
        frames,
        whole,
    } = place;
    let Written { ids, log_probs, .. } = written;
    let times: Vec<f64> = times.into_iter().map(|time| time + offset).collect();
    let is_time = |id: i64| id >= first_time;
    let seconds = |id: i64| offset + (id - first_time) as f64 * STEP;
    let segment = |start, end, begin: usize, cut: usize| Segment {
        start,
        end,
        ids: ids[begin..cut].to_vec(),
        times: times.get(begin..cut).map_or(Vec::new(), <[f64]>::to_vec),
        log_probs: log_probs.get(begin..cut).map_or(Vec::new(), <[f32]>::to_vec),
        ..Segment::default()
    };
    let ends_alone = matches!(ids.as_slice(), [.., word, time] if !is_time(*word) && is_time(*time));
    let pairs = ids.windows(2).enumerate();
    let mut cuts: Vec<usize> = pairs
        .filter(|(_, pair)| is_time(pair[0]) && is_time(pair[1]))
        .map(|(i, _)| i + 1)
        .collect();
    // Whole steps of the window.
    let end = offset + (frames / 2) as f64 * STEP;
    if cuts.is_empty() {
        let last = ids.iter().rev().find(|&&id| is_time(id));
        let end = last
            .filter(|&&id| id != first_time)
            .map_or(end, |&id| seconds(id));
        return Split {
            segments: vec![segment(offset, end, 0, ids.len())],
            frames,
            ends_alone,
        };
    }
    if ends_alone {
        cuts.push(ids.len());
    } else if let Some(last) = cuts.last_mut() {
        *last += 1;
    }
    let mut segments = Vec::new();
    let mut begin = 0;
    for (i, &cut) in cuts.iter().enumerate() {
        // The last one holds both times of its pair.
        let last = cut - if i + 1 < cuts.len() || ends_alone { 1 } else { 2 };
        segments.push(segment(
            seconds(ids[begin]),
            seconds(ids[last.max(begin)]),
            begin,
            cut,
        ));
        begin = cut;
    }
    let understood = seconds(ids[begin - 1]);
    if whole && !ends_alone && begin < ids.len() {
        segments.push(segment(understood, end.max(understood), begin, ids.len()));
    }
    let frames = if ends_alone || whole {
        frames
    } else {
        (ids[begin - 2] - first_time) * 2
    };
    Split {
        segments,
        frames,
        ends_alone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_at_pairs_of_times() {
        // 100 is 0.00, so 150 is 1.00
        let split = |ids, frames, offset, whole| {
            let written = Written {
                ids,
                ..Written::default()
            };
            let place = Place {
                offset,
                frames,
                whole,
            };
            split(written, Vec::new(), 100, place)
        };
        let found = split(vec![100, 7, 8, 150, 150, 9, 200, 200], 3000, 30.0, false);
        let times: Vec<(f64, f64)> = found.segments.iter().map(|s| (s.start, s.end)).collect();
        assert_eq!(times, [(30.0, 31.0), (31.0, 32.0)]);
        assert_eq!(found.segments[1].ids, [150, 9, 200, 200]);
        assert_eq!(found.frames, 200);

        // Nothing follows: the whole window is done.
        let found = split(vec![100, 7, 150, 150, 9, 200], 3000, 0.0, false);
        assert_eq!((found.segments.len(), found.frames), (2, 3000));
        assert_eq!(found.segments[1].end, 2.0);

        // Something follows: it is heard again, unless everything is to be taken.
        let ids = vec![100, 7, 150, 151, 9];
        let found = split(ids.clone(), 3000, 0.0, false);
        assert_eq!((found.segments.len(), found.frames), (1, 100));
        let found = split(ids, 3000, 0.0, true);
        assert_eq!((found.segments.len(), found.frames), (2, 3000));
        assert_eq!((found.segments[1].start, found.segments[1].end), (1.02, 30.0));

        // No pair: one segment.
        let found = split(vec![100, 7, 8], 500, 0.0, false);
        assert_eq!((found.segments[0].end, found.frames), (5.0, 500));
    }
}

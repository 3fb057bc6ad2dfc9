//! A window's tokens, cut where it tells times.

use super::{STEP, Written};

/// Something said, with its times.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// When it begins, in seconds.
    pub start: f64,
    /// When it ends, in seconds.
    pub end: f64,
    /// What is said, times included.
    pub ids: Vec<i64>,
    /// When each of them is said, in seconds; empty if nobody asked.
    pub times: Vec<f64>,
    /// The code of the language that is spoken, in models of several.
    pub language: Option<String>,
}

/// What a window gave.
pub(super) struct Split {
    pub segments: Vec<Segment>,
    /// Frames until the next window begins.
    pub frames: i64,
}

/// Cuts `ids` of a window of `frames` frames that begins at `offset` seconds; times are tokens from `first_time` on.
///
/// `_retrieve_segment` of the reference: two times side by side end a segment and begin the next one. A single time
/// at the end says that nothing follows it; else what comes after the last pair is heard again in the next window.
pub(super) fn split(written: Written, first_time: i64, frames: i64, offset: f64) -> Split {
    let Written { ids, times } = written;
    let times: Vec<f64> = times.into_iter().map(|time| time + offset).collect();
    let is_time = |id: i64| id >= first_time;
    let seconds = |id: i64| offset + (id - first_time) as f64 * STEP;
    let ends_alone = matches!(ids.as_slice(), [.., word, time] if !is_time(*word) && is_time(*time));
    let pairs = ids.windows(2).enumerate();
    let mut cuts: Vec<usize> = pairs
        .filter(|(_, pair)| is_time(pair[0]) && is_time(pair[1]))
        .map(|(i, _)| i + 1)
        .collect();
    if cuts.is_empty() {
        let last = ids
            .iter()
            .rev()
            .find(|&&id| is_time(id))
            .filter(|&&id| id != first_time);
        // Whole steps of the window.
        let end = last.map_or(offset + (frames / 2) as f64 * STEP, |&id| seconds(id));
        let segment = Segment {
            start: offset,
            end,
            ids,
            times,
            language: None,
        };
        return Split {
            segments: vec![segment],
            frames,
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
        let part = &ids[begin..cut];
        // The last one holds both times of its pair.
        let end = if i + 1 < cuts.len() || ends_alone { 1 } else { 2 };
        segments.push(Segment {
            start: seconds(part[0]),
            end: seconds(part[part.len().saturating_sub(end)]),
            ids: part.to_vec(),
            times: times.get(begin..cut).map_or(Vec::new(), <[f64]>::to_vec),
            language: None,
        });
        begin = cut;
    }
    let frames = if ends_alone {
        frames
    } else {
        (ids[begin - 2] - first_time) * 2
    };
    Split { segments, frames }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_at_pairs_of_times() {
        // 100 is 0.00, so 150 is 1.00
        let split = |ids: Vec<i64>, first_time, frames, offset| {
            let times = Vec::new();
            split(Written { ids, times }, first_time, frames, offset)
        };
        let found = split(vec![100, 7, 8, 150, 150, 9, 200, 200], 100, 3000, 30.0);
        let times: Vec<(f64, f64)> = found.segments.iter().map(|s| (s.start, s.end)).collect();
        assert_eq!(times, [(30.0, 31.0), (31.0, 32.0)]);
        assert_eq!(found.segments[1].ids, [150, 9, 200, 200]);
        assert_eq!(found.frames, 200);

        // Nothing follows: the whole window is done.
        let found = split(vec![100, 7, 150, 150, 9, 200], 100, 3000, 0.0);
        assert_eq!((found.segments.len(), found.frames), (2, 3000));
        assert_eq!(found.segments[1].end, 2.0);

        // No pair: one segment.
        let found = split(vec![100, 7, 8], 100, 500, 0.0);
        assert_eq!((found.segments[0].end, found.frames), (5.0, 500));
    }
}

//! What was heard in pieces of a recording, joined to one transcript.

use super::STEP;

/// What was heard in a piece.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// Tokens, times included.
    pub ids: Vec<i64>,
    /// When each is said, in seconds since the piece's beginning; empty if nobody asked.
    pub times: Vec<f64>,
    /// Length of the piece and what it shares with the one before and the one behind, in seconds.
    pub shared: Option<[f64; 3]>,
}

/// Tokens between two times.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Span {
    pub start: Option<f64>,
    pub end: Option<f64>,
    pub ids: Vec<i64>,
    /// Begin and end of each token.
    pub times: Vec<[f64; 2]>,
}

/// What has special meaning: tokens from `end` to below `first_time`, times from there on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub end: i64,
    pub first_time: i64,
}

/// Steps of a window.
const WINDOW: f64 = 1500.0;

/// Tokens that wait for their end, from one piece after the other.
#[derive(Debug, Default)]
struct Waiting {
    ids: Vec<Vec<i64>>,
    times: Vec<Vec<[f64; 2]>>,
}

impl Waiting {
    fn push(&mut self, ids: &mut Vec<i64>, times: &mut Vec<[f64; 2]>) {
        self.ids.push(std::mem::take(ids));
        self.times.push(std::mem::take(times));
    }

    fn finish(&mut self, span: &mut Span) -> Span {
        (span.ids, span.times) = overlap(&std::mem::take(&mut self.ids), &std::mem::take(&mut self.times));
        std::mem::take(span)
    }
}

/// Spans of the whole recording (`_decode_asr` of the reference): pieces overlap, and what both heard is said once;
/// times within what pieces share wait for the next piece.
pub(super) fn spans(pieces: &[Heard], marks: Marks) -> Vec<Span> {
    let (mut spans, mut span) = (Vec::new(), Span::default());
    let mut waiting = Waiting::default();
    let (mut offset, mut skip) = (0.0, false);
    for piece in pieces {
        let mut first_time = marks.first_time as f64;
        let mut last_time = None;
        if let Some([length, left, right]) = piece.shared {
            offset -= left;
            if left > 0.0 {
                first_time += left / STEP;
            }
            if right > 0.0 {
                last_time = last_before(&piece.ids, marks.first_time, length - right);
            }
        }
        let (mut ids, mut times) = (Vec::new(), Vec::new());
        let (mut latest, mut before, mut past) = (0.0, 0.0, 0.0);
        for (i, &id) in piece.ids.iter().enumerate() {
            if id < marks.end {
                ids.push(id);
                if let Some(&end) = piece.times.get(i) {
                    let start = if i == 0 { 0.0 } else { piece.times[i - 1] };
                    times.push([start + offset, end + offset].map(rounded));
                }
                continue;
            }
            if id < marks.first_time {
                continue;
            }
            let time = (id - marks.first_time) as f64 * STEP;
            if time < latest {
                let is_time = |i: usize| piece.ids[i] >= marks.first_time;
                if i >= 2 && !(is_time(i - 1) && is_time(i - 2)) {
                    past += WINDOW * STEP;
                } else {
                    latest = before;
                    past += before;
                }
            }
            before = latest;
            latest = time;
            let time = rounded(time + offset + past);
            if last_time.is_some_and(|last| id >= last) {
                skip = true;
            } else if skip || (!waiting.ids.is_empty() && (id as f64) < first_time) {
                skip = false;
            } else if span.start.is_none() {
                span.start = Some(time);
            } else if span.start != Some(time) {
                span.end = Some(time);
                waiting.push(&mut ids, &mut times);
                spans.push(waiting.finish(&mut span));
            }
        }
        if let Some([length, _, right]) = piece.shared {
            offset += length - right;
        }
        if !ids.is_empty() {
            waiting.push(&mut ids, &mut times);
        } else if waiting.ids.iter().all(Vec::is_empty) {
            span = Span::default();
            waiting = Waiting::default();
        }
    }
    if !waiting.ids.is_empty() {
        spans.push(waiting.finish(&mut span));
    }
    spans
}

/// The first of the times behind `limit`, or else the last before it.
fn last_before(ids: &[i64], first_time: i64, limit: f64) -> Option<i64> {
    let mut last = None;
    for &id in ids.iter().rev().filter(|&&id| id >= first_time) {
        if last.is_some() && (id - first_time) as f64 * STEP < limit {
            break;
        }
        last = Some(id);
    }
    last
}

/// Rounded to hundredths.
pub(super) fn rounded(seconds: f64) -> f64 {
    format!("{seconds:.2}").parse().unwrap_or(seconds)
}

/// One sequence of several that follow each other and overlap (`_find_longest_common_sequence` of the reference):
/// each is laid over the one before where most tokens agree, and cut in the middle of what they share.
fn overlap(sequences: &[Vec<i64>], times: &[Vec<[f64; 2]>]) -> (Vec<i64>, Vec<[f64; 2]>) {
    let timed = times.iter().any(|times| !times.is_empty());
    let Some((mut left, rest)) = sequences
        .split_first()
        .map(|(first, rest)| (first.as_slice(), rest))
    else {
        return (Vec::new(), Vec::new());
    };
    let mut left_times: &[[f64; 2]] = if timed { &times[0] } else { &[] };
    let (mut all, mut all_times) = (Vec::new(), Vec::new());
    for (number, right) in rest.iter().enumerate() {
        let right_times: &[[f64; 2]] = if timed { &times[number + 1] } else { &[] };
        let (mut best, mut place) = (0.0, (left.len(), left.len(), 0, 0));
        for shift in 1..(left.len() + right.len()).max(1) {
            let from = left.len().saturating_sub(shift);
            let to = left.len().min((left.len() + right.len()).saturating_sub(shift));
            let begin = shift.saturating_sub(left.len());
            let end = right.len().min(shift);
            let agrees = |i: &usize| {
                left[from + i] == right[begin + i]
                    && (!timed || left_times[from + i] <= right_times[begin + i])
            };
            let matches = (0..to - from).filter(agrees).count();
            // Of equally good places the longer is better.
            let score = matches as f64 / shift as f64 + shift as f64 / 10_000.0;
            if matches > 1 && score > best {
                best = score;
                place = (from, to, begin, end);
            }
        }
        let (from, to, begin, end) = place;
        let (middle, next) = ((from + to) / 2, (begin + end) / 2);
        all.extend_from_slice(&left[..middle]);
        left = &right[next..];
        if timed {
            all_times.extend_from_slice(&left_times[..middle]);
            left_times = &right_times[next..];
        }
    }
    all.extend_from_slice(left);
    all_times.extend_from_slice(left_times);
    (all, all_times)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: Marks = Marks {
        end: 90,
        first_time: 100,
    };

    #[test]
    fn what_both_heard_is_said_once() {
        let sequences = [vec![1, 2, 3, 4, 5], vec![3, 4, 5, 6]];
        assert_eq!(overlap(&sequences, &[]).0, [1, 2, 3, 4, 5, 6]);
        assert_eq!(overlap(&[vec![1, 2], vec![3, 4]], &[]).0, [1, 2, 3, 4]);
        assert_eq!(overlap(&[vec![], vec![3]], &[]).0, [3]);
    }

    #[test]
    fn spans_end_at_times() {
        let heard = |ids: &[i64]| Heard {
            ids: ids.to_vec(),
            ..Heard::default()
        };
        let found = spans(&[heard(&[100, 1, 2, 150, 150, 3, 4, 200])], MARKS);
        let times: Vec<_> = found.iter().map(|span| (span.start, span.end)).collect();
        assert_eq!(times, [(Some(0.0), Some(1.0)), (Some(1.0), Some(2.0))]);
        assert_eq!(found[1].ids, [3, 4]);
        let open = spans(&[heard(&[105, 1, 2])], MARKS);
        assert_eq!((open[0].start, open[0].end), (Some(0.1), None));
    }

    #[test]
    fn pieces_that_share_seconds_are_joined() {
        // Ten seconds each; what is within two seconds of the cut is in both, and the second begins at six seconds.
        let piece = |ids: &[i64], shared| Heard {
            ids: ids.to_vec(),
            times: Vec::new(),
            shared: Some(shared),
        };
        let pieces = [
            piece(&[100, 1, 2, 300, 300, 3, 4, 5, 6, 590], [10.0, 0.0, 2.0]),
            piece(&[100, 5, 6, 150, 150, 7, 300], [10.0, 2.0, 0.0]),
        ];
        let found = spans(&pieces, MARKS);
        let ids: Vec<i64> = found.iter().flat_map(|span| span.ids.clone()).collect();
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(found.last().and_then(|span| span.end), Some(10.0));
    }
}

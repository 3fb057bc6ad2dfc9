//! Times within a row of tokens of several windows, each of which counts from its own beginning.

use super::STEP;

/// Steps of a window.
const WINDOW: i64 = 1500;

/// A part of a transcript.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A time since the recording's beginning, in seconds.
    Time(f64),
    /// Tokens of words.
    Words(Vec<i64>),
}

/// `ids` as words and times: where times go back a new window has begun, and what the last one said after its last
/// pair of times is said again (`_decode_with_timestamps` of the reference).
pub(super) fn parts(ids: &[i64], first_time: i64) -> Vec<Part> {
    let is_time = |id: i64| id >= first_time;
    let mut parts = vec![Part::Words(Vec::new())];
    let (mut latest, mut before, mut past) = (0.0, 0.0, 0.0);
    for (i, &id) in ids.iter().enumerate() {
        if !is_time(id) {
            if let Some(Part::Words(words)) = parts.last_mut() {
                words.push(id);
            }
            continue;
        }
        let time = (id - first_time) as f64 * STEP;
        if time < latest {
            let alone = i >= 2 && !(is_time(ids[i - 1]) && is_time(ids[i - 2]));
            if alone {
                past += WINDOW as f64 * STEP;
            } else {
                latest = before;
                past += before;
                parts.truncate(parts.len() - 2);
            }
        }
        before = latest;
        latest = time;
        parts.push(Part::Time(time + past));
        parts.push(Part::Words(Vec::new()));
    }
    parts
}

/// Tokens between two times, with these in seconds (`_compute_offsets` of the reference).
pub(super) fn spans(ids: &[i64], first_time: i64) -> Vec<(f64, f64, Vec<i64>)> {
    let is_time = |id: i64| id >= first_time;
    let times: Vec<usize> = (0..ids.len()).filter(|&i| is_time(ids[i])).collect();
    let mut cuts: Vec<usize> = times
        .windows(2)
        .filter(|pair| pair[0] + 1 == pair[1])
        .map(|pair| pair[1])
        .collect();
    let (Some(&begin), Some(&last)) = (times.first(), times.last()) else {
        return Vec::new();
    };
    if cuts.is_empty() && times.len() <= 1 {
        return Vec::new();
    }
    if !cuts.contains(&(last + 1)) {
        cuts.push(last + 1);
    }
    let (mut spans, mut begin, mut latest, mut past) = (Vec::new(), begin, 0, 0);
    for cut in cuts {
        let part = &ids[begin..cut];
        if let [first, .., end] = part {
            let (start, stop) = (first - first_time, end - first_time);
            if start < latest {
                let alone = begin >= 2 && !(is_time(ids[begin - 2]) && is_time(ids[begin - 1]));
                past += if alone { WINDOW } else { latest };
            }
            latest = stop;
            let seconds = |step: i64| (step + past) as f64 * STEP;
            spans.push((seconds(start), seconds(stop), part.to_vec()));
        }
        begin = cut;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_from_window_to_window() {
        // 100 is 0.00. A window that ends with a pair and unfinished words, then the next one.
        let ids = [100, 1, 150, 150, 2, 160, 101, 3, 140];
        let times: Vec<f64> = parts(&ids, 100)
            .into_iter()
            .filter_map(|part| match part {
                Part::Time(time) => Some((time * 100.0).round() / 100.0),
                Part::Words(_) => None,
            })
            .collect();
        assert_eq!(times, [0.0, 1.0, 1.0, 1.2, 30.02, 30.8]);
        let spans = spans(&[100, 1, 2, 150, 150, 3, 200], 100);
        assert_eq!(
            spans,
            [(0.0, 1.0, vec![100, 1, 2, 150]), (1.0, 2.0, vec![150, 3, 200])]
        );
    }
}

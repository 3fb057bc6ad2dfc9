//! Words that nobody said: models write them where it is silent.
//!
//! As `hallucination_silence_threshold` of the reference program: odd words with silence around them are left out, and
//! the recording is heard again behind the silence.

use super::lengths::LikelyWord;
use super::windows::RATE;

/// Where a window is, in frames.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    pub seek: i64,
    /// Its frames, and those of a full one.
    pub frames: i64,
    pub window: i64,
    /// Where the next one was to begin.
    pub next: i64,
    /// Whether nothing is said after the window's last time.
    pub ends_alone: bool,
    /// Of the recording.
    pub content: i64,
    /// When the last word before the window ended, in seconds.
    pub last_word: f64,
}

/// What is to be done with a window's segments.
#[derive(Debug, PartialEq)]
pub(super) struct Review {
    /// The first ones, which are right.
    pub keep: usize,
    /// Where the next window begins, in frames.
    pub next: i64,
    /// When the last word ended, in seconds.
    pub last_word: f64,
}

/// Judges the words of segments; `threshold` seconds are a silence.
pub(super) fn review(segments: &[Vec<LikelyWord>], place: Surroundings, threshold: f64) -> Review {
    let seconds = |frame: i64| frame as f64 / RATE;
    let frame = |seconds: f64| (seconds * RATE).round() as i64;
    let offset = seconds(place.seek);
    let window_end = seconds(place.seek + place.window);
    let ends = |segments: &[Vec<LikelyWord>]| segments.iter().rev().find_map(|words| Some(words.last()?.end));
    let spoken = |segments: &'_ [Vec<LikelyWord>]| segments.iter().position(|words| !words.is_empty());

    let mut next = place.next;
    if let Some(end) = ends(segments).filter(|&end| end > offset && !place.ends_alone) {
        next = match window_end - end > threshold {
            true => frame(end),
            false => place.seek + place.frames,
        };
    }
    // Silence before the first words is heard no more; then they are tried again.
    if let Some(words) = spoken(segments).map(|first| &segments[first]) {
        let gap = words[0].start - offset;
        if is_odd(words) && gap > threshold {
            return Review {
                keep: 0,
                next: place.seek + frame(gap),
                last_word: place.last_word,
            };
        }
    }
    let mut keep = segments.len();
    let mut before = place.last_word;
    for (i, words) in segments.iter().enumerate() {
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            continue;
        };
        if is_odd(words) {
            let rest = &segments[i + 1..];
            let following = spoken(rest).map(|next| rest[next].as_slice());
            let begins = following.map_or(seconds(place.seek + place.frames), |words| words[0].start);
            let silence_before =
                first.start - before > threshold || first.start < threshold || first.start - offset < 2.0;
            let silence_behind =
                begins - last.end > threshold || following.is_some_and(is_odd) || window_end - last.end < 2.0;
            if silence_before && silence_behind {
                next = frame(first.start.max(offset + 1.0));
                if seconds(place.content) - last.end < threshold {
                    next = place.content;
                }
                keep = i;
                break;
            }
        }
        before = last.end;
    }
    Review {
        keep,
        next,
        last_word: ends(&segments[..keep]).unwrap_or(place.last_word),
    }
}

/// Marks that are no words.
const MARKS: &str = "\"'“¿([{-\"'.。,，!！?？:：”)]}、";

/// Whether the first words of a segment are as those that nobody said.
fn is_odd(words: &[LikelyWord]) -> bool {
    let words: Vec<&LikelyWord> = words
        .iter()
        .filter(|word| !MARKS.contains(word.text.as_str()))
        .take(8)
        .collect();
    let oddness: f64 = words.iter().map(|word| word.oddness()).sum();
    oddness >= 3.0 || oddness + 0.01 >= words.len() as f64
}

impl LikelyWord {
    fn oddness(&self) -> f64 {
        let length = self.end - self.start;
        let unlikely = if self.probability < 0.15 { 1.0 } else { 0.0 };
        unlikely + (0.133 - length).max(0.0) * 15.0 + (length - 2.0).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(spans: &[(f64, f64)], probability: f64) -> Vec<LikelyWord> {
        let word = |&(start, end): &(f64, f64)| LikelyWord {
            text: " so".to_string(),
            start,
            end,
            probability,
        };
        spans.iter().map(word).collect()
    }

    /// A window from 60 to 90 seconds of a recording of 200.
    fn place() -> Surroundings {
        Surroundings {
            seek: 6000,
            frames: 3000,
            window: 3000,
            next: 9000,
            ends_alone: true,
            content: 20_000,
            last_word: 59.0,
        }
    }

    #[test]
    fn likely_words_of_usual_length_stay() {
        let said = [
            words(&[(60.5, 61.0), (61.0, 61.4)], 0.9),
            words(&[(62.0, 62.5)], 0.8),
        ];
        let found = review(&said, place(), 2.0);
        assert_eq!(
            found,
            Review {
                keep: 2,
                next: 9000,
                last_word: 62.5
            }
        );
        // More may follow: the next window begins behind the last word, or the window is done.
        let open = Surroundings {
            ends_alone: false,
            ..place()
        };
        assert_eq!(review(&said, open, 2.0).next, 6250);
        let said = [words(&[(60.5, 61.0), (87.0, 88.6)], 0.9)];
        assert_eq!(review(&said, open, 2.0).next, 9000);
    }

    #[test]
    fn odd_words_in_silence_are_left_out() {
        // Behind a silence at the window's begin: heard again from there.
        let odd = words(&[(70.0, 70.05), (70.05, 70.1)], 0.1);
        let found = review(std::slice::from_ref(&odd), place(), 2.0);
        assert_eq!((found.keep, found.next), (0, 7000));
        // Between words, but with silence around them.
        let said = words(&[(60.2, 60.6)], 0.9);
        let later = words(&[(80.0, 80.5)], 0.9);
        let found = review(&[said.clone(), odd.clone(), later.clone()], place(), 2.0);
        assert_eq!((found.keep, found.next, found.last_word), (1, 7000, 60.6));
        // Near other words they stay.
        let near = words(&[(69.0, 69.9)], 0.9);
        let after = words(&[(70.2, 70.6)], 0.9);
        assert_eq!(review(&[said, near, odd.clone(), after], place(), 2.0).keep, 4);
        // Near the recording's end nothing follows.
        let end = Surroundings {
            content: 7100,
            ..place()
        };
        let said = words(&[(60.2, 60.6)], 0.9);
        let found = review(&[said, odd], end, 2.0);
        assert_eq!((found.keep, found.next), (1, 7100));
    }

    #[test]
    fn marks_are_no_words() {
        let mut odd = words(&[(0.0, 0.4)], 0.1);
        odd.extend(words(&[(0.4, 0.8)], 0.9));
        assert!(!is_odd(&odd));
        odd[1].text = ".".to_string();
        assert!(is_odd(&odd));
        assert!(is_odd(&words(&[(0.0, 6.0)], 0.9)));
    }
}

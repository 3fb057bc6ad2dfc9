//! How long words are: none that ends or begins a sentence, or that follows a pause, is much longer than the others of
//! its window (`add_word_timestamps` of the reference program).

use super::words::Marked;

/// A word with its time in seconds and the mean of its tokens' probabilities.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct LikelyWord {
    pub text: String,
    pub start: f64,
    pub end: f64,
    pub probability: f64,
}

impl LikelyWord {
    pub fn length(&self) -> f64 {
        self.end - self.start
    }
}

impl Marked for LikelyWord {
    fn text(&self) -> &str {
        &self.text
    }

    /// The time is the word's own.
    fn begin_with(&mut self, mark: Self) {
        self.text.insert_str(0, &mark.text);
    }

    fn end_with(&mut self, mark: Self) {
        self.text += &mark.text;
    }
}

/// No usual word is longer, in seconds.
const LONGEST: f64 = 0.7;
/// End sentences.
const ENDS: &str = ".。!！?？";

/// The lengths of a window's words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lengths {
    /// The median, in seconds.
    usual: f64,
    /// The most beside a mark or a pause.
    most: f64,
}

impl Lengths {
    /// The median is 0 if no word has a length.
    pub fn of(words: &[Vec<LikelyWord>]) -> Self {
        let lengths = words.iter().flatten().map(LikelyWord::length);
        let mut lengths: Vec<f64> = lengths.filter(|&length| length != 0.0).collect();
        lengths.sort_by(f64::total_cmp);
        let at = |place: usize| lengths.get(place).copied().unwrap_or(0.0);
        let middle = f64::midpoint(at(lengths.len().saturating_sub(1) / 2), at(lengths.len() / 2));
        let usual = middle.min(LONGEST);
        Self {
            usual,
            most: usual * 2.0,
        }
    }

    /// Shortens words and marks at the ends of sentences; marks are words of their own.
    pub fn shorten_at_marks(self, words: &mut [Vec<LikelyWord>]) {
        let mut after_end = None;
        for word in words.iter_mut().flatten() {
            let ends = ENDS.contains(word.text.as_str());
            match after_end.filter(|_| word.length() > self.most) {
                Some(_) if ends => word.end = word.start + self.most,
                Some(true) => word.start = word.end - self.most,
                _ => {}
            }
            after_end = Some(ends);
        }
    }

    /// Shortens the first two words of a segment from `start` to `end` if the word before ended long ago, and lets the
    /// segment and its words begin and end together.
    pub fn fit(self, words: &mut [LikelyWord], (start, end): (&mut f64, &mut f64), before: f64) {
        let [first, rest @ ..] = words else {
            return;
        };
        let second = rest.first_mut();
        let both = second.as_ref().map(|second| second.end - first.start);
        let long = first.length() > self.most || both.is_some_and(|both| both > self.most * 2.0);
        if first.end - before > self.usual * 4.0 && long {
            if let Some(second) = second.filter(|second| second.length() > self.most) {
                let border = (second.end / 2.0).max(second.end - self.most);
                (first.end, second.start) = (border, border);
            }
            first.start = (first.end - self.most).max(0.0);
        }
        if *start < first.end && *start - 0.5 > first.start {
            first.start = (first.end - self.usual).min(*start).max(0.0);
        } else {
            *start = first.start;
        }
        if let Some(last) = words.last_mut() {
            if *end > last.start && *end + 0.5 < last.end {
                last.end = (last.start + self.usual).max(*end);
            } else {
                *end = last.end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str, start: f64, end: f64) -> LikelyWord {
        LikelyWord {
            text: text.to_string(),
            start,
            end,
            probability: 1.0,
        }
    }

    fn times(words: &[LikelyWord]) -> Vec<(f64, f64)> {
        let hundredths = |x: f64| (x * 100.0).round() / 100.0;
        let times = words
            .iter()
            .map(|word| (hundredths(word.start), hundredths(word.end)));
        times.collect()
    }

    #[test]
    fn words_at_the_ends_of_sentences_are_no_longer_than_others() {
        let words = vec![
            word(" So", 0.0, 0.2),
            word(" it", 0.2, 0.4),
            word(" goes", 0.4, 0.6),
            word(".", 0.6, 3.0),
            word(" Yes", 3.0, 5.0),
            word(" it", 5.0, 6.0),
        ];
        let mut windows = [words, Vec::new()];
        // The median of 0.2, 0.2, 0.2, 1, 2, 2.4 is 0.6.
        let lengths = Lengths::of(&windows);
        lengths.shorten_at_marks(&mut windows);
        let expected = [
            (0.0, 0.2),
            (0.2, 0.4),
            (0.4, 0.6),
            (0.6, 1.8),
            (3.8, 5.0),
            (5.0, 6.0),
        ];
        assert_eq!(times(&windows[0]), expected);
        assert_eq!(Lengths::of(&[vec![word("a", 1.0, 1.0)]]).usual, 0.0);
    }

    #[test]
    fn words_behind_pauses_are_no_longer_than_others() {
        let lengths = Lengths {
            usual: 0.3,
            most: 0.6,
        };
        let (mut start, mut end) = (10.0, 18.0);
        let mut words = [word(" Well", 10.0, 15.0), word(" so", 15.0, 15.4)];
        lengths.fit(&mut words, (&mut start, &mut end), 4.0);
        assert_eq!(times(&words), [(14.4, 15.0), (15.0, 15.4)]);
        assert_eq!((start, end), (14.4, 15.4));
        // No pause before: nothing changes but the segment.
        let (mut start, mut end) = (10.1, 18.0);
        let mut words = [word(" Well", 10.0, 11.0), word(" so", 11.0, 15.4)];
        lengths.fit(&mut words, (&mut start, &mut end), 9.9);
        assert_eq!(times(&words), [(10.0, 11.0), (11.0, 15.4)]);
        assert_eq!((start, end), (10.0, 15.4));
        // The segment's own times count where the words' are far from them.
        let (mut start, mut end) = (10.8, 14.0);
        lengths.fit(&mut words, (&mut start, &mut end), 9.9);
        assert_eq!(times(&words), [(10.7, 11.0), (11.0, 14.0)]);
        assert_eq!((start, end), (10.8, 14.0));
    }
}

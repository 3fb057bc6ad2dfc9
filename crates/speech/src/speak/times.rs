//! When words are said, from the frames of a voice's tokens.

use crate::ctc::Piece as Timed;
use crate::front::Word;

/// When each of `count` characters is said, from the frames of tokens that stand for them.
pub fn times(places: &[Option<usize>], frames: &[i64], second: f64, count: usize) -> Vec<(f64, f64)> {
    let mut times: Vec<Option<(f64, f64)>> = vec![None; count];
    let mut at = 0;
    let mut current = None;
    for (place, frames) in places.iter().zip(frames) {
        let (begin, end) = (at as f64 * second, (at + frames) as f64 * second);
        at += frames;
        current = place.or(current);
        // Blanks between characters belong to the one before.
        if let Some(time) = current.and_then(|place| times.get_mut(place)) {
            let begin = time.map_or(begin, |(begin, _)| begin);
            *time = Some((begin, end));
        }
    }
    let mut latest = 0.0;
    let filled = times.into_iter().map(|time| {
        let (begin, end) = time.unwrap_or((latest, latest));
        latest = end;
        (begin, end)
    });
    filled.collect()
}

/// When each word is said: from its first character's begin to its last one's end.
pub fn timed(words: &[Word], times: &[(f64, f64)], begin: f64) -> Vec<Timed> {
    let mut at = 0;
    let mut latest: f64 = 0.0;
    words
        .iter()
        .map(|word| {
            let count = word.said.chars().count();
            let own = &times[at.min(times.len())..(at + count).min(times.len())];
            at += count + 1;
            let heard = || own.iter().filter(|(begin, end)| end > begin);
            let start = heard().next().map_or(latest, |(begin, _)| *begin);
            latest = heard().next_back().map_or(start, |(_, end)| *end);
            Timed {
                text: word.said.clone(),
                start: begin + start,
                end: begin + latest,
                ..Timed::default()
            }
        })
        .collect()
}

/// The word that the character at `place` of a piece belongs to, by its number; a blank is its word's before it.
pub fn word_at(words: &[Word], place: usize) -> usize {
    let mut end = 0;
    let ends = words.iter().map(|word| {
        end += word.said.chars().count() + 1;
        end
    });
    ends.take_while(|&end| end <= place)
        .count()
        .min(words.len().saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front;

    #[test]
    fn words_have_the_time_of_their_characters() {
        // "ab c" with blanks between characters, two frames each; nothing stands for the space.
        let places = [None, Some(0), None, Some(1), None, Some(3), None];
        let found = times(&places, &[2; 7], 0.5, 4);
        assert_eq!(found, [(1.0, 3.0), (3.0, 5.0), (5.0, 5.0), (5.0, 7.0)]);
        let words = front::verbatim("ab c");
        let found = timed(&words, &found, 10.0);
        let found: Vec<_> = found.iter().map(|word| (word.start, word.end)).collect();
        assert_eq!(found, [(11.0, 15.0), (15.0, 17.0)]);
    }

    #[test]
    fn characters_belong_to_words() {
        let words = front::verbatim("añ b [[T IY1]] c");
        let found: Vec<usize> = [0, 1, 2, 3, 4, 5, 9, 99]
            .map(|place| word_at(&words, place))
            .to_vec();
        assert_eq!(found, [0, 0, 0, 1, 1, 2, 2, 3]);
    }
}

//! When each word of a known text is said: the likeliest path through its letters (Kürzinger et al. 2020,
//! arXiv 2007.09127, without their way around what is not in the text).

use super::{CtcRecognizer, Piece, rows};
use crate::audio::Audio;
use crate::error::Error;

/// A word of a text with its place in the recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    /// The word and when it is said.
    pub piece: Piece,
    /// The mean probability of its letters, from 0 to 1: low where something else is said. 0 for a word without a
    /// letter that the model knows.
    pub score: f64,
}

impl CtcRecognizer {
    /// When each word of `text` is said in `audio`. Characters that the model does not know have no sound; words of
    /// nothing else get the moment at which the word before ends.
    ///
    /// # Errors
    /// If the model knows no letter of the text, or the recording is too short for it.
    pub fn align(&self, audio: &Audio, text: &str) -> Result<Vec<Aligned>, Error> {
        self.place(&rows(&self.scores(audio)?), audio.seconds(), text)
    }

    /// The same for the log probabilities of a recording of `length` seconds.
    pub(super) fn place(&self, steps: &[Vec<f32>], length: f64, text: &str) -> Result<Vec<Aligned>, Error> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut ids = Vec::new();
        // The word of each token, and its letter; none between words.
        let mut of = Vec::new();
        for (number, word) in words.iter().enumerate() {
            let letters = self.vocabulary.encode_known(word);
            if letters.is_empty() {
                continue;
            }
            if let Some(delimiter) = self.vocabulary.delimiter().filter(|_| !ids.is_empty()) {
                ids.push(delimiter);
                of.push(None);
            }
            ids.extend(letters.iter().map(|(id, _)| *id));
            of.extend(letters.into_iter().map(|(_, letter)| Some((number, letter))));
        }
        if ids.is_empty() {
            return Err(Error::NothingToAlign);
        }
        let path = best_path(steps, &ids, self.vocabulary.blank).ok_or(Error::TooShortForText {
            seconds: length,
            tokens: ids.len(),
        })?;

        let mut aligned: Vec<Aligned> = words
            .iter()
            .map(|word| Aligned {
                piece: Piece {
                    text: (*word).to_string(),
                    start: f64::NAN,
                    end: f64::NAN,
                    letters: Vec::new(),
                },
                score: 0.0,
            })
            .collect();
        let mut counts = vec![0u32; words.len()];
        let seconds = self.step_seconds();
        let mut before = None;
        for (step, token) in path.into_iter().enumerate() {
            let of = token.and_then(|token| of[token].as_ref().map(|of| (token, of)));
            let Some((token, &(word, ref letter))) = of else {
                continue;
            };
            let word_at = &mut aligned[word];
            let (start, end) = (step as f64 * seconds, (step + 1) as f64 * seconds);
            if counts[word] == 0 {
                word_at.piece.start = start;
            }
            word_at.piece.end = end;
            match word_at.piece.letters.last_mut() {
                _ if !self.spells_letters() => {}
                Some(letter) if before == Some(token) => letter.end = end,
                _ => word_at.piece.letters.push(Piece {
                    text: letter.clone(),
                    start,
                    end,
                    ..Piece::default()
                }),
            }
            before = Some(token);
            word_at.score += f64::from(steps[step][ids[token]]).exp();
            counts[word] += 1;
        }
        let mut latest = 0.0;
        for (word, count) in aligned.iter_mut().zip(counts) {
            if count == 0 {
                (word.piece.start, word.piece.end) = (latest, latest);
            }
            word.score /= f64::from(count.max(1));
            latest = word.piece.end;
        }
        let pieces = self.lasting(aligned.iter().map(|word| word.piece.clone()).collect());
        for (word, piece) in aligned.iter_mut().zip(pieces) {
            word.piece.end = (piece.end).min(length.max(word.piece.end));
        }
        Ok(aligned)
    }
}

/// The token of `ids`, by its place, that each step says on the likeliest path through all of them, none for a blank;
/// nothing if there are fewer steps than the path needs.
///
/// Of each √steps one row of scores is kept, and what lies between is computed again on the way back: a long text in a
/// long recording would need gigabytes else.
fn best_path(steps: &[Vec<f32>], ids: &[usize], blank: usize) -> Option<Vec<Option<usize>>> {
    let lattice = Lattice { steps, ids, blank };
    let states = lattice.states();
    let length = steps.len().isqrt().max(1);
    let mut best = vec![f32::NEG_INFINITY; states];
    let mut kept = Vec::with_capacity(steps.len() / length + 1);
    for number in 0..steps.len() {
        if number % length == 0 {
            kept.push(best.clone());
        }
        best = lattice.step(number, &best, |_, _| {});
    }
    let last = match states {
        _ if best[states - 1] >= best[states - 2] => states - 1,
        _ => states - 2,
    };
    if steps.is_empty() || best[last] == f32::NEG_INFINITY {
        return None;
    }
    let mut path = vec![None; steps.len()];
    let mut state = last;
    for (block, mut best) in kept.into_iter().enumerate().rev() {
        let begin = block * length;
        let numbers = begin..(begin + length).min(steps.len());
        // How many states each was moved on by at each step: 0, 1 or 2.
        let mut moves = vec![0u8; states * numbers.len()];
        for (number, moves) in numbers.clone().zip(moves.chunks_exact_mut(states)) {
            best = lattice.step(number, &best, |state, distance| moves[state] = distance);
        }
        for (number, moves) in numbers.zip(moves.chunks_exact(states)).rev() {
            path[number] = lattice.token(state);
            state -= usize::from(moves[state]);
        }
    }
    Some(path)
}

/// States that are gone through step by step: a blank, the first token, a blank, the second token, …, a blank.
struct Lattice<'a> {
    steps: &'a [Vec<f32>],
    ids: &'a [usize],
    blank: usize,
}

impl Lattice<'_> {
    fn states(&self) -> usize {
        2 * self.ids.len() + 1
    }

    fn token(&self, state: usize) -> Option<usize> {
        (state % 2 == 1).then_some(state / 2)
    }

    fn id(&self, state: usize) -> usize {
        self.token(state).map_or(self.blank, |at| self.ids[at])
    }

    /// Equal neighbours need the blank between them.
    fn may_skip(&self, state: usize) -> bool {
        state % 2 == 1 && state >= 3 && self.id(state) != self.id(state - 2)
    }

    /// The best score of each state behind the step `number`; `moved` is told of each state how many it was moved on by.
    fn step(&self, number: usize, best: &[f32], mut moved: impl FnMut(usize, u8)) -> Vec<f32> {
        let scores = &self.steps[number];
        let one = |state: usize| {
            let mut from = match number {
                0 if state < 2 => 0.0,
                _ => best[state],
            };
            let mut distance = 0;
            let others = [(1, state >= 1), (2, self.may_skip(state))];
            for (other, allowed) in others {
                if number > 0 && allowed && best[state - other] > from {
                    from = best[state - other];
                    distance = other;
                }
            }
            moved(state, distance as u8);
            // A vocabulary may have more tokens than the network.
            from + scores.get(self.id(state)).copied().unwrap_or(f32::NEG_INFINITY)
        };
        (0..self.states()).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Log probabilities with one likely token a step.
    fn steps(likely: &[usize]) -> Vec<Vec<f32>> {
        let step = |&token: &usize| (0..4).map(|id| if id == token { -0.1 } else { -4.0 }).collect();
        likely.iter().map(step).collect()
    }

    #[test]
    fn the_likely_path_is_found() {
        let found = best_path(&steps(&[0, 1, 1, 0, 2, 3, 3, 0]), &[1, 2, 3], 0);
        let expected = [None, Some(0), Some(0), None, Some(1), Some(2), Some(2), None];
        assert_eq!(found.as_deref(), Some(expected.as_slice()));
    }

    #[test]
    fn equal_neighbours_have_a_blank_between_them() {
        let found = best_path(&steps(&[1, 1, 1]), &[1, 1], 0);
        assert_eq!(found, Some(vec![Some(0), None, Some(1)]));
        assert_eq!(best_path(&steps(&[1, 1]), &[1, 1], 0), None);
        assert_eq!(best_path(&[], &[1], 0), None);
    }

    /// Against all paths there are.
    #[test]
    fn no_path_is_likelier() {
        for seed in 0..50u64 {
            let draw = |i: u64| {
                let x = (seed * 1000 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                (x ^ (x >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40
            };
            let steps: Vec<Vec<f32>> = (0..6)
                .map(|step| {
                    (0..3)
                        .map(|id| -((draw(step * 3 + id) % 997) as f32) / 100.0)
                        .collect()
                })
                .collect();
            let ids: Vec<usize> = (0..3).map(|i| 1 + (draw(100 + i) % 2) as usize).collect();
            let spelt = |path: &[usize]| -> Vec<usize> {
                path.chunk_by(|a, b| a == b)
                    .map(|run| run[0])
                    .filter(|&id| id != 0)
                    .collect()
            };
            let likeliest = (0..3usize.pow(6))
                .map(|n| (0..6).map(|i| n / 3usize.pow(i) % 3).collect::<Vec<_>>())
                .filter(|path| spelt(path) == ids)
                .map(|path| path.iter().zip(&steps).map(|(&id, step)| step[id]).sum::<f32>())
                .reduce(f32::max);
            let found = best_path(&steps, &ids, 0).map(|path| {
                let ids = path.iter().map(|token| token.map_or(0, |at| ids[at]));
                ids.zip(&steps).map(|(id, step)| step[id]).sum::<f32>()
            });
            assert_eq!(
                found.map(|x| (x * 100.0).round()),
                likeliest.map(|x| (x * 100.0).round()),
                "{seed}"
            );
        }
    }
}

//! From tokens to letters and words.

use super::{CtcRecognizer, Piece};

/// What was heard in a recording.
#[derive(Debug, Clone)]
pub struct Spelling {
    /// The likeliest token of each state.
    ids: Vec<usize>,
    /// Letters, blanks between words included.
    pub letters: Vec<Piece>,
    /// Whether what counts as letters are whole words.
    of_words: bool,
}

impl Spelling {
    /// The text.
    pub fn text(&self) -> String {
        text(&self.letters).trim().to_string()
    }

    /// The words.
    pub fn words(&self) -> Vec<Piece> {
        words(&self.letters, self.of_words)
    }

    /// The likeliest token of each state, of 20 ms each.
    pub fn ids(&self) -> &[usize] {
        &self.ids
    }
}

impl CtcRecognizer {
    /// What the tokens `ids` of neighbouring states spell.
    pub fn spell(&self, ids: &[usize]) -> Spelling {
        Spelling {
            ids: ids.to_vec(),
            letters: self.letters(ids, 0),
            of_words: self.vocabulary.is_of_words(),
        }
    }

    /// The letters of states of which the first has the number `at`.
    fn letters(&self, ids: &[usize], mut at: usize) -> Vec<Piece> {
        let seconds = self.step_seconds();
        let apart = self.vocabulary.is_of_words();
        let mut letters: Vec<Piece> = Vec::new();
        for run in ids.chunk_by(|a, b| a == b) {
            if run[0] != self.vocabulary.blank {
                let text = self.vocabulary.letter(run[0]);
                if apart && text == " " && letters.last().is_some_and(|last| last.text == " ") {
                    at += run.len();
                    continue; // one blank is enough
                }
                if let Some(last) = letters
                    .last()
                    .filter(|last| apart && last.text != " " && text != " ")
                {
                    letters.push(Piece {
                        text: " ".to_string(),
                        start: last.end,
                        end: last.end,
                        ..Piece::default()
                    });
                }
                letters.push(Piece {
                    text,
                    start: at as f64 * seconds,
                    end: (at + run.len()) as f64 * seconds,
                    ..Piece::default()
                });
            }
            at += run.len();
        }
        letters
    }

    /// The network says each letter once and is silent while it lasts: a word goes on until the next one, but not for
    /// long.
    pub fn lasting(&self, words: Vec<Piece>) -> Vec<Piece> {
        lasting(words, if self.vocabulary.is_of_words() { 0.5 } else { 0.1 })
    }
}

/// Spells while tokens come: words are told when they will not change any more.
#[derive(Debug)]
pub(crate) struct Speller<'a> {
    recognizer: &'a CtcRecognizer,
    /// Tokens of what is not told yet.
    ids: Vec<usize>,
    /// Tokens before them.
    before: usize,
}

impl<'a> Speller<'a> {
    pub fn new(recognizer: &'a CtcRecognizer) -> Self {
        Self {
            recognizer,
            ids: Vec::new(),
            before: 0,
        }
    }

    /// Takes the tokens of the next states: more of the text, and the words in it. The last word is held back, as it may
    /// go on, and the next one's begin is the end of the one before.
    pub fn push(&mut self, ids: &[usize]) -> (String, Vec<Piece>) {
        self.ids.extend_from_slice(ids);
        let letters = self.recognizer.letters(&self.ids, self.before);
        let is_blank = |letter: &Piece| letter.text == " ";
        let last = letters.iter().rposition(|letter| !is_blank(letter));
        let first = letters[..last.unwrap_or(0)]
            .iter()
            .rposition(is_blank)
            .map_or(0, |blank| blank + 1);
        if first == 0 {
            return Default::default();
        }
        let told = (letters[first].start / self.recognizer.step_seconds()).round() as usize;
        self.ids.drain(..told - self.before);
        self.before = told;
        let mut words = self.words(&letters);
        words.pop();
        (text(&letters[..first]), words)
    }

    /// What is left.
    pub fn finish(self) -> (String, Vec<Piece>) {
        let letters = self.recognizer.letters(&self.ids, self.before);
        (text(&letters), self.words(&letters))
    }

    fn words(&self, letters: &[Piece]) -> Vec<Piece> {
        let of_words = self.recognizer.vocabulary.is_of_words();
        self.recognizer.lasting(words(letters, of_words))
    }
}

fn text(letters: &[Piece]) -> String {
    letters.iter().map(|letter| letter.text.as_str()).collect()
}

/// The words that letters spell; they have no letters if those are `of_words`.
fn words(letters: &[Piece], of_words: bool) -> Vec<Piece> {
    let mut words: Vec<Piece> = Vec::new();
    let mut open = false;
    for letter in letters {
        if letter.text == " " {
            open = false;
        } else if let (true, Some(word)) = (open, words.last_mut()) {
            word.text += &letter.text;
            word.end = letter.end;
            word.letters.push(letter.clone());
        } else {
            words.push(Piece {
                letters: match of_words {
                    true => Vec::new(),
                    false => vec![letter.clone()],
                },
                ..letter.clone()
            });
            open = true;
        }
    }
    words
}

fn lasting(mut words: Vec<Piece>, longest: f64) -> Vec<Piece> {
    let starts: Vec<f64> = words.iter().skip(1).map(|word| word.start).collect();
    let next = starts.into_iter().chain([f64::INFINITY]);
    for (word, next) in words.iter_mut().zip(next) {
        word.end = (word.end + longest).min(next.max(word.end));
    }
    words
}

#[cfg(test)]
mod tests {
    use sensorium_hub::{Model, shipped};

    use super::*;

    #[test]
    fn words_last_until_the_next_one() {
        let word = |start: f64| Piece {
            text: "a".to_string(),
            start,
            end: start + 0.5,
            ..Piece::default()
        };
        let words = lasting([0.0, 0.6, 3.0].map(word).to_vec(), 0.5);
        let ends: Vec<f64> = words.iter().map(|word| word.end).collect();
        assert_eq!(ends, [0.6, 1.6, 3.5 + 0.5]);
    }

    #[test]
    fn words_are_told_one_behind() {
        let model = Model::shipped(shipped::find("fsdd-strings").unwrap());
        let recognizer = CtcRecognizer::open(&model, tch::Device::Cpu, None).unwrap();
        let mut random = 7u32;
        for round in 0..300 {
            // Blanks, delimiters and letters in runs.
            let mut ids = Vec::new();
            while ids.len() < round {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let id = [0, 0, 1, 2, 3, 4, 5, 6][random as usize >> 24 & 7];
                ids.extend(std::iter::repeat_n(id, 1 + (random as usize >> 20 & 3)));
            }
            let whole = recognizer.spell(&ids);
            let mut speller = Speller::new(&recognizer);
            let (mut text, mut words) = (String::new(), Vec::new());
            for part in ids.chunks(1 + round % 13) {
                let (more, said) = speller.push(part);
                text += &more;
                words.extend(said);
                assert!(speller.ids.len() < 120, "{}", speller.ids.len());
            }
            let (more, said) = speller.finish();
            text += &more;
            words.extend(said);
            assert_eq!(text.trim(), whole.text());
            assert_eq!(words, recognizer.lasting(whole.words()));
            // The model spells whole words.
            assert!(words.iter().all(|word| word.letters.is_empty()));
        }
    }
}

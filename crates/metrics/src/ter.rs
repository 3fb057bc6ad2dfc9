//! Translation edit rate (Snover et al. 2006), as sacreBLEU computes it after tercom.

use std::collections::HashMap;

use crate::tokenize::Tercom;
use crate::{Counts, Metric, SACREBLEU_VERSION};

/// Edits, shifts of phrases among them, that turn a text into its reference, per word of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ter {
    /// Split punctuation off first.
    pub normalized: bool,
    /// Leave punctuation out.
    pub no_punctuation: bool,
    /// Also of Chinese and Japanese.
    pub asian: bool,
    /// Whether case matters.
    pub case_sensitive: bool,
}

impl Metric for Ter {
    fn name(&self) -> String {
        "TER".to_string()
    }

    fn signature(&self, references: usize) -> String {
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        format!(
            "nrefs:{references}|case:{}|tok:tercom|norm:{}|punct:{}|asian:{}|version:{SACREBLEU_VERSION}",
            if self.case_sensitive { "mixed" } else { "lc" },
            yes(self.normalized),
            yes(!self.no_punctuation),
            yes(self.asian),
        )
    }

    /// The fewest edits, and the mean length of the references.
    fn count(&self, hypothesis: &str, references: &[&str]) -> Counts {
        let rules = Tercom {
            normalized: self.normalized,
            no_punctuation: self.no_punctuation,
            asian: self.asian,
            case_sensitive: self.case_sensitive,
        };
        // Words as numbers: they are compared often.
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut ids = |text: &str| -> Vec<u32> {
            let words = rules.words(text).into_iter();
            words
                .map(|word| {
                    let next = numbers.len() as u32;
                    *numbers.entry(word).or_insert(next)
                })
                .collect()
        };
        let hypothesis = ids(hypothesis);
        let (mut edits, mut length) = (usize::MAX, 0);
        for reference in references {
            let reference = ids(reference);
            length += reference.len();
            edits = edits.min(distance(&hypothesis, &reference));
        }
        vec![edits as f64, length as f64 / references.len() as f64]
    }

    fn score(&self, counts: &[f64]) -> f64 {
        let (edits, length) = (counts[0], counts[1]);
        100.0
            * if length > 0.0 {
                edits / length
            } else if edits > 0.0 {
                1.0
            } else {
                0.0
            }
    }

    fn higher_is_better(&self) -> bool {
        false
    }
}

/// Tercom's limits.
const LONGEST_SHIFT: usize = 10;
const FARTHEST_SHIFT: usize = 50;
const BEAM: usize = 25;
const MOST_CANDIDATES: usize = 1000;

/// Edits and shifts from `hypothesis` to `reference`.
fn distance(hypothesis: &[u32], reference: &[u32]) -> usize {
    if reference.is_empty() {
        return hypothesis.len();
    }
    let mut words = hypothesis.to_vec();
    let (mut shifts, mut tried) = (0, 0);
    loop {
        let table = Table::new(&words, reference);
        let best = best_shift(&words, reference, &table, &mut tried);
        if tried >= MOST_CANDIDATES {
            return shifts + table.edits();
        }
        match best {
            Some(shift) if shift.gain > 0 => {
                shifts += 1;
                words = shift.words;
            }
            _ => return shifts + table.edits(),
        }
    }
}

struct Shift {
    /// Edits that are saved.
    gain: isize,
    /// Of equal gains the longest wins, then the earliest, then the one that goes least far.
    rank: (isize, usize, isize, isize),
    words: Vec<u32>,
}

/// The shift that saves most.
fn best_shift(words: &[u32], reference: &[u32], table: &Table, tried: &mut usize) -> Option<Shift> {
    let Alignment {
        place,
        wrong_words,
        wrong_reference,
    } = table.alignment();
    let before = table.edits() as isize;
    let mut best: Option<Shift> = None;
    for (start, target, length) in common_phrases(words, reference) {
        let right = |wrong: &[bool]| !wrong.iter().any(|&wrong| wrong);
        if right(&wrong_words[start..start + length]) || right(&wrong_reference[target..target + length]) {
            continue;
        }
        let here = place[target];
        if here >= start as isize && here < (start + length) as isize {
            continue;
        }
        let mut last = None;
        for offset in 0..=length {
            // Before the phrase's place in the reference, then behind each of its words.
            let to = match (target + offset).checked_sub(1) {
                None => 0,
                Some(at) if at < place.len() => (place[at] + 1) as usize,
                Some(_) => break,
            };
            if last.replace(to) == Some(to) {
                continue;
            }
            let moved = shifted(words, start, length, to);
            let gain = before - table.edits_after(&moved, words, reference) as isize;
            *tried += 1;
            let rank = (gain, length, -(start as isize), -(to as isize));
            if best.as_ref().is_none_or(|most| rank > most.rank) {
                best = Some(Shift {
                    gain,
                    rank,
                    words: moved,
                });
            }
        }
        if *tried >= MOST_CANDIDATES {
            break;
        }
    }
    best
}

/// Phrases that are in both: where in the words, where in the reference, how long.
fn common_phrases(words: &[u32], reference: &[u32]) -> Vec<(usize, usize, usize)> {
    let mut phrases = Vec::new();
    for start in 0..words.len() {
        let first = start.saturating_sub(FARTHEST_SHIFT);
        for target in first..reference.len().min(start + FARTHEST_SHIFT + 1) {
            let pairs = words[start..].iter().zip(&reference[target..]);
            let common = pairs.take(LONGEST_SHIFT).take_while(|(a, b)| a == b).count();
            phrases.extend((1..=common).map(|length| (start, target, length)));
        }
    }
    phrases
}

/// `words` with the phrase at `start` put before the word `to`.
fn shifted(words: &[u32], start: usize, length: usize, to: usize) -> Vec<u32> {
    let phrase = &words[start..start + length];
    let rest: Vec<u32> = words[..start]
        .iter()
        .chain(&words[start + length..])
        .copied()
        .collect();
    let at = if to < start {
        to
    } else if to > start + length {
        to - length
    } else {
        // Within itself: tercom takes the place in what is left.
        to.min(rest.len())
    };
    rest[..at]
        .iter()
        .chain(phrase)
        .chain(&rest[at..])
        .copied()
        .collect()
}

/// What was done in a cell: nothing, a word changed, left out, put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Keep,
    Change,
    Delete,
    Insert,
    Never,
}

/// Edits between the first words of both, near the diagonal.
struct Table {
    rows: Vec<Vec<(usize, Op)>>,
}

/// More than any number of edits.
const NEVER: usize = usize::MAX / 2;

impl Table {
    fn new(words: &[u32], reference: &[u32]) -> Self {
        let mut table = Self {
            rows: vec![(0..=reference.len()).map(|n| (n, Op::Insert)).collect()],
        };
        table.extend(words, reference);
        table
    }

    /// The rows of the words that have none yet.
    fn extend(&mut self, words: &[u32], reference: &[u32]) {
        let width = reference.len() + 1;
        let ratio = if words.is_empty() {
            1.0
        } else {
            reference.len() as f64 / words.len() as f64
        };
        let beam = if (BEAM as f64) < ratio / 2.0 {
            (ratio / 2.0 + BEAM as f64).ceil() as usize
        } else {
            BEAM
        };
        for i in self.rows.len()..=words.len() {
            let middle = (i as f64 * ratio).floor() as usize;
            let end = if i == words.len() {
                width
            } else {
                width.min(middle + beam)
            };
            let above = &self.rows[i - 1];
            let mut row = vec![(NEVER, Op::Never); width];
            for j in middle.saturating_sub(beam)..end {
                if j == 0 {
                    row[0] = (above[0].0 + 1, Op::Delete);
                    continue;
                }
                let (cost, op) = match words[i - 1] == reference[j - 1] {
                    true => (0, Op::Keep),
                    false => (1, Op::Change),
                };
                let choices = [
                    (above[j - 1].0 + cost, op),
                    (above[j].0 + 1, Op::Delete),
                    (row[j - 1].0 + 1, Op::Insert),
                ];
                for choice in choices {
                    if row[j].0 > choice.0 {
                        row[j] = choice;
                    }
                }
            }
            self.rows.push(row);
        }
    }

    fn edits(&self) -> usize {
        self.rows
            .last()
            .and_then(|row| row.last())
            .map_or(0, |cell| cell.0)
    }

    /// The edits of `moved`, which is as long as `words`, the words of this table: rows of what both begin with
    /// are not computed again.
    fn edits_after(&self, moved: &[u32], words: &[u32], reference: &[u32]) -> usize {
        let same = moved.iter().zip(words).take_while(|(a, b)| a == b).count();
        // The last row is wider than the others: it is good for the same words alone.
        let same = same.min(words.len().saturating_sub(1));
        let mut table = Self {
            rows: self.rows[..=same].to_vec(),
        };
        table.extend(moved, reference);
        table.edits()
    }

    fn alignment(&self) -> Alignment {
        let (mut i, mut j) = (self.rows.len() - 1, self.rows[0].len() - 1);
        let mut ops = Vec::new();
        while i > 0 || j > 0 {
            let op = self.rows[i][j].1;
            ops.push(op);
            match op {
                Op::Keep | Op::Change => (i, j) = (i - 1, j - 1),
                Op::Insert => j -= 1,
                Op::Delete => i -= 1,
                Op::Never => break, // outside of the beam: there is no way back
            }
        }
        let mut alignment = Alignment::default();
        let mut word = -1;
        for op in ops.into_iter().rev() {
            match op {
                Op::Keep | Op::Change => {
                    word += 1;
                    alignment.place.push(word);
                    alignment.wrong_words.push(op == Op::Change);
                    alignment.wrong_reference.push(op == Op::Change);
                }
                Op::Delete => {
                    word += 1;
                    alignment.wrong_words.push(true);
                }
                Op::Insert => {
                    alignment.place.push(word);
                    alignment.wrong_reference.push(true);
                }
                Op::Never => {}
            }
        }
        alignment
    }
}

/// Which word stands for which.
#[derive(Debug, Default)]
struct Alignment {
    /// The word at or before each word of the reference; -1 before the first.
    place: Vec<isize>,
    wrong_words: Vec<bool>,
    wrong_reference: Vec<bool>,
}

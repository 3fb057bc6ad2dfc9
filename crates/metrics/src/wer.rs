//! Word and character error rates: the least edits between what was said and what was heard.

use serde::Serialize;

/// How what was heard differs from what was said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Errors {
    /// Right ones.
    pub hits: usize,
    /// Others in their place.
    pub substitutions: usize,
    /// Not heard.
    pub deletions: usize,
    /// Not said.
    pub insertions: usize,
}

impl Errors {
    /// Wrong ones for each that was said; above 1 where much was heard that was not said. Where nothing was said it
    /// is the number of insertions.
    pub fn rate(&self) -> f64 {
        self.count() as f64 / self.said().max(1) as f64
    }

    /// All edits.
    pub fn count(&self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }

    /// What was said.
    pub fn said(&self) -> usize {
        self.hits + self.substitutions + self.deletions
    }

    /// Those of both.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            substitutions: self.substitutions + other.substitutions,
            deletions: self.deletions + other.deletions,
            insertions: self.insertions + other.insertions,
        }
    }
}

/// One step from what was said to what was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit<'a, T> {
    /// Heard right.
    Hit(&'a T),
    /// Said the first, heard the second.
    Substitution(&'a T, &'a T),
    /// Not heard.
    Deletion(&'a T),
    /// Not said.
    Insertion(&'a T),
}

/// The fewest edits (Levenshtein 1966); of equally few, those that RapidFuzz finds, which jiwer counts.
pub fn align<'a, T: PartialEq>(said: &'a [T], heard: &'a [T]) -> Vec<Edit<'a, T>> {
    let same = |pairs: &mut dyn Iterator<Item = (&'a T, &'a T)>| pairs.take_while(|(a, b)| a == b).count();
    let head = same(&mut said.iter().zip(heard));
    let tail = same(&mut said[head..].iter().rev().zip(heard[head..].iter().rev()));
    let hits = |words: &'a [T]| words.iter().map(Edit::Hit);
    let (end, heard_end) = (said.len() - tail, heard.len() - tail);
    hits(&said[..head])
        .chain(align_different(&said[head..end], &heard[head..heard_end]))
        .chain(hits(&said[end..]))
        .collect()
}

/// The last edit of a pair of beginnings.
#[derive(Debug, Clone, Copy)]
enum Step {
    Both,
    Said,
    Heard,
}

/// The same for what begins and ends differently. Of the costs of all pairs of beginnings only some rows are kept, and
/// those between are computed again on the way back: an hour of characters has billions of pairs.
fn align_different<'a, T: PartialEq>(said: &'a [T], heard: &'a [T]) -> Vec<Edit<'a, T>> {
    let rows = said.len().isqrt().max(1);
    let mut row: Vec<u32> = (0..=heard.len() as u32).collect();
    let mut kept = Vec::new();
    for (i, word) in said.iter().enumerate() {
        if i % rows == 0 {
            kept.push(row.clone());
        }
        next_row(&mut row, word, heard, |_, _| ());
    }
    let mut edits = Vec::with_capacity(said.len().max(heard.len()));
    let mut j = heard.len();
    for (said, mut row) in said.chunks(rows).zip(kept).rev() {
        let width = j + 1;
        row.truncate(width);
        let mut steps = vec![Step::Said; said.len() * width];
        for (word, steps) in said.iter().zip(steps.chunks_mut(width)) {
            next_row(&mut row, word, &heard[..j], |j, step| steps[j] = step);
        }
        let mut i = said.len();
        while i > 0 {
            let step = steps[(i - 1) * width + j];
            i -= usize::from(!matches!(step, Step::Heard));
            j -= usize::from(!matches!(step, Step::Said));
            edits.push(match step {
                Step::Said => Edit::Deletion(&said[i]),
                Step::Heard => Edit::Insertion(&heard[j]),
                Step::Both if said[i] == heard[j] => Edit::Hit(&said[i]),
                Step::Both => Edit::Substitution(&said[i], &heard[j]),
            });
        }
    }
    edits.extend(heard[..j].iter().rev().map(Edit::Insertion));
    edits.reverse();
    edits
}

/// Makes of the costs of all beginnings of `heard` those with one more `word` said, and tells the last edit of each.
fn next_row<T: PartialEq>(row: &mut [u32], word: &T, heard: &[T], mut tell: impl FnMut(usize, Step)) {
    let mut diagonal = row[0];
    row[0] += 1;
    for (j, other) in (1..).zip(heard) {
        let (above, left) = (row[j], row[j - 1]);
        let cost = (diagonal + u32::from(word != other)).min(above.min(left) + 1);
        tell(
            j,
            match () {
                () if cost == above + 1 => Step::Said,
                () if j > 1 && left < diagonal => Step::Heard,
                () => Step::Both,
            },
        );
        (diagonal, row[j]) = (above, cost);
    }
}

/// Counts the edits of [`align`].
pub fn errors<T: PartialEq>(said: &[T], heard: &[T]) -> Errors {
    let mut errors = Errors::default();
    for edit in align(said, heard) {
        *match edit {
            Edit::Hit(_) => &mut errors.hits,
            Edit::Substitution(..) => &mut errors.substitutions,
            Edit::Deletion(_) => &mut errors.deletions,
            Edit::Insertion(_) => &mut errors.insertions,
        } += 1;
    }
    errors
}

/// Errors of words, which blanks divide.
pub fn word_errors(said: &str, heard: &str) -> Errors {
    let words = |text: &'_ str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
    errors(&words(said), &words(heard))
}

/// Errors of characters; blanks at the ends do not count.
pub fn character_errors(said: &str, heard: &str) -> Errors {
    let characters = |text: &str| text.trim().chars().collect::<Vec<_>>();
    errors(&characters(said), &characters(heard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let found = word_errors("the cat  sat on the mat", "the cat sit on mat now");
        assert_eq!(found.hits, 3); // as jiwer counts: three substitutions
        assert_eq!(found.count(), 3);
        assert!((found.rate() - 0.5).abs() < 1e-12);
        assert_eq!(word_errors("a b", "").deletions, 2);
        assert_eq!(word_errors("", "a b").insertions, 2);
        assert_eq!(word_errors("", "").rate(), 0.0);
        let found = character_errors("kitten", "sitting");
        assert_eq!((found.substitutions, found.insertions), (2, 1));
        let all = found.plus(&found);
        assert_eq!((all.said(), all.count()), (12, 6));
    }

    /// Hits, substitutions, deletions and insertions by jiwer 4.0.
    #[test]
    fn ties_are_broken_as_by_jiwer() {
        let cases = [
            ("c a d d", "a a a", [1, 2, 1, 0]),
            ("c a b c c b a", "b a c c b", [4, 1, 2, 0]),
            ("c c c", "c d", [1, 1, 1, 0]),
            ("b b b d c a c a c", "b d d c d", [3, 2, 4, 0]),
            ("b b c c a a a d", "d c b b a", [2, 3, 3, 0]),
            ("b d c b c d c", "b c a a b c b a c", [4, 3, 0, 2]),
            ("c d a", "c", [1, 0, 2, 0]),
            ("c c", "c", [1, 0, 1, 0]),
            ("c b d a c", "d c b c", [3, 0, 2, 1]),
            ("b c a c a d b", "c c a d b d", [5, 0, 2, 1]),
            ("a a a a", "b a d", [1, 2, 1, 0]),
            ("c a a c", "b d b b d d d", [0, 4, 0, 3]),
            ("b", "d b d b d b a", [1, 0, 0, 6]),
            ("c", "b b b d c", [1, 0, 0, 4]),
            ("c a c", "d a", [1, 1, 1, 0]),
            ("d a d b b c c d", "d b c c d d", [4, 2, 2, 0]),
            ("c b", "d", [0, 1, 1, 0]),
            ("c a b", "d d d b a b b a", [2, 1, 0, 5]),
            ("a d d b a", "b c d d", [2, 1, 2, 1]),
            ("a", "a", [1, 0, 0, 0]),
            ("c b a c a a c c", "a d", [1, 1, 6, 0]),
            ("b c d b d d a", "a c", [1, 1, 5, 0]),
            ("d d d a b c d d a", "b c b b b c d c c", [3, 6, 0, 0]),
            ("a b a c a a d d a", "b d c c b b a a c", [3, 5, 1, 1]),
        ];
        for (said, heard, expected) in cases {
            let found = word_errors(said, heard);
            let found = [found.hits, found.substitutions, found.deletions, found.insertions];
            assert_eq!(found, expected, "{said} / {heard}");
        }
    }

    /// All costs at once, and the way back through them.
    fn with_all_costs(said: &[u64], heard: &[u64]) -> Errors {
        let width = heard.len() + 1;
        let mut costs = vec![0; (said.len() + 1) * width];
        for (i, j) in (0..=said.len()).flat_map(|i| (0..width).map(move |j| (i, j))) {
            costs[i * width + j] = match (i, j) {
                (0, _) | (_, 0) => i + j,
                _ => {
                    let diagonal = costs[(i - 1) * width + j - 1] + usize::from(said[i - 1] != heard[j - 1]);
                    diagonal.min(costs[(i - 1) * width + j].min(costs[i * width + j - 1]) + 1)
                }
            };
        }
        let cost = |i: usize, j: usize| costs[i * width + j];
        let mut errors = Errors::default();
        let (mut i, mut j) = (said.len(), heard.len());
        while i > 0 || j > 0 {
            if j == 0 || i > 0 && cost(i, j) == cost(i - 1, j) + 1 {
                i -= 1;
                errors.deletions += 1;
            } else if i == 0 || j > 1 && cost(i, j - 1) < cost(i - 1, j - 1) {
                j -= 1;
                errors.insertions += 1;
            } else {
                (i, j) = (i - 1, j - 1);
                match said[i] == heard[j] {
                    true => errors.hits += 1,
                    false => errors.substitutions += 1,
                }
            }
        }
        errors
    }

    #[test]
    fn few_rows_lead_the_same_way_as_all() {
        let mut state = 1u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (state >> 33) % below
        };
        for _ in 0..300 {
            let mut line = || -> Vec<u64> { (0..draw(50)).map(|_| draw(4)).collect() };
            let (said, heard) = (line(), line());
            // Ends that are equal are taken off before.
            let (said, heard) = (
                [&[9], &said[..], &[8]].concat(),
                [&[7], &heard[..], &[6]].concat(),
            );
            assert_eq!(
                errors(&said, &heard),
                with_all_costs(&said, &heard),
                "{said:?} {heard:?}"
            );
        }
    }

    #[test]
    fn an_alignment_says_what_happened() {
        let (said, heard) = (["a", "b", "c"], ["a", "x", "c", "d"]);
        let expected = [
            Edit::Hit(&"a"),
            Edit::Substitution(&"b", &"x"),
            Edit::Hit(&"c"),
            Edit::Insertion(&"d"),
        ];
        assert_eq!(align(&said, &heard), expected);
    }
}

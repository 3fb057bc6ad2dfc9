//! ROUGE (Lin 2004), as Google's `rouge-score` computes it.

use std::collections::{BTreeSet, HashMap};

use crate::porter::stem;
use crate::words::ngrams;
use crate::{Counts, Metric};

/// Which ROUGE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RougeKind {
    /// Runs of so many words.
    N(usize),
    /// The longest common subsequence of words.
    L,
    /// The same sentence by sentence; a line is a sentence.
    Lsum,
}

/// The overlap of a text with a reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rouge {
    /// What is compared.
    pub kind: RougeKind,
    /// Whether words are reduced to their stems first, those of more than three letters.
    pub stemmer: bool,
}

/// Precision, recall and their harmonic mean, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RougeScore {
    /// The share of the text that is in the reference.
    pub precision: f64,
    /// The share of the reference that is in the text.
    pub recall: f64,
    /// The harmonic mean.
    pub fmeasure: f64,
}

impl RougeScore {
    fn new(hits: usize, text: usize, reference: usize) -> Self {
        let (precision, recall) = (hits as f64 / text as f64, hits as f64 / reference as f64);
        let fmeasure = if precision + recall > 0.0 {
            2.0 * precision * recall / (precision + recall)
        } else {
            0.0
        };
        Self {
            precision,
            recall,
            fmeasure,
        }
    }
}

impl Rouge {
    /// ROUGE of a kind without stems, as `rouge-score` has it unless told.
    pub fn new(kind: RougeKind) -> Self {
        Self { kind, stemmer: false }
    }

    /// Beside one reference.
    pub fn pair(&self, text: &str, reference: &str) -> RougeScore {
        if self.kind == RougeKind::Lsum {
            let lines = |text: &str| -> Vec<Vec<String>> {
                let lines = text.split('\n').filter(|line| !line.is_empty());
                lines.map(|line| self.words(line)).collect()
            };
            return summary(&lines(text), &lines(reference));
        }
        let (text, reference) = (self.words(text), self.words(reference));
        if let RougeKind::N(n) = self.kind {
            let (grams, known) = (ngrams(&text, n.max(1)), ngrams(&reference, n.max(1)));
            let hits = known
                .iter()
                .map(|(gram, count)| (*count).min(grams.get(gram).copied().unwrap_or(0)));
            let (all, there): (usize, usize) = (grams.values().sum(), known.values().sum());
            return RougeScore::new(hits.sum(), all.max(1), there.max(1));
        }
        if text.is_empty() || reference.is_empty() {
            return RougeScore::default();
        }
        let table = subsequences(&reference, &text);
        RougeScore::new(table[reference.len()][text.len()], text.len(), reference.len())
    }

    /// Beside several references: the score with the best F-measure.
    pub fn best(&self, text: &str, references: &[&str]) -> RougeScore {
        let scores = references.iter().map(|reference| self.pair(text, reference));
        scores
            .reduce(|best, score| {
                if score.fmeasure > best.fmeasure {
                    score
                } else {
                    best
                }
            })
            .unwrap_or_default()
    }

    /// Words of the letters a to z and digits, in lower case.
    fn words(&self, text: &str) -> Vec<String> {
        let lower = text.to_lowercase();
        let words = lower
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty());
        words
            .map(|word| match self.stemmer && word.len() > 3 {
                true => stem(word),
                false => word.to_string(),
            })
            .collect()
    }
}

/// Lengths of the longest common subsequences of the first words of both.
fn subsequences(reference: &[String], text: &[String]) -> Vec<Vec<usize>> {
    let mut table = vec![vec![0; text.len() + 1]; reference.len() + 1];
    for (i, word) in reference.iter().enumerate() {
        for (j, other) in text.iter().enumerate() {
            table[i + 1][j + 1] = match word == other {
                true => table[i][j] + 1,
                false => table[i][j + 1].max(table[i + 1][j]),
            };
        }
    }
    table
}

/// The words of the reference that are in one longest common subsequence.
fn common(reference: &[String], text: &[String]) -> Vec<usize> {
    let table = subsequences(reference, text);
    let (mut i, mut j) = (reference.len(), text.len());
    let mut found = Vec::new();
    while i > 0 && j > 0 {
        if reference[i - 1] == text[j - 1] {
            found.push(i - 1);
            (i, j) = (i - 1, j - 1);
        } else if table[i][j - 1] > table[i - 1][j] {
            j -= 1;
        } else {
            i -= 1;
        }
    }
    found
}

/// Each sentence of the reference beside all of the text; no word is counted twice.
fn summary(text: &[Vec<String>], reference: &[Vec<String>]) -> RougeScore {
    let length = |lines: &[Vec<String>]| lines.iter().map(Vec::len).sum::<usize>();
    let (all, there) = (length(text), length(reference));
    if all == 0 || there == 0 {
        return RougeScore::default();
    }
    let counts = |lines: &[Vec<String>]| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for word in lines.iter().flatten() {
            *counts.entry(word.clone()).or_default() += 1;
        }
        counts
    };
    let (mut left, mut wanted) = (counts(text), counts(reference));
    let mut hits = 0;
    for sentence in reference {
        let union: BTreeSet<usize> = text.iter().flat_map(|line| common(sentence, line)).collect();
        for at in union {
            let word = &sentence[at];
            if let (Some(left @ 1..), Some(wanted @ 1..)) = (left.get_mut(word), wanted.get_mut(word)) {
                hits += 1;
                *left -= 1;
                *wanted -= 1;
            }
        }
    }
    RougeScore::new(hits, all, there)
}

impl Metric for Rouge {
    fn name(&self) -> String {
        match self.kind {
            RougeKind::N(n) => format!("ROUGE-{n}"),
            RougeKind::L => "ROUGE-L".to_string(),
            RougeKind::Lsum => "ROUGE-Lsum".to_string(),
        }
    }

    fn signature(&self, references: usize) -> String {
        format!(
            "nrefs:{references}|stem:{}|mean:f",
            if self.stemmer { "yes" } else { "no" }
        )
    }

    /// The F-measure, and one segment: a corpus scores the mean.
    fn count(&self, hypothesis: &str, references: &[&str]) -> Counts {
        vec![self.best(hypothesis, references).fmeasure, 1.0]
    }

    fn score(&self, counts: &[f64]) -> f64 {
        100.0 * counts[0] / counts[1]
    }
}

//! chrF (Popović 2015) and chrF++ (Popović 2017), as sacreBLEU computes them.

use crate::words::{ngrams, split};
use crate::{Counts, Metric, SACREBLEU_VERSION};

/// The F-score of character n-grams, and with `word_order` 2 (chrF++) of words, too.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chrf {
    /// The longest runs of characters.
    pub char_order: usize,
    /// The longest runs of words; 0 for none.
    pub word_order: usize,
    /// How much more recall weighs than precision.
    pub beta: u32,
    /// Whether case is ignored.
    pub lowercase: bool,
    /// Whether blanks are characters, too.
    pub whitespace: bool,
}

impl Default for Chrf {
    /// chrF2.
    fn default() -> Self {
        Self {
            char_order: 6,
            word_order: 0,
            beta: 2,
            lowercase: false,
            whitespace: false,
        }
    }
}

impl Chrf {
    /// chrF2++.
    pub fn plus_plus() -> Self {
        Self {
            word_order: 2,
            ..Self::default()
        }
    }

    fn prepared(&self, text: &str) -> (Vec<char>, Vec<String>) {
        let text = if self.lowercase {
            text.to_lowercase()
        } else {
            text.to_string()
        };
        let chars = if self.whitespace {
            text.chars().collect()
        } else {
            split(&text).flat_map(str::chars).collect()
        };
        let words = if self.word_order > 0 {
            words(&text)
        } else {
            Vec::new()
        };
        (chars, words)
    }
}

/// Words, with a mark at the end, or else at the beginning, taken off.
fn words(text: &str) -> Vec<String> {
    let is_mark = |c: char| c.is_ascii_punctuation();
    let mut words = Vec::new();
    for word in split(text) {
        let mut chars = word.chars();
        match (chars.next(), chars.next_back()) {
            (Some(_), Some(last)) if is_mark(last) => {
                words.push(word[..word.len() - last.len_utf8()].to_string());
                words.push(last.to_string());
            }
            (Some(first), Some(_)) if is_mark(first) => {
                words.push(first.to_string());
                words.push(word[first.len_utf8()..].to_string());
            }
            _ => words.push(word.to_string()),
        }
    }
    words
}

/// N-grams of the hypothesis, of the reference, and of both, for each order to `most`.
fn matches<T: Eq + std::hash::Hash>(hypothesis: &[T], reference: &[T], most: usize, counts: &mut Counts) {
    for n in 1..=most {
        let known = ngrams(reference, n);
        let (mut all, mut both) = (0, 0);
        for (gram, count) in ngrams(hypothesis, n) {
            all += count;
            both += count.min(known.get(gram).copied().unwrap_or(0));
        }
        // No hits are expected where the reference has no n-gram.
        let all = if known.is_empty() { 0 } else { all };
        let there: usize = known.values().sum();
        counts.extend([all, there, both].map(|n| n as f64));
    }
}

impl Metric for Chrf {
    fn name(&self) -> String {
        format!("chrF{}{}", self.beta, "+".repeat(self.word_order))
    }

    fn signature(&self, references: usize) -> String {
        format!(
            "nrefs:{references}|case:{}|eff:yes|nc:{}|nw:{}|space:{}|version:{SACREBLEU_VERSION}",
            if self.lowercase { "lc" } else { "mixed" },
            self.char_order,
            self.word_order,
            if self.whitespace { "yes" } else { "no" },
        )
    }

    /// Of several references the one that scores best.
    fn count(&self, hypothesis: &str, references: &[&str]) -> Counts {
        let (chars, words) = self.prepared(hypothesis);
        let mut best: Option<(f64, Counts)> = None;
        for reference in references {
            let (other_chars, other_words) = self.prepared(reference);
            let mut counts = Vec::new();
            matches(&chars, &other_chars, self.char_order, &mut counts);
            matches(&words, &other_words, self.word_order, &mut counts);
            let score = self.score(&counts);
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, counts));
            }
        }
        let orders = self.char_order + self.word_order;
        best.map_or_else(|| vec![0.0; 3 * orders], |(_, counts)| counts)
    }

    fn score(&self, counts: &[f64]) -> f64 {
        let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0);
        for order in counts.chunks_exact(3) {
            let [hypothesis, reference, both] = [order[0], order[1], order[2]];
            if hypothesis > 0.0 && reference > 0.0 {
                precision += both / hypothesis;
                recall += both / reference;
                orders += 1;
            }
        }
        if orders == 0 {
            return 0.0;
        }
        precision /= f64::from(orders);
        recall /= f64::from(orders);
        if precision + recall == 0.0 {
            return 0.0;
        }
        let factor = f64::from(self.beta * self.beta);
        let score = (1.0 + factor) * precision * recall / (factor * precision + recall);
        100.0 * score
    }
}

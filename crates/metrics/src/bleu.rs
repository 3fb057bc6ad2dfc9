//! BLEU (Papineni et al. 2002), as sacreBLEU computes it.

use std::fmt;

use crate::words::{is_blank, ngrams, split};
use crate::{Counts, Error, Metric, SACREBLEU_VERSION, Tokenize, sum};

/// The longest n-grams that are counted.
const ORDER: usize = 4;

/// What is done for n-grams that never match (Chen and Cherry 2014).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Smoothing {
    /// Nothing: a single order without a match makes BLEU zero.
    None,
    /// This count in place of none.
    Floor(f64),
    /// Added to the counts of all orders but the first.
    AddK(f64),
    /// Half a match, a quarter, …: as `mteval-v13a.pl` does.
    #[default]
    Exponential,
}

/// The metric and its settings; the default is sacreBLEU's.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bleu {
    /// How segments become words.
    pub tokenize: Tokenize,
    /// Whether case is ignored.
    pub lowercase: bool,
    /// What is done for n-grams that never match.
    pub smoothing: Smoothing,
    /// Leave out orders that a short text has no n-grams of: for single sentences.
    pub effective_order: bool,
}

/// A BLEU and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct BleuScore {
    /// From 0 to 100.
    pub score: f64,
    /// The share of the n-grams of each order that are in a reference, from 0 to 100.
    pub precisions: [f64; ORDER],
    /// From 0 to 1; below 1 where the hypotheses are shorter than the references.
    pub brevity_penalty: f64,
    /// Words of the hypotheses.
    pub hypothesis_length: usize,
    /// Words of the references nearest in length.
    pub reference_length: usize,
}

impl fmt::Display for BleuScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.precisions;
        let ratio = match self.reference_length {
            0 => 0.0,
            length => self.hypothesis_length as f64 / length as f64,
        };
        write!(
            f,
            "BLEU = {:.2} {a:.1}/{b:.1}/{c:.1}/{d:.1} (BP = {:.3} ratio = {ratio:.3} hyp_len = {} ref_len = {})",
            self.score, self.brevity_penalty, self.hypothesis_length, self.reference_length
        )
    }
}

impl Bleu {
    /// BLEU as older papers print it: texts that are tokenised already, case ignored, no smoothing.
    pub fn tokenised_lowercase() -> Self {
        Self {
            tokenize: Tokenize::None,
            lowercase: true,
            smoothing: Smoothing::None,
            effective_order: false,
        }
    }

    /// The score of a corpus with its parts.
    ///
    /// # Errors
    /// If there is no segment, no set of references, or one of another length.
    pub fn corpus_score<H: AsRef<str>, R: AsRef<str>>(
        &self,
        hypotheses: &[H],
        references: &[&[R]],
    ) -> Result<BleuScore, Error> {
        Ok(self.parts(&sum(&self.count_all(hypotheses, references)?)?))
    }

    /// The score of summed counts with its parts.
    pub fn parts(&self, counts: &[f64]) -> BleuScore {
        let (hypothesis, reference) = (counts[0], counts[1]);
        let (mut correct, mut total) = ([0.0; ORDER], [0.0; ORDER]);
        correct.copy_from_slice(&counts[2..2 + ORDER]);
        total.copy_from_slice(&counts[2 + ORDER..]);
        let brevity_penalty = if hypothesis >= reference {
            1.0
        } else if hypothesis > 0.0 {
            (1.0 - reference / hypothesis).exp()
        } else {
            0.0
        };
        let mut result = BleuScore {
            score: 0.0,
            precisions: [0.0; ORDER],
            brevity_penalty,
            hypothesis_length: hypothesis as usize,
            reference_length: reference as usize,
        };
        if correct.iter().all(|&n| n == 0.0) {
            return result;
        }
        let (mut halves, mut order) = (1.0, ORDER);
        for n in 0..ORDER {
            if let (Smoothing::AddK(k), true) = (self.smoothing, n > 0) {
                correct[n] += k;
                total[n] += k;
            }
            if total[n] == 0.0 {
                break;
            }
            if self.effective_order {
                order = n + 1;
            }
            result.precisions[n] = match self.smoothing {
                _ if correct[n] != 0.0 => 100.0 * correct[n] / total[n],
                Smoothing::Exponential => {
                    halves *= 2.0;
                    100.0 / (halves * total[n])
                }
                Smoothing::Floor(least) => 100.0 * least / total[n],
                _ => 0.0,
            };
        }
        let log = |p: &f64| if *p == 0.0 { -9_999_999_999.0 } else { p.ln() };
        let mean = result.precisions[..order].iter().map(log).sum::<f64>() / order as f64;
        result.score = brevity_penalty * mean.exp();
        result
    }

    fn words(&self, text: &str) -> Vec<String> {
        let text = text.trim_end_matches(is_blank);
        let text = if self.lowercase {
            self.tokenize.apply(&text.to_lowercase())
        } else {
            // Blanks at the end may have come before a tokenizer that looks at the end.
            self.tokenize.apply(text)
        };
        split(&text).map(str::to_string).collect()
    }
}

impl Metric for Bleu {
    fn name(&self) -> String {
        "BLEU".to_string()
    }

    fn signature(&self, references: usize) -> String {
        let smooth = match self.smoothing {
            Smoothing::None => "none".to_string(),
            Smoothing::Floor(least) => format!("floor[{least:.2}]"),
            Smoothing::AddK(k) => format!("add-k[{k:.2}]"),
            Smoothing::Exponential => "exp".to_string(),
        };
        format!(
            "nrefs:{references}|case:{}|eff:{}|tok:{}|smooth:{smooth}|version:{SACREBLEU_VERSION}",
            if self.lowercase { "lc" } else { "mixed" },
            if self.effective_order { "yes" } else { "no" },
            self.tokenize.name(),
        )
    }

    fn count(&self, hypothesis: &str, references: &[&str]) -> Counts {
        let hypothesis = self.words(hypothesis);
        let references: Vec<Vec<String>> = references.iter().map(|text| self.words(text)).collect();
        let nearest = references
            .iter()
            .map(Vec::len)
            .min_by_key(|&length| (length.abs_diff(hypothesis.len()), length))
            .unwrap_or(0);
        let mut counts = vec![0.0; 2 + 2 * ORDER];
        counts[0] = hypothesis.len() as f64;
        counts[1] = nearest as f64;
        for n in 1..=ORDER {
            let known: Vec<_> = references.iter().map(|words| ngrams(words, n)).collect();
            let (mut correct, mut total) = (0, 0);
            for (gram, count) in ngrams(&hypothesis, n) {
                let most = known.iter().filter_map(|known| known.get(gram)).max();
                correct += count.min(most.copied().unwrap_or(0));
                total += count;
            }
            counts[1 + n] = correct as f64;
            counts[1 + ORDER + n] = total as f64;
        }
        counts
    }

    fn score(&self, counts: &[f64]) -> f64 {
        self.parts(counts).score
    }
}

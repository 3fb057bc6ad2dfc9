//! Metrics of written text, equal to the reference tools to the last digit: BLEU, chrF and TER as sacreBLEU
//! (Post 2018, arXiv 1804.08771) computes them, ROUGE as Google's `rouge-score` does, error rates of words and
//! characters as jiwer does, and how far chance explains a difference.
//!
//! Each metric first counts, segment by segment ([`Metric::count`]), then makes a score of the sum of the
//! counts ([`Metric::score`]): so a thousand resampled corpora cost little.

mod bleu;
mod chrf;
mod moses;
pub mod normalize;
mod porter;
mod rouge;
mod significance;
mod ter;
mod tokenize;
pub mod wer;
mod words;

pub use bleu::{Bleu, BleuScore, Smoothing};
pub use chrf::Chrf;
pub use moses::moses_tokenize;
pub use rouge::{Rouge, RougeKind, RougeScore};
pub use significance::{Interval, Paired, bootstrap, paired_bootstrap};
pub use ter::Ter;
pub use tokenize::Tokenize;

/// The release of sacreBLEU whose rules are followed, as signatures name it.
pub const SACREBLEU_VERSION: &str = "2.6.0";

/// Why a metric cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are more or fewer references than hypotheses.
    #[error("there are {hypotheses} hypotheses, but {references} references")]
    Count {
        /// Hypotheses.
        hypotheses: usize,
        /// References of one set.
        references: usize,
    },
    /// There is no set of references.
    #[error("there is nothing to compare with: at least one set of references is needed")]
    NoReferences,
    /// There is not a single segment.
    #[error("there are no segments to score")]
    Empty,
}

/// What is counted of one segment, or of many together.
pub type Counts = Vec<f64>;

/// A metric of a corpus: a function of the sum of its segments' counts.
pub trait Metric {
    /// The metric's name, e.g. `BLEU`.
    fn name(&self) -> String;

    /// What shapes the score, in sacreBLEU's form; `references` is the number of sets of references.
    fn signature(&self, references: usize) -> String;

    /// Counts a segment beside its references, of which there is at least one.
    fn count(&self, hypothesis: &str, references: &[&str]) -> Counts;

    /// The score of summed counts, from 0 to 100 (TER: upwards from 0).
    fn score(&self, counts: &[f64]) -> f64;

    /// Whether a higher score is better.
    fn higher_is_better(&self) -> bool {
        true
    }

    /// The counts of each segment; `references` has one or more sets, each as long as the hypotheses.
    ///
    /// # Errors
    /// If there is no set, or one of another length.
    fn count_all<H: AsRef<str>, R: AsRef<str>>(
        &self,
        hypotheses: &[H],
        references: &[&[R]],
    ) -> Result<Vec<Counts>, Error>
    where
        Self: Sized,
    {
        check(hypotheses.len(), references.iter().map(|set| set.len()))?;
        let segment = |(i, hypothesis): (usize, &H)| {
            let references: Vec<&str> = references.iter().map(|set| set[i].as_ref()).collect();
            self.count(hypothesis.as_ref(), &references)
        };
        Ok(hypotheses.iter().enumerate().map(segment).collect())
    }

    /// The score of a corpus.
    ///
    /// # Errors
    /// If there is no segment, no set of references, or one of another length.
    fn corpus<H: AsRef<str>, R: AsRef<str>>(
        &self,
        hypotheses: &[H],
        references: &[&[R]],
    ) -> Result<f64, Error>
    where
        Self: Sized,
    {
        let counts = self.count_all(hypotheses, references)?;
        Ok(self.score(&sum(&counts)?))
    }

    /// The score of one segment.
    fn sentence(&self, hypothesis: &str, references: &[&str]) -> f64 {
        self.score(&self.count(hypothesis, references))
    }
}

/// The sum of the counts of all segments.
///
/// # Errors
/// If there is none.
pub fn sum(counts: &[Counts]) -> Result<Counts, Error> {
    let (first, rest) = counts.split_first().ok_or(Error::Empty)?;
    let mut total = first.clone();
    for counts in rest {
        total.iter_mut().zip(counts).for_each(|(sum, more)| *sum += more);
    }
    Ok(total)
}

fn check(hypotheses: usize, references: impl Iterator<Item = usize>) -> Result<(), Error> {
    let mut sets = 0;
    for references in references {
        if references != hypotheses {
            return Err(Error::Count {
                hypotheses,
                references,
            });
        }
        sets += 1;
    }
    if sets == 0 {
        Err(Error::NoReferences)
    } else {
        Ok(())
    }
}

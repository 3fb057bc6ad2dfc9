//! Whether what was written for a window can be right: loops and guesses are written again, silence is skipped.

use std::io::Write;

use super::write::Written;
use flate2::Compression;
use flate2::write::ZlibEncoder;

/// The reference program's limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Checks {
    /// What words are drawn with, one after the other until a window passes; the first is 0 for the likeliest words.
    pub temperatures: Vec<f64>,
    /// How often words are drawn at each temperature above 0: the likeliest are taken.
    pub best_of: usize,
    /// Texts that can be packed smaller than this go round in circles.
    pub compression_ratio: f64,
    /// The mean logarithm of a token's probability below which it is guessed.
    pub log_prob: f64,
    /// The probability of silence above which guesses are left out.
    pub no_speech: f64,
    /// The words of each window are shown to the model before the next one; else it sees those that were expected
    /// before the first window alone.
    pub condition_on_previous: bool,
    /// Odd words (unlikely ones, too short or too long ones) are left out where so many seconds of silence are around
    /// them. Finds when words are said.
    pub hallucination_silence: Option<f64>,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            best_of: 5,
            compression_ratio: 2.4,
            log_prob: -1.0,
            no_speech: 0.6,
            condition_on_previous: true,
            hallucination_silence: None,
        }
    }
}

impl Checks {
    /// The temperature above which what was written is not shown to the model again.
    pub(super) const UNSURE: f64 = 0.5;

    pub(super) fn of(&self, quality: &Quality) -> Verdict {
        let guessed = quality.log_prob < self.log_prob;
        if quality.no_speech > self.no_speech && guessed {
            Verdict::Silence
        } else if guessed || quality.compression_ratio > self.compression_ratio {
            Verdict::Again
        } else {
            Verdict::Good
        }
    }
}

/// What is to be done with what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Good,
    Again,
    Silence,
}

/// What was written for a window, measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Bytes of the text for each byte when packed.
    pub compression_ratio: f64,
    /// Mean logarithm of the tokens' probabilities, the end's among them.
    pub log_prob: f64,
    /// Probability that nobody speaks.
    pub no_speech: f64,
}

impl Quality {
    /// Of `text`, which was `written`, where nobody speaks with a probability of `no_speech`.
    pub(super) fn new(text: &str, written: &Written, no_speech: f64) -> Self {
        Self {
            compression_ratio: compression_ratio(text),
            log_prob: written.log_prob() / (written.ids.len() + 1) as f64,
            no_speech,
        }
    }
}

fn compression_ratio(text: &str) -> f64 {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    let packed = packed.write_all(text.as_bytes()).and_then(|()| packed.finish());
    packed.map_or(1.0, |packed| text.len() as f64 / packed.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_guesses_and_silence_are_told_apart() {
        assert!(compression_ratio(&"so it goes ".repeat(30)) > 2.4);
        assert!(compression_ratio("The quick brown fox jumps over the lazy dog.") < 1.5);
        let quality = |compression_ratio, log_prob, no_speech| Quality {
            compression_ratio,
            log_prob,
            no_speech,
        };
        let checks = Checks::default();
        assert_eq!(checks.of(&quality(1.5, -0.3, 0.9)), Verdict::Good);
        assert_eq!(checks.of(&quality(3.0, -0.3, 0.1)), Verdict::Again);
        assert_eq!(checks.of(&quality(1.5, -1.5, 0.1)), Verdict::Again);
        assert_eq!(checks.of(&quality(3.0, -1.5, 0.7)), Verdict::Silence);
    }
}

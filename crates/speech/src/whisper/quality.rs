//! Whether what was written for a window can be right: loops and guesses are written again, silence is skipped.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use sensorium_blocks::in_f32;
use tch::{Kind, Tensor};

use super::{WhisperRecognizer, Written};
use crate::error::Error;

/// The reference program's limits.
#[derive(Debug, Clone, PartialEq)]
pub struct Checks {
    /// What words are drawn with, one after the other until a window passes; the first is 0 for the likeliest words.
    pub temperatures: Vec<f64>,
    /// Texts that can be packed smaller than this go round in circles.
    pub compression_ratio: f64,
    /// The mean logarithm of a token's probability below which it is guessed.
    pub log_prob: f64,
    /// The probability of silence above which guesses are left out.
    pub no_speech: f64,
    /// The words of each window are shown to the model before the next one.
    pub condition_on_previous: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Self {
            temperatures: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            compression_ratio: 2.4,
            log_prob: -1.0,
            no_speech: 0.6,
            condition_on_previous: true,
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

/// What was written, measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quality {
    /// Bytes of the text for each byte when packed.
    pub compression_ratio: f64,
    /// Mean logarithm of the tokens' probabilities, the end's among them.
    pub log_prob: f64,
    /// Probability that nobody speaks.
    pub no_speech: f64,
}

impl WhisperRecognizer {
    /// Measures what was written for a window after `start`.
    pub(super) fn quality(
        &self,
        states: &Tensor,
        start: &[i64],
        written: &Written,
    ) -> Result<Quality, Error> {
        let text = self.text(&written.ids)?;
        let mut targets = written.ids.clone();
        targets.push(self.tokens.end);
        let all: Vec<i64> = start.iter().chain(&written.ids).copied().collect();
        let begin = start.iter().rposition(|&id| id == self.tokens.start).unwrap_or(0);
        let likely = tch::no_grad(|| {
            let memory = self.model.remember(states);
            let ids = Tensor::from_slice(&all).view([1, -1]).to_device(self.device);
            let decoder = self.model.decoder();
            let states = decoder.forward(&ids, Default::default(), &memory, None, false, None);
            in_f32(&decoder.logits(&states))
                .squeeze_dim(0)
                .log_softmax(-1, Kind::Float)
        });
        let chosen = likely.narrow(0, start.len() as i64 - 1, targets.len() as i64);
        let index = Tensor::from_slice(&targets).unsqueeze(1).to_device(self.device);
        let log_prob = chosen
            .gather(1, &index, false)
            .mean(Kind::Float)
            .double_value(&[]);
        let no_speech = self
            .no_speech
            .map_or(0.0, |id| likely.double_value(&[begin as i64, id]).exp());
        Ok(Quality {
            compression_ratio: compression_ratio(text.trim()),
            log_prob,
            no_speech,
        })
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

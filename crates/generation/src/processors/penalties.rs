//! Penalties on what occurred, and a reward for ending.

use super::{LogitsProcessor, Row};

/// Makes tokens that occurred less likely: Keskar et al., *CTRL* (2019), section 4.1.
///
/// Padding on the left of the prompt did not occur.
#[derive(Debug, Clone)]
pub struct RepetitionPenalty {
    penalty: f32,
    old: Vec<f32>,
}

impl RepetitionPenalty {
    /// Positive scores are divided by `penalty`, negative ones multiplied.
    pub fn new(penalty: f32) -> Self {
        Self {
            penalty,
            old: Vec::new(),
        }
    }
}

impl LogitsProcessor for RepetitionPenalty {
    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        penalise(&row.ids[row.padding..], self.penalty, scores, &mut self.old);
    }
}

/// Makes tokens of the encoder's input more likely, against hallucination.
#[derive(Debug, Clone)]
pub struct EncoderRepetitionPenalty {
    penalty: f32,
    encoder_ids: Vec<Vec<i64>>,
    old: Vec<f32>,
}

impl EncoderRepetitionPenalty {
    /// Positive scores of tokens in `encoder_ids` (a row for each row of the prompt) are multiplied by
    /// `penalty`, negative ones divided.
    pub fn new(penalty: f32, encoder_ids: Vec<Vec<i64>>) -> Self {
        Self {
            penalty: 1. / penalty,
            encoder_ids,
            old: Vec::new(),
        }
    }
}

impl LogitsProcessor for EncoderRepetitionPenalty {
    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        penalise(&self.encoder_ids[row.prompt], self.penalty, scores, &mut self.old);
    }
}

/// Each token's new score follows from its old one, so that a token that occurs twice pays once.
fn penalise(ids: &[i64], penalty: f32, scores: &mut [f32], old: &mut Vec<f32>) {
    let get = |id: i64| usize::try_from(id).ok().and_then(|i| scores.get(i).copied());
    old.clear();
    old.extend(ids.iter().map(|&id| get(id).unwrap_or(0.)));
    for (&id, &score) in ids.iter().zip(&*old) {
        let score = if score < 0. {
            score * penalty
        } else {
            score / penalty
        };
        set(scores, id, score);
    }
}

/// Sets a token's score, if the vocabulary has it.
pub(super) fn set(scores: &mut [f32], id: i64, score: f32) {
    if let Some(place) = usize::try_from(id).ok().and_then(|i| scores.get_mut(i)) {
        *place = score;
    }
}

/// Makes generated tokens less likely, by a constant and by their number, as OpenAI's
/// `presence_penalty` and `frequency_penalty` do. The prompt does not count.
#[derive(Debug, Clone)]
pub struct OccurrencePenalty {
    presence: f32,
    frequency: f32,
    prompt: usize,
    sorted: Vec<i64>,
}

impl OccurrencePenalty {
    /// A token that was generated `n` times after a prompt of `prompt` tokens loses
    /// `presence + n · frequency`.
    pub fn new(presence: f32, frequency: f32, prompt: usize) -> Self {
        Self {
            presence,
            frequency,
            prompt,
            sorted: Vec::new(),
        }
    }
}

impl LogitsProcessor for OccurrencePenalty {
    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        self.sorted.clear();
        self.sorted.extend(&row.ids[self.prompt.min(row.ids.len())..]);
        self.sorted.sort_unstable();
        for same in self.sorted.chunk_by(|a, b| a == b) {
            if let Some(score) = usize::try_from(same[0]).ok().and_then(|i| scores.get_mut(i)) {
                *score -= self.presence + self.frequency * same.len() as f32;
            }
        }
    }
}

/// Makes the end likelier the longer the sequence is.
#[derive(Debug, Clone)]
pub struct ExponentialDecay {
    start: usize,
    factor: f32,
    eos: Vec<i64>,
}

impl ExponentialDecay {
    /// In a sequence of `start + n` tokens, prompt included, the scores of `eos` grow by their absolute
    /// value times `factor^n - 1`.
    pub fn new(start: usize, factor: f32, eos: Vec<i64>) -> Self {
        Self { start, factor, eos }
    }
}

impl LogitsProcessor for ExponentialDecay {
    fn process(&mut self, row: &Row<'_>, scores: &mut [f32]) {
        let Some(steps) = row.ids.len().checked_sub(self.start).filter(|&n| n > 0) else {
            return;
        };
        // The power is taken in double precision, as Python does.
        let growth = (f64::from(self.factor).powi(steps as i32) - 1.) as f32;
        for &id in &self.eos {
            let score = usize::try_from(id).ok().and_then(|i| scores.get_mut(i));
            if let Some(score) = score.filter(|score| score.is_finite()) {
                *score += score.abs() * growth;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_and_repeats_pay_once_or_not() {
        let mut scores = [1., 2., -3., 4.];
        let row = Row {
            ids: &[3, 3, 1, 2, 1, 9],
            padding: 2,
            prompt: 0,
        };
        RepetitionPenalty::new(2.).process(&row, &mut scores);
        assert_eq!(scores, [1., 1., -6., 4.]);
    }

    #[test]
    fn occurrences_count_after_the_prompt() {
        let mut scores = [0f32; 4];
        OccurrencePenalty::new(1., 0.5, 2).process(&Row::new(&[0, 0, 1, 2, 1]), &mut scores);
        assert_eq!(scores, [0., -2., -1.5, 0.]);
    }

    #[test]
    fn the_end_grows_likelier() {
        let mut scores = [-2., 1.];
        ExponentialDecay::new(1, 1.5, vec![0]).process(&Row::new(&[1, 1, 1]), &mut scores);
        assert_eq!(scores, [0.5, 1.]);
    }
}

//! How likely tokens are that were written already.

use tch::{Kind, Tensor};

use crate::config::Settings;
use crate::processors::{Row, chain};
use crate::{Error, GenerationConfig, LogitsProcessor, Prompt};

/// The logarithm of the probability of each of `ids`, which were written greedily behind the only row of `prompt`, by
/// `logits` `[ids, vocabulary]` and what the settings and further `processors` make of them.
///
/// For greedy search that did not compute all logits on its way.
///
/// # Errors
/// If a setting means nothing.
pub fn log_probs<'a>(
    prompt: &Prompt,
    ids: &[i64],
    logits: &Tensor,
    config: &GenerationConfig,
    processors: Vec<Box<dyn LogitsProcessor + 'a>>,
) -> Result<Vec<f32>, Error> {
    let (Some(first), Some(&vocabulary)) = (prompt.rows().first(), logits.size().last()) else {
        return Ok(Vec::new());
    };
    let settings = Settings::new(config, prompt.len(), None)?;
    let mut chain = chain(config, &settings, prompt, processors);
    let width = usize::try_from(vocabulary).unwrap_or(0);
    // A row at a time: all of them in memory once are enough.
    let mut scores = vec![0.0; width];
    let mut all = first.clone();
    let mut found = Vec::with_capacity(ids.len());
    for (place, &id) in (0..logits.size()[0]).zip(ids) {
        let logits = logits.get(place).to_kind(Kind::Float).contiguous();
        logits.copy_data(&mut scores, width);
        let row = Row {
            ids: &all,
            padding: prompt.padding().first().copied().unwrap_or(0),
            prompt: 0,
        };
        for processor in &mut chain {
            processor.process(&row, &mut scores);
        }
        let chosen = usize::try_from(id).ok().and_then(|id| scores.get(id));
        let total = Tensor::from_slice(&scores).logsumexp([0i64], false);
        found.push(chosen.copied().unwrap_or(f32::NEG_INFINITY) - total.double_value(&[]) as f32);
        all.push(id);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forbidden_makes_the_rest_likelier() {
        let prompt = Prompt::single(&[7]).unwrap();
        let config: GenerationConfig = serde_json::from_str(
            r#"{"suppress_tokens": [3], "begin_suppress_tokens": [0], "eos_token_id": 0}"#,
        )
        .unwrap();
        let half = |x: f32| x.ln() + 2.0;
        let logits = Tensor::from_slice(&[0.5f32, 0.25, 0.125, 0.125, 0.5, 0.25, 0.125, 0.125].map(half));
        let found = log_probs(&prompt, &[1, 0], &logits.view([2, 4]), &config, Vec::new()).unwrap();
        let expected = [0.25f32 / 0.375, 0.5 / 0.875].map(f32::ln);
        assert!(
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6),
            "{found:?}"
        );
        let none = log_probs(
            &prompt,
            &[],
            &Tensor::zeros([0, 4], (Kind::Float, tch::Device::Cpu)),
            &config,
            Vec::new(),
        );
        assert!(none.unwrap().is_empty());
    }
}

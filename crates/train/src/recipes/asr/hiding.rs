//! States of networks that hear samples, hidden while they learn (arXiv 2006.11477, section 3).

use sensorium_speech::models::{Hidden, SpeechEncoder};
use serde_json::Value;
use tch::{Kind, Tensor};

use super::data::Batch;
use super::masks::SpecAugment;
use super::sound::Draws;
use crate::rng::mix;

/// How much is hidden.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hiding {
    settings: SpecAugment,
    /// So many stretches of each string; 0 for what the settings say.
    masks: usize,
}

impl Hiding {
    /// `masks` stretches of each string, and what a model's `config.json` asks for; nothing if that is nothing.
    ///
    /// # Errors
    /// If a setting is of the wrong kind.
    pub fn of(config: &Value, masks: usize) -> serde_json::Result<Option<Self>> {
        let settings = SpecAugment::of_states(config)?;
        Ok((masks > 0 || settings.hides()).then_some(Self { settings, masks }))
    }

    /// What `encoder` is not shown of `batch`.
    pub fn hidden(self, batch: &Batch, encoder: &SpeechEncoder) -> Option<Hidden> {
        let [rows, samples] = batch.features.values.size()[..] else {
            return None;
        };
        let heard: Vec<i64> = match &batch.features.mask {
            Some(mask) => Vec::try_from(mask.sum_dim_intlist(1i64, false, Kind::Int64)).ok()?,
            None => vec![samples; rows as usize],
        };
        let (steps, features) = (encoder.steps(samples)? as usize, encoder.hidden() as usize);
        let (mut of_steps, mut of_features) = (Vec::new(), Vec::new());
        for (row, samples) in heard.into_iter().enumerate() {
            let mut draws = Draws::new(mix(batch.seed, &[row as u64]));
            let heard = encoder.steps(samples)? as usize;
            let [time, bands] = self.settings.stretches(heard, features, self.masks, &mut draws);
            for (line, size, stretches) in [(&mut of_steps, steps, time), (&mut of_features, features, bands)]
            {
                let begin = line.len();
                line.resize(begin + size, false);
                for stretch in stretches {
                    line[begin..][stretch].fill(true);
                }
            }
        }
        let tensor = |line: &[bool], size: usize| Tensor::from_slice(line).view([rows, size as i64]);
        Some(Hidden {
            steps: tensor(&of_steps, steps),
            features: tensor(&of_features, features),
        })
    }
}

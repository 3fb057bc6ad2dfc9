//! An encoder and a layer that scores tokens: connectionist temporal classification (Graves et al., 2006).

use sensorium_blocks::{BuildError, Init, Linear, Params, in_f32};
use serde_json::Value;
use tch::{Device, Tensor};

use super::{Hidden, SpeechEncoder, States};
use crate::features::{Extractor, Features};

/// Scores the tokens, "nothing new" among them, of each state.
#[derive(Debug)]
pub struct CtcNetwork {
    encoder: SpeechEncoder,
    head: Linear,
    dropout: f64,
    device: Device,
}

impl CtcNetwork {
    /// Builds the network that `config` describes from `params`.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters or the features.
    pub fn new(
        config: &Value,
        params: &Params,
        extractor: Extractor,
        device: Device,
    ) -> Result<Self, BuildError> {
        let encoder = SpeechEncoder::new(config, params, extractor)?;
        let outputs = config.get("vocab_size").and_then(Value::as_i64).unwrap_or(32);
        let head = Linear::new(&(params / "lm_head"), encoder.hidden(), outputs, Init::Xavier)?;
        Ok(Self {
            encoder,
            head,
            dropout: config.get("final_dropout").and_then(Value::as_f64).unwrap_or(0.0),
            device,
        })
    }

    /// What makes the states.
    pub fn encoder(&self) -> &SpeechEncoder {
        &self.encoder
    }

    /// Scores, `[batch, steps, tokens]` in `f32`, and the states; with `all`, those of each layer.
    pub fn forward(&self, features: &Features, all: bool, train: bool) -> (Tensor, States) {
        let kind = self.head.kind();
        let states = self.encoder.forward(features, self.device, kind, all, train);
        (self.score(&states, train), states)
    }

    /// The same to learn from, with some states `hidden`.
    pub fn learn(&self, features: &Features, hidden: Option<&Hidden>) -> (Tensor, States) {
        let kind = self.head.kind();
        let states = self
            .encoder
            .forward_hiding(features, hidden, self.device, kind, false, true);
        (self.score(&states, true), states)
    }

    fn score(&self, states: &States, train: bool) -> Tensor {
        let x = match train && self.dropout > 0.0 {
            true => states.last.dropout(self.dropout, true),
            false => states.last.shallow_clone(),
        };
        in_f32(&self.head.forward(&x))
    }
}

//! Checks of text models and tokenizers.

use anyhow::{Context, Result, bail};
use sensorium_text::causal::{CausalLm, ForwardOptions};
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor};

use crate::case::{Case, Check};
use crate::value::of_tensor;

/// The case's model and tokenizer, opened when first needed.
pub struct TextTools<'a> {
    case: &'a Case,
    model: Option<CausalLm>,
}

impl<'a> TextTools<'a> {
    pub fn new(case: &'a Case) -> Self {
        Self { case, model: None }
    }

    fn model(&mut self) -> Result<&CausalLm> {
        if self.model.is_none() {
            self.model = Some(CausalLm::open(&self.case.model(), Device::Cpu, None)?);
        }
        self.model.as_ref().context("just opened")
    }

    pub fn tokenize(&mut self, _check: &Check) -> Result<Map<String, Value>> {
        bail!("not yet")
    }

    pub fn decode(&mut self, _check: &Check) -> Result<Map<String, Value>> {
        bail!("not yet")
    }

    pub fn chat_template(&mut self, _check: &Check) -> Result<Map<String, Value>> {
        bail!("not yet")
    }

    pub fn generate(&mut self, _check: &Check) -> Result<Map<String, Value>> {
        bail!("not yet")
    }

    pub fn pipeline(&mut self, _check: &Check) -> Result<Map<String, Value>> {
        bail!("not yet")
    }

    /// Logits and hidden states.
    pub fn forward(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let case = self.case;
        let input = |name: &str| check.input.get(name).map(|value| case.tensor(value)).transpose();
        let ids = input("input_ids")?.context("no input_ids")?;
        let (mask, positions) = (input("attention_mask")?, input("position_ids")?);
        let hidden_states = check.param("output_hidden_states").is_some();
        let options = ForwardOptions {
            mask: mask.as_ref(),
            positions: positions.as_ref(),
            train: false,
            hidden_states,
        };
        let forward = self.model()?.forward(&ids.to_kind(Kind::Int64), options);
        let mut result = Map::new();
        let mut put = |name: String, tensor: &Tensor| result.insert(name, of_tensor(tensor));
        put("logits".to_string(), &forward.logits);
        for (i, states) in forward.hidden_states.iter().enumerate() {
            put(format!("hidden_states.{i}"), states);
        }
        Ok(result)
    }
}

//! Checks of text models and tokenizers.

use anyhow::{Context, Result, bail};
use sensorium_generation::{GenerationConfig, Options, Prompt, generate};
use sensorium_text::causal::{CausalLm, ForwardOptions};
use serde_json::{Map, Value, json};
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

    /// What `generate()` gives for ids.
    pub fn generate(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let rows: Vec<Vec<i64>> = serde_json::from_value(check.input["input_ids"].clone())?;
        let mask: Option<Vec<Vec<i64>>> =
            check.input.get("attention_mask").map(|mask| serde_json::from_value(mask.clone())).transpose()?;
        let prompt = match mask {
            Some(mask) => Prompt::with_mask(rows, &mask)?,
            None => Prompt::new(rows)?,
        };
        let config = published_config(self.case)?;
        let params = check.params.clone().unwrap_or_default();
        let config = config.with_json(&params)?;
        let options = Options {
            step_logits: check.expect.contains_key("step_logits"),
            ..Options::default()
        };
        let model = self.model()?;
        let padding: Vec<i64> = prompt.padding().iter().map(|&n| n as i64).collect();
        let mut session = model.session(&padding, 0);
        let generated = generate(session.as_mut(), &prompt, &config, options)?;
        let mut result = Map::new();
        let sequences: Vec<&Vec<i64>> = generated.iter().map(|g| &g.sequence).collect();
        result.insert("sequences".to_string(), json!(sequences));
        let scores: Option<Vec<f32>> = generated.iter().map(|g| g.score).collect();
        if let Some(scores) = scores {
            result.insert("sequences_scores".to_string(), json!(scores));
        }
        let logits: Option<Vec<Tensor>> =
            generated.iter().map(|g| g.step_logits.as_ref().map(Tensor::shallow_clone)).collect();
        if let Some(logits) = logits {
            result.insert("step_logits".to_string(), of_tensor(&Tensor::stack(&logits, 0)));
        }
        Ok(result)
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

/// `generation_config.json`, or what `config.json` says in its place.
fn published_config(case: &Case) -> Result<GenerationConfig> {
    let model = case.model();
    if model.path("generation_config.json").is_some() {
        return Ok(model.json_as("generation_config.json")?);
    }
    Ok(serde_json::from_value(model.config()?)?)
}

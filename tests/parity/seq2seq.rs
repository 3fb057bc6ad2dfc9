//! Checks of encoder–decoder models.

use anyhow::{Context, Result, bail};
use sensorium_generation::{GenerationConfig, Options};
use sensorium_hub::Model;
use sensorium_text::seq2seq::ForwardOptions;
use sensorium_text::{TextToText, WriteOptions};
use serde_json::{Map, Value, json};
use tch::{Device, Kind};

use crate::case::{Case, Check};
use crate::text::generated_fields;
use crate::value::of_tensor;

/// An encoder–decoder model with its tokenizer.
pub struct Seq2SeqTools {
    pipeline: TextToText,
}

impl Seq2SeqTools {
    pub fn open(model: &Model) -> Result<Self> {
        Ok(Self {
            pipeline: TextToText::open(model, Device::Cpu, None)?,
        })
    }

    /// What the pipeline of the task gives, one text at a time.
    pub fn pipeline(&self, check: &Check) -> Result<Map<String, Value>> {
        let field = match check.pipeline.as_deref() {
            Some("translation") => "translation_text",
            Some("summarization") => "summary_text",
            Some("text2text-generation") => "generated_text",
            other => bail!("the pipeline `{}` cannot be run yet", other.unwrap_or_default()),
        };
        let mut params = check.params.clone().unwrap_or_default();
        let truncate = params.remove("truncation") == Some(json!(true));
        let config = self.pipeline.published_config().with_json(&params)?;
        let write = |text: &str| -> Result<Value> {
            let options = WriteOptions {
                truncate,
                ..WriteOptions::default()
            };
            let written = self.pipeline.write(&[text], &config, options)?;
            let first = written.first().context("nothing was written")?;
            Ok(json!({ field: first.text }))
        };
        let output = match &check.input["text"] {
            Value::String(text) => json!([write(text)?]),
            Value::Array(texts) => {
                let texts = texts.iter().filter_map(Value::as_str);
                Value::Array(texts.map(write).collect::<Result<_>>()?)
            }
            other => bail!("{other} is no text"),
        };
        Ok(Map::from_iter([("output".to_string(), output)]))
    }

    /// What `generate()` gives for ids.
    pub fn generate(&self, check: &Check) -> Result<Map<String, Value>> {
        let rows: Vec<Vec<i64>> =
            serde_json::from_value(check.input.get("input_ids").context("no input_ids")?.clone())?;
        let mask: Option<Vec<Vec<i64>>> = check
            .input
            .get("attention_mask")
            .map(|mask| serde_json::from_value(mask.clone()))
            .transpose()?;
        let lengths = rows.iter().enumerate().map(|(i, row)| match &mask {
            Some(mask) => mask[i].iter().filter(|&&m| m != 0).count(),
            None => row.len(),
        });
        let sources: Vec<&[i64]> = rows
            .iter()
            .zip(lengths)
            .map(|(row, length)| &row[..length])
            .collect();
        let params = check.params.clone().unwrap_or_default();
        let config: GenerationConfig = self.pipeline.published_config().with_json(&params)?;
        let options = Options {
            step_logits: check.expect.contains_key("step_logits"),
            ..Options::default()
        };
        let generated = self.pipeline.write_batch(&sources, &config, options)?;
        generated_fields(&generated, self.pipeline.tokenizer())
    }

    /// Logits and hidden states.
    pub fn forward(&self, case: &Case, check: &Check) -> Result<Map<String, Value>> {
        let input = |name: &str| check.input.get(name).map(|value| case.tensor(value)).transpose();
        let ids = input("input_ids")?.context("no input_ids")?;
        let decoder_ids = input("decoder_input_ids")?.context("no decoder_input_ids")?;
        let (mask, decoder_mask) = (input("attention_mask")?, input("decoder_attention_mask")?);
        let options = ForwardOptions {
            mask: mask.as_ref(),
            decoder_mask: decoder_mask.as_ref(),
            train: false,
            hidden_states: check.param("output_hidden_states").is_some(),
        };
        let long = |tensor: &tch::Tensor| tensor.to_kind(Kind::Int64);
        let forward = self
            .pipeline
            .model()
            .forward(&long(&ids), &long(&decoder_ids), options);
        let mut result = Map::new();
        let mut put = |name: String, tensor: &tch::Tensor| result.insert(name, of_tensor(tensor));
        put("logits".to_string(), &forward.logits);
        put("encoder_last_hidden_state".to_string(), &forward.encoded);
        for (i, states) in forward.encoder_states.iter().enumerate() {
            put(format!("encoder_hidden_states.{i}"), states);
        }
        for (i, states) in forward.decoder_states.iter().enumerate() {
            put(format!("decoder_hidden_states.{i}"), states);
        }
        Ok(result)
    }
}

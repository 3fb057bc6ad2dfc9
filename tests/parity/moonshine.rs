//! Checks of Moonshine, which writes what it hears in waveforms.

use anyhow::{Context, Result, bail};
use sensorium_generation::{GenerationConfig, Options};
use sensorium_hub::Model;
use sensorium_speech::MoonshineRecognizer;
use sensorium_speech::features::{Extractor, Features};
use sensorium_speech::models::moonshine::Heard;
use serde_json::{Map, Value, json};
use tch::{Device, Tensor};

use crate::case::Check;
use crate::text::generated_fields;
use crate::value::of_tensor;

/// A recogniser and what makes its input.
pub struct MoonshineTools {
    model: MoonshineRecognizer,
    extractor: Extractor,
}

impl MoonshineTools {
    pub fn open(model: &Model) -> Result<Self> {
        Ok(Self {
            model: MoonshineRecognizer::open(model, Device::Cpu, None)?,
            extractor: Extractor::open(model)?,
        })
    }

    pub fn rate(&self) -> u32 {
        self.model.rate()
    }

    /// What the reference's encoder makes of a batch.
    fn hear(&self, recordings: &[Vec<f32>], all: Option<&mut Vec<Tensor>>) -> Heard {
        let Features { values, mask } = self.extractor.features(recordings);
        tch::no_grad(|| self.model.model().encode(&values, mask.as_ref(), all))
    }

    /// Logits and hidden states.
    pub fn forward(&self, recordings: &[Vec<f32>], decoder_ids: &Tensor) -> Map<String, Value> {
        let (mut encoder_states, mut decoder_states) = (Vec::new(), Vec::new());
        let heard = self.hear(recordings, Some(&mut encoder_states));
        let decoder = self.model.model().decoder();
        let states = tch::no_grad(|| {
            let memory = self.model.model().remember(&heard);
            let all = Some(&mut decoder_states);
            decoder.forward(decoder_ids, Default::default(), &memory, None, false, all)
        });
        let mut result = Map::new();
        let mut put = |name: String, tensor: &Tensor| result.insert(name, of_tensor(tensor));
        put("logits".to_string(), &decoder.logits(&states));
        put("encoder_last_hidden_state".to_string(), &heard.states);
        for (i, states) in encoder_states.iter().enumerate() {
            put(format!("encoder_hidden_states.{i}"), states);
        }
        for (i, states) in decoder_states.iter().enumerate() {
            put(format!("decoder_hidden_states.{i}"), states);
        }
        result
    }

    /// What `generate()` gives.
    pub fn generate(&self, recordings: &[Vec<f32>], check: &Check) -> Result<Map<String, Value>> {
        let heard = self.hear(recordings, None);
        let params = check.params.clone().unwrap_or_default();
        let config = GenerationConfig::default().with_json(&params)?;
        if config.max_new_tokens.is_none() && config.max_length.is_none() {
            bail!("the check says not how many tokens there may be");
        }
        let options = Options {
            step_logits: check.expect.contains_key("step_logits"),
            ..Options::default()
        };
        let generated = self.model.continue_from(&heard, &config, Vec::new(), options)?;
        generated_fields(&generated, self.model.tokenizer())
    }

    /// What the pipeline of the task gives.
    pub fn pipeline(&self, recording: &[f32], check: &Check) -> Result<Value> {
        let params = check.param("generate_kwargs").and_then(Value::as_object);
        let mut config = GenerationConfig::default().with_json(&params.cloned().unwrap_or_default())?;
        // The reference's pipeline searches five beams unless told otherwise.
        config.num_beams = config.num_beams.or(Some(5));
        config.max_new_tokens = config.max_new_tokens.or(Some(256));
        let written = self.model.write(&[recording], &config)?;
        let written = written.first().context("nothing was written")?;
        Ok(json!({ "text": self.model.text(&written.ids)? }))
    }
}

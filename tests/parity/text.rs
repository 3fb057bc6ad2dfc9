//! Checks of text models and tokenizers.

use anyhow::{Context, Result, bail};
use sensorium_generation::{Generated, GenerationConfig, Options, Prompt, generate};
use sensorium_text::causal::ForwardOptions;
use sensorium_text::tokenizer::{
    ChatOptions, Cut, DecodeOptions, EncodeOptions, Encoding, Padding, Side, Tokenizer, Truncation,
};
use sensorium_text::{GenerateOptions, TextGenerator, seq2seq};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, Tensor};

use crate::case::{Case, Check};
use crate::seq2seq::Seq2SeqTools;
use crate::value::{ids, of_tensor};

/// The case's model and tokenizer, opened when first needed.
pub struct TextTools<'a> {
    case: &'a Case,
    tokenizer: Option<Tokenizer>,
    generator: Option<TextGenerator>,
    seq2seq: Option<Seq2SeqTools>,
}

impl<'a> TextTools<'a> {
    pub fn new(case: &'a Case) -> Self {
        Self {
            case,
            tokenizer: None,
            generator: None,
            seq2seq: None,
        }
    }

    /// The tools of a model with encoder and decoder; `None` if the case has another one.
    fn seq2seq(&mut self) -> Result<Option<&Seq2SeqTools>> {
        let model = self.case.model();
        let model_type = model.config()?["model_type"].as_str().map(str::to_string);
        if !seq2seq::model_types().any(|known| Some(known) == model_type.as_deref()) {
            return Ok(None);
        }
        if self.seq2seq.is_none() {
            self.seq2seq = Some(Seq2SeqTools::open(&model)?);
        }
        Ok(self.seq2seq.as_ref())
    }

    fn generator(&mut self) -> Result<&TextGenerator> {
        if self.generator.is_none() {
            self.generator = Some(TextGenerator::open(&self.case.model(), Device::Cpu, None)?);
        }
        self.generator.as_ref().context("just opened")
    }

    fn tokenizer(&mut self) -> Result<&Tokenizer> {
        if self.tokenizer.is_none() {
            self.tokenizer = Some(Tokenizer::open(&self.case.model())?);
        }
        self.tokenizer.as_ref().context("just opened")
    }

    /// Ids, masks, offsets, tokens of a text, a pair or several texts.
    pub fn tokenize(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let options = encode_options(check);
        let tokenizer = self.tokenizer()?;
        let mut result = Map::new();
        if let Some(texts) = check.input.get("texts") {
            let texts: Vec<String> = serde_json::from_value(texts.clone())?;
            let rows = tokenizer.encode_batch(texts.iter(), &options)?;
            let field = |f: fn(&Encoding) -> &Vec<i64>| json!(rows.iter().map(f).collect::<Vec<_>>());
            result.insert("input_ids".to_string(), field(|e| &e.ids));
            result.insert("attention_mask".to_string(), field(|e| &e.attention_mask));
            result.insert("token_type_ids".to_string(), field(|e| &e.type_ids));
            return Ok(result);
        }
        let text = check.input["text"].as_str().context("no text")?;
        let encoding = match check.input.get("text_pair").and_then(Value::as_str) {
            Some(pair) => tokenizer.encode((text, pair), &options)?,
            None => tokenizer.encode(text, &options)?,
        };
        result.insert("input_ids".to_string(), json!(encoding.ids));
        result.insert("attention_mask".to_string(), json!(encoding.attention_mask));
        result.insert("token_type_ids".to_string(), json!(encoding.type_ids));
        result.insert("offset_mapping".to_string(), json!(encoding.offsets));
        result.insert("tokens".to_string(), json!(encoding.tokens));
        result.insert(
            "input_ids_no_special".to_string(),
            json!(tokenizer.ids(text, false)?),
        );
        Ok(result)
    }

    /// The text of ids.
    pub fn decode(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let ids = ids(&check.input["ids"]);
        let tokenizer = self.tokenizer()?;
        let mut result = Map::new();
        let mut put = |field: &str, options: DecodeOptions| -> Result<()> {
            result.insert(field.to_string(), json!(tokenizer.decode(&ids, &options)?));
            Ok(())
        };
        let verbatim = DecodeOptions::verbatim();
        put(
            "text",
            DecodeOptions {
                timestamps: false,
                ..verbatim
            },
        )?;
        put("text_skip_special", DecodeOptions::default())?;
        put(
            "text_no_clean_up",
            DecodeOptions {
                clean_up: Some(false),
                ..DecodeOptions::default()
            },
        )?;
        put("text_with_timestamps", verbatim)?;
        Ok(result)
    }

    /// A chat as text and ids.
    pub fn chat_template(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let messages: Vec<Map<String, Value>> = serde_json::from_value(check.input["messages"].clone())?;
        let options = ChatOptions {
            add_generation_prompt: check.input.get("add_generation_prompt") == Some(&json!(true)),
            ..ChatOptions::default()
        };
        let tokenizer = self.tokenizer()?;
        let mut result = Map::new();
        result.insert("text".to_string(), json!(tokenizer.chat(&messages, &options)?));
        result.insert(
            "input_ids".to_string(),
            json!(tokenizer.chat_ids(&messages, &options)?),
        );
        Ok(result)
    }

    /// What the pipeline of the task gives.
    pub fn pipeline(&mut self, check: &Check) -> Result<Map<String, Value>> {
        if let Some(tools) = self.seq2seq()? {
            return tools.pipeline(check);
        }
        if check.pipeline.as_deref() != Some("text-generation") {
            let name = check.pipeline.as_deref().unwrap_or_default();
            bail!("the pipeline `{name}` cannot be run yet");
        }
        let generator = self.generator()?;
        let mut params = check.params.clone().unwrap_or_default();
        let full = params.remove("return_full_text") != Some(json!(false));
        let config = GenerationConfig::default().with_json(&params)?;
        let complete = |prompt: &str| -> Result<Value> {
            let new = generator.generate(&[prompt], &config, GenerateOptions::default())?;
            let begin = if full { prompt } else { "" };
            let texts = new
                .iter()
                .map(|c| json!({ "generated_text": format!("{begin}{}", c.text) }));
            Ok(texts.collect())
        };
        let output = if let Some(messages) = check.input.get("messages") {
            let messages: Vec<Map<String, Value>> = serde_json::from_value(messages.clone())?;
            let new = generator.chat(&messages, &config, GenerateOptions::default())?;
            new.iter().map(|c| json!({ "generated_text": c.text })).collect()
        } else {
            match &check.input["text"] {
                Value::String(prompt) => complete(prompt)?,
                Value::Array(prompts) => {
                    let prompts = prompts.iter().filter_map(Value::as_str);
                    Value::Array(prompts.map(complete).collect::<Result<_>>()?)
                }
                other => bail!("{other} is no prompt"),
            }
        };
        Ok(Map::from_iter([("output".to_string(), output)]))
    }

    /// What `generate()` gives for ids.
    pub fn generate(&mut self, check: &Check) -> Result<Map<String, Value>> {
        if let Some(tools) = self.seq2seq()? {
            return tools.generate(check);
        }
        let rows: Vec<Vec<i64>> =
            serde_json::from_value(check.input.get("input_ids").context("no input_ids")?.clone())?;
        let mask: Option<Vec<Vec<i64>>> = check
            .input
            .get("attention_mask")
            .map(|mask| serde_json::from_value(mask.clone()))
            .transpose()?;
        let prompt = match mask {
            Some(mask) => Prompt::with_mask(rows, &mask)?,
            None => Prompt::new(rows)?,
        };
        let params = check.params.clone().unwrap_or_default();
        let generator = self.generator()?;
        let config = generator.published_config().with_json(&params)?;
        let options = Options {
            step_logits: check.expect.contains_key("step_logits"),
            ..Options::default()
        };
        let model = generator.model();
        let padding: Vec<i64> = prompt.padding().iter().map(|&n| n as i64).collect();
        let mut session = model.session(&padding, 0);
        let generated = generate(session.as_mut(), &prompt, &config, options)?;
        generated_fields(&generated, generator.tokenizer())
    }

    /// Logits and hidden states.
    pub fn forward(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let case = self.case;
        if let Some(tools) = self.seq2seq()? {
            return tools.forward(case, check);
        }
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
        let forward = self
            .generator()?
            .model()
            .forward(&ids.to_kind(Kind::Int64), options);
        let mut result = Map::new();
        let mut put = |name: String, tensor: &Tensor| result.insert(name, of_tensor(tensor));
        put("logits".to_string(), &forward.logits);
        for (i, states) in forward.hidden_states.iter().enumerate() {
            put(format!("hidden_states.{i}"), states);
        }
        Ok(result)
    }
}

/// What `generate()` returns, as the checks name it.
pub fn generated_fields(generated: &[Generated], tokenizer: &Tokenizer) -> Result<Map<String, Value>> {
    let mut result = Map::new();
    let text = |options: DecodeOptions| -> Result<Value> {
        let texts = generated.iter().map(|g| tokenizer.decode(&g.sequence, &options));
        Ok(json!(texts.collect::<Result<Vec<_>, _>>()?))
    };
    result.insert("text".to_string(), text(DecodeOptions::default())?);
    result.insert("text_with_special".to_string(), text(DecodeOptions::verbatim())?);
    let sequences: Vec<&Vec<i64>> = generated.iter().map(|g| &g.sequence).collect();
    result.insert("sequences".to_string(), json!(sequences));
    let scores: Option<Vec<f32>> = generated.iter().map(|g| g.score).collect();
    if let Some(scores) = scores {
        result.insert("sequences_scores".to_string(), json!(scores));
    }
    let logits: Option<Vec<Tensor>> = generated
        .iter()
        .map(|g| g.step_logits.as_ref().map(Tensor::shallow_clone))
        .collect();
    if let Some(logits) = logits {
        result.insert("step_logits".to_string(), of_tensor(&Tensor::stack(&logits, 0)));
    }
    Ok(result)
}

fn encode_options(check: &Check) -> EncodeOptions {
    let input = |name: &str| {
        check
            .input
            .get(name)
            .filter(|value| !value.is_null() && **value != json!(false))
    };
    let cut = match input("truncation").map(|value| value.as_str().unwrap_or("longest_first")) {
        Some("only_first") => Some(Cut::OnlyFirst),
        Some("only_second") => Some(Cut::OnlySecond),
        Some(_) => Some(Cut::LongestFirst),
        None => None,
    };
    let max_length = input("max_length").and_then(Value::as_u64).map(|n| n as usize);
    EncodeOptions {
        truncation: cut.map(|cut| Truncation {
            cut,
            max_length,
            ..Truncation::default()
        }),
        padding: match input("padding").map(|value| value.as_str().unwrap_or("longest")) {
            Some("max_length") => max_length.map_or(Padding::Longest, Padding::To),
            Some(_) => Padding::Longest,
            None => Padding::None,
        },
        padding_side: match input("padding_side").and_then(Value::as_str) {
            Some("left") => Some(Side::Left),
            Some(_) => Some(Side::Right),
            None => None,
        },
        ..EncodeOptions::default()
    }
}

//! Where training goes on from a checkpoint.

use std::sync::Arc;

use sensorium_blocks::{Params, TensorSource};
use sensorium_hub::Model;
use sensorium_speech::vocabulary::{Units, Vocabulary};
use serde_json::{Value, json};
use tch::Tensor;

use crate::error::Result;

/// The layer that scores tokens.
const HEAD: &str = "lm_head.";

/// What training begins with.
pub struct Start {
    /// The model's `config.json`.
    pub model: Value,
    /// The checkpoint's parameters, the head's perhaps new ones.
    pub params: Params,
    /// The checkpoint's, or with a new head a new one.
    pub vocabulary: Vocabulary,
    /// Why the head is new, if it is.
    pub new_head: Option<String>,
}

impl Start {
    /// Goes on from the checkpoint `model`, with its head and vocabulary if it has both and can write most of `texts`.
    /// Otherwise, and where `units` are named, the vocabulary is that of `texts`, and the head is drawn by `seed`: so a
    /// pretrained encoder becomes a recogniser, or one of another language.
    ///
    /// # Errors
    /// If a file of the checkpoint cannot be read.
    pub fn of(model: &Model, texts: &[&str], units: Option<Units>, seed: u64) -> Result<Self> {
        let mut config = model.config()?;
        for name in ["dtype", "torch_dtype"] {
            if let Some(kind) = config.get_mut(name) {
                *kind = "float32".into();
            }
        }
        let source = scoped(model.weights()?, &config);
        let has_head = source.shape(&format!("{HEAD}weight")).is_some();
        let params = Params::trainable(source);
        let (known, new_head) = match units {
            Some(_) => (None, "other tokens are asked for".to_string()),
            None if !has_head => (None, "the checkpoint has none".to_string()),
            None if model.read("vocab.json")?.is_none() => {
                (None, "the checkpoint has no vocabulary".to_string())
            }
            None => {
                let vocabulary = Vocabulary::open(model)?;
                let written = texts.iter().filter(|text| vocabulary.encode(text).is_some());
                let (written, all) = (written.count(), texts.len());
                let why = format!("the checkpoint's vocabulary can write {written} of the {all} texts");
                (Some(vocabulary).filter(|_| 2 * written >= all), why)
            }
        };
        if let Some(vocabulary) = known {
            return Ok(Self {
                model: config,
                params,
                vocabulary,
                new_head: None,
            });
        }
        let vocabulary = Vocabulary::of_texts(texts.iter().copied(), units.unwrap_or(Units::Letters));
        config["vocab_size"] = json!(vocabulary.len());
        config["pad_token_id"] = json!(vocabulary.blank);
        if let Some(name) = architecture(&config) {
            config["architectures"] = json!([name]);
        }
        Ok(Self {
            model: config,
            params: params.drawing(HEAD, seed as i64),
            vocabulary,
            new_head: Some(new_head),
        })
    }
}

/// The model's type, as the names of its tensors begin.
pub(super) fn scope(config: &Value) -> String {
    let name = config.get("model_type").and_then(Value::as_str);
    name.unwrap_or_default().replace('-', "_")
}

/// What the reference calls the encoder with a head.
fn architecture(config: &Value) -> Option<&'static str> {
    Some(match config.get("model_type")?.as_str()? {
        "hubert" => "HubertForCTC",
        "wav2vec2" => "Wav2Vec2ForCTC",
        "wav2vec2-bert" => "Wav2Vec2BertForCTC",
        "wavlm" => "WavLMForCTC",
        _ => return None,
    })
}

/// `source` with the names that a model with a head has: those of an encoder that was saved alone do not begin with its
/// type.
fn scoped(source: Arc<dyn TensorSource>, config: &Value) -> Arc<dyn TensorSource> {
    let scope = format!("{}.", scope(config));
    let names = source.names();
    if names.iter().any(|name| name.starts_with(&scope)) {
        return source;
    }
    let names = names.iter().map(|name| format!("{scope}{name}")).collect();
    Arc::new(Scoped { scope, names, source })
}

/// A checkpoint all of whose names begin with `scope`.
struct Scoped {
    scope: String,
    names: Vec<String>,
    source: Arc<dyn TensorSource>,
}

impl TensorSource for Scoped {
    fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<i64>> {
        self.source.shape(name.strip_prefix(&self.scope)?)
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        self.source.tensor(name.strip_prefix(&self.scope)?)
    }

    fn origin(&self) -> String {
        self.source.origin()
    }
}

//! Decoder-only language models: GPT-2 and its descendants.
//!
//! [`CausalLm::open`] reads any supported checkpoint. Adding a family is one file here and one line in
//! `FAMILIES`.

mod gemma;
mod gpt2;
mod gpt_neox;
mod llama;
mod lstm;
mod opt;
mod session;
mod stack;
mod transformer;

use std::fmt;

use sensorium_blocks::{KvCache, Mask, Params};
use sensorium_generation::Session;
use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::family::NewError;
use lstm::{Lstm, LstmSession};
use sensorium_blocks::BuildError;
use session::CausalSession;
use stack::{Stack, Tokens};

/// A family of models: how its configuration and its parameters become a network.
struct Family {
    /// `model_type` in `config.json`.
    model_type: &'static str,
    build: Build,
}

enum Build {
    Stack(fn(&Value, &Params) -> Result<Stack, BuildError>),
    Lstm(fn(&Value, &Params) -> Result<Lstm, BuildError>),
}

impl Family {
    const fn new(model_type: &'static str, build: fn(&Value, &Params) -> Result<Stack, BuildError>) -> Self {
        Self {
            model_type,
            build: Build::Stack(build),
        }
    }

    const fn lstm(model_type: &'static str, build: fn(&Value, &Params) -> Result<Lstm, BuildError>) -> Self {
        Self {
            model_type,
            build: Build::Lstm(build),
        }
    }
}

/// What a family's file builds.
enum Network {
    Stack(Stack),
    Lstm(Lstm),
}

/// Every family, sorted.
const FAMILIES: &[Family] = &[
    Family::new("gemma2", gemma::build_gemma2),
    Family::new("gemma3_text", gemma::build_gemma3),
    Family::new("gpt2", gpt2::build),
    Family::new("gpt_neox", gpt_neox::build),
    Family::new("llama", llama::build_llama),
    Family::lstm("lstm_lm", lstm::build),
    Family::new("mistral", llama::build_mistral),
    Family::new("opt", opt::build),
    Family::new("phi3", llama::build_phi3),
    Family::new("qwen2", llama::build_qwen2),
    Family::new("qwen3", llama::build_qwen3),
    Family::new("transformer_lm", transformer::build),
];

/// The `model_type`s that [`CausalLm`] opens.
pub fn model_types() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|family| family.model_type)
}

/// A decoder-only language model.
pub struct CausalLm {
    network: Network,
    params: Params,
}

impl fmt::Debug for CausalLm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CausalLm")
            .field("vocabulary", &self.vocabulary())
            .finish_non_exhaustive()
    }
}

impl CausalLm {
    /// Opens a checkpoint for inference; floating-point weights are converted to `kind` if one is named.
    ///
    /// # Errors
    /// If a file is missing or damaged, the family is not supported, the configuration makes no sense, or
    /// tensors are missing, misshapen or left over.
    pub fn open(model: &Model, device: Device, kind: Option<Kind>) -> Result<Self, Error> {
        let mut params = Params::stored(model.weights()?).on(device);
        if let Some(kind) = kind {
            params = params.of_kind(kind);
        }
        let config = model.config()?;
        let lm = Self::new(&config, params).map_err(|error| error.in_model(model))?;
        // Buffers that older checkpoints carry, and copies of tied weights.
        let harmless = |name: &str| {
            let buffers = [
                ".attn.bias",
                ".attn.masked_bias",
                ".attention.bias",
                ".masked_bias",
                ".inv_freq",
            ];
            buffers.iter().any(|end| name.ends_with(end)) || name == "lm_head.weight"
        };
        lm.params.check_all_used_but(harmless)?;
        Ok(lm)
    }

    /// Builds a model of the family that `config` names from `params`: stored ones, or fresh ones to train.
    ///
    /// # Errors
    /// As [`open`](Self::open), without the model's name.
    pub fn new(config: &Value, params: Params) -> Result<Self, NewError> {
        let model_type = config.get("model_type").and_then(Value::as_str);
        let model_type = model_type.ok_or(NewError::NoModelType)?;
        let family = FAMILIES.iter().find(|family| family.model_type == model_type);
        let family = family.ok_or_else(|| NewError::ModelType {
            found: model_type.to_string(),
            task: "text generation",
            known: known(),
        })?;
        let network = match family.build {
            Build::Stack(build) => build(config, &params).map(Network::Stack),
            Build::Lstm(build) => build(config, &params).map(Network::Lstm),
        };
        Ok(Self {
            network: network?,
            params,
        })
    }

    /// Logits and hidden states of whole sequences, without caches: for training and for a look inside.
    ///
    /// `ids` is `[rows, tokens]`. `mask` `[rows, tokens]` is zero at padding. Positions count the tokens
    /// that are not padding, unless `positions` `[rows, tokens]` says otherwise.
    pub fn forward(&self, ids: &Tensor, options: ForwardOptions<'_>) -> Forward {
        let stack = match &self.network {
            Network::Stack(stack) => stack,
            Network::Lstm(lstm) => return lstm.forward(ids, options),
        };
        let count = ids.size()[1];
        let positions = match (options.positions, options.mask) {
            (Some(positions), _) => positions.shallow_clone(),
            (None, Some(mask)) => (mask.to_kind(Kind::Int64).cumsum(1, Kind::Int64) - 1).clamp_min(0),
            (None, None) => Tensor::arange(count, (Kind::Int64, ids.device())).unsqueeze(0),
        };
        let tokens = Tokens {
            ids,
            positions: &positions,
            len: count,
        };
        let mask = |window: Option<i64>, _: Option<&KvCache>| {
            Mask::causal(count, count, 0)
                .with_window(window)
                .with_keep(options.mask)
        };
        let hidden = stack.forward(&tokens, None, &mask, options.train, options.hidden_states);
        Forward {
            logits: stack.logits(&hidden.last),
            hidden_states: hidden.all,
        }
    }

    /// Begins to write: one row for each entry of `padding`, the number of padding tokens that will come
    /// first in it. Room for `reserve` tokens is made at once.
    pub fn session(&self, padding: &[i64], reserve: i64) -> Box<dyn Session + '_> {
        match &self.network {
            Network::Stack(stack) => Box::new(CausalSession::new(stack, padding.to_vec(), reserve)),
            Network::Lstm(lstm) => Box::new(LstmSession::new(lstm, padding.to_vec())),
        }
    }

    /// The most tokens that a sequence can have.
    pub fn max_positions(&self) -> i64 {
        match &self.network {
            Network::Stack(stack) => stack.max_positions,
            Network::Lstm(lstm) => lstm.max_positions,
        }
    }

    /// The number of tokens that can be predicted.
    pub fn vocabulary(&self) -> i64 {
        match &self.network {
            Network::Stack(stack) => stack.vocabulary,
            Network::Lstm(lstm) => lstm.vocabulary,
        }
    }

    /// The dtype of the weights.
    pub fn kind(&self) -> Kind {
        match &self.network {
            Network::Stack(stack) => stack.kind(),
            Network::Lstm(lstm) => lstm.kind(),
        }
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.params.device()
    }

    /// The parameters, by the checkpoint's names.
    pub fn parameters(&self) -> &Params {
        &self.params
    }
}

/// What [`CausalLm::forward`] takes besides the tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct ForwardOptions<'a> {
    /// Zero at padding, `[rows, tokens]`.
    pub mask: Option<&'a Tensor>,
    /// Positions, `[rows, tokens]`.
    pub positions: Option<&'a Tensor>,
    /// Dropout is on.
    pub train: bool,
    /// Also return every layer's hidden states.
    pub hidden_states: bool,
}

/// What [`CausalLm::forward`] gives.
#[derive(Debug)]
pub struct Forward {
    /// `[rows, tokens, vocabulary]`, in the model's dtype.
    pub logits: Tensor,
    /// The embeddings' output and each layer's, `[rows, tokens, hidden]`, if asked for; that of the last
    /// layer is behind the last norm.
    pub hidden_states: Vec<Tensor>,
}

fn known() -> String {
    model_types().collect::<Vec<_>>().join(", ")
}

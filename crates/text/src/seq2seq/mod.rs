//! Encoder–decoder models: translators, summarisers.
//!
//! [`Seq2SeqLm::open`] reads any supported checkpoint. Adding a family is one file here and one line in
//! `FAMILIES`.

mod bart;
mod t5;

use std::fmt;

use sensorium_blocks::Params;
use sensorium_blocks::seq2seq::{Decoder, Encoder, Past};
use sensorium_generation::{DecoderSession, Session};
use sensorium_hub::Model;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::error::Error;
use crate::family::NewError;
use sensorium_blocks::BuildError;

/// An encoder–decoder Transformer, put together by its family's file.
struct Stack {
    encoder: Encoder,
    decoder: Decoder,
}

/// A family of models: how its configuration and its parameters become a network.
struct Family {
    /// `model_type` in `config.json`.
    model_type: &'static str,
    build: fn(&Value, &Params) -> Result<Stack, BuildError>,
}

/// Every family, sorted.
const FAMILIES: &[Family] = &[
    Family {
        model_type: "bart",
        build: bart::build_bart,
    },
    Family {
        model_type: "m2m_100",
        build: bart::build_m2m100,
    },
    Family {
        model_type: "marian",
        build: bart::build_marian,
    },
    Family {
        model_type: "mbart",
        build: bart::build_mbart,
    },
    Family {
        model_type: "pegasus",
        build: bart::build_pegasus,
    },
    Family {
        model_type: "t5",
        build: t5::build,
    },
];

/// The `model_type`s that [`Seq2SeqLm`] opens.
pub fn model_types() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|family| family.model_type)
}

/// An encoder–decoder model with an output layer.
pub struct Seq2SeqLm {
    stack: Stack,
    params: Params,
}

impl fmt::Debug for Seq2SeqLm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seq2SeqLm")
            .field("vocabulary", &self.vocabulary())
            .finish_non_exhaustive()
    }
}

/// A batch of sources as the encoder left them.
#[derive(Debug)]
pub struct Encoded {
    /// `[rows, tokens, hidden]`
    pub states: Tensor,
    /// Zero at padding, `[rows, tokens]`.
    pub mask: Option<Tensor>,
}

impl Seq2SeqLm {
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
        // Copies of tied weights, and positions that are computed.
        let harmless = |name: &str| {
            let copies = [
                "shared.weight",
                "embed_tokens.weight",
                "lm_head.weight",
                "embed_positions.weight",
                "embed_positions.weights",
                "embed_positions._float_tensor",
                "final_logits_bias",
                // In T5's first checkpoints, for an attention that knows no distances.
                "EncDecAttention.relative_attention_bias.weight",
            ];
            copies.iter().any(|end| name.ends_with(end))
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
            task: "text to text",
            known: model_types().collect::<Vec<_>>().join(", "),
        })?;
        let stack = (family.build)(config, &params)?;
        Ok(Self { stack, params })
    }

    /// Reads sources: `ids` is `[rows, tokens]`, `mask` is zero at their padding.
    pub fn encode(&self, ids: &Tensor, mask: Option<&Tensor>) -> Encoded {
        Encoded {
            states: self.stack.encoder.forward(ids, mask, false, None),
            mask: mask.map(Tensor::shallow_clone),
        }
    }

    /// Begins to write, one row for each source. Room for `reserve` tokens is made at once.
    pub fn session(&self, encoded: &Encoded, reserve: i64) -> Box<dyn Session + '_> {
        let memory = tch::no_grad(|| {
            self.stack
                .decoder
                .remember(&encoded.states, encoded.mask.as_ref())
        });
        Box::new(DecoderSession::new(
            &self.stack.decoder,
            memory,
            reserve,
            self.device(),
        ))
    }

    /// Logits and hidden states for sources and what was written of their targets, without caches: for training
    /// and for a look inside.
    pub fn forward(&self, ids: &Tensor, decoder_ids: &Tensor, options: ForwardOptions<'_>) -> Forward {
        let Stack { encoder, decoder } = &self.stack;
        let ForwardOptions {
            mask,
            decoder_mask,
            train,
            hidden_states,
        } = options;
        let (mut encoder_states, mut decoder_states) = (Vec::new(), Vec::new());
        let encoded = encoder.forward(ids, mask, train, hidden_states.then_some(&mut encoder_states));
        let memory = decoder.remember(&encoded, mask);
        let all = hidden_states.then_some(&mut decoder_states);
        let states = decoder.forward(decoder_ids, Past::default(), &memory, decoder_mask, train, all);
        if hidden_states {
            encoder_states.push(encoded.shallow_clone());
            decoder_states.push(states.shallow_clone());
        }
        Forward {
            logits: decoder.logits(&states),
            encoded,
            encoder_states,
            decoder_states,
        }
    }

    /// The most tokens on either side, if there is a limit.
    pub fn max_positions(&self) -> Option<i64> {
        self.stack.decoder.max_positions
    }

    /// The number of tokens that the encoder knows.
    pub fn source_vocabulary(&self) -> i64 {
        self.stack.encoder.ends.embedding.entries()
    }

    /// The number of tokens that can be predicted.
    pub fn vocabulary(&self) -> i64 {
        self.stack.decoder.vocabulary()
    }

    /// The dtype of the weights.
    pub fn kind(&self) -> Kind {
        self.stack.decoder.kind()
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

/// What [`Seq2SeqLm::forward`] takes besides the tokens.
#[derive(Debug, Clone, Copy, Default)]
pub struct ForwardOptions<'a> {
    /// Zero at the sources' padding, `[rows, tokens]`.
    pub mask: Option<&'a Tensor>,
    /// Zero at the targets' padding, `[rows, tokens]`.
    pub decoder_mask: Option<&'a Tensor>,
    /// Dropout is on.
    pub train: bool,
    /// Also return every layer's hidden states.
    pub hidden_states: bool,
}

/// What [`Seq2SeqLm::forward`] gives.
#[derive(Debug)]
pub struct Forward {
    /// `[rows, tokens, vocabulary]`, in the model's dtype.
    pub logits: Tensor,
    /// The encoder's last states, `[rows, tokens, hidden]`.
    pub encoded: Tensor,
    /// The embeddings' output and each layer's of the encoder, if asked for; that of the last layer is behind the
    /// last norm.
    pub encoder_states: Vec<Tensor>,
    /// The same of the decoder.
    pub decoder_states: Vec<Tensor>,
}

//! BART (arXiv 1910.13461) and its kin: Marian (arXiv 1804.00344), mBART (arXiv 2001.08210), M2M-100 (arXiv
//! 2010.11125) and NLLB (arXiv 2207.04672), Pegasus (arXiv 1912.08777).
//!
//! One network; the families differ in where norms are and how positions are told.

use sensorium_blocks::{
    Activation, Attention, Block, CrossAttention, CrossBlock, Embedding, Heads, Init, LayerNorm, Linear, Mlp,
    Params, Projections, Wiring, sinusoidal,
};
use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::Stack;
use sensorium_blocks::BuildError;
use sensorium_blocks::seq2seq::{Decoder, Encoder, Ends, Positions};
use sensorium_blocks::{ConfigProblem, divide, size};

/// Spelled as in the published `config.json`.
#[derive(Deserialize)]
struct Config {
    vocab_size: i64,
    decoder_vocab_size: Option<i64>,
    d_model: i64,
    encoder_layers: i64,
    encoder_attention_heads: i64,
    encoder_ffn_dim: i64,
    decoder_layers: i64,
    decoder_attention_heads: i64,
    decoder_ffn_dim: i64,
    max_position_embeddings: i64,
    #[serde(default = "gelu")]
    activation_function: String,
    #[serde(default)]
    scale_embedding: bool,
    #[serde(default = "yes")]
    share_encoder_decoder_embeddings: bool,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    pad_token_id: Option<i64>,
    #[serde(default)]
    dropout: f64,
    #[serde(default)]
    attention_dropout: f64,
}

fn gelu() -> String {
    "gelu".to_string()
}

fn yes() -> bool {
    true
}

/// What tells the families apart.
struct Details {
    wiring: Wiring,
    /// Behind the embeddings.
    embedding_norm: bool,
    /// Behind the last layer.
    last_norm: bool,
    positions: Places,
    /// The checkpoint has `final_logits_bias`.
    logits_bias: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Places {
    /// A learned table, whose first two entries are not used.
    Learned,
    /// Sines and cosines.
    Sinusoidal,
    /// Sines and cosines of frequencies that reach the lowest one, counted without padding.
    Counted,
}

pub(super) fn build_bart(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let details = Details {
        wiring: Wiring::PostNorm,
        embedding_norm: true,
        last_norm: false,
        positions: Places::Learned,
        logits_bias: true,
    };
    build(config, &details, params)
}

pub(super) fn build_mbart(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let details = Details {
        wiring: Wiring::PreNorm,
        embedding_norm: true,
        last_norm: true,
        positions: Places::Learned,
        logits_bias: true,
    };
    build(config, &details, params)
}

pub(super) fn build_marian(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    // Norms before each sub-layer: in models of our own, published ones have them behind.
    let before = config.get("normalize_before") == Some(&Value::Bool(true));
    let details = Details {
        wiring: if before { Wiring::PreNorm } else { Wiring::PostNorm },
        embedding_norm: false,
        last_norm: before,
        positions: Places::Sinusoidal,
        logits_bias: true,
    };
    build(config, &details, params)
}

pub(super) fn build_m2m100(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let details = Details {
        wiring: Wiring::PreNorm,
        embedding_norm: false,
        last_norm: true,
        positions: Places::Counted,
        logits_bias: false,
    };
    build(config, &details, params)
}

pub(super) fn build_pegasus(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let details = Details {
        wiring: Wiring::PreNorm,
        embedding_norm: false,
        last_norm: true,
        positions: Places::Sinusoidal,
        logits_bias: true,
    };
    build(config, &details, params)
}

const INIT: Init = Init::Xavier;
/// The reference's.
const EPS: f64 = 1e-5;

fn build(config: &Value, details: &Details, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let builder = Builder::new(&config, details)?;
    // Published checkpoints of the bare model have no prefix.
    let bare = params.has("encoder.layers.0.fc1.weight") == Some(true);
    let root = if bare { params.clone() } else { params / "model" };
    let tables = Tables::new(&config, builder.hidden, &root, params)?;

    let encoder = &root / "encoder";
    let count = size("encoder_layers", config.encoder_layers, 1 << 10)?;
    let encoder = Encoder {
        ends: builder.ends(&encoder, tables.source)?,
        layers: (0..count)
            .map(|i| builder.encoder_layer(&(&encoder / &format!("layers.{i}"))))
            .collect::<Result<_, _>>()?,
    };
    let decoder = &root / "decoder";
    let count = size("decoder_layers", config.decoder_layers, 1 << 10)?;
    let vocabulary = tables.target.entries();
    let mut head = tables.head;
    if details.logits_bias && params.has("final_logits_bias") != Some(false) {
        let bias = params.buffer("final_logits_bias", &[1, vocabulary], Init::Const(0.0))?;
        head = head.adding(bias.view([vocabulary]));
    }
    let decoder = Decoder {
        ends: builder.ends(&decoder, tables.target)?,
        layers: (0..count)
            .map(|i| builder.decoder_layer(&(&decoder / &format!("layers.{i}"))))
            .collect::<Result<_, _>>()?,
        output_scale: None,
        head: head.into(),
        max_positions: Some(config.max_position_embeddings),
    };
    Ok(Stack { encoder, decoder })
}

/// The embeddings of both sides and the output layer, which share what the configuration says.
struct Tables {
    source: Embedding,
    target: Embedding,
    head: Linear,
}

impl Tables {
    fn new(config: &Config, hidden: i64, root: &Params, params: &Params) -> Result<Self, BuildError> {
        let entries = size("vocab_size", config.vocab_size, 1 << 24)?;
        let (source, target) = if config.share_encoder_decoder_embeddings {
            // A checkpoint has the shared table under any of the names of those who share it.
            let places = [
                root / "shared",
                root / "encoder.embed_tokens",
                root / "decoder.embed_tokens",
                params / "lm_head",
            ];
            let place = places.iter().find(|place| place.has("weight") == Some(true));
            let source = Embedding::new(place.unwrap_or(&places[0]), entries, hidden)?;
            let target = source.share();
            (source, target)
        } else {
            let other = size(
                "decoder_vocab_size",
                config.decoder_vocab_size.unwrap_or(entries),
                1 << 24,
            )?;
            (
                Embedding::new(&(root / "encoder.embed_tokens"), entries, hidden)?,
                Embedding::new(&(root / "decoder.embed_tokens"), other, hidden)?,
            )
        };
        let head = if config.tie_word_embeddings {
            target.as_head()
        } else {
            Linear::without_bias(&(params / "lm_head"), hidden, target.entries(), INIT)?
        };
        Ok(Self { source, target, head })
    }
}

struct Builder<'a> {
    config: &'a Config,
    details: &'a Details,
    hidden: i64,
    activation: Activation,
}

impl<'a> Builder<'a> {
    fn new(config: &'a Config, details: &'a Details) -> Result<Self, BuildError> {
        Ok(Self {
            config,
            details,
            hidden: size("d_model", config.d_model, 1 << 17)?,
            activation: config.activation_function.parse()?,
        })
    }

    fn ends(&self, at: &Params, embedding: Embedding) -> Result<Ends, BuildError> {
        let norm = |name: &str, wanted: bool| -> Result<_, BuildError> {
            Ok(match wanted {
                true => Some(self.norm(at, name)?),
                false => None,
            })
        };
        let scale = (self.hidden as f64).sqrt();
        Ok(Ends {
            scale: self.config.scale_embedding.then_some(scale),
            positions: self.positions(at, embedding.kind())?,
            embedding_norm: norm("layernorm_embedding", self.details.embedding_norm)?,
            norm: norm("layer_norm", self.details.last_norm)?,
            dropout: self.config.dropout,
            ..Ends::new(embedding)
        })
    }

    fn positions(&self, at: &Params, kind: Kind) -> Result<Positions, BuildError> {
        let count = size(
            "max_position_embeddings",
            self.config.max_position_embeddings,
            1 << 24,
        )?;
        if self.details.positions != Places::Learned && self.hidden % 2 != 0 {
            let problem = "`d_model` must be even for sinusoidal positions".to_string();
            return Err(ConfigProblem::Other(problem).into());
        }
        let device = at.device();
        Ok(match self.details.positions {
            Places::Learned => Positions::Table {
                table: Embedding::new(&(at / "embed_positions"), count + 2, self.hidden)?,
                offset: 2,
            },
            Places::Sinusoidal => Positions::Table {
                table: Embedding::fixed(sinusoidal(count, self.hidden, kind, device)),
                offset: 0,
            },
            Places::Counted => {
                let pad = self.config.pad_token_id.unwrap_or(1);
                Positions::Counted {
                    table: Embedding::fixed(counted(count + pad + 1, self.hidden, pad, kind, device)),
                    pad,
                }
            }
        })
    }

    fn encoder_layer(&self, at: &Params) -> Result<Block, BuildError> {
        let heads = self.heads(("encoder_attention_heads", self.config.encoder_attention_heads))?;
        let (attention, norm) = self.self_attention(at, heads)?;
        let mlp = self.mlp(at, ("encoder_ffn_dim", self.config.encoder_ffn_dim))?;
        let block = Block::new(self.details.wiring, (attention, norm), mlp);
        Ok(block.with_dropout(self.config.dropout))
    }

    fn decoder_layer(&self, at: &Params) -> Result<CrossBlock, BuildError> {
        let heads = self.heads(("decoder_attention_heads", self.config.decoder_attention_heads))?;
        let attention = self.self_attention(at, heads)?;
        let [q, k, v, output] = self.projections(&(at / "encoder_attn"))?;
        let cross = CrossAttention::new(heads, [q, k, v], output).with_dropout(self.config.attention_dropout);
        let cross = (cross, self.norm(at, "encoder_attn_layer_norm")?);
        let mlp = self.mlp(at, ("decoder_ffn_dim", self.config.decoder_ffn_dim))?;
        let block = CrossBlock::new(self.details.wiring, attention, cross, mlp);
        Ok(block.with_dropout(self.config.dropout))
    }

    fn self_attention(
        &self,
        at: &Params,
        heads: Heads,
    ) -> Result<(Attention, sensorium_blocks::Norm), BuildError> {
        let [q, k, v, output] = self.projections(&(at / "self_attn"))?;
        let attention = Attention::new(heads, Projections::Separate { q, k, v }, output)
            .with_dropout(self.config.attention_dropout);
        Ok((attention, self.norm(at, "self_attn_layer_norm")?))
    }

    fn projections(&self, at: &Params) -> Result<[Linear; 4], BuildError> {
        let linear = |name: &str| Linear::new(&(at / name), self.hidden, self.hidden, INIT);
        Ok([
            linear("q_proj")?,
            linear("k_proj")?,
            linear("v_proj")?,
            linear("out_proj")?,
        ])
    }

    fn mlp(
        &self,
        at: &Params,
        (field, inner): (&'static str, i64),
    ) -> Result<(Mlp, sensorium_blocks::Norm), BuildError> {
        let inner = size(field, inner, 1 << 20)?;
        let mlp = Mlp::plain(
            Linear::new(&(at / "fc1"), self.hidden, inner, INIT)?,
            self.activation,
            Linear::new(&(at / "fc2"), inner, self.hidden, INIT)?,
        );
        Ok((mlp, self.norm(at, "final_layer_norm")?))
    }

    fn heads(&self, (field, heads): (&'static str, i64)) -> Result<Heads, BuildError> {
        let dim = divide(("d_model", self.hidden), (field, heads))?;
        Ok(Heads::equal(heads, dim))
    }

    fn norm(&self, at: &Params, name: &str) -> Result<sensorium_blocks::Norm, BuildError> {
        Ok(LayerNorm::new(&(at / name), self.hidden, EPS)?.into())
    }
}

/// Sines, then cosines, of frequencies from 1 down to 1/10,000 itself; the entry `pad` is zero.
fn counted(positions: i64, dim: i64, pad: i64, kind: Kind, device: Device) -> Tensor {
    let options = (Kind::Float, Device::Cpu);
    let half = dim / 2;
    let step = 10_000f64.ln() / (half - 1).max(1) as f64;
    let frequencies = (Tensor::arange(half, options) * -step).exp();
    let angles = Tensor::arange(positions, options).unsqueeze(1) * frequencies.unsqueeze(0);
    let table = Tensor::cat(&[angles.sin(), angles.cos()], 1);
    let _ = table.get(pad).zero_();
    table.to_kind(kind).to_device(device)
}

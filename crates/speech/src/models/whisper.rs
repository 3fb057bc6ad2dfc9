//! Whisper (arXiv 2212.04356): an encoder of mel spectrograms, a decoder of words.

use sensorium_blocks::seq2seq::{Decoder, Ends, Memory, Positions};
use sensorium_blocks::{
    Activation, Attention, Block, BuildError, Conv1d, Conv1dShape, CrossAttention, CrossBlock, Embedding,
    Heads, Init, LayerNorm, Linear, Mlp, Norm, Params, Pass, Projections, Wiring, divide, size,
};
use serde::Deserialize;
use serde_json::Value;
use tch::{Kind, Tensor};

/// Spelled as in the published `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    vocab_size: i64,
    d_model: i64,
    num_mel_bins: i64,
    encoder_layers: i64,
    encoder_attention_heads: i64,
    encoder_ffn_dim: i64,
    decoder_layers: i64,
    decoder_attention_heads: i64,
    decoder_ffn_dim: i64,
    max_source_positions: i64,
    max_target_positions: i64,
    #[serde(default = "gelu")]
    activation_function: String,
    #[serde(default)]
    scale_embedding: bool,
    /// Of the embeddings and of what each part of a layer adds, in training.
    #[serde(default)]
    dropout: f64,
    #[serde(default)]
    attention_dropout: f64,
}

fn gelu() -> String {
    "gelu".to_string()
}

/// The network.
#[derive(Debug)]
pub struct Whisper {
    convs: [Conv1d; 2],
    places: Tensor, // [positions, hidden]
    layers: Vec<Block>,
    norm: Norm,
    decoder: Decoder,
    dropout: f64,
}

const INIT: Init = Init::FanIn;
/// The reference's.
const EPS: f64 = 1e-5;

impl Whisper {
    /// Builds the network that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        let hidden = size("d_model", config.d_model, 1 << 16)?;
        let mels = size("num_mel_bins", config.num_mel_bins, 1 << 10)?;
        let activation: Activation = config.activation_function.parse()?;
        let root = &(params / "model");

        let at = &(root / "encoder");
        let conv = |name: &str, inputs| {
            let shape = Conv1dShape {
                inputs,
                outputs: hidden,
                size: 3,
                groups: 1,
            };
            Conv1d::new(&(at / name), shape, true, INIT).map(|conv| conv.padded(1))
        };
        let builder = Builder {
            hidden,
            activation,
            dropout: config.dropout,
            attention_dropout: config.attention_dropout,
        };
        let heads =
            |field, heads| divide(("d_model", hidden), (field, heads)).map(|dim| Heads::equal(heads, dim));
        let encoder_heads = heads("encoder_attention_heads", config.encoder_attention_heads)?;
        let inner = size("encoder_ffn_dim", config.encoder_ffn_dim, 1 << 18)?;
        let count = size("encoder_layers", config.encoder_layers, 1 << 10)?;
        let positions = size("max_source_positions", config.max_source_positions, 1 << 20)?;
        let convs = [conv("conv1", mels)?, conv("conv2", hidden)?.strided(2)];
        let places = at.buffer(
            "embed_positions.weight",
            &[positions, hidden],
            Init::Normal { std: 0.02 },
        )?;
        let layers = (0..count)
            .map(|i| builder.encoder_layer(&(at / &format!("layers.{i}")), encoder_heads, inner))
            .collect::<Result<_, _>>()?;
        let norm = builder.norm(at, "layer_norm")?;

        let at = &(root / "decoder");
        let decoder_heads = heads("decoder_attention_heads", config.decoder_attention_heads)?;
        let inner = size("decoder_ffn_dim", config.decoder_ffn_dim, 1 << 18)?;
        let count = size("decoder_layers", config.decoder_layers, 1 << 10)?;
        let entries = size("vocab_size", config.vocab_size, 1 << 24)?;
        let targets = size("max_target_positions", config.max_target_positions, 1 << 20)?;
        let embedding = Embedding::new(&(at / "embed_tokens"), entries, hidden)?;
        let head = embedding.as_head();
        let decoder = Decoder {
            ends: Ends {
                scale: config.scale_embedding.then_some((hidden as f64).sqrt()),
                positions: Positions::Table {
                    table: Embedding::new(&(at / "embed_positions"), targets, hidden)?,
                    offset: 0,
                },
                norm: Some(builder.norm(at, "layer_norm")?),
                dropout: config.dropout,
                ..Ends::new(embedding)
            },
            layers: (0..count)
                .map(|i| builder.decoder_layer(&(at / &format!("layers.{i}")), decoder_heads, inner))
                .collect::<Result<_, _>>()?,
            output_scale: None,
            head: head.into(),
            max_positions: Some(targets),
        };
        Ok(Self {
            convs,
            places,
            layers,
            norm,
            decoder,
            dropout: config.dropout,
        })
    }

    /// Mel frames of a window.
    pub fn frames(&self) -> i64 {
        self.places.size()[0] * 2
    }

    /// The dtype of the weights.
    pub fn kind(&self) -> Kind {
        self.places.kind()
    }

    /// The most tokens of a window, the prompt included.
    pub fn max_tokens(&self) -> i64 {
        self.decoder.max_positions.unwrap_or(i64::MAX)
    }

    /// The decoder.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// The states of windows `[batch, mels, frames]`: `[batch, frames / 2, hidden]`.
    pub fn encode(&self, mels: &Tensor) -> Tensor {
        self.encode_as(mels, false)
    }

    /// The same; with `train`, dropout is on.
    pub fn encode_as(&self, mels: &Tensor, train: bool) -> Tensor {
        let [first, second] = &self.convs;
        let x = first.forward(&mels.to_kind(self.kind())).gelu("none");
        let x = second.forward(&x).gelu("none").transpose(1, 2);
        let mut x = x + self.places.unsqueeze(0);
        if train && self.dropout > 0.0 {
            x = x.dropout(self.dropout, true);
        }
        let pass = Pass {
            train,
            ..Pass::default()
        };
        for layer in &self.layers {
            x = layer.forward(&x, pass, None);
        }
        self.norm.forward(&x)
    }

    /// What the decoder attends to, for [`encode`](Self::encode)d windows.
    pub fn remember(&self, states: &Tensor) -> Memory {
        self.decoder.remember(states, None)
    }
}

struct Builder {
    hidden: i64,
    activation: Activation,
    dropout: f64,
    attention_dropout: f64,
}

impl Builder {
    fn norm(&self, at: &Params, name: &str) -> Result<Norm, BuildError> {
        Ok(LayerNorm::new(&(at / name), self.hidden, EPS)?.into())
    }

    fn projections(&self, at: &Params) -> Result<[Linear; 4], BuildError> {
        let linear = |name: &str| Linear::new(&(at / name), self.hidden, self.hidden, INIT);
        Ok([
            linear("q_proj")?,
            Linear::without_bias(&(at / "k_proj"), self.hidden, self.hidden, INIT)?,
            linear("v_proj")?,
            linear("out_proj")?,
        ])
    }

    fn self_attention(&self, at: &Params, heads: Heads) -> Result<(Attention, Norm), BuildError> {
        let [q, k, v, output] = self.projections(&(at / "self_attn"))?;
        let attention = Attention::new(heads, Projections::Separate { q, k, v }, output)
            .with_dropout(self.attention_dropout);
        Ok((attention, self.norm(at, "self_attn_layer_norm")?))
    }

    fn mlp(&self, at: &Params, inner: i64) -> Result<(Mlp, Norm), BuildError> {
        let mlp = Mlp::plain(
            Linear::new(&(at / "fc1"), self.hidden, inner, INIT)?,
            self.activation,
            Linear::new(&(at / "fc2"), inner, self.hidden, INIT)?,
        );
        Ok((mlp, self.norm(at, "final_layer_norm")?))
    }

    fn encoder_layer(&self, at: &Params, heads: Heads, inner: i64) -> Result<Block, BuildError> {
        let attention = self.self_attention(at, heads)?;
        let block = Block::new(Wiring::PreNorm, attention, self.mlp(at, inner)?);
        Ok(block.with_dropout(self.dropout))
    }

    fn decoder_layer(&self, at: &Params, heads: Heads, inner: i64) -> Result<CrossBlock, BuildError> {
        let [q, k, v, output] = self.projections(&(at / "encoder_attn"))?;
        let cross = CrossAttention::new(heads, [q, k, v], output).with_dropout(self.attention_dropout);
        let cross = (cross, self.norm(at, "encoder_attn_layer_norm")?);
        let attention = self.self_attention(at, heads)?;
        let block = CrossBlock::new(Wiring::PreNorm, attention, cross, self.mlp(at, inner)?);
        Ok(block.with_dropout(self.dropout))
    }
}

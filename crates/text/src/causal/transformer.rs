//! A small Transformer encoder with a causal mask, as in section 3 of arXiv 1706.03762: the language model
//! of many tutorials. Sinusoidal or learned positions, norms before or after the sub-layers.

use sensorium_blocks::{
    Activation, Attention, Block, Embedding, Heads, Init, LayerNorm, Linear, Mlp, Params, Projections,
    Wiring, sinusoidal,
};
use serde::Deserialize;
use serde_json::Value;
use tch::Kind;

use super::stack::{Layer, LearnedPositions, Stack};
use sensorium_blocks::BuildError;
use sensorium_blocks::{divide, size};

const EPSILON: f64 = 1e-5;

/// `config.json` of a model of this family.
#[derive(Deserialize)]
struct Config {
    vocab_size: i64,
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    intermediate_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "relu")]
    activation_function: String,
    #[serde(default)]
    do_layer_norm_before: bool,
    #[serde(default)]
    learned_positions: bool,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    dropout: f64,
}

fn relu() -> String {
    "relu".to_string()
}

pub(super) fn build(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let vocabulary = size("vocab_size", config.vocab_size, 1 << 24)?;
    let hidden = size("hidden_size", config.hidden_size, 1 << 17)?;
    let heads = ("num_attention_heads", config.num_attention_heads);
    let head_dim = divide(("hidden_size", hidden), heads)?;
    let inner = size("intermediate_size", config.intermediate_size, 1 << 20)?;
    let count = size("num_hidden_layers", config.num_hidden_layers, 1 << 10)?;
    let max_positions = size("max_position_embeddings", config.max_position_embeddings, 1 << 24)?;
    let activation: Activation = config.activation_function.parse()?;
    let wiring = if config.do_layer_norm_before {
        Wiring::PreNorm
    } else {
        Wiring::PostNorm
    };
    let layer = |index: i64| -> Result<Layer, BuildError> {
        let at = params / &format!("layers.{index}");
        let linear = |name: &str, inputs, outputs| Linear::new(&(&at / name), inputs, outputs, Init::Xavier);
        let norm = |name: &str| LayerNorm::new(&(&at / name), hidden, EPSILON);
        let projections = Projections::Joined(linear("self_attn.qkv_proj", hidden, 3 * hidden)?);
        let output = linear("self_attn.out_proj", hidden, hidden)?;
        let heads = Heads::equal(config.num_attention_heads, head_dim);
        let attention = Attention::new(heads, projections, output).with_dropout(config.dropout);
        let mlp = Mlp::plain(
            linear("fc1", hidden, inner)?,
            activation,
            linear("fc2", inner, hidden)?,
        );
        let block = Block::new(
            wiring,
            (attention, norm("norm1")?.into()),
            (mlp, norm("norm2")?.into()),
        );
        Ok(Layer {
            wiring: Box::new(block.with_dropout(config.dropout)),
            window: None,
            rope: None,
        })
    };
    let embedding = Embedding::new(&(params / "embedding"), vocabulary, hidden)?;
    let table = if config.learned_positions {
        Embedding::new(&(params / "positions"), max_positions, hidden)?
    } else {
        Embedding::fixed(
            sinusoidal(max_positions, hidden, Kind::Float, params.device()).to_kind(embedding.kind()),
        )
    };
    let layers = (0..count).map(layer).collect::<Result<_, _>>()?;
    let norm = match wiring {
        Wiring::PreNorm => Some(LayerNorm::new(&(params / "norm"), hidden, EPSILON)?.into()),
        Wiring::PostNorm => None,
    };
    let head = if config.tie_word_embeddings {
        embedding.as_head()
    } else {
        Linear::new(&(params / "head"), hidden, vocabulary, Init::Xavier)?
    };
    Ok(Stack {
        scale: Some((hidden as f64).sqrt()),
        positions: Some(LearnedPositions { table, offset: 0 }),
        embedding_dropout: config.dropout,
        layers,
        norm,
        ..Stack::plain(embedding, head, max_positions)
    })
}

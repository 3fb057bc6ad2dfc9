//! OPT (arXiv 2205.01068).

use sensorium_blocks::{
    Activation, Attention, Block, Embedding, Heads, Init, LayerNorm, Linear, Mlp, Params, Projections, Wiring,
};
use serde::Deserialize;
use serde_json::Value;

use super::stack::{Layer, LearnedPositions, Stack};
use sensorium_blocks::BuildError;
use sensorium_blocks::{divide, size};

/// Entries of the position table before the first token's.
const POSITION_OFFSET: i64 = 2;

/// The reference writes it nowhere but in its code.
const EPSILON: f64 = 1e-5;

/// Spelled as in the published `config.json`.
#[derive(Deserialize)]
struct Config {
    vocab_size: i64,
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    ffn_dim: i64,
    max_position_embeddings: i64,
    word_embed_proj_dim: Option<i64>,
    #[serde(default = "relu")]
    activation_function: String,
    #[serde(default = "yes")]
    do_layer_norm_before: bool,
    #[serde(default, rename = "_remove_final_layer_norm")]
    remove_final_layer_norm: bool,
    #[serde(default = "yes")]
    enable_bias: bool,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(default)]
    dropout: f64,
    #[serde(default)]
    attention_dropout: f64,
}

fn relu() -> String {
    "relu".to_string()
}

fn yes() -> bool {
    true
}

pub(super) fn build(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let vocabulary = size("vocab_size", config.vocab_size, 1 << 24)?;
    let hidden = size("hidden_size", config.hidden_size, 1 << 17)?;
    let heads = ("num_attention_heads", config.num_attention_heads);
    let head_dim = divide(("hidden_size", hidden), heads)?;
    let inner = size("ffn_dim", config.ffn_dim, 1 << 20)?;
    let count = size("num_hidden_layers", config.num_hidden_layers, 1 << 10)?;
    let max_positions = size("max_position_embeddings", config.max_position_embeddings, 1 << 24)?;
    let narrow = config.word_embed_proj_dim.unwrap_or(hidden);
    let narrow = size("word_embed_proj_dim", narrow, 1 << 17)?;
    let activation: Activation = config.activation_function.parse()?;
    let wiring = if config.do_layer_norm_before {
        Wiring::PreNorm
    } else {
        Wiring::PostNorm
    };

    let bare = params.has("decoder.embed_tokens.weight") == Some(true);
    let root = if bare {
        params / "decoder"
    } else {
        params / "model.decoder"
    };
    let init = Init::Normal { std: 0.02 };
    let layer = |index: i64| -> Result<Layer, BuildError> {
        let at = &root / &format!("layers.{index}");
        let linear = |name: &str, inputs, outputs| {
            Linear::with_bias(&(&at / name), inputs, outputs, config.enable_bias, init)
        };
        let norm = |name: &str| LayerNorm::new(&(&at / name), hidden, EPSILON);
        let projections = Projections::Separate {
            q: linear("self_attn.q_proj", hidden, hidden)?,
            k: linear("self_attn.k_proj", hidden, hidden)?,
            v: linear("self_attn.v_proj", hidden, hidden)?,
        };
        let output = linear("self_attn.out_proj", hidden, hidden)?;
        let heads = Heads::equal(config.num_attention_heads, head_dim);
        let attention = Attention::new(heads, projections, output).with_dropout(config.attention_dropout);
        let mlp = Mlp::plain(
            linear("fc1", hidden, inner)?,
            activation,
            linear("fc2", inner, hidden)?,
        );
        let block = Block::new(
            wiring,
            (attention, norm("self_attn_layer_norm")?.into()),
            (mlp, norm("final_layer_norm")?.into()),
        );
        Ok(Layer {
            wiring: Box::new(block.with_dropout(config.dropout)),
            window: None,
            rope: None,
        })
    };

    let embedding = Embedding::new(&(&root / "embed_tokens"), vocabulary, narrow)?;
    let positions = LearnedPositions {
        table: Embedding::new(
            &(&root / "embed_positions"),
            max_positions + POSITION_OFFSET,
            hidden,
        )?,
        offset: POSITION_OFFSET,
    };
    let project = |name: &str, inputs, outputs| {
        let wanted = narrow != hidden;
        wanted
            .then(|| Linear::without_bias(&(&root / name), inputs, outputs, init))
            .transpose()
    };
    let layers = (0..count).map(layer).collect::<Result<_, _>>()?;
    let norm = if config.do_layer_norm_before && !config.remove_final_layer_norm {
        Some(LayerNorm::new(&(&root / "final_layer_norm"), hidden, EPSILON)?.into())
    } else {
        None
    };
    let head = if config.tie_word_embeddings {
        embedding.as_head()
    } else {
        Linear::without_bias(&(params / "lm_head"), narrow, vocabulary, init)?
    };
    Ok(Stack {
        positions: Some(positions),
        project_in: project("project_in", narrow, hidden)?,
        project_out: project("project_out", hidden, narrow)?,
        layers,
        norm,
        ..Stack::plain(embedding, head, max_positions)
    })
}

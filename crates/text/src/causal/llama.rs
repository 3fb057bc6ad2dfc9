//! Llama (arXiv 2302.13971, 2307.09288, 2407.21783) and the families that differ from it in details:
//! Mistral (arXiv 2310.06825), Qwen2 (arXiv 2407.10671), Qwen3 (arXiv 2505.09388), Phi-3 (arXiv
//! 2404.14219).

use sensorium_blocks::{
    Attention, Block, Embedding, Heads, Init, Linear, Mlp, Params, Projections, RmsNorm, Rope, RopeShape,
    Wiring::PreNorm,
};
use serde::Deserialize;
use serde_json::Value;

use super::stack::{Layer, Stack};
use sensorium_blocks::BuildError;
use sensorium_blocks::{ConfigProblem, divide, size};

/// Spelled as in the published `config.json`; the fields of all families of this file.
#[derive(Deserialize)]
struct Config {
    vocab_size: i64,
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    num_key_value_heads: Option<i64>,
    head_dim: Option<i64>,
    intermediate_size: i64,
    max_position_embeddings: i64,
    original_max_position_embeddings: Option<i64>,
    #[serde(default = "silu")]
    hidden_act: String,
    #[serde(default = "epsilon")]
    rms_norm_eps: f64,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    tie_word_embeddings: Option<bool>,
    rope_theta: Option<f64>,
    #[serde(default)]
    rope_scaling: Value,
    #[serde(default)]
    rope_parameters: Value,
    partial_rotary_factor: Option<f64>,
    sliding_window: Option<i64>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<i64>,
    layer_types: Option<Vec<String>>,
    #[serde(default)]
    attention_dropout: f64,
    /// Of what each half of a layer adds, and of the embeddings: the toolkit's own, none in published checkpoints.
    #[serde(default)]
    hidden_dropout: f64,
}

fn silu() -> String {
    "silu".to_string()
}

fn epsilon() -> f64 {
    1e-6
}

/// What tells the families apart.
struct Details {
    /// Biases of queries, keys and values; of attention's output; of the feed-forward.
    biases: [bool; 3],
    /// Queries, keys and values in one layer, and so the two inputs of the feed-forward.
    joined: bool,
    /// Each head's queries and keys are normalised.
    head_norms: bool,
    /// Features of each head where the configuration does not say.
    head_dim: Option<i64>,
}

impl Details {
    const PLAIN: Self = Self {
        biases: [false; 3],
        joined: false,
        head_norms: false,
        head_dim: None,
    };
}

pub(super) fn build_llama(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let attention = config.attention_bias.unwrap_or(false);
    let details = Details {
        biases: [attention, attention, config.mlp_bias.unwrap_or(false)],
        ..Details::PLAIN
    };
    build(config, &details, |_, _| None, params)
}

pub(super) fn build_mistral(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    build(config, &Details::PLAIN, |config, _| config.sliding_window, params)
}

pub(super) fn build_qwen2(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let details = Details {
        biases: [true, false, false],
        ..Details::PLAIN
    };
    build(config, &details, qwen_window, params)
}

pub(super) fn build_qwen3(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let bias = config.attention_bias.unwrap_or(false);
    let details = Details {
        biases: [bias, bias, false],
        head_norms: true,
        head_dim: Some(128),
        ..Details::PLAIN
    };
    build(config, &details, qwen_window, params)
}

pub(super) fn build_phi3(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let details = Details {
        joined: true,
        ..Details::PLAIN
    };
    build(config, &details, |config, _| config.sliding_window, params)
}

/// Only the upper layers of a Qwen model slide, and only if its configuration says so.
fn qwen_window(config: &Config, layer: i64) -> Option<i64> {
    let window = config
        .sliding_window
        .filter(|_| config.use_sliding_window == Some(true))?;
    let slides = match &config.layer_types {
        Some(types) => types.get(layer as usize)? == "sliding_attention",
        None => layer >= config.max_window_layers.unwrap_or(28),
    };
    slides.then_some(window)
}

fn build(
    config: Config,
    details: &Details,
    window: fn(&Config, i64) -> Option<i64>,
    params: &Params,
) -> Result<Stack, BuildError> {
    let vocabulary = size("vocab_size", config.vocab_size, 1 << 24)?;
    let hidden = size("hidden_size", config.hidden_size, 1 << 17)?;
    let inner = size("intermediate_size", config.intermediate_size, 1 << 20)?;
    let count = size("num_hidden_layers", config.num_hidden_layers, 1 << 10)?;
    let max_positions = size("max_position_embeddings", config.max_position_embeddings, 1 << 24)?;
    let queries = size("num_attention_heads", config.num_attention_heads, 1 << 17)?;
    let queries = ("num_attention_heads", queries);
    let keys = config.num_key_value_heads.unwrap_or(config.num_attention_heads);
    divide(queries, ("num_key_value_heads", keys))?;
    let dim = match config.head_dim.or(details.head_dim) {
        Some(dim) => size("head_dim", dim, 1 << 12)?,
        None => divide(("hidden_size", hidden), queries)?,
    };
    if let Some(window) = config.sliding_window {
        size("sliding_window", window, 1 << 30)?;
    }
    let heads = Heads {
        queries: queries.1,
        keys,
        dim,
    };
    let settings = if config.rope_parameters.is_null() {
        &config.rope_scaling
    } else {
        &config.rope_parameters
    };
    let shape = RopeShape {
        head_dim: dim,
        max_positions,
        original_max_positions: config.original_max_position_embeddings,
        theta: config.rope_theta,
        partial: config.partial_rotary_factor,
    };
    let rope = Rope::new(settings, shape)?;
    let activation = config.hidden_act.parse().map_err(ConfigProblem::from)?;
    let eps = config.rms_norm_eps;
    let [qkv_bias, output_bias, mlp_bias] = details.biases;
    let init = Init::Normal { std: 0.02 };

    // Published checkpoints of the bare model have no prefix.
    let bare = params.has("embed_tokens.weight") == Some(true);
    let root = if bare { params.clone() } else { params / "model" };
    let layer = |index: i64| -> Result<Layer, BuildError> {
        let at = &root / &format!("layers.{index}");
        let linear =
            |name: &str, inputs, outputs, bias| Linear::with_bias(&(&at / name), inputs, outputs, bias, init);
        let (q, kv) = (heads.query_size(), heads.key_size());
        let projections = if details.joined {
            Projections::Joined(linear("self_attn.qkv_proj", hidden, q + 2 * kv, qkv_bias)?)
        } else {
            Projections::Separate {
                q: linear("self_attn.q_proj", hidden, q, qkv_bias)?,
                k: linear("self_attn.k_proj", hidden, kv, qkv_bias)?,
                v: linear("self_attn.v_proj", hidden, kv, qkv_bias)?,
            }
        };
        let output = linear("self_attn.o_proj", q, hidden, output_bias)?;
        let mut attention = Attention::new(heads, projections, output).with_dropout(config.attention_dropout);
        let rms = |name: &str, size| RmsNorm::new(&(&at / name), size, eps);
        if details.head_norms {
            let norms = [rms("self_attn.q_norm", dim)?, rms("self_attn.k_norm", dim)?];
            let [query, key] = norms.map(Into::into);
            attention = attention.with_norms(query, key);
        }
        let down = linear("mlp.down_proj", inner, hidden, mlp_bias)?;
        let mlp = if details.joined {
            Mlp::gated_joined(
                linear("mlp.gate_up_proj", hidden, 2 * inner, mlp_bias)?,
                activation,
                down,
            )
        } else {
            let gate = linear("mlp.gate_proj", hidden, inner, mlp_bias)?;
            Mlp::gated(
                gate,
                linear("mlp.up_proj", hidden, inner, mlp_bias)?,
                activation,
                down,
            )
        };
        let norms = [
            rms("input_layernorm", hidden)?,
            rms("post_attention_layernorm", hidden)?,
        ];
        let [first, second] = norms.map(Into::into);
        Ok(Layer {
            wiring: Box::new(
                Block::new(PreNorm, (attention, first), (mlp, second)).with_dropout(config.hidden_dropout),
            ),
            window: window(&config, index),
            rope: Some(0),
        })
    };

    let embedding = Embedding::new(&(&root / "embed_tokens"), vocabulary, hidden)?;
    let layers = (0..count).map(layer).collect::<Result<_, _>>()?;
    let norm = RmsNorm::new(&(&root / "norm"), hidden, eps)?;
    let head = if config.tie_word_embeddings.unwrap_or(false) {
        embedding.as_head()
    } else {
        Linear::without_bias(&(params / "lm_head"), hidden, vocabulary, init)?
    };
    Ok(Stack {
        ropes: vec![rope],
        layers,
        norm: Some(norm.into()),
        embedding_dropout: config.hidden_dropout,
        ..Stack::plain(embedding, head, max_positions)
    })
}

//! Gemma 2 (arXiv 2408.00118) and the text part of Gemma 3 (arXiv 2503.19786): norms before and after each
//! sub-layer, layers that slide and layers that do not.

use sensorium_blocks::{
    Attention, Embedding, Heads, Init, KvCache, Linear, Mlp, Params, Pass, Projections, RmsNorm, Rope,
    RopeShape,
};
use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use super::stack::{Layer, Stack, Wiring};
use sensorium_blocks::BuildError;
use sensorium_blocks::{ConfigProblem, divide, size};

/// Spelled as in the published `config.json`.
#[derive(Deserialize)]
struct Config {
    vocab_size: i64,
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    num_key_value_heads: i64,
    #[serde(default = "head_dim")]
    head_dim: i64,
    intermediate_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "gelu", alias = "hidden_act")]
    hidden_activation: Option<String>,
    #[serde(default = "epsilon")]
    rms_norm_eps: f64,
    query_pre_attn_scalar: f64,
    attn_logit_softcapping: Option<f64>,
    final_logit_softcapping: Option<f64>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    rope_theta: Option<f64>,
    rope_local_base_freq: Option<f64>,
    #[serde(default)]
    rope_scaling: Value,
    #[serde(default)]
    rope_parameters: Value,
    sliding_window: Option<i64>,
    layer_types: Option<Vec<String>>,
    sliding_window_pattern: Option<i64>,
    /// The same in files of newer releases.
    #[serde(rename = "_sliding_window_pattern")]
    saved_sliding_window_pattern: Option<i64>,
    #[serde(default)]
    attention_dropout: f64,
}

fn head_dim() -> i64 {
    256
}

fn gelu() -> Option<String> {
    Some("gelu_pytorch_tanh".to_string())
}

fn epsilon() -> f64 {
    1e-6
}

fn yes() -> bool {
    true
}

/// Norms around both sub-layers.
struct GemmaBlock {
    attention: Attention,
    mlp: Mlp,
    attention_norms: [RmsNorm; 2],
    mlp_norms: [RmsNorm; 2],
}

impl Wiring for GemmaBlock {
    fn forward(&self, x: &Tensor, pass: Pass<'_>, cache: Option<&mut KvCache>) -> Tensor {
        let [before, after] = &self.attention_norms;
        let x = x + after.forward(&self.attention.forward(&before.forward(x), pass, cache));
        let [before, after] = &self.mlp_norms;
        let y = after.forward(&self.mlp.forward(&before.forward(&x)));
        x + y
    }
}

/// In Gemma 2 every other layer slides, the first one does.
pub(super) fn build_gemma2(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let (settings, shape) = (
        rope_settings(&config.rope_parameters, &config.rope_scaling),
        shape(&config)?,
    );
    let rope = Rope::new(settings, shape)?;
    build(config, 2, vec![rope], false, params)
}

/// In Gemma 3 five layers of six slide, and these have rotary positions of their own.
pub(super) fn build_gemma3(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let newest = |kind: &str| config.rope_parameters.get(kind);
    let theta = RopeShape {
        theta: Some(config.rope_theta.unwrap_or(1e6)),
        ..shape(&config)?
    };
    let full = Rope::new(newest("full_attention").unwrap_or(&config.rope_scaling), theta)?;
    let local = RopeShape {
        theta: Some(config.rope_local_base_freq.unwrap_or(1e4)),
        ..shape(&config)?
    };
    let sliding = Rope::new(newest("sliding_attention").unwrap_or(&Value::Null), local)?;
    let pattern = config
        .sliding_window_pattern
        .or(config.saved_sliding_window_pattern)
        .unwrap_or(6);
    build(config, pattern, vec![full, sliding], true, params)
}

fn rope_settings<'a>(newest: &'a Value, older: &'a Value) -> &'a Value {
    // Some files have the newest dialect with an entry for each kind of layer.
    newest
        .get("full_attention")
        .unwrap_or(if newest.is_null() { older } else { newest })
}

fn shape(config: &Config) -> Result<RopeShape, ConfigProblem> {
    Ok(RopeShape {
        head_dim: size("head_dim", config.head_dim, 1 << 12)?,
        max_positions: config.max_position_embeddings,
        original_max_positions: None,
        theta: config.rope_theta,
        partial: None,
    })
}

/// `ropes` has that of the full layers, then that of the sliding ones if it is another.
fn build(
    config: Config,
    pattern: i64,
    ropes: Vec<Rope>,
    head_norms: bool,
    params: &Params,
) -> Result<Stack, BuildError> {
    let vocabulary = size("vocab_size", config.vocab_size, 1 << 24)?;
    let hidden = size("hidden_size", config.hidden_size, 1 << 17)?;
    let inner = size("intermediate_size", config.intermediate_size, 1 << 20)?;
    let count = size("num_hidden_layers", config.num_hidden_layers, 1 << 10)?;
    let max_positions = size("max_position_embeddings", config.max_position_embeddings, 1 << 24)?;
    let pattern = size("sliding_window_pattern", pattern, i64::MAX)?;
    if let Some(window) = config.sliding_window {
        size("sliding_window", window, 1 << 30)?;
    }
    let heads = Heads {
        queries: size("num_attention_heads", config.num_attention_heads, 1 << 17)?,
        keys: config.num_key_value_heads,
        dim: size("head_dim", config.head_dim, 1 << 12)?,
    };
    divide(
        ("num_attention_heads", heads.queries),
        ("num_key_value_heads", heads.keys),
    )?;
    if config.query_pre_attn_scalar <= 0.0 {
        let message = format!(
            "`query_pre_attn_scalar` is {}, not positive",
            config.query_pre_attn_scalar
        );
        return Err(ConfigProblem::Other(message).into());
    }
    let activation = config.hidden_activation.clone().or_else(gelu).unwrap_or_default();
    let activation = activation.parse().map_err(ConfigProblem::from)?;
    let slides = |index: i64| match &config.layer_types {
        Some(types) => types
            .get(index as usize)
            .is_some_and(|kind| kind == "sliding_attention"),
        None => (index + 1) % pattern != 0,
    };
    let init = Init::Normal { std: 0.02 };
    let bare = params.has("embed_tokens.weight") == Some(true);
    let root = if bare { params.clone() } else { params / "model" };
    let layer = |index: i64| -> Result<Layer, BuildError> {
        let at = &root / &format!("layers.{index}");
        let rms = |name: &str, size| RmsNorm::around_one(&(&at / name), size, config.rms_norm_eps);
        let linear =
            |name: &str, inputs, outputs, bias| Linear::with_bias(&(&at / name), inputs, outputs, bias, init);
        let (q, kv, bias) = (heads.query_size(), heads.key_size(), config.attention_bias);
        let projections = Projections::Separate {
            q: linear("self_attn.q_proj", hidden, q, bias)?,
            k: linear("self_attn.k_proj", hidden, kv, bias)?,
            v: linear("self_attn.v_proj", hidden, kv, bias)?,
        };
        let output = linear("self_attn.o_proj", q, hidden, bias)?;
        let mut attention = Attention::new(heads, projections, output)
            .with_scale(config.query_pre_attn_scalar.powf(-0.5))
            .with_softcap(config.attn_logit_softcapping)
            .with_dropout(config.attention_dropout);
        if head_norms {
            let (query, key) = (
                rms("self_attn.q_norm", heads.dim)?,
                rms("self_attn.k_norm", heads.dim)?,
            );
            attention = attention.with_norms(query.into(), key.into());
        }
        let block = GemmaBlock {
            attention,
            mlp: Mlp::gated(
                linear("mlp.gate_proj", hidden, inner, false)?,
                linear("mlp.up_proj", hidden, inner, false)?,
                activation,
                linear("mlp.down_proj", inner, hidden, false)?,
            ),
            attention_norms: [
                rms("input_layernorm", hidden)?,
                rms("post_attention_layernorm", hidden)?,
            ],
            mlp_norms: [
                rms("pre_feedforward_layernorm", hidden)?,
                rms("post_feedforward_layernorm", hidden)?,
            ],
        };
        let slides = slides(index);
        Ok(Layer {
            wiring: Box::new(block),
            window: config.sliding_window.filter(|_| slides),
            rope: Some(if slides { ropes.len() - 1 } else { 0 }),
        })
    };
    let embedding = Embedding::new(&(&root / "embed_tokens"), vocabulary, hidden)?;
    let layers = (0..count).map(layer).collect::<Result<_, _>>()?;
    let norm = RmsNorm::around_one(&(&root / "norm"), hidden, config.rms_norm_eps)?;
    let head = if config.tie_word_embeddings {
        embedding.as_head()
    } else {
        Linear::without_bias(&(params / "lm_head"), hidden, vocabulary, init)?
    };
    Ok(Stack {
        scale: Some((hidden as f64).sqrt()),
        ropes,
        layers,
        norm: Some(norm.into()),
        softcap: config.final_logit_softcapping,
        ..Stack::plain(embedding, head, max_positions)
    })
}

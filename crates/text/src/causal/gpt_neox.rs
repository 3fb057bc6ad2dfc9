//! GPT-NeoX (arXiv 2204.06745) and Pythia (arXiv 2304.01373): attention and feed-forward side by side.

use sensorium_blocks::{
    Attention, Embedding, Heads, Init, KvCache, LayerNorm, Linear, Mlp, Params, Pass, Projections, Rope,
    RopeShape,
};
use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use super::stack::{Layer, Stack, Wiring};
use sensorium_blocks::BuildError;
use sensorium_blocks::{divide, size};

/// Spelled as in the published `config.json`.
#[derive(Deserialize)]
struct Config {
    vocab_size: i64,
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    intermediate_size: i64,
    max_position_embeddings: i64,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "yes")]
    attention_bias: bool,
    #[serde(default = "yes")]
    use_parallel_residual: bool,
    #[serde(default)]
    tie_word_embeddings: bool,
    rotary_pct: Option<f64>,
    rotary_emb_base: Option<f64>,
    #[serde(default)]
    rope_parameters: Value,
    #[serde(default)]
    rope_scaling: Value,
    #[serde(default)]
    attention_dropout: f64,
    #[serde(default)]
    hidden_dropout: f64,
}

fn gelu() -> String {
    "gelu".to_string()
}

fn epsilon() -> f64 {
    1e-5
}

fn yes() -> bool {
    true
}

/// The block with one residual for both sub-layers, or, where a checkpoint says so, one for each.
struct NeoxBlock {
    attention: Attention,
    mlp: Mlp,
    norms: [LayerNorm; 2],
    parallel: bool,
    dropout: f64,
}

impl Wiring for NeoxBlock {
    fn forward(&self, x: &Tensor, pass: Pass<'_>, cache: Option<&mut KvCache>) -> Tensor {
        let drop = |y: Tensor| {
            if pass.train {
                y.dropout(self.dropout, true)
            } else {
                y
            }
        };
        let [first, second] = &self.norms;
        let attended = drop(self.attention.forward(&first.forward(x), pass, cache));
        if self.parallel {
            return drop(self.mlp.forward(&second.forward(x))) + attended + x;
        }
        let x = attended + x;
        drop(self.mlp.forward(&second.forward(&x))) + x
    }
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
    let settings = if config.rope_parameters.is_null() {
        &config.rope_scaling
    } else {
        &config.rope_parameters
    };
    let shape = RopeShape {
        head_dim,
        max_positions,
        original_max_positions: None,
        theta: config.rotary_emb_base,
        partial: Some(config.rotary_pct.unwrap_or(0.25)),
    };
    let rope = Rope::new(settings, shape)?;
    let init = Init::Normal { std: 0.02 };
    let root = params / "gpt_neox";
    let layer = |index: i64| -> Result<Layer, BuildError> {
        let at = &root / &format!("layers.{index}");
        let norm = |name: &str| LayerNorm::new(&(&at / name), hidden, config.layer_norm_eps);
        let linear =
            |name: &str, inputs, outputs, bias| Linear::with_bias(&(&at / name), inputs, outputs, bias, init);
        let bias = config.attention_bias;
        let block = NeoxBlock {
            attention: Attention::new(
                Heads::equal(config.num_attention_heads, head_dim),
                Projections::Interleaved(linear("attention.query_key_value", hidden, 3 * hidden, bias)?),
                linear("attention.dense", hidden, hidden, bias)?,
            )
            .with_dropout(config.attention_dropout),
            mlp: Mlp::plain(
                linear("mlp.dense_h_to_4h", hidden, inner, true)?,
                config.hidden_act.parse()?,
                linear("mlp.dense_4h_to_h", inner, hidden, true)?,
            ),
            norms: [norm("input_layernorm")?, norm("post_attention_layernorm")?],
            parallel: config.use_parallel_residual,
            dropout: config.hidden_dropout,
        };
        Ok(Layer {
            wiring: Box::new(block),
            window: None,
            rope: Some(0),
        })
    };
    let embedding = Embedding::new(&(&root / "embed_in"), vocabulary, hidden)?;
    let layers = (0..count).map(layer).collect::<Result<_, _>>()?;
    let norm = LayerNorm::new(&(&root / "final_layer_norm"), hidden, config.layer_norm_eps)?;
    let head = if config.tie_word_embeddings {
        embedding.as_head()
    } else {
        Linear::without_bias(&(params / "embed_out"), hidden, vocabulary, init)?
    };
    Ok(Stack {
        ropes: vec![rope],
        layers,
        norm: Some(norm.into()),
        embedding_dropout: config.hidden_dropout,
        ..Stack::plain(embedding, head, max_positions)
    })
}

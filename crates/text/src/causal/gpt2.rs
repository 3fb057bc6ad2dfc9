//! GPT-2 (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners").

use sensorium_blocks::{
    Activation, Attention, Block, Embedding, Heads, Init, LayerNorm, Linear, Mlp, Params, Projections,
    Wiring::PreNorm,
};
use serde::Deserialize;
use serde_json::Value;

use super::stack::{Layer, LearnedPositions, Stack};
use sensorium_blocks::BuildError;
use sensorium_blocks::{divide, size};

/// Spelled as in the published `config.json`.
#[derive(Deserialize)]
struct Config {
    vocab_size: i64,
    n_positions: i64,
    n_embd: i64,
    n_layer: i64,
    n_head: i64,
    n_inner: Option<i64>,
    #[serde(default = "gelu_new")]
    activation_function: String,
    #[serde(default = "epsilon")]
    layer_norm_epsilon: f64,
    #[serde(default = "yes")]
    scale_attn_weights: bool,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
    #[serde(default = "dropout")]
    attn_pdrop: f64,
    #[serde(default = "dropout")]
    embd_pdrop: f64,
    #[serde(default = "dropout")]
    resid_pdrop: f64,
}

fn gelu_new() -> String {
    "gelu_new".to_string()
}

fn epsilon() -> f64 {
    1e-5
}

fn yes() -> bool {
    true
}

fn dropout() -> f64 {
    0.1
}

pub(super) fn build(config: &Value, params: &Params) -> Result<Stack, BuildError> {
    let config = Config::deserialize(config)?;
    let vocabulary = size("vocab_size", config.vocab_size, 1 << 24)?;
    let hidden = size("n_embd", config.n_embd, 1 << 17)?;
    let head_dim = divide(("n_embd", hidden), ("n_head", config.n_head))?;
    let inner = size("n_inner", config.n_inner.unwrap_or(4 * hidden), 1 << 20)?;
    let count = size("n_layer", config.n_layer, 1 << 10)?;
    let max_positions = size("n_positions", config.n_positions, 1 << 24)?;
    let activation: Activation = config.activation_function.parse()?;

    // Published checkpoints of the bare model have no prefix.
    let bare = params.has("wte.weight") == Some(true);
    let root = if bare {
        params.clone()
    } else {
        params / "transformer"
    };
    let init = Init::Normal { std: 0.02 };
    // Layers that write to the residual stream start smaller (section 2.3 of the paper).
    let residual = Init::Normal {
        std: 0.02 / (2.0 * count as f64).sqrt(),
    };
    let layer = |index: i64| -> Result<Layer, BuildError> {
        let at = &root / &format!("h.{index}");
        let norm = |name: &str| LayerNorm::new(&(&at / name), hidden, config.layer_norm_epsilon);
        let qkv = Linear::transposed(&(&at / "attn.c_attn"), hidden, 3 * hidden, init)?;
        let output = Linear::transposed(&(&at / "attn.c_proj"), hidden, hidden, residual)?;
        let mut scale = 1.0;
        if config.scale_attn_weights {
            scale /= (head_dim as f64).sqrt();
        }
        if config.scale_attn_by_inverse_layer_idx {
            scale /= (index + 1) as f64;
        }
        let attention = Attention::new(
            Heads::equal(config.n_head, head_dim),
            Projections::Joined(qkv),
            output,
        )
        .with_scale(scale)
        .with_dropout(config.attn_pdrop);
        let mlp = Mlp::plain(
            Linear::transposed(&(&at / "mlp.c_fc"), hidden, inner, init)?,
            activation,
            Linear::transposed(&(&at / "mlp.c_proj"), inner, hidden, residual)?,
        );
        let block = Block::new(
            PreNorm,
            (attention, norm("ln_1")?.into()),
            (mlp, norm("ln_2")?.into()),
        );
        Ok(Layer {
            wiring: Box::new(block.with_dropout(config.resid_pdrop)),
            window: None,
            rope: None,
        })
    };

    let embedding = Embedding::new(&(&root / "wte"), vocabulary, hidden)?;
    let positions = LearnedPositions {
        table: Embedding::new(&(&root / "wpe"), max_positions, hidden)?,
        offset: 0,
    };
    let layers = (0..count).map(layer).collect::<Result<_, _>>()?;
    let norm = LayerNorm::new(&(&root / "ln_f"), hidden, config.layer_norm_epsilon)?;
    let head = if config.tie_word_embeddings {
        embedding.as_head()
    } else {
        Linear::without_bias(&(params / "lm_head"), hidden, vocabulary, init)?
    };
    Ok(Stack {
        positions: Some(positions),
        layers,
        norm: Some(norm.into()),
        embedding_dropout: config.embd_pdrop,
        ..Stack::plain(embedding, head, max_positions)
    })
}

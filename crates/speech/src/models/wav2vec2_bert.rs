//! w2v-BERT 2.0 (arXiv 2312.05187): a Conformer over filter banks.

use sensorium_blocks::{
    Activation, BuildError, ConfigProblem, ConformerBlock, Conv1d, Conv1dShape, ConvModule, ConvNorm,
    DistanceAttention, Heads, Init, LayerNorm, Linear, Mask, Mlp, Params, divide, size,
};
use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use super::States;
use super::wav2vec2::INSTEAD;

/// Spelled as in the published `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    intermediate_size: i64,
    #[serde(default = "input")]
    feature_projection_input_dim: i64,
    #[serde(default = "swish")]
    hidden_act: String,
    #[serde(default)]
    hidden_dropout: f64,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    add_adapter: bool,
    #[serde(default = "relative_key")]
    position_embeddings_type: Option<String>,
    #[serde(default = "left")]
    left_max_position_embeddings: i64,
    #[serde(default = "right")]
    right_max_position_embeddings: i64,
    #[serde(default = "kernel")]
    conv_depthwise_kernel_size: i64,
}

fn input() -> i64 {
    160
}

fn swish() -> String {
    "swish".to_string()
}

fn eps() -> f64 {
    1e-5
}

fn relative_key() -> Option<String> {
    Some("relative_key".to_string())
}

fn left() -> i64 {
    64
}

fn right() -> i64 {
    8
}

fn kernel() -> i64 {
    31
}

/// The `model_type` that [`Encoder`] builds.
pub const MODEL_TYPE: &str = "wav2vec2-bert";

/// From filter banks to states.
#[derive(Debug)]
pub struct Encoder {
    norm: LayerNorm,
    projection: Linear,
    layers: Vec<ConformerBlock>,
    dropout: f64,
    hidden: i64,
}

const INIT: Init = Init::Xavier;

impl Encoder {
    /// Builds the network that `config` describes from `params`, whose names begin with `wav2vec2_bert`.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        if config.add_adapter {
            let problem = "`add_adapter` is not supported".to_string();
            return Err(ConfigProblem::Other(problem).into());
        }
        let hidden = size("hidden_size", config.hidden_size, 1 << 16)?;
        let input = size(
            "feature_projection_input_dim",
            config.feature_projection_input_dim,
            1 << 14,
        )?;
        let layers = size("num_hidden_layers", config.num_hidden_layers, 1 << 10)?;
        // For training on what is hidden, which is not done here; a checkpoint keeps it.
        if params.has(INSTEAD) == Some(true) {
            let _kept = params.buffer(INSTEAD, &[hidden], Init::Uniform { bound: 1.0 })?;
        }
        let projection = &(params / "feature_projection");
        Ok(Self {
            norm: LayerNorm::new(&(projection / "layer_norm"), input, config.layer_norm_eps)?,
            projection: Linear::new(&(projection / "projection"), input, hidden, INIT)?,
            layers: (0..layers)
                .map(|i| block(&config, &(params / &format!("encoder.layers.{i}")), hidden))
                .collect::<Result<_, _>>()?,
            dropout: config.hidden_dropout,
            hidden,
        })
    }

    /// Features of a state.
    pub fn hidden(&self) -> i64 {
        self.hidden
    }

    /// The states of `features` `[batch, steps, features]`; `mask` `[batch, steps]` is zero at padding.
    pub fn forward(&self, features: &Tensor, mask: Option<&Tensor>, all: bool, train: bool) -> States {
        let x = self.projection.forward(&self.norm.forward(features));
        let steps = x.size()[1];
        let keep = mask.map(|mask| mask.unsqueeze(-1).to_kind(x.kind()));
        let mut x = match &keep {
            Some(keep) => x * keep,
            None => x,
        };
        if train && self.dropout > 0.0 {
            x = x.dropout(self.dropout, true);
        }
        let seen = Mask::full(steps, steps).with_keep(mask);
        let mut states = Vec::new();
        for layer in &self.layers {
            if all {
                states.push(x.shallow_clone());
            }
            x = layer.forward(&x, Some(&seen), keep.as_ref(), train);
        }
        if all {
            states.push(x.shallow_clone());
        }
        States {
            last: x,
            all: states,
            keep: mask.map(Tensor::shallow_clone),
        }
    }
}

fn block(config: &Config, at: &Params, hidden: i64) -> Result<ConformerBlock, BuildError> {
    let activation: Activation = config.hidden_act.parse()?;
    let inner = size("intermediate_size", config.intermediate_size, 1 << 18)?;
    let norm = |name: &str| LayerNorm::new(&(at / name), hidden, config.layer_norm_eps);
    let linear = |name: &str, inputs, outputs| Linear::new(&(at / name), inputs, outputs, INIT);
    let mlp = |name: &str| -> Result<Mlp, BuildError> {
        Ok(Mlp::plain(
            linear(&format!("{name}.intermediate_dense"), hidden, inner)?,
            activation,
            linear(&format!("{name}.output_dense"), inner, hidden)?,
        ))
    };
    Ok(ConformerBlock {
        first: Some((norm("ffn1_layer_norm")?, mlp("ffn1")?)),
        attention: (
            norm("self_attn_layer_norm")?,
            attention(config, &(at / "self_attn"), hidden)?.into(),
        ),
        conv: Some((
            norm("conv_module.layer_norm")?,
            conv(config, &(at / "conv_module"), hidden)?,
        )),
        second: (norm("ffn2_layer_norm")?, mlp("ffn2")?),
        norm: Some(norm("final_layer_norm")?),
        norm_first: true,
        dropout: config.hidden_dropout,
    })
}

fn attention(config: &Config, at: &Params, hidden: i64) -> Result<DistanceAttention, BuildError> {
    let count = config.num_attention_heads;
    let heads = Heads::equal(
        count,
        divide(("hidden_size", hidden), ("num_attention_heads", count))?,
    );
    let layer = |name: &str| Linear::new(&(at / name), hidden, hidden, INIT);
    let layers = [
        layer("linear_q")?,
        layer("linear_k")?,
        layer("linear_v")?,
        layer("linear_out")?,
    ];
    let attention = DistanceAttention::new(heads, layers);
    match config.position_embeddings_type.as_deref() {
        None => Ok(attention),
        Some("relative_key") => {
            let left = size(
                "left_max_position_embeddings",
                config.left_max_position_embeddings,
                1 << 14,
            )?;
            let right = size(
                "right_max_position_embeddings",
                config.right_max_position_embeddings,
                1 << 14,
            )?;
            Ok(attention.with_distances(&(at / "distance_embedding"), left, right)?)
        }
        Some(other) => {
            let problem = format!(
                "`position_embeddings_type` is `{other}`, which is not supported; supported: relative_key"
            );
            Err(ConfigProblem::Other(problem).into())
        }
    }
}

fn conv(config: &Config, at: &Params, hidden: i64) -> Result<ConvModule, BuildError> {
    let width = size(
        "conv_depthwise_kernel_size",
        config.conv_depthwise_kernel_size,
        1 << 12,
    )?;
    let layer = |name: &str, outputs, size, groups| {
        let shape = Conv1dShape {
            inputs: hidden,
            outputs,
            size,
            groups,
        };
        Conv1d::new(&(at / name), shape, false, Init::FanIn)
    };
    Ok(ConvModule {
        widen: layer("pointwise_conv1", 2 * hidden, 1, 1)?,
        depthwise: layer("depthwise_conv", hidden, width, hidden)?,
        padding: [width - 1, 0], // looking back only
        norm: ConvNorm::Layer(LayerNorm::new(
            &(at / "depthwise_layer_norm"),
            hidden,
            config.layer_norm_eps,
        )?),
        activation: config.hidden_act.parse()?,
        output: layer("pointwise_conv2", hidden, 1, 1)?,
    })
}

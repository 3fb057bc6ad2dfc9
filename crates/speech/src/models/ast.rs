//! The Audio Spectrogram Transformer (arXiv 2104.01778): a picture of a sound, in patches.

use sensorium_blocks::{
    Attention, Block, BuildError, ConfigProblem, Heads, Init, LayerNorm, Linear, Mlp, Norm, Params, Pass,
    Projections, Wiring, divide, size,
};
use serde::Deserialize;
use serde_json::Value;
use tch::{Kind, Tensor};

/// Spelled as in the published `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    intermediate_size: i64,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    patch_size: i64,
    frequency_stride: i64,
    time_stride: i64,
    max_length: i64,
    num_mel_bins: i64,
    #[serde(default = "yes")]
    qkv_bias: bool,
}

fn gelu() -> String {
    "gelu".to_string()
}

fn eps() -> f64 {
    1e-12
}

fn yes() -> bool {
    true
}

/// The `model_type` that [`Ast`] builds.
pub const MODEL_TYPE: &str = "audio-spectrogram-transformer";

/// The network with its output layer.
#[derive(Debug)]
pub struct Ast {
    patches: Tensor, // [hidden, 1, size, size]
    patches_bias: Tensor,
    strides: [i64; 2],
    /// Two tokens that stand for the whole, `[1, 2, hidden]`.
    summaries: Tensor,
    places: Tensor, // [1, 2 + patches, hidden]
    layers: Vec<Block>,
    norm: Norm,
    head_norm: Norm,
    head: Linear,
}

const INIT: Init = Init::FanIn;

impl Ast {
    /// Builds the network that `config` describes, with `labels` classes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, labels: i64, params: &Params) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        let hidden = size("hidden_size", config.hidden_size, 1 << 16)?;
        let patch = size("patch_size", config.patch_size, 1 << 10)?;
        let patches = |field, length: i64, stride_field, stride: i64| -> Result<i64, ConfigProblem> {
            let (length, stride) = (
                size(field, length, 1 << 20)?,
                size(stride_field, stride, 1 << 20)?,
            );
            if length < patch {
                return Err(ConfigProblem::Other(format!(
                    "`{field}` is less than `patch_size`"
                )));
            }
            Ok((length - patch) / stride + 1)
        };
        let count = patches(
            "num_mel_bins",
            config.num_mel_bins,
            "frequency_stride",
            config.frequency_stride,
        )? * patches("max_length", config.max_length, "time_stride", config.time_stride)?;
        let root = &(params / MODEL_TYPE.replace('-', "_").as_str());
        let at = &(root / "embeddings");
        let token = |name: &str| at.weight(name, &[1, 1, hidden], Init::Normal { std: 0.02 });
        let projection = &(at / "patch_embeddings.projection");
        let norm = |at: &Params| -> Result<Norm, BuildError> {
            Ok(LayerNorm::new(at, hidden, config.layer_norm_eps)?.into())
        };
        let layers = size("num_hidden_layers", config.num_hidden_layers, 1 << 10)?;
        Ok(Self {
            patches: projection.weight("weight", &[hidden, 1, patch, patch], INIT)?,
            patches_bias: projection.weight("bias", &[hidden], Init::Const(0.0))?,
            strides: [config.frequency_stride, config.time_stride],
            summaries: Tensor::cat(&[token("cls_token")?, token("distillation_token")?], 1),
            places: at.weight(
                "position_embeddings",
                &[1, count + 2, hidden],
                Init::Normal { std: 0.02 },
            )?,
            layers: (0..layers)
                .map(|i| layer(&config, &(root / &format!("encoder.layer.{i}")), hidden))
                .collect::<Result<_, _>>()?,
            norm: norm(&(root / "layernorm"))?,
            head_norm: LayerNorm::new(&(params / "classifier.layernorm"), hidden, config.layer_norm_eps)?
                .into(),
            head: Linear::new(&(params / "classifier.dense"), hidden, labels, INIT)?,
        })
    }

    /// The dtype of the weights.
    pub fn kind(&self) -> Kind {
        self.patches.kind()
    }

    /// The scores of each class, `[batch, labels]`, for `x` `[batch, frames, mels]`. The input of each layer and the
    /// output of the last one are put in `all`.
    pub fn forward(&self, x: &Tensor, mut all: Option<&mut Vec<Tensor>>) -> Tensor {
        let picture = x.unsqueeze(1).transpose(2, 3); // [batch, 1, mels, frames]
        let patches = picture.conv2d(
            &self.patches,
            Some(&self.patches_bias),
            self.strides,
            [0, 0],
            [1, 1],
            1,
        );
        let patches = patches.flatten(2, 3).transpose(1, 2);
        let batch = patches.size()[0];
        let summaries = self.summaries.expand([batch, -1, -1], false);
        let mut x = Tensor::cat(&[summaries, patches], 1) + &self.places;
        for layer in &self.layers {
            if let Some(all) = &mut all {
                all.push(x.shallow_clone());
            }
            x = layer.forward(&x, Pass::default(), None);
        }
        if let Some(all) = &mut all {
            all.push(x.shallow_clone());
        }
        let x = self.norm.forward(&x);
        let summary = (x.select(1, 0) + x.select(1, 1)) / 2.0;
        self.head.forward(&self.head_norm.forward(&summary))
    }
}

fn layer(config: &Config, at: &Params, hidden: i64) -> Result<Block, BuildError> {
    let dim = divide(
        ("hidden_size", hidden),
        ("num_attention_heads", config.num_attention_heads),
    )?;
    let heads = Heads::equal(config.num_attention_heads, dim);
    let inner = size("intermediate_size", config.intermediate_size, 1 << 18)?;
    let linear = |name: &str, inputs, outputs| Linear::new(&(at / name), inputs, outputs, INIT);
    let projection = |name: &str| match config.qkv_bias {
        true => linear(name, hidden, hidden),
        false => Linear::without_bias(&(at / name), hidden, hidden, INIT),
    };
    let projections = Projections::Separate {
        q: projection("attention.attention.query")?,
        k: projection("attention.attention.key")?,
        v: projection("attention.attention.value")?,
    };
    let attention = Attention::new(
        heads,
        projections,
        linear("attention.output.dense", hidden, hidden)?,
    );
    let mlp = Mlp::plain(
        linear("intermediate.dense", hidden, inner)?,
        config.hidden_act.parse()?,
        linear("output.dense", inner, hidden)?,
    );
    let norm = |name: &str| -> Result<Norm, BuildError> {
        Ok(LayerNorm::new(&(at / name), hidden, config.layer_norm_eps)?.into())
    };
    Ok(Block::new(
        Wiring::PreNorm,
        (attention, norm("layernorm_before")?),
        (mlp, norm("layernorm_after")?),
    ))
}

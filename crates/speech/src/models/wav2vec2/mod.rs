//! wav2vec 2.0 (arXiv 2006.11477), HuBERT (arXiv 2106.07447) and WavLM (arXiv 2110.13900): samples to a state each 20 ms.

mod convs;

use sensorium_blocks::{
    Activation, Attention, Block, BuildError, ConfigProblem, Conv1d, Conv1dShape, GatedAttention, Heads,
    Init, LayerNorm, Linear, Mask, Mlp, Norm, Params, Pass, Projections, RelativeBias, SelfAttention, Wiring,
    divide, size,
};
use serde::Deserialize;
use serde_json::Value;
use tch::{Kind, Tensor};

use super::{Hidden, States};
use convs::ConvLayer;

/// Spelled as in the published `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    intermediate_size: i64,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "gelu")]
    feat_extract_activation: String,
    #[serde(default = "group")]
    feat_extract_norm: String,
    #[serde(default)]
    conv_bias: bool,
    conv_dim: Vec<i64>,
    conv_kernel: Vec<i64>,
    conv_stride: Vec<i64>,
    num_conv_pos_embeddings: i64,
    num_conv_pos_embedding_groups: i64,
    #[serde(default)]
    do_stable_layer_norm: bool,
    #[serde(default = "yes")]
    feat_proj_layer_norm: bool,
    #[serde(default)]
    conv_pos_batch_norm: bool,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    #[serde(default)]
    hidden_dropout: f64,
    #[serde(default)]
    model_type: String,
    /// Of WavLM: ranges of distances, and where the last begins.
    #[serde(default = "buckets")]
    num_buckets: i64,
    #[serde(default = "max_distance")]
    max_bucket_distance: i64,
}

/// The `model_type` whose attention weighs distances.
const GATED: &str = "wavlm";

fn buckets() -> i64 {
    320
}

fn max_distance() -> i64 {
    800
}

fn gelu() -> String {
    "gelu".to_string()
}

fn group() -> String {
    "group".to_string()
}

fn yes() -> bool {
    true
}

fn eps() -> f64 {
    1e-5
}

/// From samples to states.
#[derive(Debug)]
pub struct Encoder {
    convs: Vec<ConvLayer>,
    activation: Activation,
    projection_norm: Option<Norm>,
    projection: Linear,
    /// What stands in the place of hidden states, if the checkpoint has it.
    instead: Option<Tensor>,
    position: Conv1d,
    /// The place convolution gives one step too many.
    even: bool,
    norm: Norm,
    /// The norm is behind the layers, not before them.
    norm_last: bool,
    layers: Vec<Block>,
    /// What distances add to the scores of all layers.
    distances: Option<RelativeBias>,
    /// Size and stride of each convolution.
    windows: Vec<(i64, i64)>,
    hidden: i64,
}

const INIT: Init = Init::FanIn;

/// The tensor that stands in the place of hidden states.
pub const INSTEAD: &str = "masked_spec_embed";

impl Encoder {
    /// Builds the network that `config` describes from `params`, whose names begin with the model's type.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        let other = |problem: &str| BuildError::Config(ConfigProblem::Other(problem.to_string()));
        let count = config.conv_dim.len();
        if count == 0 || config.conv_kernel.len() != count || config.conv_stride.len() != count {
            return Err(other(
                "`conv_dim`, `conv_kernel` and `conv_stride` must have as many entries",
            ));
        }
        if config.conv_pos_batch_norm {
            return Err(other("`conv_pos_batch_norm` is not supported"));
        }
        let hidden = size("hidden_size", config.hidden_size, 1 << 16)?;
        let windows: Vec<(i64, i64)> = std::iter::zip(&config.conv_kernel, &config.conv_stride)
            .map(|(&kernel, &stride)| {
                Ok((
                    size("conv_kernel", kernel, 1 << 12)?,
                    size("conv_stride", stride, 1 << 12)?,
                ))
            })
            .collect::<Result<_, ConfigProblem>>()?;
        let mut convs = Vec::new();
        let mut inputs = 1;
        for (i, &outputs) in config.conv_dim.iter().enumerate() {
            let at = &(params / &format!("feature_extractor.conv_layers.{i}"));
            let outputs = size("conv_dim", outputs, 1 << 16)?;
            convs.push(ConvLayer::new(&config, at, i, inputs, outputs, windows[i])?);
            inputs = outputs;
        }
        let norm = |at: &Params, width| -> Result<Norm, BuildError> {
            Ok(LayerNorm::new(at, width, config.layer_norm_eps)?.into())
        };
        let projection = &(params / "feature_projection");
        let encoder = &(params / "encoder");
        let place = size("num_conv_pos_embeddings", config.num_conv_pos_embeddings, 1 << 12)?;
        let groups = config.num_conv_pos_embedding_groups;
        divide(("hidden_size", hidden), ("num_conv_pos_embedding_groups", groups))?;
        let shape = Conv1dShape {
            inputs: hidden,
            outputs: hidden,
            size: place,
            groups,
        };
        let position = Conv1d::weight_normed(&(encoder / "pos_conv_embed.conv"), shape, true, INIT)?;
        let distances = match config.model_type.as_str() {
            GATED => {
                let at = &(encoder / "layers.0.attention.rel_attn_embed");
                Some(distances(&config, at)?)
            }
            _ => None,
        };
        let layers = size("num_hidden_layers", config.num_hidden_layers, 1 << 10)?;
        Ok(Self {
            convs,
            activation: config.feat_extract_activation.parse()?,
            projection_norm: match config.feat_proj_layer_norm {
                true => Some(norm(&(projection / "layer_norm"), inputs)?),
                false => None,
            },
            projection: Linear::new(&(projection / "projection"), inputs, hidden, INIT)?,
            instead: match params.has(INSTEAD) {
                Some(true) => Some(params.weight(INSTEAD, &[hidden], Init::Uniform { bound: 1.0 })?),
                _ => None,
            },
            position: position.padded(place / 2),
            even: place % 2 == 0,
            norm: norm(&(encoder / "layer_norm"), hidden)?,
            norm_last: config.do_stable_layer_norm,
            layers: (0..layers)
                .map(|i| layer(&config, &(encoder / &format!("layers.{i}")), hidden))
                .collect::<Result<_, _>>()?,
            distances,
            windows,
            hidden,
        })
    }

    /// Features of a state.
    pub fn hidden(&self) -> i64 {
        self.hidden
    }

    /// Samples that the first state needs.
    pub fn least_samples(&self) -> i64 {
        let windows = self.windows.iter().rev();
        windows.fold(1, |steps, (size, stride)| (steps - 1) * stride + size)
    }

    /// Samples from state to state.
    pub fn stride(&self) -> i64 {
        self.windows.iter().map(|(_, stride)| stride).product()
    }

    /// States of that many samples.
    pub fn steps(&self, samples: i64) -> i64 {
        let windows = self.windows.iter();
        windows.fold(samples, |steps, (size, stride)| {
            if steps < *size {
                0
            } else {
                (steps - size) / stride + 1
            }
        })
    }

    /// The states of `samples` `[batch, samples]`; `mask` `[batch, samples]` is zero at padding. Before the layers some
    /// may be `hidden`.
    pub fn forward(
        &self,
        samples: &Tensor,
        mask: Option<&Tensor>,
        hidden: Option<&Hidden>,
        all: bool,
        train: bool,
    ) -> States {
        let mut x = samples.unsqueeze(1);
        for conv in &self.convs {
            x = conv.forward(&x, self.activation);
        }
        let mut x = x.transpose(1, 2);
        if let Some(norm) = &self.projection_norm {
            x = norm.forward(&x);
        }
        let mut x = self.projection.forward(&x);
        if let Some(hidden) = hidden {
            x = self.hide(&x, hidden);
        }
        let steps = x.size()[1];
        let keep = mask.map(|mask| self.keep(mask, steps));
        if let Some(keep) = &keep {
            x = &x * keep.unsqueeze(-1).to_kind(x.kind());
        }
        x = &x + self.positions(&x); // not in place: gradients need what the convolution took
        if !self.norm_last {
            x = self.norm.forward(&x);
        }
        let mask = Mask::full(steps, steps).with_keep(keep.as_ref());
        let distances = self
            .distances
            .as_ref()
            .map(|distances| distances.at(steps, steps));
        let pass = Pass {
            mask: Some(&mask),
            distances: distances.as_ref(),
            train,
            ..Pass::default()
        };
        let mut states = Vec::new();
        for layer in &self.layers {
            if all {
                states.push(x.shallow_clone());
            }
            x = layer.forward(&x, pass, None);
        }
        if self.norm_last {
            x = self.norm.forward(&x);
        }
        if all {
            states.push(x.shallow_clone());
        }
        States {
            last: x,
            all: states,
            keep,
        }
    }

    /// `x` with others in the place of hidden states, and without hidden features.
    fn hide(&self, x: &Tensor, hidden: &Hidden) -> Tensor {
        let steps = hidden.steps.to_device(x.device()).unsqueeze(-1);
        let features = hidden.features.to_device(x.device()).unsqueeze(1);
        let x = match &self.instead {
            Some(instead) => instead.where_self(&steps, x),
            None => x.masked_fill(&steps, 0.0),
        };
        x.masked_fill(&features, 0.0)
    }

    /// What tells the places, `[batch, steps, hidden]`.
    fn positions(&self, x: &Tensor) -> Tensor {
        let steps = x.size()[1];
        let places = self.position.forward(&x.transpose(1, 2));
        let places = match self.even {
            true => places.narrow(2, 0, steps),
            false => places,
        };
        self.activation.forward(&places).transpose(1, 2)
    }

    /// Which of `steps` states are heard: `[batch, steps]` from `[batch, samples]`.
    fn keep(&self, mask: &Tensor, steps: i64) -> Tensor {
        let samples: Vec<i64> =
            Vec::try_from(mask.sum_dim_intlist(1i64, false, Kind::Int64)).unwrap_or_default();
        let heard: Vec<i64> = samples.into_iter().map(|samples| self.steps(samples)).collect();
        let heard = Tensor::from_slice(&heard).to_device(mask.device()).unsqueeze(1);
        let step = Tensor::arange(steps, (Kind::Int64, mask.device())).unsqueeze(0);
        step.lt_tensor(&heard).to_kind(Kind::Int64)
    }
}

fn distances(config: &Config, at: &Params) -> Result<RelativeBias, BuildError> {
    let buckets = size("num_buckets", config.num_buckets, 1 << 16)?;
    let farthest = size("max_bucket_distance", config.max_bucket_distance, 1 << 20)?;
    if buckets < 4 || farthest <= buckets / 4 {
        let problem = "`num_buckets` must be at least 4 and `max_bucket_distance` more than a quarter of it";
        return Err(ConfigProblem::Other(problem.to_string()).into());
    }
    Ok(RelativeBias::new(
        at,
        config.num_attention_heads,
        buckets,
        farthest,
        true,
    )?)
}

fn layer(config: &Config, at: &Params, hidden: i64) -> Result<Block, BuildError> {
    let dim = divide(
        ("hidden_size", hidden),
        ("num_attention_heads", config.num_attention_heads),
    )?;
    let heads = Heads::equal(config.num_attention_heads, dim);
    let linear = |name: &str, inputs, outputs| Linear::new(&(at / name), inputs, outputs, INIT);
    let attention: SelfAttention = if config.model_type == GATED {
        GatedAttention::new(&(at / "attention"), heads, hidden, INIT)?.into()
    } else {
        let projections = Projections::Separate {
            q: linear("attention.q_proj", hidden, hidden)?,
            k: linear("attention.k_proj", hidden, hidden)?,
            v: linear("attention.v_proj", hidden, hidden)?,
        };
        Attention::new(heads, projections, linear("attention.out_proj", hidden, hidden)?).into()
    };
    let inner = size("intermediate_size", config.intermediate_size, 1 << 18)?;
    let mlp = Mlp::plain(
        linear("feed_forward.intermediate_dense", hidden, inner)?,
        config.hidden_act.parse()?,
        linear("feed_forward.output_dense", inner, hidden)?,
    );
    let norm = |name: &str| -> Result<Norm, BuildError> {
        Ok(LayerNorm::new(&(at / name), hidden, config.layer_norm_eps)?.into())
    };
    let wiring = match config.do_stable_layer_norm {
        true => Wiring::PreNorm,
        false => Wiring::PostNorm,
    };
    let block = Block::new(
        wiring,
        (attention, norm("layer_norm")?),
        (mlp, norm("final_layer_norm")?),
    );
    Ok(block.with_dropout(config.hidden_dropout))
}

#[cfg(test)]
mod tests;

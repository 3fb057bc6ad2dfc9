//! VITS (arXiv 2106.06103), MMS-TTS among them: text to samples in one network.

mod duration;
mod flow;
mod spline;

use sensorium_blocks::{
    Block, BuildError, ConfigProblem, Conv1d, Conv1dShape, DistanceAttention, Embedding, Heads, Init,
    LayerNorm, Linear, Mlp, Norm, Params, Pass, Wiring, divide, size,
};
use serde::Deserialize;
use serde_json::Value;
use tch::{Kind, Tensor};

use self::duration::Durations;
use self::flow::Coupling;
use super::hifi_gan::{HifiGan, Variant};

/// The configuration's `model_type`.
pub const MODEL_TYPE: &str = "vits";

/// Spelled as in the published `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    vocab_size: i64,
    hidden_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    window_size: Option<i64>,
    ffn_dim: i64,
    ffn_kernel_size: i64,
    flow_size: i64,
    hidden_act: String,
    layer_norm_eps: f64,
    #[serde(default = "yes")]
    use_bias: bool,
    #[serde(default = "yes")]
    use_stochastic_duration_prediction: bool,
    #[serde(default = "one")]
    num_speakers: i64,
    #[serde(default)]
    speaker_embedding_size: i64,
    depth_separable_channels: i64,
    depth_separable_num_layers: u32,
    duration_predictor_flow_bins: i64,
    duration_predictor_tail_bound: f64,
    duration_predictor_kernel_size: i64,
    duration_predictor_num_flows: i64,
    duration_predictor_filter_channels: i64,
    prior_encoder_num_flows: i64,
    prior_encoder_num_wavenet_layers: i64,
    wavenet_kernel_size: i64,
    wavenet_dilation_rate: i64,
}

fn yes() -> bool {
    true
}

fn one() -> i64 {
    1
}

/// The network, without what only training needs.
#[derive(Debug)]
pub struct Vits {
    embedding: Embedding,
    layers: Vec<Block>,
    /// From a state to the mean and the logarithm of the spread of what is heard.
    project: Conv1d,
    durations: Durations,
    flow: Vec<Coupling>,
    decoder: HifiGan,
    speakers: Option<Embedding>,
    hidden: i64,
    flow_size: i64,
}

/// How a text is said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manner {
    /// The number of the speaker, where there are several.
    pub speaker: Option<i64>,
    /// How fast; 1 is as learned.
    pub rate: f64,
    /// How much chance is in the voice, 0 for none.
    pub noise: f64,
    /// How much chance is in the lengths, 0 for none.
    pub duration_noise: f64,
}

/// What came of a text.
#[derive(Debug)]
pub struct Said {
    /// Samples `[samples]`, of which 1 is the loudest.
    pub samples: Tensor,
    /// Frames of each token, `[tokens]`.
    pub frames: Tensor,
    /// What the decoder was given, `[1, flow, frames]`.
    pub latents: Tensor,
    /// The encoder's states, `[1, tokens, hidden]`.
    pub states: Tensor,
}

/// What is to be said, before it is made sound.
#[derive(Debug)]
pub struct Plan {
    /// Frames of each token, `[tokens]`.
    pub frames: Tensor,
    /// Means and spreads of each token, `[1, 2 · flow, tokens]`.
    stats: Tensor,
    speaker: Option<Tensor>,
    noise: f64,
    states: Tensor,
}

const INIT: Init = Init::FanIn;

impl Vits {
    /// Builds the network that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let values = config;
        let config = Config::deserialize(config)?;
        check(&config)?;
        let hidden = size("hidden_size", config.hidden_size, 1 << 14)?;
        let flow_size = size("flow_size", config.flow_size, 1 << 14)?;
        divide(("flow_size", flow_size), ("2", 2))?;
        let text = &(params / "text_encoder");
        let layers = size("num_hidden_layers", config.num_hidden_layers, 1 << 10)?;
        let several = config.num_speakers > 1;
        let variant = Variant {
            inputs: flow_size,
            speaker: config.speaker_embedding_size,
            last_bias: false,
        };
        Ok(Self {
            embedding: Embedding::new(
                &(text / "embed_tokens"),
                size("vocab_size", config.vocab_size, 1 << 20)?,
                hidden,
            )?,
            layers: (0..layers)
                .map(|i| layer(&config, &(text / &format!("encoder.layers.{i}"))))
                .collect::<Result<_, _>>()?,
            project: Conv1d::stored(
                &(text / "project"),
                Conv1dShape::new(hidden, 2 * flow_size, 1),
                true,
                INIT,
            )?,
            durations: Durations::new(&config, &(params / "duration_predictor"))?,
            flow: (0..config.prior_encoder_num_flows)
                .map(|i| Coupling::new(&config, &(params / &format!("flow.flows.{i}"))))
                .collect::<Result<_, _>>()?,
            decoder: HifiGan::new(values, &(params / "decoder"), variant)?,
            speakers: match several {
                true => Some(Embedding::new(
                    &(params / "embed_speaker"),
                    config.num_speakers,
                    config.speaker_embedding_size,
                )?),
                false => None,
            },
            hidden,
            flow_size,
        })
    }

    /// What a published checkpoint has for training alone.
    pub fn is_for_training(name: &str) -> bool {
        name.starts_with("posterior_encoder.") || name.starts_with("duration_predictor.post_")
    }

    /// Samples of a frame.
    pub fn hop(&self) -> i64 {
        self.decoder.hop()
    }

    /// How many speakers there are; 1 where they cannot be chosen.
    pub fn speakers(&self) -> i64 {
        self.speakers.as_ref().map_or(1, Embedding::entries)
    }

    /// Says the tokens `ids`, each below the vocabulary's size. Chance comes from libtorch's generator.
    pub fn say(&self, ids: &[i64], manner: &Manner) -> Said {
        self.sound(self.plan(ids, manner))
    }

    /// How long each token is to be said; the work of [`say`](Self::say) that does not grow with the frames.
    pub fn plan(&self, ids: &[i64], manner: &Manner) -> Plan {
        let device = self.embedding.device();
        let ids = Tensor::from_slice(ids).view([1, -1]).to_device(device);
        let mut x = self.embedding.forward(&ids) * (self.hidden as f64).sqrt();
        for layer in &self.layers {
            x = layer.forward(&x, Pass::default(), None);
        }
        let states = x;
        let speaker = self.speakers.as_ref().zip(manner.speaker).map(|(table, number)| {
            table
                .forward(&Tensor::from_slice(&[number]).to_device(device))
                .unsqueeze(-1)
        });
        let across = states.transpose(1, 2);
        let stats = self.project.forward(&across);
        let noise = drawn(&[1, 2, ids.size()[1]], manner.duration_noise, &across);
        let lengths = self.durations.forward(&across, speaker.as_ref(), &noise);
        let frames = duration::frames(&lengths, manner.rate).to_kind(Kind::Int64);
        if frames.sum(Kind::Int64).int64_value(&[]) == 0 {
            let _ = frames.get(0).fill_(1);
        }
        Plan {
            frames,
            stats,
            speaker,
            noise: manner.noise,
            states,
        }
    }

    /// The sound of what was planned.
    pub fn sound(&self, plan: Plan) -> Said {
        let Plan {
            frames,
            stats,
            speaker,
            noise,
            states,
        } = plan;
        // What a token's frames sound like, as often as it lasts.
        let stats = stats
            .squeeze_dim(0)
            .repeat_interleave_self_tensor(&frames, 1, None)
            .unsqueeze(0);
        let (means, spreads) = (
            stats.narrow(1, 0, self.flow_size),
            stats.narrow(1, self.flow_size, self.flow_size),
        );
        let noise = drawn(&means.size(), noise, &means);
        let mut latents = means + noise * spreads.exp();
        for coupling in self.flow.iter().rev() {
            latents = coupling.reverse(&latents.flip(1i64), speaker.as_ref());
        }
        let samples = self.decoder.forward(&latents, speaker.as_ref()).squeeze_dim(0);
        Said {
            samples,
            frames,
            latents,
            states,
        }
    }
}

fn drawn(shape: &[i64], scale: f64, like: &Tensor) -> Tensor {
    match scale == 0.0 {
        true => Tensor::zeros(shape, (like.kind(), like.device())),
        false => Tensor::randn(shape, (like.kind(), like.device())) * scale,
    }
}

fn check(config: &Config) -> Result<(), ConfigProblem> {
    let odd = |field: &str, value: i64| match value % 2 == 1 && (1..1 << 10).contains(&value) {
        true => Ok(()),
        false => Err(ConfigProblem::Other(format!(
            "`{field}` is {value}, expected an odd number"
        ))),
    };
    odd("ffn_kernel_size", config.ffn_kernel_size)?;
    odd(
        "duration_predictor_kernel_size",
        config.duration_predictor_kernel_size,
    )?;
    odd("wavenet_kernel_size", config.wavenet_kernel_size)?;
    size(
        "duration_predictor_flow_bins",
        config.duration_predictor_flow_bins,
        512,
    )?;
    size(
        "duration_predictor_num_flows",
        config.duration_predictor_num_flows,
        1 << 8,
    )?;
    size(
        "duration_predictor_filter_channels",
        config.duration_predictor_filter_channels,
        1 << 14,
    )?;
    size("prior_encoder_num_flows", config.prior_encoder_num_flows, 1 << 8)?;
    size(
        "prior_encoder_num_wavenet_layers",
        config.prior_encoder_num_wavenet_layers,
        1 << 8,
    )?;
    size("wavenet_dilation_rate", config.wavenet_dilation_rate, 1 << 8)?;
    size("num_speakers", config.num_speakers, 1 << 20)?;
    if config.depth_separable_channels != 2 || !(1..=8).contains(&config.depth_separable_num_layers) {
        let problem = "`depth_separable_channels` must be 2, `depth_separable_num_layers` 1 to 8";
        return Err(ConfigProblem::Other(problem.to_string()));
    }
    if config.num_speakers > 1 {
        size("speaker_embedding_size", config.speaker_embedding_size, 1 << 14)?;
    }
    Ok(())
}

fn layer(config: &Config, at: &Params) -> Result<Block, BuildError> {
    let hidden = config.hidden_size;
    let dim = divide(
        ("hidden_size", hidden),
        ("num_attention_heads", config.num_attention_heads),
    )?;
    let heads = Heads::equal(config.num_attention_heads, dim);
    let linear = |name: &str| -> Result<Linear, BuildError> {
        let at = &(at / name);
        Ok(match config.use_bias {
            true => Linear::new(at, hidden, hidden, INIT)?,
            false => Linear::without_bias(at, hidden, hidden, INIT)?,
        })
    };
    let layers = [
        linear("attention.q_proj")?,
        linear("attention.k_proj")?,
        linear("attention.v_proj")?,
        linear("attention.out_proj")?,
    ];
    let mut attention = DistanceAttention::new(heads, layers);
    if let Some(window) = config.window_size.filter(|&window| window > 0) {
        let shape = [1, 2 * size("window_size", window, 1 << 12)? + 1, dim];
        let table = |name| at.weight(name, &shape, Init::Normal { std: 0.02 });
        let (keys, values) = (table("attention.emb_rel_k")?, table("attention.emb_rel_v")?);
        attention = attention.with_window(&keys, &values, window);
    }
    let conv = |name: &str, inputs, outputs| {
        let shape = Conv1dShape::new(inputs, outputs, config.ffn_kernel_size);
        Conv1d::stored(&(at / name), shape, true, INIT).map(|conv| conv.padded(config.ffn_kernel_size / 2))
    };
    let inner = size("ffn_dim", config.ffn_dim, 1 << 16)?;
    let mlp = Mlp::convolved(
        conv("feed_forward.conv_1", hidden, inner)?,
        config.hidden_act.parse()?,
        conv("feed_forward.conv_2", inner, hidden)?,
    );
    let norm = |name: &str| -> Result<Norm, BuildError> {
        Ok(LayerNorm::new(&(at / name), hidden, config.layer_norm_eps)?.into())
    };
    Ok(Block::new(
        Wiring::PostNorm,
        (attention, norm("layer_norm")?),
        (mlp, norm("final_layer_norm")?),
    ))
}

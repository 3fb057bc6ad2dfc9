//! Moonshine (arXiv 2410.15608): an encoder of waveforms of any length, a decoder of words.
//!
//! Wired as `MoonshineForConditionalGeneration` of transformers, release 5, has it. Where the encoder's heads and the
//! decoder's differ, or heads share keys, that code cannot follow its own configuration; here it is followed.

use sensorium_blocks::seq2seq::{Decoder, Ends, Memory, Positions};
use sensorium_blocks::{
    Activation, Attention, Block, BuildError, Conv1d, Conv1dShape, CrossAttention, CrossBlock, Embedding,
    GroupNorm, Heads, Init, LayerNorm, Linear, Mask, Mlp, Norm, Pairs, Params, Pass, Projections, Rope,
    RopeShape, Wiring, divide, size,
};
use serde::Deserialize;
use serde_json::Value;
use tch::{Kind, Tensor};

/// Spelled as in the published `config.json`. `pad_head_dim_to_multiple_of` is for kernels that want it and changes no
/// number.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    vocab_size: i64,
    hidden_size: i64,
    intermediate_size: i64,
    encoder_num_hidden_layers: i64,
    encoder_num_attention_heads: i64,
    encoder_num_key_value_heads: Option<i64>,
    decoder_num_hidden_layers: i64,
    decoder_num_attention_heads: i64,
    decoder_num_key_value_heads: Option<i64>,
    head_dim: Option<i64>,
    #[serde(default = "gelu")]
    encoder_hidden_act: String,
    #[serde(default = "silu")]
    decoder_hidden_act: String,
    #[serde(default = "max_position_embeddings")]
    max_position_embeddings: i64,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    rope_parameters: Value,
    #[serde(default)]
    rope_scaling: Value,
    rope_theta: Option<f64>,
    partial_rotary_factor: Option<f64>,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
}

fn gelu() -> String {
    "gelu".to_string()
}

fn silu() -> String {
    "silu".to_string()
}

fn max_position_embeddings() -> i64 {
    512
}

fn yes() -> bool {
    true
}

/// The network.
#[derive(Debug)]
pub struct Moonshine {
    stem: Stem,
    rope: Rope,
    layers: Vec<Block>,
    norm: Norm,
    decoder: Decoder,
}

/// Recordings as the encoder left them.
#[derive(Debug)]
pub struct Heard {
    /// `[batch, steps, hidden]`
    pub states: Tensor,
    /// Zero at padding, `[batch, steps]`.
    pub keep: Option<Tensor>,
}

/// What makes steps of samples: three convolutions.
#[derive(Debug)]
struct Stem {
    convs: [Conv1d; 3],
    norm: GroupNorm,
}

/// Size and stride of each convolution.
const WINDOWS: [(i64, i64); 3] = [(127, 64), (7, 3), (3, 2)];
/// Samples from step to step: 24 ms at 16 kHz.
const STRIDE: i64 = 64 * 3 * 2;
const INIT: Init = Init::Normal { std: 0.02 };
/// The reference's.
const EPS: f64 = 1e-5;

/// Steps that `samples` samples make.
fn steps(samples: i64) -> i64 {
    let after = |left: i64, (size, stride): (i64, i64)| ((left - size).div_euclid(stride) + 1).max(0);
    WINDOWS.into_iter().fold(samples, after)
}

impl Stem {
    fn new(at: &Params, hidden: i64) -> Result<Self, BuildError> {
        let conv = |name: &str, [inputs, outputs]: [i64; 2], (size, stride): (i64, i64), bias| {
            let shape = Conv1dShape::new(inputs, outputs, size);
            Conv1d::new(&(at / name), shape, bias, INIT).map(|conv| conv.strided(stride))
        };
        Ok(Self {
            convs: [
                conv("conv1", [1, hidden], WINDOWS[0], false)?,
                conv("conv2", [hidden, 2 * hidden], WINDOWS[1], true)?,
                conv("conv3", [2 * hidden, hidden], WINDOWS[2], true)?,
            ],
            norm: GroupNorm::new(&(at / "groupnorm"), 1, hidden, EPS)?,
        })
    }

    /// `samples` is `[batch, samples]`, the result `[batch, steps, hidden]`.
    fn forward(&self, samples: &Tensor) -> Tensor {
        let [first, second, third] = &self.convs;
        let x = samples.unsqueeze(1).to_kind(first.kind());
        let x = self.norm.forward(&first.forward(&x).tanh());
        let x = second.forward(&x).gelu("none");
        third.forward(&x).gelu("none").transpose(1, 2)
    }
}

impl Moonshine {
    /// Samples of the shortest recording that can be heard.
    pub const LEAST_SAMPLES: usize = 127 + 64 * (7 - 1) + 64 * 3 * (3 - 1);

    /// Builds the network that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        let hidden = size("hidden_size", config.hidden_size, 1 << 16)?;
        let root = &(params / "model");

        let at = &(root / "encoder");
        let heads = Heads {
            queries: config.encoder_num_attention_heads,
            keys: config
                .encoder_num_key_value_heads
                .unwrap_or(config.encoder_num_attention_heads),
            dim: 0,
        };
        let names = ["encoder_num_attention_heads", "encoder_num_key_value_heads"];
        let builder = Builder::new(&config, heads, names, &config.encoder_hidden_act)?;
        let count = size(
            "encoder_num_hidden_layers",
            config.encoder_num_hidden_layers,
            1 << 10,
        )?;
        let stem = Stem::new(at, hidden)?;
        let rope = builder.rope(&config)?;
        let layers = (0..count)
            .map(|i| builder.encoder_layer(&(at / &format!("layers.{i}"))))
            .collect::<Result<_, _>>()?;
        let norm = builder.norm(at, "layer_norm")?;

        let at = &(root / "decoder");
        let heads = Heads {
            queries: config.decoder_num_attention_heads,
            keys: config
                .decoder_num_key_value_heads
                .unwrap_or(config.decoder_num_attention_heads),
            dim: 0,
        };
        let names = ["decoder_num_attention_heads", "decoder_num_key_value_heads"];
        let builder = Builder::new(&config, heads, names, &config.decoder_hidden_act)?;
        let count = size(
            "decoder_num_hidden_layers",
            config.decoder_num_hidden_layers,
            1 << 10,
        )?;
        let entries = size("vocab_size", config.vocab_size, 1 << 24)?;
        let embedding = Embedding::new(&(at / "embed_tokens"), entries, hidden)?;
        let head = match config.tie_word_embeddings {
            true => embedding.as_head(),
            false => Linear::without_bias(&(params / "proj_out"), hidden, entries, INIT)?,
        };
        let decoder = Decoder {
            ends: Ends {
                positions: Positions::Rotary(builder.rope(&config)?),
                norm: Some(builder.norm(at, "norm")?),
                ..Ends::new(embedding)
            },
            layers: (0..count)
                .map(|i| builder.decoder_layer(&(at / &format!("layers.{i}"))))
                .collect::<Result<_, _>>()?,
            output_scale: None,
            head: head.into(),
            max_positions: None,
        };
        Ok(Self {
            stem,
            rope,
            layers,
            norm,
            decoder,
        })
    }

    /// The decoder.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// Hears `samples` `[batch, samples]` as the reference does; `mask` is zero at their padding. Each layer's input
    /// and the result are put in `all`.
    ///
    /// The stem's norm sees padding, too: a recording that is padded is not heard as it is alone, see
    /// [`encode_each`](Self::encode_each).
    pub fn encode(&self, samples: &Tensor, mask: Option<&Tensor>, all: Option<&mut Vec<Tensor>>) -> Heard {
        let x = self.stem.forward(samples);
        let keep = mask.map(|mask| {
            let at_steps = mask.slice(1, None, None, STRIDE);
            at_steps.narrow(1, 0, x.size()[1])
        });
        self.through_layers(x, keep, all)
    }

    /// Hears recordings of any lengths, each `[samples]`, together: each is heard as it is alone.
    ///
    /// # Panics
    /// If there are none, or one has less than [`LEAST_SAMPLES`](Self::LEAST_SAMPLES).
    pub fn encode_each(&self, recordings: &[Tensor]) -> Heard {
        let lengths: Vec<i64> = recordings.iter().map(|x| steps(x.size()[0])).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let padded = recordings.iter().zip(&lengths).map(|(samples, length)| {
            let x = self.stem.forward(&samples.unsqueeze(0));
            x.constant_pad_nd([0, 0, 0, longest - length])
        });
        let x = Tensor::cat(&padded.collect::<Vec<_>>(), 0);
        let even = lengths.iter().all(|&length| length == longest);
        let keep = (!even).then(|| {
            let at = Tensor::arange(longest, (Kind::Int64, x.device())).unsqueeze(0);
            let lengths = Tensor::from_slice(&lengths).to_device(x.device());
            at.lt_tensor(&lengths.unsqueeze(1))
        });
        self.through_layers(x, keep, None)
    }

    fn through_layers(&self, x: Tensor, keep: Option<Tensor>, mut all: Option<&mut Vec<Tensor>>) -> Heard {
        let mut x = x;
        let count = x.size()[1];
        let mask = Mask::full(count, count).with_keep(keep.as_ref());
        let at = Tensor::arange(count, (Kind::Int64, x.device())).unsqueeze(0);
        let rotation = self.rope.at(&at, count, x.kind());
        let pass = Pass {
            mask: Some(&mask),
            rotation: Some(&rotation),
            ..Pass::default()
        };
        for layer in &self.layers {
            if let Some(all) = &mut all {
                all.push(x.shallow_clone());
            }
            x = layer.forward(&x, pass, None);
        }
        let states = self.norm.forward(&x);
        if let Some(all) = &mut all {
            all.push(states.shallow_clone());
        }
        Heard { states, keep }
    }

    /// What the decoder attends to.
    pub fn remember(&self, heard: &Heard) -> Memory {
        self.decoder.remember(&heard.states, heard.keep.as_ref())
    }
}

/// What the layers of one side have in common.
struct Builder {
    hidden: i64,
    inner: i64,
    heads: Heads,
    bias: bool,
    activation: Activation,
}

impl Builder {
    /// `heads` has the numbers of heads, which `names` are the names of.
    fn new(
        config: &Config,
        heads: Heads,
        names: [&'static str; 2],
        activation: &str,
    ) -> Result<Self, BuildError> {
        let hidden = config.hidden_size;
        let queries = (names[0], heads.queries);
        divide(queries, (names[1], heads.keys))?;
        let dim = match config.head_dim {
            Some(dim) => size("head_dim", dim, 1 << 16)?,
            None => divide(("hidden_size", hidden), queries)?,
        };
        Ok(Self {
            hidden,
            inner: size("intermediate_size", config.intermediate_size, 1 << 18)?,
            heads: Heads { dim, ..heads },
            bias: config.attention_bias,
            activation: activation.parse()?,
        })
    }

    fn rope(&self, config: &Config) -> Result<Rope, BuildError> {
        let settings = match config.rope_parameters.is_null() {
            true => &config.rope_scaling,
            false => &config.rope_parameters,
        };
        let shape = RopeShape {
            head_dim: self.heads.dim,
            max_positions: config.max_position_embeddings,
            original_max_positions: None,
            theta: config.rope_theta,
            partial: Some(config.partial_rotary_factor.unwrap_or(0.9)),
        };
        Ok(Rope::new(settings, shape)?.with_pairs(Pairs::Neighbours))
    }

    fn norm(&self, at: &Params, name: &str) -> Result<Norm, BuildError> {
        Ok(LayerNorm::without_bias(&(at / name), self.hidden, EPS)?.into())
    }

    fn projections(&self, at: &Params) -> Result<[Linear; 4], BuildError> {
        let (queries, keys) = (self.heads.query_size(), self.heads.key_size());
        let linear =
            |name: &str, inputs, outputs, bias| Linear::with_bias(&(at / name), inputs, outputs, bias, INIT);
        Ok([
            linear("q_proj", self.hidden, queries, self.bias)?,
            linear("k_proj", self.hidden, keys, self.bias)?,
            linear("v_proj", self.hidden, keys, self.bias)?,
            linear("o_proj", queries, self.hidden, false)?,
        ])
    }

    fn self_attention(&self, at: &Params) -> Result<(Attention, Norm), BuildError> {
        let [q, k, v, output] = self.projections(&(at / "self_attn"))?;
        let attention = Attention::new(self.heads, Projections::Separate { q, k, v }, output);
        Ok((attention, self.norm(at, "input_layernorm")?))
    }

    fn encoder_layer(&self, at: &Params) -> Result<Block, BuildError> {
        let mlp = Mlp::plain(
            Linear::new(&(at / "mlp.fc1"), self.hidden, self.inner, INIT)?,
            self.activation,
            Linear::new(&(at / "mlp.fc2"), self.inner, self.hidden, INIT)?,
        );
        let mlp = (mlp, self.norm(at, "post_attention_layernorm")?);
        Ok(Block::new(Wiring::PreNorm, self.self_attention(at)?, mlp))
    }

    fn decoder_layer(&self, at: &Params) -> Result<CrossBlock, BuildError> {
        let [q, k, v, output] = self.projections(&(at / "encoder_attn"))?;
        let cross = CrossAttention::new(self.heads, [q, k, v], output);
        let cross = (cross, self.norm(at, "post_attention_layernorm")?);
        let mlp = Mlp::gated_joined_last(
            Linear::new(&(at / "mlp.fc1"), self.hidden, 2 * self.inner, INIT)?,
            self.activation,
            Linear::new(&(at / "mlp.fc2"), self.inner, self.hidden, INIT)?,
        );
        let mlp = (mlp, self.norm(at, "final_layernorm")?);
        let attention = self.self_attention(at)?;
        Ok(CrossBlock::new(Wiring::PreNorm, attention, cross, mlp))
    }
}

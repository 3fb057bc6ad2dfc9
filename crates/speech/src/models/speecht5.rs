//! SpeechT5 as a speaker (arXiv 2110.07205): letters to a spectrogram, frame by frame.

use sensorium_blocks::{
    Activation, Attention, BatchNorm, Block, BuildError, ConfigProblem, Conv1d, Conv1dShape, CrossAttention,
    CrossBlock, DistanceAttention, Embedding, Heads, Init, KvCache, LayerNorm, Linear, Mask, Mlp, Norm,
    Params, Pass, Projections, Wiring, divide, size,
};
use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// The configuration's `model_type`.
pub const MODEL_TYPE: &str = "speecht5";

/// Spelled as in the published `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    vocab_size: i64,
    hidden_size: i64,
    encoder_layers: i64,
    encoder_attention_heads: i64,
    encoder_ffn_dim: i64,
    decoder_layers: i64,
    decoder_attention_heads: i64,
    decoder_ffn_dim: i64,
    encoder_max_relative_position: i64,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    num_mel_bins: i64,
    reduction_factor: i64,
    speaker_embedding_dim: i64,
    speech_decoder_prenet_layers: i64,
    speech_decoder_prenet_units: i64,
    speech_decoder_prenet_dropout: f64,
    speech_decoder_postnet_layers: i64,
    speech_decoder_postnet_units: i64,
    speech_decoder_postnet_kernel: i64,
    max_text_positions: i64,
    max_speech_positions: i64,
}

fn gelu() -> String {
    "gelu".to_string()
}

fn eps() -> f64 {
    1e-5
}

/// The network.
#[derive(Debug)]
pub struct SpeechT5 {
    embedding: Embedding,
    text_places: Places,
    encoder_norm: Norm,
    encoder: Vec<Block>,
    prenet: Vec<Linear>,
    prenet_last: Linear,
    /// Of the first layers' features, outside training, too (Tacotron 2, arXiv 1712.05884, section 2.2).
    prenet_dropout: f64,
    speech_places: Places,
    speaker: Linear,
    decoder: Vec<CrossBlock>,
    frames_out: Linear,
    stop_out: Linear,
    postnet: Vec<(Conv1d, BatchNorm)>,
    mels: i64,
    reduction: i64,
    speaker_size: i64,
}

/// Sines of the place, of a learned size (arXiv 1809.08895, section 3.2).
#[derive(Debug)]
struct Places {
    alpha: Tensor,
    table: Tensor, // [places, hidden]
}

impl Places {
    fn new(params: &Params, field: &'static str, count: i64, hidden: i64) -> Result<Self, BuildError> {
        let options = (Kind::Float, Device::Cpu);
        let place = Tensor::arange(size(field, count, 1 << 20)?, options).unsqueeze(1);
        let step = Tensor::arange_start_step(0, hidden, 2, (Kind::Int64, Device::Cpu)).to_kind(Kind::Float);
        let angle = place * (step * -(10000f64.ln() / hidden as f64)).exp();
        let table = Tensor::stack(&[angle.sin(), angle.cos()], -1).flatten(1, 2);
        let alpha = params.weight("alpha", &[], Init::Const(1.0))?;
        Ok(Self {
            table: table.to_device(alpha.device()).to_kind(alpha.kind()),
            alpha,
        })
    }

    /// `x` is `[rows, steps, hidden]`, the first of which is number `past`.
    fn add(&self, x: &Tensor, past: i64) -> Tensor {
        x + &self.alpha * self.table.narrow(0, past, x.size()[1])
    }

    fn count(&self) -> i64 {
        self.table.size()[0]
    }
}

const INIT: Init = Init::FanIn;

impl SpeechT5 {
    /// Builds the network that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        let hidden = size("hidden_size", config.hidden_size, 1 << 14)?;
        divide(("hidden_size", hidden), ("2", 2))?;
        let mels = size("num_mel_bins", config.num_mel_bins, 1 << 10)?;
        let reduction = size("reduction_factor", config.reduction_factor, 1 << 6)?;
        let builder = Builder {
            hidden,
            activation: config.hidden_act.parse()?,
            eps: config.layer_norm_eps,
        };
        let heads = |field, heads| {
            divide(("hidden_size", hidden), (field, heads)).map(|dim| Heads::equal(heads, dim))
        };

        let text = &(params / "speecht5.encoder");
        let inside = &(text / "wrapped_encoder");
        let encoder_heads = heads("encoder_attention_heads", config.encoder_attention_heads)?;
        let far = size(
            "encoder_max_relative_position",
            config.encoder_max_relative_position,
            1 << 16,
        )?;
        // Stored by query less key, we ask by key less query.
        let distances = Embedding::new(&(inside / "embed_positions.pe_k"), 2 * far, encoder_heads.dim)?;
        let ids = Tensor::arange_start_step(2 * far - 1, -1, -1, (Kind::Int64, distances.device()));
        let distances = Embedding::fixed(distances.forward(&ids));
        let inner = size("encoder_ffn_dim", config.encoder_ffn_dim, 1 << 18)?;
        let count = size("encoder_layers", config.encoder_layers, 1 << 10)?;
        let encoder = (0..count)
            .map(|i| {
                builder.encoder_layer(
                    &(inside / &format!("layers.{i}")),
                    encoder_heads,
                    inner,
                    (&distances, far),
                )
            })
            .collect::<Result<_, _>>()?;

        let speech = &(params / "speecht5.decoder");
        let prenet = &(speech / "prenet");
        let units = size(
            "speech_decoder_prenet_units",
            config.speech_decoder_prenet_units,
            1 << 14,
        )?;
        let prenet_layer = |i: i64| {
            let inputs = if i == 0 { mels } else { units };
            Linear::new(&(prenet / &format!("layers.{i}")), inputs, units, INIT)
        };
        let decoder_heads = heads("decoder_attention_heads", config.decoder_attention_heads)?;
        let inner = size("decoder_ffn_dim", config.decoder_ffn_dim, 1 << 18)?;
        let count = size("decoder_layers", config.decoder_layers, 1 << 10)?;
        let decoder = (0..count)
            .map(|i| {
                builder.decoder_layer(
                    &(speech / &format!("wrapped_decoder.layers.{i}")),
                    decoder_heads,
                    inner,
                )
            })
            .collect::<Result<_, _>>()?;
        let speaker_size = size("speaker_embedding_dim", config.speaker_embedding_dim, 1 << 14)?;
        let out = &(params / "speech_decoder_postnet");
        Ok(Self {
            embedding: Embedding::new(
                &(text / "prenet.embed_tokens"),
                size("vocab_size", config.vocab_size, 1 << 20)?,
                hidden,
            )?,
            text_places: Places::new(
                &(text / "prenet.encode_positions"),
                "max_text_positions",
                config.max_text_positions,
                hidden,
            )?,
            encoder_norm: builder.norm(inside, "layer_norm")?,
            encoder,
            prenet: (0..size(
                "speech_decoder_prenet_layers",
                config.speech_decoder_prenet_layers,
                1 << 8,
            )?)
                .map(prenet_layer)
                .collect::<Result<_, _>>()?,
            prenet_last: Linear::new(&(prenet / "final_layer"), units, hidden, INIT)?,
            prenet_dropout: config.speech_decoder_prenet_dropout,
            speech_places: Places::new(
                &(prenet / "encode_positions"),
                "max_speech_positions",
                config.max_speech_positions,
                hidden,
            )?,
            speaker: Linear::new(
                &(prenet / "speaker_embeds_layer"),
                speaker_size + hidden,
                hidden,
                INIT,
            )?,
            decoder,
            frames_out: Linear::new(&(out / "feat_out"), hidden, mels * reduction, INIT)?,
            stop_out: Linear::new(&(out / "prob_out"), hidden, reduction, INIT)?,
            postnet: postnet(&config, out)?,
            mels,
            reduction,
            speaker_size,
        })
    }

    /// What a published checkpoint has that says nothing.
    pub fn is_harmless(name: &str) -> bool {
        name.ends_with(".num_batches_tracked") || name.ends_with("encode_positions.pe")
    }

    /// The most tokens of a text.
    pub fn max_tokens(&self) -> i64 {
        self.text_places.count()
    }

    /// The most steps of a spectrogram.
    pub fn max_steps(&self) -> i64 {
        self.speech_places.count()
    }

    /// Frames of a step.
    pub fn reduction(&self) -> i64 {
        self.reduction
    }

    /// Bands of a frame.
    pub fn mels(&self) -> i64 {
        self.mels
    }

    /// Features of a speaker.
    pub fn speaker_size(&self) -> i64 {
        self.speaker_size
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.embedding.device()
    }

    /// The states of the tokens `ids` `[1, tokens]`: `[1, tokens, hidden]`.
    pub fn encode(&self, ids: &Tensor) -> Tensor {
        let x = self.text_places.add(&self.embedding.forward(ids), 0);
        let x = self.encoder_norm.forward(&x);
        self.encoder
            .iter()
            .fold(x, |x, layer| layer.forward(&x, Pass::default(), None))
    }

    /// What each decoder layer attends to, for the encoder's states.
    pub fn remember(&self, states: &Tensor) -> Vec<[Tensor; 2]> {
        self.decoder
            .iter()
            .map(|layer| layer.keys_values(states))
            .collect()
    }

    /// The decoder's states `[1, steps, hidden]` for the last frames of the steps before, `[1, steps, mels]`, of which
    /// `past` are in the `caches`, a layer each.
    pub fn decode(
        &self,
        frames: &Tensor,
        speaker: &Tensor,
        memory: &[[Tensor; 2]],
        past: i64,
        mut caches: Option<&mut [KvCache]>,
    ) -> Tensor {
        let mut x = self.enter(frames, speaker, past, true);
        let steps = x.size()[1];
        let mask = Mask::causal(steps, past + steps, 0);
        let pass = Pass {
            mask: Some(&mask),
            ..Pass::default()
        };
        for (i, layer) in self.decoder.iter().enumerate() {
            let cache = caches.as_mut().map(|caches| &mut caches[i]);
            x = layer.forward(&x, pass, cache, &memory[i], None);
        }
        x
    }

    /// How much each head of each layer attends to each token while it makes each step, for the last frames of all steps
    /// before, `[1, steps, mels]`: `[layers · heads, steps, tokens]`, in `f32`.
    ///
    /// Nothing is thinned out by chance here: what the prenet gives is what it gives in the mean.
    pub fn attention(&self, frames: &Tensor, speaker: &Tensor, memory: &[[Tensor; 2]]) -> Tensor {
        let mut x = self.enter(frames, speaker, 0, false);
        let steps = x.size()[1];
        let mask = Mask::causal(steps, steps, 0);
        let pass = Pass {
            mask: Some(&mask),
            ..Pass::default()
        };
        let mut weights = Vec::with_capacity(self.decoder.len());
        for (layer, memory) in self.decoder.iter().zip(memory) {
            weights.push(layer.cross_weights(&x, pass, memory).squeeze_dim(0));
            x = layer.forward(&x, pass, None, memory, None);
        }
        Tensor::cat(&weights, 0).to_kind(Kind::Float)
    }

    /// What the first layer sees, `[1, steps, hidden]`.
    fn enter(&self, frames: &Tensor, speaker: &Tensor, past: i64, thin: bool) -> Tensor {
        let mut x = frames.to_kind(self.embedding.kind());
        for layer in &self.prenet {
            x = layer.forward(&x).relu();
            if thin {
                x = self.thinned(&x);
            }
        }
        let x = self.speech_places.add(&self.prenet_last.forward(&x), past);
        let steps = x.size()[1];
        let length = speaker
            .square()
            .sum_dim_intlist(-1i64, true, None)
            .sqrt()
            .clamp_min(1e-12);
        let speaker = (speaker / length)
            .to_kind(x.kind())
            .unsqueeze(1)
            .expand([1, steps, self.speaker_size], false);
        self.speaker.forward(&Tensor::cat(&[x, speaker], -1)).relu()
    }

    /// As the reference does, which keeps the share that it says it drops: at the published 0.5 that is the same.
    fn thinned(&self, x: &Tensor) -> Tensor {
        let share = self.prenet_dropout;
        let keep = x
            .new_empty(&x.size()[1..], (x.kind(), x.device()))
            .bernoulli_float_(share);
        x * keep / (1.0 - share)
    }

    /// An empty cache for each decoder layer.
    pub fn caches(&self, steps: i64) -> Vec<KvCache> {
        self.decoder.iter().map(|_| KvCache::new(steps)).collect()
    }

    /// The frames `[1, steps · reduction, mels]` and the logits that speech ends at each, `[1, steps · reduction]`, of
    /// states `[1, steps, hidden]`; both in `f32`.
    pub fn read(&self, states: &Tensor) -> (Tensor, Tensor) {
        let frames = self.frames_out.forward(states).reshape([1, -1, self.mels]);
        let stops = self.stop_out.forward(states).reshape([1, -1]);
        (frames.to_kind(Kind::Float), stops.to_kind(Kind::Float))
    }

    /// Frames `[1, frames, mels]` with what a look at all of them adds.
    pub fn refine(&self, frames: &Tensor) -> Tensor {
        let mut x = frames.transpose(1, 2).to_kind(self.embedding.kind());
        let last = self.postnet.len();
        for (i, (conv, norm)) in self.postnet.iter().enumerate() {
            x = norm.forward(&conv.forward(&x), false);
            if i + 1 < last {
                x = x.tanh();
            }
        }
        frames + x.transpose(1, 2).to_kind(Kind::Float)
    }
}

fn postnet(config: &Config, at: &Params) -> Result<Vec<(Conv1d, BatchNorm)>, BuildError> {
    let kernel = size(
        "speech_decoder_postnet_kernel",
        config.speech_decoder_postnet_kernel,
        1 << 10,
    )?;
    if kernel % 2 == 0 {
        let problem = format!("`speech_decoder_postnet_kernel` is {kernel}, expected an odd number");
        return Err(ConfigProblem::Other(problem).into());
    }
    let units = size(
        "speech_decoder_postnet_units",
        config.speech_decoder_postnet_units,
        1 << 14,
    )?;
    let count = config.speech_decoder_postnet_layers;
    (0..count)
        .map(|i| {
            let at = &(at / &format!("layers.{i}"));
            let inputs = if i == 0 { config.num_mel_bins } else { units };
            let outputs = if i + 1 == count {
                config.num_mel_bins
            } else {
                units
            };
            let conv = Conv1d::new(
                &(at / "conv"),
                Conv1dShape::new(inputs, outputs, kernel),
                false,
                INIT,
            )?;
            Ok((
                conv.padded((kernel - 1) / 2),
                BatchNorm::new(&(at / "batch_norm"), outputs)?,
            ))
        })
        .collect()
}

struct Builder {
    hidden: i64,
    activation: Activation,
    eps: f64,
}

impl Builder {
    fn norm(&self, at: &Params, name: &str) -> Result<Norm, BuildError> {
        Ok(LayerNorm::new(&(at / name), self.hidden, self.eps)?.into())
    }

    fn projections(&self, at: &Params) -> Result<[Linear; 4], BuildError> {
        let linear = |name: &str| Linear::new(&(at / name), self.hidden, self.hidden, INIT);
        Ok([
            linear("q_proj")?,
            linear("k_proj")?,
            linear("v_proj")?,
            linear("out_proj")?,
        ])
    }

    fn mlp(&self, at: &Params, inner: i64) -> Result<(Mlp, Norm), BuildError> {
        let mlp = Mlp::plain(
            Linear::new(
                &(at / "feed_forward.intermediate_dense"),
                self.hidden,
                inner,
                INIT,
            )?,
            self.activation,
            Linear::new(&(at / "feed_forward.output_dense"), inner, self.hidden, INIT)?,
        );
        Ok((mlp, self.norm(at, "final_layer_norm")?))
    }

    fn encoder_layer(
        &self,
        at: &Params,
        heads: Heads,
        inner: i64,
        (distances, far): (&Embedding, i64),
    ) -> Result<Block, BuildError> {
        let attention = DistanceAttention::new(heads, self.projections(&(at / "attention"))?);
        let attention = attention.with_table(distances.share(), far - 1, far);
        let attention = (attention, self.norm(at, "layer_norm")?);
        Ok(Block::new(Wiring::PostNorm, attention, self.mlp(at, inner)?))
    }

    fn decoder_layer(&self, at: &Params, heads: Heads, inner: i64) -> Result<CrossBlock, BuildError> {
        let [q, k, v, output] = self.projections(&(at / "self_attn"))?;
        let attention = Attention::new(heads, Projections::Separate { q, k, v }, output);
        let attention = (attention, self.norm(at, "self_attn_layer_norm")?);
        let [q, k, v, output] = self.projections(&(at / "encoder_attn"))?;
        let cross = CrossAttention::new(heads, [q, k, v], output);
        let cross = (cross, self.norm(at, "encoder_attn_layer_norm")?);
        Ok(CrossBlock::new(
            Wiring::PostNorm,
            attention,
            cross,
            self.mlp(at, inner)?,
        ))
    }
}

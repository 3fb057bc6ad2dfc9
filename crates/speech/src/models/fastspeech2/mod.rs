//! FastSpeech 2 (arXiv 2006.04558) of Conformers, as ESPnet built it: phonemes to a spectrogram in one go.
//!
//! How long, how high and how loud each phoneme is said is guessed first, which is also what can be asked for.

mod config;
mod variance;

use sensorium_blocks::{
    Activation, BatchNorm, BuildError, ConformerBlock, Conv1d, Conv1dShape, ConvModule, ConvNorm, Embedding,
    Heads, Init, LayerNorm, Linear, Mask, Mlp, Params, ParamsError, ShiftedAttention,
};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use config::{Config, Part};
use variance::{Predictor, VarianceEmbedding};

/// The `model_type` of the network by itself.
pub const MODEL_TYPE: &str = "fastspeech2_conformer";
/// The `model_type` of the network with a HiFi-GAN in the same files.
pub const WITH_VOCODER: &str = "fastspeech2_conformer_with_hifigan";

const INIT: Init = Init::Xavier;

/// The network.
#[derive(Debug)]
pub struct FastSpeech2 {
    table: Embedding,
    encoder: Conformer,
    decoder: Conformer,
    durations: Predictor,
    pitch: (Predictor, VarianceEmbedding),
    energy: (Predictor, VarianceEmbedding),
    speakers: Option<Embedding>,
    languages: Option<Embedding>,
    /// Of the states and what tells a speaker.
    projection: Option<Linear>,
    spectrogram: Linear,
    postnet: Vec<(Conv1d, BatchNorm)>,
    config: Config,
}

/// How something is said.
#[derive(Debug)]
pub struct Manner {
    /// How fast; 2 is twice as fast.
    pub rate: f64,
    /// How much higher, in standard deviations of the voice's pitch.
    pub pitch: f64,
    /// How much louder, in standard deviations of the voice's energy.
    pub energy: f64,
    /// Who speaks, where speakers have numbers.
    pub speaker: Option<i64>,
    /// The language, where languages have numbers.
    pub language: Option<i64>,
    /// What tells a speaker, `[features]`.
    pub features: Option<Tensor>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            rate: 1.0,
            pitch: 0.0,
            energy: 0.0,
            speaker: None,
            language: None,
            features: None,
        }
    }
}

/// What was said.
#[derive(Debug)]
pub struct Said {
    /// `[frames, mels]`
    pub spectrogram: Tensor,
    /// Frames of each phoneme.
    pub frames: Vec<i64>,
    /// Of each phoneme, `[phonemes]`.
    pub pitch: Tensor,
    /// Of each phoneme, `[phonemes]`.
    pub energy: Tensor,
    /// The encoder's states, `[phonemes, hidden]`.
    pub states: Tensor,
}

/// What is to be said, before it is drawn.
#[derive(Debug)]
pub struct Plan {
    /// Frames of each phoneme.
    pub frames: Vec<i64>,
    pitch: Tensor,
    energy: Tensor,
    states: Tensor,
}

/// A padded batch to learn from.
#[derive(Debug)]
pub struct Lesson {
    /// `[batch, phonemes]`
    pub ids: Tensor,
    /// One where there is a phoneme, `[batch, phonemes]`.
    pub keep: Tensor,
    /// Frames of each phoneme.
    pub frames: Vec<Vec<i64>>,
    /// `[batch, phonemes]`
    pub pitch: Tensor,
    /// `[batch, phonemes]`
    pub energy: Tensor,
}

/// What the network makes of a [`Lesson`].
#[derive(Debug)]
pub struct Guess {
    /// Before the last convolutions, `[batch, frames, mels]`.
    pub before: Tensor,
    /// The spectrogram, `[batch, frames, mels]`.
    pub after: Tensor,
    /// One where there is a frame, `[batch, frames]`.
    pub keep: Tensor,
    /// Logarithms of 1 more than the frames, `[batch, phonemes]`.
    pub durations: Tensor,
    /// `[batch, phonemes]`
    pub pitch: Tensor,
    /// `[batch, phonemes]`
    pub energy: Tensor,
}

impl FastSpeech2 {
    /// Builds the network that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let config = Config::read(config)?;
        let hidden = config.hidden_size;
        let table = |name: &str, count: Option<i64>| match count {
            Some(count) if count > 1 => Embedding::new(&(params / name), count, hidden).map(Some),
            _ => Ok(None),
        };
        let variance = |name: &str, part: config::Variance| -> Result<_, ParamsError> {
            let predictor = Predictor::new(&(params / &format!("{name}_predictor")), hidden, part.predictor)?;
            let embedding =
                VarianceEmbedding::new(&(params / &format!("{name}_embed")), hidden, part.embedding)?;
            Ok((predictor, embedding))
        };
        Ok(Self {
            table: Embedding::new(&(params / "encoder.embed"), config.vocab_size, hidden)?,
            encoder: Conformer::new(&config, &(params / "encoder"), config.encoder())?,
            decoder: Conformer::new(&config, &(params / "decoder"), config.decoder())?,
            durations: Predictor::new(&(params / "duration_predictor"), hidden, config.durations())?,
            pitch: variance("pitch", config.pitch())?,
            energy: variance("energy", config.energy())?,
            speakers: table("speaker_id_embedding", config.num_speakers)?,
            languages: table("language_id_embedding", config.num_languages)?,
            projection: match config.speaker_embed_dim {
                Some(features) if features > 0 => Some(Linear::new(
                    &(params / "projection"),
                    hidden + features,
                    hidden,
                    INIT,
                )?),
                _ => None,
            },
            spectrogram: Linear::new(
                &(params / "speech_decoder_postnet.feat_out"),
                hidden,
                config.num_mel_bins * config.reduction_factor,
                INIT,
            )?,
            postnet: postnet(&config, &(params / "speech_decoder_postnet"))?,
            config,
        })
    }

    /// Phonemes in the vocabulary.
    pub fn vocabulary(&self) -> i64 {
        self.config.vocab_size
    }

    /// Bands of the spectrogram.
    pub fn mels(&self) -> i64 {
        self.config.num_mel_bins
    }

    /// Speakers that have numbers.
    pub fn speakers(&self) -> i64 {
        self.config.num_speakers.unwrap_or(1)
    }

    /// Features that tell a speaker; 0 if none do.
    pub fn speaker_size(&self) -> i64 {
        self.config.speaker_embed_dim.unwrap_or(0)
    }

    /// The spectrogram of phonemes, of which there is at least one and all are in the vocabulary.
    pub fn say(&self, ids: &[i64], manner: &Manner) -> Said {
        self.draw(self.plan(ids, manner))
    }

    /// How long, high and loud each phoneme is to be said; the work of [`say`](Self::say) that does not grow with the
    /// frames.
    pub fn plan(&self, ids: &[i64], manner: &Manner) -> Plan {
        const LONGEST: f64 = 1e6; // what is no number has no length, either
        let device = self.table.device();
        let ids = Tensor::from_slice(ids).unsqueeze(0).to_device(device);
        let states = self.encoder.forward(&self.table.forward(&ids), None, false);
        let states = self.told(states, manner);
        let logs = self.durations.forward(&states, false);
        let pitch = self.pitch.0.forward(&states, false) + manner.pitch;
        let energy = self.energy.0.forward(&states, false) + manner.energy;
        let slowness = self.config.speaking_speed / manner.rate;
        let frames = (logs.exp() - 1.0).round().clamp_min(0.0);
        let frames = if slowness == 1.0 {
            frames
        } else {
            (frames * slowness).round()
        };
        let frames = frames.nan_to_num(0.0, LONGEST, 0.0).clamp_max(LONGEST);
        let mut frames = Vec::<i64>::try_from(frames.view([-1]).to_kind(Kind::Int64)).unwrap_or_default();
        if frames.iter().all(|&frames| frames == 0) {
            frames.fill(1);
        }
        Plan {
            frames,
            pitch,
            energy,
            states,
        }
    }

    /// The spectrogram of what was planned.
    pub fn draw(&self, plan: Plan) -> Said {
        let Plan {
            frames,
            pitch,
            energy,
            states,
        } = plan;
        let x = &states + self.energy.1.forward(&energy) + self.pitch.1.forward(&pitch);
        let (x, _) = stretched(&x, std::slice::from_ref(&frames));
        let (_, spectrogram) = self.read(&self.decoder.forward(&x, None, false), false);
        Said {
            spectrogram: spectrogram.squeeze_dim(0),
            frames,
            pitch: pitch.squeeze_dim(0),
            energy: energy.squeeze_dim(0),
            states: states.squeeze_dim(0),
        }
    }

    /// What training compares with the recordings; pitch, energy and durations are those of the lesson.
    pub fn learn(&self, lesson: &Lesson, train: bool) -> Guess {
        let keep = |keep: &Tensor, kind: Kind| keep.unsqueeze(-1).to_kind(kind);
        let states = self
            .encoder
            .forward(&self.table.forward(&lesson.ids), Some(&lesson.keep), train);
        let told = &lesson.keep.to_kind(states.kind());
        // The pitch is not to shape the states, unless the configuration says so.
        let source = |stop: bool| {
            if stop {
                states.detach()
            } else {
                states.shallow_clone()
            }
        };
        let pitch = self
            .pitch
            .0
            .forward(&source(self.config.stop_gradient_from_pitch_predictor), train);
        let energy = self
            .energy
            .0
            .forward(&source(self.config.stop_gradient_from_energy_predictor), train);
        let durations = self.durations.forward(&states, train);
        let x = &states + self.energy.1.forward(&lesson.energy) + self.pitch.1.forward(&lesson.pitch);
        let (x, mask) = stretched(&x, &lesson.frames);
        let x = self
            .decoder
            .forward(&(x * keep(&mask, states.kind())), Some(&mask), train);
        let (before, after) = self.read(&x, train);
        Guess {
            before,
            after,
            keep: mask,
            durations: durations * told,
            pitch: pitch * told,
            energy: energy * told,
        }
    }

    /// States that know who speaks.
    fn told(&self, states: Tensor, manner: &Manner) -> Tensor {
        let mut states = states;
        for (table, number) in [
            (&self.speakers, manner.speaker),
            (&self.languages, manner.language),
        ] {
            if let (Some(table), Some(number)) = (table, number) {
                let number = Tensor::from_slice(&[number]).to_device(states.device());
                states += table.forward(&number).unsqueeze(1);
            }
        }
        if let (Some(layer), Some(features)) = (&self.projection, &manner.features) {
            let length = features.norm().clamp_min(1e-12);
            let features = (features / length)
                .to_kind(states.kind())
                .to_device(states.device());
            let size = states.size();
            let features = features.view([1, 1, -1]).expand([size[0], size[1], -1], false);
            states = layer.forward(&Tensor::cat(&[states, features], -1));
        }
        states
    }

    /// The spectrogram before and after the last convolutions.
    fn read(&self, states: &Tensor, train: bool) -> (Tensor, Tensor) {
        let batch = states.size()[0];
        let before = self
            .spectrogram
            .forward(states)
            .view([batch, -1, self.config.num_mel_bins]);
        let mut x = before.transpose(1, 2);
        for (i, (conv, norm)) in self.postnet.iter().enumerate() {
            x = norm.forward(&conv.forward(&x), train);
            if i + 1 < self.postnet.len() {
                x = x.tanh();
            }
            if train && self.config.speech_decoder_postnet_dropout > 0.0 {
                x = x.dropout(self.config.speech_decoder_postnet_dropout, true);
            }
        }
        let after = &before + x.transpose(1, 2);
        (before, after)
    }
}

/// Each state of `x` `[batch, phonemes, hidden]` as often as its phoneme has frames, `[batch, frames, hidden]`, and
/// where there is one.
fn stretched(x: &Tensor, frames: &[Vec<i64>]) -> (Tensor, Tensor) {
    let longest = frames
        .iter()
        .map(|row| row.iter().sum::<i64>())
        .max()
        .unwrap_or(0);
    let mut places = Vec::new();
    let mut keep = Vec::new();
    for row in frames {
        let length: i64 = row.iter().sum();
        for (place, &count) in (0i64..).zip(row) {
            places.extend(std::iter::repeat_n(place, count as usize));
        }
        places.extend(std::iter::repeat_n(0, (longest - length) as usize));
        keep.extend((0..longest).map(|frame| i64::from(frame < length)));
    }
    let shape = [frames.len() as i64, longest];
    let tensor = |values: &[i64]| Tensor::from_slice(values).view(shape).to_device(x.device());
    let places = tensor(&places).unsqueeze(-1).expand([-1, -1, x.size()[2]], false);
    (x.gather(1, &places, false), tensor(&keep))
}

fn postnet(config: &Config, params: &Params) -> Result<Vec<(Conv1d, BatchNorm)>, ParamsError> {
    let layers = config.speech_decoder_postnet_layers;
    let size = config.speech_decoder_postnet_kernel;
    (0..layers)
        .map(|i| {
            let at = &(params / &format!("layers.{i}"));
            let width = |end: bool| match end {
                true => config.num_mel_bins,
                false => config.speech_decoder_postnet_units,
            };
            let (inputs, outputs) = (width(i == 0), width(i + 1 == layers));
            let shape = Conv1dShape::new(inputs, outputs, size);
            let conv = Conv1d::new(&(at / "conv"), shape, false, INIT)?.padded((size - 1) / 2);
            Ok((conv, BatchNorm::new(&(at / "batch_norm"), outputs)?))
        })
        .collect()
}

/// Blocks over phonemes or over frames.
#[derive(Debug)]
struct Conformer {
    blocks: Vec<ConformerBlock>,
    scale: f64,
    dropout: f64,
}

impl Conformer {
    fn new(config: &Config, params: &Params, part: Part) -> Result<Self, BuildError> {
        Ok(Self {
            blocks: (0..part.layers)
                .map(|i| block(config, &(params / &format!("conformer_layers.{i}")), &part))
                .collect::<Result<_, _>>()?,
            scale: (config.hidden_size as f64).sqrt(),
            dropout: part.positional_dropout,
        })
    }

    /// `x` is `[batch, steps, hidden]`, `keep` `[batch, steps]` zero at padding.
    fn forward(&self, x: &Tensor, keep: Option<&Tensor>, train: bool) -> Tensor {
        let mut x = x * self.scale;
        if train && self.dropout > 0.0 {
            x = x.dropout(self.dropout, true);
        }
        let steps = x.size()[1];
        let mask = keep.map(|keep| Mask::full(steps, steps).with_keep(Some(keep)));
        let keep = keep.map(|keep| keep.unsqueeze(-1).to_kind(x.kind()));
        for block in &self.blocks {
            x = block.forward(&x, mask.as_ref(), keep.as_ref(), train);
        }
        x
    }
}

fn block(config: &Config, at: &Params, part: &Part) -> Result<ConformerBlock, BuildError> {
    let hidden = config.hidden_size;
    let norm = |name: &str| LayerNorm::new(&(at / name), hidden, 1e-5);
    let same = |name: &str, shape: Conv1dShape, bias: bool| {
        let padding = if shape.groups == 1 {
            (shape.size - 1) / 2
        } else {
            0
        };
        Conv1d::new(&(at / name), shape, bias, INIT).map(|conv| conv.padded(padding))
    };
    let mlp = |name: &str| -> Result<Mlp, ParamsError> {
        let size = config.positionwise_conv_kernel_size;
        let shape = |inputs, outputs| Conv1dShape::new(inputs, outputs, size);
        Ok(Mlp::convolved(
            same(&format!("{name}.conv1"), shape(hidden, part.inner), true)?,
            Activation::Relu,
            same(&format!("{name}.conv2"), shape(part.inner, hidden), true)?,
        ))
    };
    let first = match config.use_macaron_style_in_conformer {
        true => Some((norm("ff_macaron_layer_norm")?, mlp("feed_forward_macaron")?)),
        false => None,
    };
    let heads = Heads::equal(part.heads, hidden / part.heads);
    let attention =
        ShiftedAttention::new(&(at / "self_attn"), heads, hidden, INIT)?.with_dropout(part.attention_dropout);
    let (conv, last) = match config.use_cnn_in_conformer {
        true => {
            let bias = config.convolution_bias;
            let width = part.kernel;
            let module = ConvModule {
                widen: same(
                    "conv_module.pointwise_conv1",
                    Conv1dShape::new(hidden, 2 * hidden, 1),
                    bias,
                )?,
                depthwise: same(
                    "conv_module.depthwise_conv",
                    Conv1dShape {
                        inputs: hidden,
                        outputs: hidden,
                        size: width,
                        groups: hidden,
                    },
                    bias,
                )?,
                padding: [(width - 1) / 2; 2],
                norm: ConvNorm::Batch(BatchNorm::new(&(at / "conv_module.norm"), hidden)?),
                activation: Activation::Silu,
                output: same(
                    "conv_module.pointwise_conv2",
                    Conv1dShape::new(hidden, hidden, 1),
                    bias,
                )?,
            };
            (
                Some((norm("conv_layer_norm")?, module)),
                Some(norm("final_layer_norm")?),
            )
        }
        false => (None, None),
    };
    Ok(ConformerBlock {
        first,
        attention: (norm("self_attn_layer_norm")?, attention.into()),
        conv,
        second: (norm("ff_layer_norm")?, mlp("feed_forward")?),
        norm: last,
        norm_first: part.norm_first,
        dropout: part.dropout,
    })
}

impl FastSpeech2 {
    /// Where the network is.
    pub fn device(&self) -> Device {
        self.table.device()
    }
}

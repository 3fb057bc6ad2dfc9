//! From letters to phonemes: a Conformer over letters with connectionist temporal classification, as in recognition of
//! speech (Graves et al., 2006; arXiv 2005.08100), since sounds come in the order of letters.

use sensorium_blocks::{
    Activation, BuildError, ConfigProblem, ConformerBlock, Conv1d, Conv1dShape, ConvModule, ConvNorm,
    DistanceAttention, Embedding, Heads, Init, LayerNorm, Linear, Mask, Mlp, Params, ParamsError, divide,
    in_f32, size,
};
use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// The `model_type` of the network.
pub const MODEL_TYPE: &str = "ctc_speller";

/// `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    /// The letters that words have.
    letters: String,
    /// The phonemes, the first of which is none.
    phonemes: Vec<String>,
    hidden_size: i64,
    intermediate_size: i64,
    num_hidden_layers: i64,
    num_attention_heads: i64,
    conv_kernel_size: i64,
    /// States of a letter: it may have several sounds.
    states: i64,
    #[serde(default)]
    hidden_dropout: f64,
}

/// The network.
#[derive(Debug)]
pub struct Speller {
    table: Embedding,
    /// Which of its states a letter is in.
    places: Embedding,
    layers: Vec<ConformerBlock>,
    head: Linear,
    letters: Vec<char>,
    phonemes: Vec<String>,
    states: i64,
    dropout: f64,
}

/// Words with padding.
#[derive(Debug)]
pub struct Letters {
    /// `[batch, letters]`; 0 is padding.
    pub ids: Tensor,
    /// Letters of each word.
    pub lengths: Vec<i64>,
}

const INIT: Init = Init::Xavier;

impl Speller {
    /// Builds the network that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        let hidden = size("hidden_size", config.hidden_size, 1 << 14)?;
        size("intermediate_size", config.intermediate_size, 1 << 16)?;
        size("conv_kernel_size", config.conv_kernel_size, 1 << 8)?;
        let states = size("states", config.states, 16)?;
        let layers = size("num_hidden_layers", config.num_hidden_layers, 1 << 8)?;
        let heads = config.num_attention_heads;
        divide(("hidden_size", hidden), ("num_attention_heads", heads))?;
        if config.conv_kernel_size % 2 == 0 || config.letters.is_empty() || config.phonemes.len() < 2 {
            let problem = "`conv_kernel_size` must be odd, `letters` and `phonemes` must not be empty";
            return Err(ConfigProblem::Other(problem.to_string()).into());
        }
        let letters: Vec<char> = config.letters.chars().collect();
        Ok(Self {
            table: Embedding::new(&(params / "letters"), letters.len() as i64 + 1, hidden)?,
            places: Embedding::new(&(params / "places"), states, hidden)?,
            layers: (0..layers)
                .map(|i| block(&config, &(params / &format!("layers.{i}"))))
                .collect::<Result<_, _>>()?,
            head: Linear::new(&(params / "head"), hidden, config.phonemes.len() as i64, INIT)?,
            letters,
            phonemes: config.phonemes,
            states,
            dropout: config.hidden_dropout,
        })
    }

    /// The phonemes, the first of which is none.
    pub fn phonemes(&self) -> &[String] {
        &self.phonemes
    }

    /// The number of a letter; none if no word has it.
    pub fn letter(&self, letter: char) -> Option<i64> {
        let found = self.letters.iter().position(|&other| other == letter);
        found.map(|at| at as i64 + 1)
    }

    /// Scores of phonemes, `[batch, letters · states, phonemes]` in `f32`, and the steps of each word.
    pub fn forward(&self, words: &Letters, train: bool) -> (Tensor, Vec<i64>) {
        let device = self.table.device();
        let ids = words.ids.to_device(device);
        let (batch, letters) = (ids.size()[0], ids.size()[1]);
        let steps = letters * self.states;
        let places = Tensor::arange(self.states, (Kind::Int64, device));
        let x = self.table.forward(&ids).unsqueeze(2) + self.places.forward(&places);
        let mut x = x.view([batch, steps, -1]);
        if train && self.dropout > 0.0 {
            x = x.dropout(self.dropout, true);
        }
        let keep = ids
            .gt(0)
            .unsqueeze(-1)
            .expand([-1, -1, self.states], false)
            .reshape([batch, steps])
            .to_kind(Kind::Int64);
        let mask = Mask::full(steps, steps).with_keep(Some(&keep));
        let kept = keep.unsqueeze(-1).to_kind(x.kind());
        for layer in &self.layers {
            x = layer.forward(&x, Some(&mask), Some(&kept), train);
        }
        let lengths = words.lengths.iter().map(|length| length * self.states).collect();
        (in_f32(&self.head.forward(&x)), lengths)
    }

    /// The phonemes of scores `[steps, phonemes]`: the best of each step, where it is another one than before.
    pub fn read(&self, scores: &Tensor) -> Vec<usize> {
        let best = Vec::<i64>::try_from(scores.argmax(-1, false).to_device(Device::Cpu)).unwrap_or_default();
        best.chunk_by(|a, b| a == b)
            .map(|run| run[0] as usize)
            .filter(|&id| id > 0)
            .collect()
    }

    /// The phonemes of a word; letters that are not known are passed over.
    pub fn sounds(&self, word: &str) -> Vec<String> {
        let ids: Vec<i64> = word.chars().filter_map(|letter| self.letter(letter)).collect();
        if ids.is_empty() {
            return Vec::new();
        }
        let words = Letters {
            ids: Tensor::from_slice(&ids).unsqueeze(0),
            lengths: vec![ids.len() as i64],
        };
        let scores = tch::no_grad(|| self.forward(&words, false).0);
        self.read(&scores.squeeze_dim(0))
            .into_iter()
            .map(|id| self.phonemes[id].clone())
            .collect()
    }
}

fn block(config: &Config, at: &Params) -> Result<ConformerBlock, ParamsError> {
    let hidden = config.hidden_size;
    let norm = |name: &str| LayerNorm::new(&(at / name), hidden, 1e-5);
    let linear = |name: &str, inputs, outputs| Linear::new(&(at / name), inputs, outputs, INIT);
    let mlp = |name: &str| -> Result<Mlp, ParamsError> {
        Ok(Mlp::plain(
            linear(&format!("{name}.in"), hidden, config.intermediate_size)?,
            Activation::Silu,
            linear(&format!("{name}.out"), config.intermediate_size, hidden)?,
        ))
    };
    let conv = |name: &str, outputs, size, groups| {
        let shape = Conv1dShape {
            inputs: hidden,
            outputs,
            size,
            groups,
        };
        Conv1d::new(&(at / name), shape, true, Init::FanIn)
    };
    let heads = Heads::equal(config.num_attention_heads, hidden / config.num_attention_heads);
    let layers = [
        linear("attention.q", hidden, hidden)?,
        linear("attention.k", hidden, hidden)?,
        linear("attention.v", hidden, hidden)?,
        linear("attention.out", hidden, hidden)?,
    ];
    let far = 8 * config.states;
    let attention =
        DistanceAttention::new(heads, layers).with_distances(&(at / "attention.distances"), far, far)?;
    let width = config.conv_kernel_size;
    Ok(ConformerBlock {
        first: Some((norm("first_norm")?, mlp("first")?)),
        attention: (norm("attention_norm")?, attention.into()),
        conv: Some((
            norm("conv_norm")?,
            ConvModule {
                widen: conv("conv.widen", 2 * hidden, 1, 1)?,
                depthwise: conv("conv.depthwise", hidden, width, hidden)?,
                padding: [width / 2; 2],
                norm: ConvNorm::Layer(norm("conv.norm")?),
                activation: Activation::Silu,
                output: conv("conv.out", hidden, 1, 1)?,
            },
        )),
        second: (norm("second_norm")?, mlp("second")?),
        norm: Some(norm("norm")?),
        norm_first: true,
        dropout: config.hidden_dropout,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_word_sounds_the_same_alone_and_beside_a_longer_one() {
        let config = json!({
            "letters": "abc'", "phonemes": ["", "AA1", "B", "K"], "hidden_size": 16, "intermediate_size": 32,
            "num_hidden_layers": 2, "num_attention_heads": 2, "conv_kernel_size": 5, "states": 3,
        });
        let speller = Speller::new(&config, &Params::fresh(1)).expect("a network");
        let alone = Letters {
            ids: Tensor::from_slice(&[1i64, 2]).unsqueeze(0),
            lengths: vec![2],
        };
        let beside = Letters {
            ids: Tensor::from_slice(&[1i64, 2, 0, 0, 3, 2, 1, 1]).view([2, 4]),
            lengths: vec![2, 4],
        };
        let (alone, _) = speller.forward(&alone, false);
        let (beside, lengths) = speller.forward(&beside, false);
        assert_eq!(lengths, [6, 12]);
        let beside = beside.narrow(0, 0, 1).narrow(1, 0, 6);
        assert!((alone - beside).abs().max().double_value(&[]) < 1e-5);
        let scores = Tensor::from_slice(&[1i64, 1, 0, 1, 2, 2, 0])
            .one_hot(4)
            .to_kind(Kind::Float);
        assert_eq!(speller.read(&scores), [1, 1, 2]);
        assert!(speller.sounds("?!").is_empty());
    }
}

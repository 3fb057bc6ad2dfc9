//! Which frames of a recording each of its phonemes has, learned from recordings and what is said in them alone (“One
//! TTS alignment to rule them all”, arXiv 2108.10447).

use sensorium_blocks::{BuildError, Conv1d, Conv1dShape, Embedding, Init, Params, ParamsError, size};
use serde::Deserialize;
use serde_json::Value;
use tch::{Device, Kind, Reduction, Tensor};

/// The `model_type` of the network.
pub const MODEL_TYPE: &str = "speech_aligner";

/// `config.json`.
#[derive(Debug, Clone, Deserialize)]
struct Config {
    vocab_size: i64,
    num_mel_bins: i64,
    hidden_size: i64,
}

/// The network: phonemes and frames become points of one space, and belong together where they are near.
#[derive(Debug)]
pub struct Aligner {
    table: Embedding,
    phonemes: [Conv1d; 2],
    frames: [Conv1d; 3],
    bands: i64,
}

/// Phonemes and the recordings in which they are said.
#[derive(Debug)]
pub struct Pairs {
    /// `[batch, phonemes]`; what follows a row's own is not looked at.
    pub ids: Tensor,
    /// `[batch, frames, bands]`
    pub spectrograms: Tensor,
    /// Phonemes and frames of each row.
    pub lengths: Vec<(i64, i64)>,
}

impl Aligner {
    /// Squared distances are this much of a score, so that where phonemes stand is worth more at first.
    const NEARNESS: f64 = 0.005;
    /// The score of frames that are no phoneme's: of them there are none in the end, but they keep what is learned first
    /// from being forced.
    const NONE: f64 = -1.0;

    /// Builds the network that `config` describes.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters.
    pub fn new(config: &Value, params: &Params) -> Result<Self, BuildError> {
        let config = Config::deserialize(config)?;
        let hidden = size("hidden_size", config.hidden_size, 1 << 14)?;
        let bands = size("num_mel_bins", config.num_mel_bins, 1 << 12)?;
        let entries = size("vocab_size", config.vocab_size, 1 << 20)?;
        let conv = |name: &str, inputs, outputs, size| -> Result<Conv1d, ParamsError> {
            let shape = Conv1dShape {
                inputs,
                outputs,
                size,
                groups: 1,
            };
            Ok(Conv1d::new(&(params / name), shape, true, Init::Xavier)?.padded(size / 2))
        };
        Ok(Self {
            table: Embedding::new(&(params / "table"), entries, hidden)?,
            phonemes: [
                conv("phonemes.0", hidden, 2 * hidden, 3)?,
                conv("phonemes.1", 2 * hidden, hidden, 1)?,
            ],
            frames: [
                conv("frames.0", bands, 2 * hidden, 3)?,
                conv("frames.1", 2 * hidden, hidden, 1)?,
                conv("frames.2", hidden, hidden, 1)?,
            ],
            bands,
        })
    }

    /// Bands of the spectrograms.
    pub fn bands(&self) -> i64 {
        self.bands
    }

    /// The logarithm of how likely each phoneme is at each frame, `[batch, frames, phonemes]`.
    pub fn scores(&self, pairs: &Pairs) -> Tensor {
        let device = self.table.device();
        let spectrograms = pairs.spectrograms.to_device(device);
        let (frames, phonemes) = (spectrograms.size()[1], pairs.ids.size()[1]);
        let (likely, beyond): (Vec<Tensor>, Vec<Tensor>) = pairs
            .lengths
            .iter()
            .map(|&(own, heard)| {
                let places = Tensor::arange(phonemes, (Kind::Int64, Device::Cpu));
                let padding = [0, phonemes - own, 0, frames - heard];
                let likely = prior(heard, own).constant_pad_nd(padding);
                (likely.to_kind(Kind::Float), places.ge(own).unsqueeze(0))
            })
            .unzip();
        let [likely, beyond] = [likely, beyond].map(|parts| Tensor::stack(&parts, 0).to_device(device));

        let heard = level(&spectrograms, &pairs.lengths).transpose(1, 2);
        let [first, second, third] = &self.frames;
        let heard = second.forward(&first.forward(&heard).relu()).relu();
        let heard = third.forward(&heard).transpose(1, 2); // [batch, frames, hidden]
        let [first, second] = &self.phonemes;
        let own = beyond.logical_not().transpose(1, 2).to_kind(self.table.kind()); // [batch, phonemes, 1]
        let said = (self.table.forward(&pairs.ids.to_device(device)) * own).transpose(1, 2);
        let said = second.forward(&first.forward(&said).relu()); // [batch, hidden, phonemes]
        let square = |x: &Tensor, dim: i64| x.square().sum_dim_intlist(dim, true, None::<Kind>);
        let distances = square(&heard, 2) + square(&said, 1) - heard.matmul(&said) * 2.0;
        let scores = (distances * -Self::NEARNESS)
            .masked_fill(&beyond, -1e4)
            .log_softmax(-1, Kind::Float);
        scores + likely
    }

    /// The mean over phonemes of the logarithm of how unlikely the recordings are, summed over all ways to align them.
    pub fn loss(&self, scores: &Tensor, lengths: &[(i64, i64)]) -> Tensor {
        let scores = scores.constant_pad_nd([1, 0]); // the first is none
        let none = Tensor::full(
            [scores.size()[0], scores.size()[1], 1],
            Self::NONE,
            (Kind::Float, scores.device()),
        );
        let scores = Tensor::cat(&[none, scores.narrow(2, 1, scores.size()[2] - 1)], 2);
        let targets: Vec<i64> = lengths.iter().flat_map(|&(own, _)| 1..=own).collect();
        let (own, heard): (Vec<i64>, Vec<i64>) = lengths.iter().copied().unzip();
        let sum = Tensor::ctc_loss(
            &scores.log_softmax(-1, Kind::Float).transpose(0, 1),
            &Tensor::from_slice(&targets).to_device(scores.device()),
            &heard,
            &own,
            0,
            Reduction::Sum,
            true, // recordings that are shorter than what is said in them teach nothing
        );
        sum / targets.len().max(1) as f64
    }
}

/// What is so much quieter than the loudest, in powers of ten of the amplitude, is as quiet as that.
const QUIETEST: f64 = 3.0;

/// `x` with each row's bands at mean 0 and variance 1 over its own frames.
fn level(x: &Tensor, lengths: &[(i64, i64)]) -> Tensor {
    let rows: Vec<Tensor> = (0i64..)
        .zip(lengths)
        .map(|(row, &(_, frames))| {
            let row = x.get(row);
            let own = row.narrow(0, 0, frames);
            // Silence that is all zeros would be all that counts.
            let own = own.maximum(&(own.max() - QUIETEST));
            let mean = own.mean_dim([0i64].as_slice(), true, None::<Kind>);
            let spread = (&own - &mean)
                .square()
                .mean_dim([0i64].as_slice(), true, None::<Kind>)
                .sqrt()
                .clamp_min(1e-3);
            let own = (own - mean) / spread;
            own.constant_pad_nd([0, 0, 0, row.size()[0] - frames])
        })
        .collect();
    Tensor::stack(&rows, 0)
}

/// The logarithm of how likely each of `phonemes` is at each of `frames` if nothing is known: a beta-binomial
/// distribution that walks from the first to the last, `[frames, phonemes]` (section 2.2).
fn prior(frames: i64, phonemes: i64) -> Tensor {
    let double = (Kind::Double, Device::Cpu);
    let n = (phonemes - 1) as f64;
    let k = Tensor::arange(phonemes, double).unsqueeze(0);
    let a = Tensor::arange_start(1, frames + 1, double).unsqueeze(1);
    let b = (&a - (frames + 1) as f64).neg();
    let beta = |a: &Tensor, b: &Tensor| a.lgamma() + b.lgamma() - (a + b).lgamma();
    let ways = Tensor::from(n + 1.0).lgamma() - (&k + 1.0).lgamma() - ((&k - (n + 1.0)).neg()).lgamma();
    ways + beta(&(&k + &a), &((&k - n).neg() + &b)) - beta(&a, &b)
}

/// How many frames each phoneme has on the likeliest way from the first phoneme at the first frame to the last at the
/// last, by `scores` `[frames, phonemes]`; none if there are fewer frames than phonemes.
pub fn durations(scores: &Tensor) -> Option<Vec<i64>> {
    let (frames, phonemes) = scores.size2().ok()?;
    let (frames, phonemes) = (usize::try_from(frames).ok()?, usize::try_from(phonemes).ok()?);
    let scores = scores.to_kind(Kind::Float).contiguous().view([-1]);
    let scores = Vec::<f32>::try_from(scores.to_device(Device::Cpu)).ok()?;
    if phonemes == 0 || frames < phonemes {
        return None;
    }
    let mut best = vec![f32::NEG_INFINITY; phonemes];
    best[0] = 0.0;
    let mut moved = vec![false; frames * phonemes];
    for (frame, scores) in scores.chunks_exact(phonemes).enumerate() {
        for at in (0..phonemes).rev() {
            let before = match at {
                0 => f32::NEG_INFINITY,
                at => best[at - 1],
            };
            // The first frame is the first phoneme's.
            let moves = frame > 0 && before > best[at];
            moved[frame * phonemes + at] = moves;
            let from = if moves { before } else { best[at] };
            best[at] = from + scores[at];
        }
    }
    let mut durations = vec![0; phonemes];
    let mut at = phonemes - 1;
    for frame in (0..frames).rev() {
        durations[at] += 1;
        at -= usize::from(moved[frame * phonemes + at]);
    }
    Some(durations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prior_is_a_distribution_that_walks() {
        let prior = prior(20, 6).exp();
        let sums = prior.sum_dim_intlist(1i64, false, None::<Kind>);
        assert!(sums.allclose(
            &Tensor::ones([20], (Kind::Double, Device::Cpu)),
            1e-9,
            1e-9,
            false
        ));
        let best = Vec::<i64>::try_from(prior.argmax(1, false)).unwrap();
        assert!(best.is_sorted() && best[0] == 0 && best[19] == 5);
    }

    #[test]
    fn durations_follow_the_likeliest_way() {
        let likely = [0i64, 0, 2, 1, 1, 1, 2, 0]; // the 2 and the 0 do not fit
        let scores = Tensor::from_slice(&likely)
            .one_hot(3)
            .to_kind(Kind::Float)
            .log1p();
        assert_eq!(durations(&scores), Some(vec![2, 4, 2]));
        assert_eq!(durations(&scores.narrow(0, 0, 3)), Some(vec![1, 1, 1]));
        assert_eq!(durations(&scores.narrow(0, 0, 2)), None);
    }

    #[test]
    fn padding_changes_nothing() {
        let params = Params::fresh(3);
        let config = serde_json::json!({ "vocab_size": 9, "num_mel_bins": 5, "hidden_size": 4 });
        let aligner = Aligner::new(&config, &params).unwrap();
        let spectrogram = Tensor::randn([12, 5], (Kind::Float, Device::Cpu));
        let ids = Tensor::from_slice(&[3i64, 1, 4, 1]);
        let alone = Pairs {
            ids: ids.unsqueeze(0),
            spectrograms: spectrogram.unsqueeze(0),
            lengths: vec![(4, 12)],
        };
        let padded = Pairs {
            ids: Tensor::stack(
                &[
                    ids.constant_pad_nd([0, 2]),
                    Tensor::ones([6], (Kind::Int64, Device::Cpu)),
                ],
                0,
            ),
            spectrograms: Tensor::stack(
                &[
                    spectrogram.constant_pad_nd([0, 0, 0, 3]),
                    Tensor::ones([15, 5], (Kind::Float, Device::Cpu)),
                ],
                0,
            ),
            lengths: vec![(4, 12), (6, 15)],
        };
        let found = aligner.scores(&padded).get(0).narrow(0, 0, 12).narrow(1, 0, 4);
        let expected = aligner.scores(&alone).get(0).narrow(0, 0, 12).narrow(1, 0, 4);
        assert!(found.allclose(&expected, 1e-4, 1e-5, false));
        let loss = aligner
            .loss(&aligner.scores(&alone), &alone.lengths)
            .double_value(&[]);
        assert!(loss.is_finite() && loss > 0.0);
    }
}

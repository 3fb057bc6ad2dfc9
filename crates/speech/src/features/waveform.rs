//! Waveforms for models that hear samples: wav2vec2 (arXiv 2006.11477) and its kin.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::Features;

/// `Wav2Vec2FeatureExtractor` of the reference.
#[derive(Debug, Clone, Deserialize)]
pub struct Waveform {
    /// In Hz.
    #[serde(default = "rate")]
    pub sampling_rate: u32,
    /// Recordings get mean 0 and variance 1.
    #[serde(default = "yes")]
    pub do_normalize: bool,
    /// The model is told what is padding.
    #[serde(default)]
    pub return_attention_mask: bool,
    /// Put behind shorter recordings.
    #[serde(default)]
    pub padding_value: f32,
}

fn rate() -> u32 {
    16_000
}

fn yes() -> bool {
    true
}

impl Waveform {
    /// `[batch, samples]`. Where the model is not told what is padding, padding is normalised with the rest, as in
    /// the reference.
    pub fn features(&self, recordings: &[Vec<f32>]) -> Features {
        let longest = recordings.iter().map(Vec::len).max().unwrap_or(0);
        let mut values = Vec::with_capacity(longest * recordings.len());
        let mut mask = Vec::with_capacity(values.capacity());
        for recording in recordings {
            let begin = values.len();
            values.extend_from_slice(recording);
            values.resize(begin + longest, self.padding_value);
            mask.resize(begin + recording.len(), 1i64);
            mask.resize(begin + longest, 0);
            if self.do_normalize {
                let heard = if self.return_attention_mask {
                    recording.len()
                } else {
                    longest
                };
                normalize(&mut values[begin..begin + heard]);
            }
        }
        let shape = [recordings.len() as i64, longest as i64];
        let tensor = |values: &[f32]| Tensor::from_slice(values).view(shape);
        Features {
            values: tensor(&values),
            mask: self
                .return_attention_mask
                .then(|| Tensor::from_slice(&mask).view(shape).to_kind(Kind::Int64)),
        }
    }
}

fn normalize(values: &mut [f32]) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    let scale = (variance + 1e-7).sqrt().recip();
    for value in values {
        *value = ((f64::from(*value) - mean) * scale) as f32;
    }
}

//! What is guessed of each phoneme: length, pitch, energy.

use sensorium_blocks::{Conv1d, Conv1dShape, Init, LayerNorm, Linear, Params, ParamsError};
use tch::Tensor;

use super::config::PredictorShape;

const INIT: Init = Init::FanIn;

/// Guesses a number for each phoneme.
#[derive(Debug)]
pub(super) struct Predictor {
    layers: Vec<(Conv1d, LayerNorm)>,
    last: Linear,
    dropout: f64,
}

impl Predictor {
    pub fn new(params: &Params, hidden: i64, shape: PredictorShape) -> Result<Self, ParamsError> {
        let PredictorShape {
            layers,
            channels,
            size,
            dropout,
        } = shape;
        let layer = |i: i64| {
            let at = &(params / &format!("conv_layers.{i}"));
            let inputs = if i == 0 { hidden } else { channels };
            let conv = Conv1d::new(
                &(at / "conv"),
                Conv1dShape::new(inputs, channels, size),
                true,
                INIT,
            )?;
            Ok((
                conv.padded((size - 1) / 2),
                LayerNorm::new(&(at / "layer_norm"), channels, 1e-5)?,
            ))
        };
        Ok(Self {
            layers: (0..layers).map(layer).collect::<Result<_, ParamsError>>()?,
            last: Linear::new(&(params / "linear"), channels, 1, INIT)?,
            dropout,
        })
    }

    /// `[batch, phonemes]` from states `[batch, phonemes, hidden]`.
    pub fn forward(&self, states: &Tensor, train: bool) -> Tensor {
        let mut x = states.shallow_clone();
        for (conv, norm) in &self.layers {
            x = norm.forward(&conv.forward(&x.transpose(1, 2)).relu().transpose(1, 2));
            if train && self.dropout > 0.0 {
                x = x.dropout(self.dropout, true);
            }
        }
        self.last.forward(&x).squeeze_dim(-1)
    }
}

/// Tells the states what was guessed or asked for.
#[derive(Debug)]
pub(super) struct VarianceEmbedding(Conv1d);

impl VarianceEmbedding {
    pub fn new(params: &Params, hidden: i64, size: i64) -> Result<Self, ParamsError> {
        let conv = Conv1d::new(&(params / "conv"), Conv1dShape::new(1, hidden, size), true, INIT)?;
        Ok(Self(conv.padded((size - 1) / 2)))
    }

    /// `[batch, phonemes, hidden]` from `[batch, phonemes]`.
    pub fn forward(&self, values: &Tensor) -> Tensor {
        self.0.forward(&values.unsqueeze(1)).transpose(1, 2)
    }
}

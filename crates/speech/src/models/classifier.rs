//! Networks that score classes of sounds.

use sensorium_blocks::{BuildError, Init, Linear, Params, in_f32};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::ast::{self, Ast};
use super::{SpeechEncoder, States};
use crate::features::{Extractor, Features};

/// Scores the classes of recordings: AST, or the mean of an encoder's states.
#[derive(Debug)]
pub struct SoundNetwork {
    head: Head,
    extractor: Extractor,
    device: Device,
    kind: Kind,
}

#[derive(Debug)]
enum Head {
    Ast(Ast),
    Pooled(Box<Pooled>),
}

#[derive(Debug)]
struct Pooled {
    encoder: SpeechEncoder,
    /// Shares of the layers' states, if the mean of all is taken.
    shares: Option<Tensor>,
    projector: Linear,
    output: Linear,
}

impl SoundNetwork {
    /// Builds the network with `classes` outputs that `config` describes from `params`.
    ///
    /// # Errors
    /// If the configuration makes no sense or does not fit the parameters or the features.
    pub fn new(
        config: &Value,
        classes: i64,
        params: &Params,
        extractor: Extractor,
        device: Device,
    ) -> Result<Self, BuildError> {
        let (head, kind) = if config.get("model_type").and_then(Value::as_str) == Some(ast::MODEL_TYPE) {
            let network = Ast::new(config, classes, params)?;
            let kind = network.kind();
            (Head::Ast(network), kind)
        } else {
            let pooled = Pooled::new(config, classes, params, extractor.clone())?;
            let kind = pooled.projector.kind();
            (Head::Pooled(Box::new(pooled)), kind)
        };
        Ok(Self {
            head,
            extractor,
            device,
            kind,
        })
    }

    /// What turns samples into the network's input.
    pub fn extractor(&self) -> &Extractor {
        &self.extractor
    }

    /// Samples that it needs.
    pub fn least_samples(&self) -> usize {
        match &self.head {
            Head::Ast(_) => 0,
            Head::Pooled(pooled) => pooled.encoder.least_samples(),
        }
    }

    /// Scores, `[batch, classes]` in `f32`; each layer's states are put in `all`. With `train`, dropout is on.
    pub fn forward(&self, features: &Features, all: Option<&mut Vec<Tensor>>, train: bool) -> Tensor {
        let logits = match &self.head {
            Head::Ast(network) => {
                let values = features.values.to_device(self.device).to_kind(self.kind);
                network.forward(&values, all)
            }
            Head::Pooled(pooled) => {
                let layers = all.is_some() || pooled.shares.is_some();
                let states = pooled
                    .encoder
                    .forward(features, self.device, self.kind, layers, train);
                let logits = pooled.forward(&states);
                if let Some(all) = all {
                    all.extend(states.all);
                }
                logits
            }
        };
        in_f32(&logits)
    }
}

impl Pooled {
    fn new(config: &Value, classes: i64, params: &Params, extractor: Extractor) -> Result<Self, BuildError> {
        let encoder = SpeechEncoder::new(config, params, extractor)?;
        let number = |name: &str, default| config.get(name).and_then(Value::as_i64).unwrap_or(default);
        let inner = number("classifier_proj_size", 256);
        let layers = number("num_hidden_layers", 0);
        let shares = match config.get("use_weighted_layer_sum") == Some(&Value::Bool(true)) {
            true => Some(params.weight("layer_weights", &[layers + 1], Init::Const(1.0))?),
            false => None,
        };
        Ok(Self {
            projector: Linear::new(&(params / "projector"), encoder.hidden(), inner, Init::Xavier)?,
            output: Linear::new(&(params / "classifier"), inner, classes, Init::Xavier)?,
            shares,
            encoder,
        })
    }

    fn forward(&self, states: &States) -> Tensor {
        let x = match &self.shares {
            Some(shares) => {
                let shares = shares.softmax(-1, shares.kind()).view([-1, 1, 1, 1]);
                (Tensor::stack(&states.all, 0) * shares).sum_dim_intlist(0i64, false, None)
            }
            None => states.last.shallow_clone(),
        };
        let x = self.projector.forward(&x);
        let pooled = match &states.keep {
            Some(keep) => {
                let keep = keep.unsqueeze(-1).to_kind(x.kind());
                let sum = (x * &keep).sum_dim_intlist(1i64, false, None);
                sum / keep.sum_dim_intlist(1i64, false, None)
            }
            None => x.mean_dim(1i64, false, None),
        };
        self.output.forward(&pooled)
    }
}

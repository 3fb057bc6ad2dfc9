//! The networks, one file a family, and the `config.json` that names them.

mod mnist_cnn;
mod mnist_net;

use std::collections::BTreeMap;

use sensorium_blocks::{Params, ParamsError};
use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use mnist_cnn::MnistCnn;
pub use mnist_net::MnistNet;

/// Which network a small-picture classifier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arch {
    /// One convolution and one dense layer: the network of a first Keras lesson.
    MnistCnn,
    /// Six convolutions with batch normalisation.
    MnistNet,
}

impl Arch {
    /// Every network, in the order that help texts list them.
    pub const ALL: [Arch; 2] = [Arch::MnistCnn, Arch::MnistNet];

    /// The name in `config.json` and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Arch::MnistCnn => "mnist-cnn",
            Arch::MnistNet => "mnist-net",
        }
    }
}

/// How a picture of any size becomes the network's input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// Find the digit and centre it by mass, as the MNIST pictures were made.
    #[default]
    Digit,
    /// Find the object, fit it to the frame and make it light on black, as Fashion-MNIST was made.
    Object,
}

/// `config.json` of a classifier of 28×28 grey pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The network.
    pub model_type: Arch,
    /// The name of each class, by its index as text, as in the Hugging Face format.
    pub id2label: BTreeMap<String, String>,
    /// How pictures are brought into the frame.
    #[serde(default)]
    pub framing: Framing,
    /// The share of each target that was spread over all classes in training (arXiv 1512.00567). The network's
    /// probabilities have it in them, and answers are freed from it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub label_smoothing: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Config {
    /// The configuration of `arch` with classes named `labels`, in order.
    pub fn new<S: Into<String>>(arch: Arch, labels: impl IntoIterator<Item = S>, framing: Framing) -> Self {
        let named = labels
            .into_iter()
            .enumerate()
            .map(|(i, label)| (i.to_string(), label.into()));
        Self {
            model_type: arch,
            id2label: named.collect(),
            framing,
            label_smoothing: 0.0,
        }
    }

    /// The share of label smoothing.
    ///
    /// # Errors
    /// If it is not from 0 to below 1.
    pub fn smoothing(&self) -> Result<f64, ConfigError> {
        let share = self.label_smoothing;
        match (0.0..1.0).contains(&share) {
            true => Ok(share),
            false => Err(ConfigError::Smoothing { share }),
        }
    }

    /// The class names in the order of the network's outputs.
    ///
    /// # Errors
    /// If `id2label` does not number its classes 0, 1, 2, …
    pub fn labels(&self) -> Result<Vec<String>, ConfigError> {
        let count = self.id2label.len();
        if !(1..=Self::MAX_LABELS).contains(&count) {
            return Err(ConfigError::LabelCount { count });
        }
        let label = |i: usize| {
            let found = self.id2label.get(&i.to_string()).cloned();
            found.ok_or(ConfigError::LabelMissing { index: i, count })
        };
        (0..count).map(label).collect()
    }

    const MAX_LABELS: usize = 100_000;
}

/// What can be wrong with a classifier's `config.json`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No classes, or absurdly many.
    #[error("`id2label` names {count} classes, expected 1 to {}", Config::MAX_LABELS)]
    LabelCount {
        /// How many it names.
        count: usize,
    },
    /// The label smoothing is no share.
    #[error("`label_smoothing` is {share}, expected a share from 0 to below 1")]
    Smoothing {
        /// What it is.
        share: f64,
    },
    /// The classes are not numbered from 0 on.
    #[error("`id2label` has {count} classes but none with the index {index}; expected 0 to {}", .count - 1)]
    LabelMissing {
        /// The index that has no name.
        index: usize,
        /// How many classes there are.
        count: usize,
    },
}

/// A classifier of 28×28 grey pictures.
#[derive(Debug)]
pub enum Network {
    /// See [`MnistCnn`].
    MnistCnn(MnistCnn),
    /// See [`MnistNet`].
    MnistNet(Box<MnistNet>),
}

impl Network {
    /// The network of `arch` for `classes` classes, its parameters taken from `params`.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, arch: Arch, classes: i64) -> Result<Self, ParamsError> {
        Ok(match arch {
            Arch::MnistCnn => Network::MnistCnn(MnistCnn::new(params, classes)?),
            Arch::MnistNet => Network::MnistNet(Box::new(MnistNet::new(params, classes)?)),
        })
    }

    /// `x` is `[batch, 28, 28]` in `[0, 1]`, ink bright; the result is logits `[batch, classes]`.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        match self {
            Network::MnistCnn(net) => net.forward(x),
            Network::MnistNet(net) => net.forward(x, train),
        }
    }
}

//! Image classification: pictures in, class names with probabilities out.

use image::DynamicImage;
use sensorium_blocks::{Params, ParamsError};
use sensorium_hub::Model;
use tch::{Device, Kind, Tensor};

use crate::digit::{self, NoDigit};
use crate::mnist::{PIXELS, SIDE};
use crate::models::{Config, ConfigError, Framing, Network};
use crate::object;

/// Why a classifier could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The model's files could not be read.
    #[error(transparent)]
    Hub(#[from] sensorium_hub::Error),
    /// The configuration makes no sense.
    #[error("{model}: config.json: {source}")]
    Config {
        /// The model.
        model: String,
        /// What is wrong.
        #[source]
        source: ConfigError,
    },
    /// The weights do not fit the configuration.
    #[error(transparent)]
    Params(#[from] ParamsError),
}

/// Why a picture has no class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifyError {
    /// It shows nothing.
    #[error(transparent)]
    NoDigit(#[from] NoDigit),
    /// The network's scores are no numbers.
    #[error("the model's scores are not numbers: its weights are damaged, or --dtype is too narrow for them")]
    NotANumber,
}

/// One answer of a classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The class.
    pub label: String,
    /// Its probability, from 0 to 1.
    pub score: f64,
}

/// How a classifier is built; see [`ImageClassifier::builder`].
#[derive(Debug, Clone, Copy)]
pub struct Builder<'a> {
    model: &'a Model,
    device: Device,
    kind: Kind,
}

impl Builder<'_> {
    /// Where to compute; the CPU unless told.
    pub fn device(self, device: Device) -> Self {
        Self { device, ..self }
    }

    /// The precision to compute in; `f32` unless told.
    pub fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Reads the model.
    ///
    /// # Errors
    /// If a file is missing or damaged, or the weights do not fit the configuration.
    pub fn build(self) -> Result<ImageClassifier, BuildError> {
        let config: Config = self.model.config_as()?;
        let named = |source| BuildError::Config {
            model: self.model.name().to_string(),
            source,
        };
        let labels = config.labels().map_err(named)?;
        let smoothing = config.smoothing().map_err(named)?;
        let params = Params::stored(self.model.weights()?)
            .on(self.device)
            .of_kind(self.kind);
        let network = Network::new(&params, config.model_type, labels.len() as i64)?;
        params.check_all_used()?;
        Ok(ImageClassifier {
            network,
            labels,
            framing: config.framing,
            smoothing,
            device: self.device,
            kind: self.kind,
        })
    }
}

/// A classifier of small pictures.
///
/// ```no_run
/// use sensorium_hub::{Hub, HubOptions};
/// use sensorium_vision::ImageClassifier;
///
/// let model = Hub::new(HubOptions::default())?.resolve("mnist-cnn")?;
/// let classifier = ImageClassifier::builder(&model).build()?;
/// let image = sensorium_vision::decode::open_image("seven.png".as_ref(), &Default::default())?;
/// for result in classifier.classify(&[image], Some(1)) {
///     let best = &result?[0];
///     println!("{} with probability {:.3}", best.label, best.score);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ImageClassifier {
    network: Network,
    labels: Vec<String>,
    framing: Framing,
    /// Share of the targets that was spread over all classes in training.
    smoothing: f64,
    device: Device,
    kind: Kind,
}

impl ImageClassifier {
    /// Pictures in one forward pass: few enough that what lies between layers stays in the cache.
    const BATCH: usize = 100;

    /// Starts building a classifier from `model`.
    pub fn builder(model: &Model) -> Builder<'_> {
        Builder {
            model,
            device: Device::Cpu,
            kind: Kind::Float,
        }
    }

    /// The class names, in the order of the network's outputs.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// The network itself, for pictures that are framed already.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The classes of each of `images`, best first, at most `top_k` (all if `None`).
    ///
    /// One result for each image, in the same order; one that shows nothing is an error in its place.
    pub fn classify(
        &self,
        images: &[DynamicImage],
        top_k: Option<usize>,
    ) -> Vec<Result<Vec<Label>, ClassifyError>> {
        let framed: Vec<_> = images.iter().map(|image| self.frame(image)).collect();
        let good: Vec<&[u8; PIXELS]> = framed.iter().flatten().collect();
        let mut scores = good
            .chunks(Self::BATCH)
            .flat_map(|batch| self.probabilities(batch));
        let mut result = |framed: &Result<_, NoDigit>| {
            framed.as_ref().map_err(|error| *error)?;
            let scores = scores.next().unwrap_or_default();
            if scores.iter().any(|score| score.is_nan()) {
                return Err(ClassifyError::NotANumber);
            }
            Ok(self.ranked(&scores, top_k))
        };
        framed.iter().map(&mut result).collect()
    }

    fn frame(&self, image: &DynamicImage) -> Result<[u8; PIXELS], NoDigit> {
        match self.framing {
            Framing::Digit => digit::to_mnist(image),
            Framing::Object => Ok(object::to_fashion_mnist(image)),
        }
    }

    /// The probabilities of all classes for each picture of a batch.
    fn probabilities(&self, batch: &[&[u8; PIXELS]]) -> Vec<Vec<f64>> {
        let bytes: Vec<u8> = batch.iter().flat_map(|picture| picture.iter().copied()).collect();
        let side = SIDE as i64;
        let x = Tensor::from_slice(&bytes)
            .view([-1, side, side])
            .to_device(self.device);
        let rows = tch::no_grad(|| {
            let logits = self.network.forward(&(x.to_kind(self.kind) / 255.0), false);
            let scores = logits.softmax(-1, Kind::Double).to_device(Device::Cpu);
            unsmoothed(&scores, self.smoothing)
        });
        let row = |i: i64| {
            (0..self.labels.len() as i64)
                .map(|j| rows.double_value(&[i, j]))
                .collect()
        };
        (0..batch.len() as i64).map(row).collect()
    }

    fn ranked(&self, scores: &[f64], top_k: Option<usize>) -> Vec<Label> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        order.truncate(top_k.unwrap_or(scores.len()));
        order
            .into_iter()
            .map(|i| Label {
                label: self.labels[i].clone(),
                score: scores[i],
            })
            .collect()
    }
}

/// Probabilities `[batch, classes]` of a network that learned smoothed targets, freed from the smoothing: it
/// learned `(1 - smoothing) p + smoothing / classes` where `p` is meant.
fn unsmoothed(scores: &Tensor, smoothing: f64) -> Tensor {
    if smoothing == 0.0 {
        return scores.shallow_clone();
    }
    let classes = scores.size()[1] as f64;
    let scores = (scores - smoothing / classes).clamp_min(0.0);
    let sums = scores.sum_dim_intlist(-1, true, None);
    scores / sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_is_taken_out_of_the_scores() {
        let meant = Tensor::from_slice(&[0.7, 0.3, 0.0, 0.0]).view([1, 4]);
        let learned = &meant * 0.9 + 0.1 / 4.0;
        assert!(unsmoothed(&learned, 0.1).allclose(&meant, 0.0, 1e-12, false));
        assert!(unsmoothed(&meant, 0.0).equal(&meant));
    }
}

//! Training and evaluating the classifiers of 28×28 grey pictures: MNIST and Fashion-MNIST.

use std::path::Path;
use std::sync::Arc;

use sensorium_blocks::Params;
use sensorium_vision::augment::{AugmentConfig, augment};
use sensorium_vision::mnist::{self, Digits, PIXELS, SIDE, Split};
use sensorium_vision::models::{Arch, Config, Framing, Network};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::Session;
use super::session::{Plan, described, pretty};
use crate::data::{Dataset, Loader};
use crate::error::{Result, TrainError};
use crate::history::{RunningMean, Scores};
use crate::loss::cross_entropy;
use crate::metrics::{ConfusionMatrix, correct};
use crate::optim::Optimizer;
use crate::record::TrainingRecord;
use crate::rng::mix;
use crate::schedule::{LearningRate, Schedule};
use crate::trainer::{Objective, Outcome, StepOutput, Trainer, TrainerConfig};

/// Pictures classified at a time: few enough that what lies between the layers stays in the cache.
const EVAL_BATCH: usize = 100;

/// Which of the two sets, which look the same to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataName {
    /// Handwritten digits (LeCun et al. 1998).
    Mnist,
    /// Pictures of clothes (arXiv 1708.07747).
    FashionMnist,
}

impl DataName {
    /// The name on the command line and of the data card.
    pub fn name(self) -> &'static str {
        match self {
            DataName::Mnist => "mnist",
            DataName::FashionMnist => "fashion-mnist",
        }
    }

    /// The names of its classes, in order.
    pub fn classes(self) -> impl Iterator<Item = &'static str> {
        match self {
            DataName::Mnist => mnist::MNIST_CLASSES.into_iter(),
            DataName::FashionMnist => mnist::FASHION_MNIST_CLASSES.into_iter(),
        }
    }

    fn model_config(self, arch: Arch) -> Config {
        let framing = match self {
            DataName::Mnist => Framing::Digit,
            DataName::FashionMnist => Framing::Object,
        };
        Config::new(arch, self.classes(), framing)
    }
}

/// Everything that shapes the result of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// The data set.
    pub data: DataName,
    /// The network.
    pub arch: Arch,
    /// Pictures a step.
    pub batch_size: usize,
    /// Training pictures held out, from the end of the training set, to validate on. With 0 all are trained
    /// on and each epoch's numbers are those of the test set, which then must choose nothing: use the
    /// last epoch's weights, not the best.
    pub validation: usize,
    /// Random distortion of the training pictures.
    pub augment: Option<AugmentConfig>,
    /// Label smoothing.
    pub smoothing: f64,
    /// The training loop's settings.
    pub trainer: TrainerConfig,
}

impl Settings {
    /// The settings that the shipped models were trained with.
    pub fn preset(data: DataName, arch: Arch) -> Self {
        let small = arch == Arch::MnistCnn;
        let trainer = TrainerConfig {
            epochs: if small { 10 } else { 20 },
            optimizer: if small { Optimizer::ADAM } else { Optimizer::ADAMW },
            learning_rate: LearningRate {
                peak: if small { 6e-3 } else { 4e-3 },
                schedule: Schedule::Cosine,
                warmup: 0.1,
            },
            clip_norm: None,
            ema_decay: Some(0.999),
            seed: 0,
        };
        let augment = match (data, arch) {
            (_, Arch::MnistCnn) => Some(AugmentConfig::gentle()),
            (DataName::Mnist, Arch::MnistNet) => Some(AugmentConfig::digits().scaled(1.25)),
            (DataName::FashionMnist, Arch::MnistNet) => Some(AugmentConfig::clothes()),
        };
        Self {
            data,
            arch,
            batch_size: if small { 64 } else { 128 },
            validation: 5_000,
            augment,
            smoothing: if small { 0.0 } else { 0.1 },
            trainer,
        }
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// Finished or stopped.
    pub outcome: Outcome,
    /// What is also in `training.json`.
    pub record: TrainingRecord,
    /// The last epoch's weights on the test set, once finished.
    pub test: Option<ConfusionMatrix>,
}

/// Trains a classifier; see [`Trainer`] for the files that it leaves in the output folder, to which
/// this adds `config.json`, `training.json` and a plot.
///
/// # Errors
/// If the data cannot be read, the settings make no sense, the output folder holds another run, the
/// loss diverges, or a file cannot be written.
pub fn train(settings: &Settings, data_dir: &Path, session: Session<'_>) -> Result<Report> {
    let train = mnist::Digits::load(data_dir, Split::Train)?;
    let test = mnist::Digits::load(data_dir, Split::Test)?;
    if settings.validation >= train.labels.len() {
        let (asked, there) = (settings.validation, train.labels.len());
        return Err(TrainError::Settings(format!(
            "cannot hold out {asked} pictures for validation: the training set has only {there}"
        )));
    }
    let data = [&train.images, &train.labels, &test.images, &test.labels];
    let described = described(settings, data.map(Vec::as_slice))?;
    let (train, held_out) = split(train, settings.validation);

    let config = Config {
        label_smoothing: settings.smoothing,
        ..settings.data.model_config(settings.arch)
    };
    let classes = config.labels()?.len() as i64;
    let device = session.device;
    let params = Params::fresh(settings.trainer.seed as i64).on(device);
    let network = Network::new(&params, settings.arch, classes)?;
    let plan = Plan {
        trainer: settings.trainer.clone(),
        settings: described,
        params: &params,
        model: pretty(&config)?,
    };
    let pictures = Pictures {
        digits: train,
        augment: settings.augment.clone(),
    };
    let seed = mix(settings.trainer.seed, &[0]);
    let loader = Loader::new(pictures, settings.batch_size, seed, session.workers);
    let learner = Learner {
        network: &network,
        validation: Inputs::new(held_out.as_ref().unwrap_or(&test), device),
        smoothing: settings.smoothing,
        device,
    };
    let mut run = session.run(plan, &learner, &loader)?;
    let mut test_matrix = None;
    if run.outcome == Outcome::Finished {
        let folder = run.trainer.folder();
        let file = folder.file(Trainer::MODEL);
        let matrix = evaluate_file(&file, settings.arch, classes, &test, device)?;
        run.record.test_accuracy = Some(matrix.accuracy());
        run.record.save(folder.path())?;
        test_matrix = Some(matrix);
    }
    Ok(Report {
        outcome: run.outcome,
        record: run.record,
        test: test_matrix,
    })
}

/// Reads the weights in `file` and classifies `digits` with them.
fn evaluate_file(
    file: &Path,
    arch: Arch,
    classes: i64,
    digits: &Digits,
    device: Device,
) -> Result<ConfusionMatrix> {
    let weights = Arc::new(sensorium_hub::SafetensorsFile::open(file)?);
    let params = Params::stored(weights).on(device);
    let network = Network::new(&params, arch, classes)?;
    params.check_all_used()?;
    Ok(evaluate(&network, digits, device, classes as usize))
}

/// Classifies every picture of `digits`.
pub fn evaluate(network: &Network, digits: &Digits, device: Device, classes: usize) -> ConfusionMatrix {
    let mut matrix = ConfusionMatrix::new(classes);
    tch::no_grad(|| {
        for (x, labels) in Inputs::new(digits, device).batches() {
            let predictions = network
                .forward(&x, false)
                .argmax(-1, false)
                .to_device(Device::Cpu);
            let labels = labels.to_device(Device::Cpu);
            for i in 0..labels.size()[0] {
                matrix.add(
                    labels.int64_value(&[i]) as usize,
                    predictions.int64_value(&[i]) as usize,
                );
            }
        }
    });
    matrix
}

/// The last `held_out` examples apart from the others; `None` for none.
fn split(mut digits: Digits, held_out: usize) -> (Digits, Option<Digits>) {
    if held_out == 0 {
        return (digits, None);
    }
    let kept = digits.labels.len() - held_out;
    let labels = digits.labels.split_off(kept);
    let images = digits.images.split_off(kept * PIXELS);
    (digits, Some(Digits { images, labels }))
}

/// The training pictures as a [`Dataset`].
struct Pictures {
    digits: Digits,
    augment: Option<AugmentConfig>,
}

/// Pictures `[batch, 28, 28]` in `[0, 1]` and labels `[batch]`.
type Batch = (Tensor, Tensor);

impl Dataset for Pictures {
    type Batch = Batch;

    fn len(&self) -> usize {
        self.digits.labels.len()
    }

    fn batch(&self, indices: &[usize], seed: u64) -> Batch {
        let mut values = vec![0f32; indices.len() * PIXELS];
        for (slot, (out, &i)) in values.chunks_exact_mut(PIXELS).zip(indices).enumerate() {
            let image = &self.digits.images[i * PIXELS..(i + 1) * PIXELS];
            match &self.augment {
                Some(config) => augment(image, config, mix(seed, &[slot as u64]), out),
                None => out
                    .iter_mut()
                    .zip(image)
                    .for_each(|(value, &byte)| *value = f32::from(byte) / 255.0),
            }
        }
        let labels: Vec<i64> = indices
            .iter()
            .map(|&i| i64::from(self.digits.labels[i]))
            .collect();
        let side = SIDE as i64;
        (
            Tensor::from_slice(&values).view([-1, side, side]),
            Tensor::from_slice(&labels),
        )
    }
}

/// A whole set on the device.
struct Inputs {
    images: Tensor, // [count, 28, 28], bytes
    labels: Tensor, // [count]
}

impl Inputs {
    fn new(digits: &Digits, device: Device) -> Self {
        let side = SIDE as i64;
        let labels: Vec<i64> = digits.labels.iter().map(|&l| i64::from(l)).collect();
        Self {
            images: Tensor::from_slice(&digits.images)
                .view([-1, side, side])
                .to_device(device),
            labels: Tensor::from_slice(&labels).to_device(device),
        }
    }

    /// Pictures `[batch, 28, 28]` in `[0, 1]` with their labels `[batch]`.
    fn batches(&self) -> impl Iterator<Item = Batch> {
        let count = self.labels.size()[0];
        (0..count).step_by(EVAL_BATCH).map(move |start| {
            let len = (count - start).min(EVAL_BATCH as i64);
            let x = self.images.narrow(0, start, len).to_kind(tch::Kind::Float) / 255.0;
            (x, self.labels.narrow(0, start, len))
        })
    }
}

struct Learner<'a> {
    network: &'a Network,
    validation: Inputs,
    smoothing: f64,
    device: Device,
}

impl Objective for Learner<'_> {
    type Batch = Batch;

    fn step(&self, (x, labels): &Batch, _part: usize) -> StepOutput {
        let (x, labels) = (x.to_device(self.device), labels.to_device(self.device));
        let logits = self.network.forward(&x, true);
        StepOutput {
            loss: cross_entropy(&logits, &labels, self.smoothing),
            examples: labels.size()[0] as usize,
            correct: correct(&logits.detach(), &labels),
        }
    }

    fn validate(&self) -> Scores {
        let mut mean = RunningMean::default();
        for (x, labels) in self.validation.batches() {
            let logits = self.network.forward(&x, false);
            let loss = cross_entropy(&logits, &labels, 0.0).double_value(&[]);
            mean.add(labels.size()[0] as usize, loss, correct(&logits, &labels));
        }
        mean.scores()
    }
}

//! Goes on training a language model, such as GPT-2, on the texts of a CSV.
//!
//! ```text
//! cargo run --release --example finetune_lm -- ./gpt2 reviews.csv ./gpt2-reviews
//! ```
//!
//! The CSV has a column `text`; a tenth of its rows is held out. The result is a model folder like the first,
//! which `sensorium generate -m ./gpt2-reviews "The film"` and the Python library open. The program does the
//! same with more choices:
//!
//! ```text
//! sensorium train lm --from ./gpt2 --data reviews.csv --out ./gpt2-reviews --block 256 --batch-size 8
//! ```
//!
//! Without arguments a tiny model learns a sentence by heart.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use sensorium::blocks::Params;
use sensorium::hub::{Hub, HubOptions};
use sensorium::tch::Device;
use sensorium::text::tokenizer::Tokenizer;
use sensorium::train::corpus::{self, CorpusOptions};
use sensorium::train::recipes::Session;
use sensorium::train::recipes::lm::{Corpus, Precision, Settings, train};
use sensorium::train::{Callback, EpochRecord, LearningRate, Optimizer, RunFolder, Schedule, TrainerConfig};

struct Print;

impl Callback for Print {
    fn on_epoch(&mut self, epoch: &EpochRecord, _best: bool) {
        println!("validation loss {:.4} nats/token", epoch.validation.loss);
    }
}

fn main() -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let (peak, [model, data, out]) = match arguments.as_slice() {
        [] => (1e-2, sample(temporary.path())?), // it has all to learn
        [model, data, out] => (5e-5, [model, data, out].map(Clone::clone)),
        _ => bail!("expected a model, a CSV and a folder for the result"),
    };
    let model = Hub::new(HubOptions::default())?.resolve(&model.to_string_lossy())?;
    let tokenizer = Tokenizer::open(&model)?;

    let texts = corpus::read(&data, &CorpusOptions::default())?;
    let corpus = Corpus::new(&texts, &tokenizer)?;
    let settings = Settings {
        model: model.config()?,
        data: data.display().to_string(),
        block: 64,
        batch_size: 8,
        accumulate: 1,
        eval_every: 20,
        precision: Precision::default(),
        trainer: TrainerConfig {
            epochs: 3, // of 20 steps each
            optimizer: Optimizer::ADAMW,
            learning_rate: LearningRate {
                peak,
                schedule: Schedule::Cosine,
                warmup: 0.05,
            },
            clip_norm: Some(1.0),
            ema_decay: None,
            seed: 0,
        },
    };
    let mut print = Print;
    let session = Session {
        device: Device::cuda_if_available(),
        ..Session::new(RunFolder::create(&out)?, &mut print)
    };
    let params = Params::trainable(model.weights()?);
    let report = train(&settings, params, &tokenizer, corpus, session)?;
    if let Some(best) = report.best {
        println!(
            "perplexity {:.2}; the model is in {}",
            best.perplexity,
            out.display()
        );
    }
    Ok(())
}

/// The tiny model of the tests, a table of one sentence, and a place for the result.
fn sample(folder: &Path) -> Result<[PathBuf; 3]> {
    let data = folder.join("sentences.csv");
    fs::write(
        &data,
        format!("text\n{}", "The keeper climbed the narrow stairs.\n".repeat(200)),
    )?;
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/cases/opt-pre");
    Ok([tiny, data, folder.join("tuned")])
}

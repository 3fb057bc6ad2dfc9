//! A small GPT learns the characters of a text.

use std::path::PathBuf;

use anyhow::{Context, Result};
use sensorium_blocks::Params;
use sensorium_text::tokenizer::{Algorithm, Tokenizer, TrainOptions};
use sensorium_train::corpus::{self, CorpusOptions};
use sensorium_train::recipes::Session;
use sensorium_train::recipes::lm::{Corpus, Settings, train};
use sensorium_train::{LearningRate, Optimizer, RunFolder, Schedule, TrainerConfig};
use serde_json::json;

use crate::Shared;
use crate::table::{Better, OURS, Values};

const METRICS: [(&str, Better); 2] = [("train s", Better::Lower), ("validation loss", Better::Lower)];

#[derive(clap::Args)]
pub struct Arguments {
    /// The text, gzipped or not
    text: PathBuf,
    /// Steps
    #[arg(long, default_value_t = 2000)]
    steps: usize,
}

pub fn run(arguments: &Arguments, shared: &Shared) -> Result<()> {
    let mut values = Values::default();
    for _ in 0..shared.rounds {
        ours(arguments, &mut values)?;
        let Some(python) = &shared.python else { continue };
        let text = arguments.text.display().to_string();
        let (steps, threads) = (arguments.steps.to_string(), shared.threads.to_string());
        let words = [&text, "--steps", &steps, "--threads", &threads].map(String::from);
        values.run_peer(python, "train_lm.py", &words)?;
    }
    values.print(&METRICS);
    Ok(())
}

/// What `sensorium train lm --optimizer adamw --lr 0.004` does.
fn ours(arguments: &Arguments, values: &mut Values) -> Result<()> {
    let texts = corpus::read(&arguments.text, &CorpusOptions::default())?;
    let all = texts.train.iter().chain(&texts.validation);
    let tokenizer = Tokenizer::train(all, &TrainOptions::new(Algorithm::Characters))?;
    let corpus = Corpus::new(&texts, &tokenizer)?;
    let settings = Settings {
        model: json!({
            "model_type": "gpt2", "vocab_size": tokenizer.vocab_size(), "n_positions": 64, "n_embd": 128,
            "n_layer": 4, "n_head": 4, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
        }),
        data: arguments.text.display().to_string(),
        block: 64,
        batch_size: 12,
        accumulate: 1,
        precision: Default::default(),
        eval_every: arguments.steps,
        trainer: TrainerConfig {
            epochs: 1,
            optimizer: Optimizer::AdamW {
                beta1: 0.9,
                beta2: 0.99,
                eps: 1e-8,
                weight_decay: 0.1,
            },
            learning_rate: LearningRate {
                peak: 4e-3,
                schedule: Schedule::Cosine,
                warmup: 0.05,
            },
            clip_norm: Some(1.0),
            ema_decay: None,
            seed: 0,
        },
    };
    let out = std::env::temp_dir().join(format!("train-lm-bench-{}", std::process::id()));
    let mut silent = ();
    let session = Session::new(RunFolder::create(&out)?, &mut silent);
    let report = train(&settings, Params::fresh(0), &tokenizer, corpus, session);
    std::fs::remove_dir_all(&out)?;
    let record = report?.record;
    let epoch = record.epochs.first().context("one stretch of steps")?;
    values.add(OURS, METRICS[0].0, epoch.seconds);
    values.add(OURS, METRICS[1].0, epoch.validation.loss);
    Ok(())
}

//! Batch 1: a prompt of 512 tokens, and 128 tokens one after the other behind a prompt of 32.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use sensorium_generation::{GenerationConfig, Options, Prompt, generate};
use sensorium_hub::Model;
use sensorium_text::causal::CausalLm;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use crate::Shared;
use crate::table::{Better, OURS, Values};

const PROMPT: i64 = 32;
const PREFILL: i64 = 512;
const NEW: i64 = 128;

const METRICS: [(&str, Better); 3] = [
    ("decode tokens/s", Better::Higher),
    ("prefill tokens/s", Better::Higher),
    ("load s", Better::Lower),
];

#[derive(clap::Args)]
pub struct Arguments {
    /// A model folder in Hugging Face layout
    model: PathBuf,
    /// f32 or bf16
    #[arg(long, default_value = "f32")]
    dtype: String,
    /// Only write, as for a profile
    #[arg(long)]
    only_decode: bool,
    /// The same model for llama.cpp, as GGUF of the same dtype
    #[arg(long)]
    gguf: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, shared: &Shared) -> Result<()> {
    let kind = if arguments.dtype == "bf16" {
        Kind::BFloat16
    } else {
        Kind::Float
    };
    let mut values = Values::default();
    for _ in 0..shared.rounds {
        ours(arguments, kind, &mut values)?;
        let Some(python) = &shared.python else { continue };
        let model = arguments.model.display().to_string();
        let threads = shared.threads.to_string();
        let common = ["--dtype", &arguments.dtype, "--threads", &threads];
        let with = |engine: &str, model: &str| -> Vec<String> {
            [engine, model]
                .iter()
                .chain(&common)
                .map(|s| s.to_string())
                .collect()
        };
        values.run_peer(python, "decode.py", &with("transformers", &model))?;
        if let Some(gguf) = &arguments.gguf {
            values.run_peer(
                python,
                "decode.py",
                &with("llama.cpp", &gguf.display().to_string()),
            )?;
        }
    }
    values.print(&METRICS);
    Ok(())
}

fn ours(arguments: &Arguments, kind: Kind, values: &mut Values) -> Result<()> {
    let start = Instant::now();
    let model = CausalLm::open(
        &Model::in_folder("model", &arguments.model),
        Device::Cpu,
        Some(kind),
    )?;
    values.add(OURS, "load s", start.elapsed().as_secs_f64());
    let ids = |count: i64| {
        (Tensor::arange(count, (Kind::Int64, Device::Cpu)) * 37 + 11)
            .remainder(1000)
            .unsqueeze(0)
    };
    for round in 0..2 {
        // The first round warms up.
        let prompt = Prompt::padded(&[Vec::<i64>::try_from(ids(PROMPT).view([-1]))?], 0)?;
        let config: GenerationConfig =
            serde_json::from_value(json!({ "max_new_tokens": NEW, "min_new_tokens": NEW }))?;
        let mut session = model.session(&[0], PROMPT + NEW);
        let _ = session.feed(&ids(PROMPT - 1), 1);
        let start = Instant::now();
        let written = generate(&mut *session, &prompt, &config, Options::default())?;
        ensure!(written[0].ids.len() == NEW as usize, "it stopped early");
        let decode = NEW as f64 / start.elapsed().as_secs_f64();
        if round > 0 {
            values.add(OURS, "decode tokens/s", decode);
        }
        if arguments.only_decode {
            continue;
        }
        let mut session = model.session(&[0], PREFILL);
        let start = Instant::now();
        let _ = session
            .feed(&ids(PREFILL), 1)
            .argmax(-1, false)
            .int64_value(&[0, 0]);
        let prefill = PREFILL as f64 / start.elapsed().as_secs_f64();
        if round > 0 {
            values.add(OURS, "prefill tokens/s", prefill);
        }
    }
    Ok(())
}

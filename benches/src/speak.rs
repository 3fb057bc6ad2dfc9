//! A sentence by a voice of VITS's shape, tokenising included: seconds of work for each second of sound, beside
//! transformers and ONNX Runtime.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use sensorium_hub::Model;
use sensorium_speech::speak::VitsVoice;
use tch::{Device, Kind};

use crate::Shared;
use crate::table::{Better, OURS, Values};

const METRICS: [(&str, Better); 1] = [("real-time factor", Better::Lower)];

#[derive(clap::Args)]
pub struct Arguments {
    /// A VITS model folder in Hugging Face layout
    model: PathBuf,
    /// What is said
    #[arg(
        default_value = "the quick brown fox jumps over the lazy dog and then it sleeps under the old tree until the morning comes"
    )]
    text: String,
    /// f32 or bf16
    #[arg(long, default_value = "f32")]
    dtype: String,
}

pub fn run(arguments: &Arguments, shared: &Shared) -> Result<()> {
    let mut values = Values::default();
    for _ in 0..shared.rounds {
        ours(arguments, &mut values)?;
        let Some(python) = &shared.python else { continue };
        let arguments = [
            &arguments.model.display().to_string(),
            &arguments.text,
            "--threads",
            &shared.threads.to_string(),
        ]
        .map(|argument: &str| argument.to_string());
        values.run_peer(python, "speak.py", &arguments)?;
    }
    values.print(&METRICS);
    Ok(())
}

fn ours(arguments: &Arguments, values: &mut Values) -> Result<()> {
    let kind = match arguments.dtype.as_str() {
        "bf16" => Kind::BFloat16,
        _ => Kind::Float,
    };
    let model = Model::in_folder("model", &arguments.model);
    let voice = VitsVoice::open(&model, Device::Cpu, Some(kind))?;
    for round in 0..4 {
        tch::manual_seed(0);
        let start = Instant::now();
        let ids = voice.characters().encode(&arguments.text).ids;
        let said = voice.say(&ids, &voice.manner())?;
        let samples = Vec::<f32>::try_from(&said.samples)?;
        let seconds = samples.len() as f64 / f64::from(voice.rate());
        // The first one warms up.
        if round > 0 {
            values.add(OURS, METRICS[0].0, start.elapsed().as_secs_f64() / seconds);
        }
    }
    Ok(())
}

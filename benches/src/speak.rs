//! A sentence by a voice of VITS's shape, tokenising included: seconds of work for each second of sound, beside
//! transformers and ONNX Runtime.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use sensorium_hub::Model;
use sensorium_speech::features::MelShape;
use sensorium_speech::models::vits::Manner;
use sensorium_speech::speak::VitsVoice;
use tch::{Device, Kind, Tensor};

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
    /// f32, or bf16 beside it
    #[arg(long, default_value = "f32")]
    dtype: String,
}

pub fn run(arguments: &Arguments, shared: &Shared) -> Result<()> {
    let mut values = Values::default();
    let half = arguments.dtype == "bf16";
    for _ in 0..shared.rounds {
        match half {
            true => {
                ours(arguments, Kind::BFloat16, OURS, &mut values)?;
                ours(arguments, Kind::Float, "Sensorium, f32", &mut values)?;
            }
            false => ours(arguments, Kind::Float, OURS, &mut values)?,
        }
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
    if half {
        println!(
            "mel distance of bf16 to f32, without chance: {:.2} dB",
            distance(arguments)?
        );
    }
    Ok(())
}

fn ours(arguments: &Arguments, kind: Kind, name: &str, values: &mut Values) -> Result<()> {
    let voice = open(arguments, kind)?;
    for round in 0..4 {
        tch::manual_seed(0);
        let start = Instant::now();
        let ids = voice.characters().encode(&arguments.text).ids;
        let said = voice.say(&ids, &voice.manner())?;
        let samples = Vec::<f32>::try_from(&said.samples)?;
        let seconds = samples.len() as f64 / f64::from(voice.rate());
        // The first one warms up.
        if round > 0 {
            values.add(name, METRICS[0].0, start.elapsed().as_secs_f64() / seconds);
        }
    }
    Ok(())
}

fn open(arguments: &Arguments, kind: Kind) -> Result<VitsVoice> {
    let model = Model::in_folder("model", &arguments.model);
    Ok(VitsVoice::open(&model, Device::Cpu, Some(kind))?)
}

/// By how many decibels the bands of both precisions differ in the mean, without chance, along the cheapest path through
/// both (a rounded length shifts what follows by a frame).
fn distance(arguments: &Arguments) -> Result<f64> {
    let spectrogram = |kind| -> Result<Tensor> {
        let voice = open(arguments, kind)?;
        let manner = Manner {
            noise: 0.0,
            duration_noise: 0.0,
            ..voice.manner()
        };
        let said = voice.say(&voice.characters().encode(&arguments.text).ids, &manner)?;
        Ok(MelShape::SPEECHT5.spectrogram(&said.samples))
    };
    let (half, whole) = (spectrogram(Kind::BFloat16)?, spectrogram(Kind::Float)?);
    // `[frames, frames]`; the logarithms are of magnitudes, to base 10.
    let costs = (half.unsqueeze(1) - whole.unsqueeze(0)).abs() * 20.0;
    let costs = Vec::<Vec<f64>>::try_from(costs.mean_dim(2i64, false, Kind::Double))?;
    let columns = whole.size()[0] as usize;
    let mut before = vec![(f64::INFINITY, 0); columns];
    for (row, costs) in costs.iter().enumerate() {
        let mut here: Vec<(f64, usize)> = Vec::with_capacity(columns);
        for (column, cost) in costs.iter().enumerate() {
            let ways = [
                column.checked_sub(1).map(|left| before[left]),
                Some(before[column]),
                here.last().copied(),
            ];
            let cheapest = ways.into_iter().flatten().min_by(|a, b| a.0.total_cmp(&b.0));
            let (total, steps) = match row + column {
                0 => (0.0, 0),
                _ => cheapest.unwrap_or((f64::INFINITY, 0)),
            };
            here.push((total + cost, steps + 1));
        }
        before = here;
    }
    let (total, steps) = before.last().copied().unwrap_or_default();
    Ok(total / steps as f64)
}

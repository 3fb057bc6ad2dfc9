//! A sentence by a voice of VITS's shape, tokenising included: seconds of work for each second of sound, beside
//! transformers and ONNX Runtime.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
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

/// By how many decibels the bands of both precisions differ in the mean, without
/// chance.
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
    let frames = half.size()[0];
    ensure!(
        frames == whole.size()[0],
        "both precisions say the text in another time: {frames} and {} frames",
        whole.size()[0]
    );
    // The logarithms are of magnitudes, to base 10.
    Ok(20.0 * (half - whole).abs().mean(Kind::Double).double_value(&[]))
}

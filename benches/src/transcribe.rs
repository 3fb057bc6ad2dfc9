//! Windows of 30 seconds through Whisper: spectrogram, encoder, exactly 100 greedy tokens each.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use sensorium_generation::GenerationConfig;
use sensorium_hub::Model;
use sensorium_speech::features::WholeSpectrogram;
use sensorium_speech::whisper::Task;
use sensorium_speech::{Audio, WhisperOptions, WhisperRecognizer};
use tch::{Device, Kind};

use crate::Shared;
use crate::table::{Better, OURS, Values};

const NEW: usize = 100;
const METRICS: [(&str, Better); 3] = [
    ("total s", Better::Lower),
    ("encoder ms/window", Better::Lower),
    ("decoder ms/token", Better::Lower),
];

#[derive(clap::Args)]
pub struct Arguments {
    /// A Whisper model folder in Hugging Face layout
    model: PathBuf,
    /// A recording; its whole windows are heard
    recording: PathBuf,
    /// f32 or bf16
    #[arg(long, default_value = "f32")]
    dtype: String,
    /// Of transformers, ctranslate2, onnxruntime, openvino and whisper.cpp
    #[arg(long, value_delimiter = ',', default_value = "transformers,ctranslate2")]
    peers: Vec<String>,
}

pub fn run(arguments: &Arguments, shared: &Shared) -> Result<()> {
    let mut values = Values::default();
    for _ in 0..shared.rounds {
        ours(arguments, &mut values)?;
        let Some(python) = &shared.python else { continue };
        for engine in &arguments.peers {
            let arguments = [
                engine,
                &arguments.model.display().to_string(),
                &arguments.recording.display().to_string(),
                "--dtype",
                &arguments.dtype,
                "--threads",
                &shared.threads.to_string(),
            ]
            .map(str::to_string);
            values.run_peer(python, "transcribe.py", &arguments)?;
        }
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
    let recognizer = WhisperRecognizer::open(&model, Device::Cpu, Some(kind))?;
    let samples = Audio::open(&arguments.recording)?.mono_at(recognizer.rate())?;
    let window = recognizer.features().window();
    let windows: Vec<Vec<f32>> = samples.chunks_exact(window).map(<[f32]>::to_vec).collect();
    let count = windows.len() as f64;
    let options = WhisperOptions {
        language: Some("en".to_string()),
        task: Some(Task::Transcribe),
        generation: GenerationConfig {
            num_beams: Some(1),
            min_new_tokens: Some(NEW),
            max_new_tokens: Some(NEW),
            ..GenerationConfig::default()
        },
        ..WhisperOptions::default()
    };
    for round in 0..3 {
        let start = Instant::now();
        let mels = recognizer.features().windows(&windows).values;
        let begin = Instant::now();
        for i in 0..windows.len() as i64 {
            let mut window = WholeSpectrogram {
                mels: mels.get(i),
                sound: mels.size()[2],
            };
            recognizer.hear(&mut window, &options, &mut |_| Ok(()))?;
        }
        let (heard, total) = (begin.elapsed().as_secs_f64(), start.elapsed().as_secs_f64());
        let begin = Instant::now();
        for i in 0..windows.len() as i64 {
            let _ = tch::no_grad(|| recognizer.model().encode(&mels.get(i).unsqueeze(0)));
        }
        let encoded = begin.elapsed().as_secs_f64();
        if round > 0 {
            values.add(OURS, METRICS[0].0, total);
            values.add(OURS, METRICS[1].0, encoded / count * 1e3);
            values.add(OURS, METRICS[2].0, (heard - encoded) / count / NEW as f64 * 1e3);
        }
    }
    Ok(())
}

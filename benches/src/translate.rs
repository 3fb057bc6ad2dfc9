//! 64 sentences of 20 to 30 tokens, in batches of 32, exactly 32 tokens each: greedily and with 4 beams,
//! tokenising and decoding included.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sensorium_generation::{GenerationConfig, Options};
use sensorium_hub::Model;
use sensorium_text::TextToText;
use serde_json::json;
use tch::{Device, Kind};

use crate::Shared;
use crate::table::{Better, OURS, Values};

const BATCH: usize = 32;
const NEW: i64 = 32;
const METRICS: [(&str, Better); 2] = [
    ("greedy sentences/s", Better::Higher),
    ("beam 4 sentences/s", Better::Higher),
];

#[derive(clap::Args)]
pub struct Arguments {
    /// A Marian model folder in Hugging Face layout
    model: PathBuf,
    /// A JSON list of sentences
    sentences: PathBuf,
    /// f32, or bf16 beside our own f32
    #[arg(long, default_value = "f32")]
    dtype: String,
    /// Only this many beams, as for a profile
    #[arg(long)]
    only_beams: Option<usize>,
}

pub fn run(arguments: &Arguments, shared: &Shared) -> Result<()> {
    let mut values = Values::default();
    for _ in 0..shared.rounds {
        if arguments.dtype == "bf16" {
            ours(arguments, OURS, Kind::BFloat16, &mut values)?;
            ours(arguments, "Sensorium, f32", Kind::Float, &mut values)?;
        } else {
            ours(arguments, OURS, Kind::Float, &mut values)?;
        }
        let Some(python) = &shared.python else { continue };
        for engine in ["transformers", "ctranslate2"] {
            let arguments = [
                engine,
                &arguments.model.display().to_string(),
                &arguments.sentences.display().to_string(),
                "--dtype",
                &arguments.dtype,
                "--threads",
                &shared.threads.to_string(),
            ]
            .map(str::to_string);
            values.run_peer(python, "translate.py", &arguments)?;
        }
    }
    values.print(&METRICS);
    Ok(())
}

fn ours(arguments: &Arguments, name: &str, kind: Kind, values: &mut Values) -> Result<()> {
    let file = std::fs::File::open(&arguments.sentences).context("the sentences")?;
    let sentences: Vec<String> = serde_json::from_reader(file).context("the sentences")?;
    let model = Model::in_folder("model", &arguments.model);
    let pipeline = TextToText::open(&model, Device::Cpu, Some(kind))?;
    for (metric, beams) in [(METRICS[0].0, 1), (METRICS[1].0, 4)] {
        if arguments.only_beams.is_some_and(|only| only != beams) {
            continue;
        }
        let changes = json!({ "num_beams": beams, "max_new_tokens": NEW, "min_new_tokens": NEW });
        let changes = changes.as_object().context("an object")?;
        let config: GenerationConfig = pipeline.published_config().with_json(changes)?;
        for round in 0..2 {
            // The first round warms up.
            let start = Instant::now();
            for batch in sentences.chunks(BATCH) {
                let sources = batch
                    .iter()
                    .map(|text| pipeline.tokenizer().ids(text, true))
                    .collect::<Result<Vec<_>, _>>()?;
                let rows: Vec<&[i64]> = sources.iter().map(Vec::as_slice).collect();
                for written in pipeline.write_batch(&rows, &config, Options::default())? {
                    ensure!(written.ids.len() == NEW as usize, "it stopped early");
                    let _ = pipeline.decode(&written.ids);
                }
            }
            if round > 0 {
                values.add(
                    name,
                    metric,
                    sentences.len() as f64 / start.elapsed().as_secs_f64(),
                );
            }
        }
    }
    Ok(())
}

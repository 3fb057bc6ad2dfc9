//! `sensorium models convert`: a copy of a model in another precision, alone or with its vocoder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use sensorium::hub::{Model, atomic, save_safetensors};
use sensorium::tch::{Kind, Tensor};
use serde_json::{Value, json};

use crate::context::Context;

const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = "config.json";
/// What a run leaves behind and no model needs.
const RECORDS: [&str; 5] = [
    "best.safetensors",
    "checkpoint.safetensors",
    "training.json",
    "training.svg",
    "README.md",
];

/// Writes a copy of `model`, with `vocoder` in the same files if there is one, to the folder `out`.
pub fn run(model: &Model, vocoder: Option<&Model>, out: &Path, context: &Context) -> Result<()> {
    if out.join(WEIGHTS).exists() || out.join(CONFIG).exists() {
        bail!("{} already holds a model: name another folder", out.display());
    }
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let config = model.config()?;
    let (tensors, config) = match vocoder {
        None => (tensors(model, "", kind)?, config),
        Some(vocoder) => {
            let family = config.get("model_type").and_then(Value::as_str);
            if family != Some("fastspeech2_conformer") {
                bail!(
                    "{} is of the family {}: only fastspeech2_conformer takes a vocoder into its files",
                    model.name(),
                    family.unwrap_or("unknown")
                );
            }
            let mut all = tensors(model, "model.", kind)?;
            all.extend(tensors(vocoder, "vocoder.", kind)?);
            let config = json!({
                "architectures": ["FastSpeech2ConformerWithHifiGan"],
                "model_type": "fastspeech2_conformer_with_hifigan",
                "model_config": config, "vocoder_config": vocoder.config()?,
            });
            (all, config)
        }
    };
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    for file in model.files()? {
        let skip = file == CONFIG || file.contains(".safetensors") || RECORDS.contains(&file.as_str());
        if let Some(bytes) = model.read(&file)?.filter(|_| !skip) {
            atomic::write_bytes(&out.join(file), &bytes)?;
        }
    }
    atomic::write_bytes(&out.join(CONFIG), &serde_json::to_vec_pretty(&config)?)?;
    save_safetensors(&out.join(WEIGHTS), &tensors, &BTreeMap::new())?;
    context.detail(&format!("{}: {} tensors", out.display(), tensors.len()));
    Ok(())
}

/// All tensors, those of floating point in `kind`.
fn tensors(model: &Model, prefix: &str, kind: Option<Kind>) -> Result<Vec<(String, Tensor)>> {
    let weights = model.weights()?;
    let converted = |name: &str| {
        let tensor = weights
            .tensor(name)
            .with_context(|| format!("{} has no tensor {name}", model.name()))?;
        let tensor = match kind.filter(|_| tensor.is_floating_point()) {
            Some(kind) => tensor.to_kind(kind),
            None => tensor,
        };
        Ok((format!("{prefix}{name}"), tensor))
    };
    weights.names().into_iter().map(converted).collect()
}

//! `sensorium eval sounds`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use sensorium::speech::{AudioClassifier, Function};
use sensorium::train::ConfusionMatrix;
use sensorium::train::recipes::sounds::Label;
use serde_json::json;

use super::confusion::{class_table, confusion_table};
use super::recordings::RecordingArgs;
use crate::commands::train::LabelName;
use crate::context::Context;
use crate::{print, progress};

/// What to evaluate.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a folder, a shipped model or a hub id
    #[arg(short, long)]
    model: String,
    #[command(flatten)]
    recordings: RecordingArgs,
    /// What recordings are told apart by
    #[arg(long, value_enum, default_value = "text")]
    label: LabelName,
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let recordings = args.recordings.read(context)?;
    let model = context.hub()?.resolve(&args.model)?;
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let classifier = AudioClassifier::open(&model, context.device()?, kind)?;
    let labels = classifier.labels();
    let label = Label::from(args.label);
    let class = |name: &str| labels.iter().position(|label| label == name);
    let bar = progress::items(recordings.len() as u64, "recordings", context.shows_progress());
    let begin = Instant::now();
    let mut matrix = ConfusionMatrix::new(labels.len());
    for recording in &recordings {
        let Some(truth) = label.of(recording).and_then(class) else {
            bail!(
                "{} is {}, which the model does not know",
                recording.id,
                label.of(recording).unwrap_or("of nobody")
            );
        };
        let found = classifier.classify(&recording.audio()?, Some(1), Function::None)?;
        let found = found.first().and_then(|found| class(&found.label));
        matrix.add(truth, found.unwrap_or(labels.len()));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let rate = recordings.len() as f64 / begin.elapsed().as_secs_f64().max(1e-9);
    let name = |i: usize| labels.get(i).cloned().unwrap_or_else(|| i.to_string());
    if context.global.json {
        let class = |(i, scores)| json!({ "label": name(i), "scores": scores });
        print::json(&json!({
            "recordings": matrix.total(), "accuracy": matrix.accuracy(), "macro_f1": matrix.macro_f1(),
            "classes": matrix.per_class().into_iter().enumerate().map(class).collect::<Vec<_>>(),
            "confusion": matrix.counts(), "recordings_per_second": rate,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (correct, total) = (matrix.correct(), matrix.total());
    let mut text = format!(
        "accuracy  {:.2} % ({correct} of {total})\n",
        100.0 * matrix.accuracy()
    );
    text += &format!("macro F1  {:.4}\n", matrix.macro_f1());
    text += &format!("speed     {rate:.0} recordings/s\n\n");
    text += &class_table(&matrix, "recordings", name);
    text.push('\n');
    text += &confusion_table(&matrix, name);
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

//! `sensorium eval sounds`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use sensorium::speech::{AudioClassifier, Function};
use sensorium::train::ConfusionMatrix;
use sensorium::train::recipes::sounds::Label;
use sensorium::train::recordings::Recording;
use serde_json::json;

use super::confusion::{class_table, confusion_table};
use super::recordings::{LeftOut, RecordingArgs};
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
    let mut left_out = LeftOut::default();
    let find = |recording: &Recording| {
        let id = &recording.id;
        let Some(said) = label.of(recording) else {
            bail!("{id} is of nobody who is known");
        };
        let truth = class(said).with_context(|| format!("{id} is {said}, which the model does not know"))?;
        let found = classifier.classify(&recording.audio()?, Some(1), Function::None);
        let found = found.with_context(|| format!("{id} cannot be used"))?;
        Ok((truth, found.first().and_then(|found| class(&found.label))))
    };
    for recording in &recordings {
        bar.inc(1);
        match find(recording) {
            Ok((truth, found)) => matrix.add(truth, found.unwrap_or(labels.len())),
            Err(error) => left_out.add(&recording.id, &error),
        }
    }
    bar.finish_and_clear();
    left_out.check(matrix.total())?;
    let rate = matrix.total() as f64 / begin.elapsed().as_secs_f64().max(1e-9);
    let name = |i: usize| labels.get(i).cloned().unwrap_or_else(|| i.to_string());
    if context.global.json {
        let class = |(i, scores)| json!({ "label": name(i), "scores": scores });
        print::json(&json!({
            "recordings": matrix.total(), "accuracy": matrix.accuracy(), "macro_f1": matrix.macro_f1(),
            "classes": matrix.per_class().into_iter().enumerate().map(class).collect::<Vec<_>>(),
            "confusion": matrix.counts(), "recordings_per_second": rate,
            "left_out": left_out.json(),
        }))?;
        return Ok(left_out.exit_code());
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
    text += &left_out.text();
    print::text(&text)?;
    Ok(left_out.exit_code())
}

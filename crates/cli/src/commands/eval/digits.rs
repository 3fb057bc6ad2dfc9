//! `sensorium eval mnist` and `eval fashion-mnist`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use sensorium::train::plot_confusion;
use sensorium::train::recipes::mnist::{DataName, evaluate};
use sensorium::vision::ImageClassifier;
use sensorium::vision::mnist::{Digits, Split};
use serde_json::json;

use super::confusion::{class_table, confusion_table};
use crate::context::Context;
use crate::print;

/// What to evaluate.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a folder, a shipped model or a hub id [default: mnist-net for the digits]
    #[arg(short, long)]
    model: Option<String>,
    /// Folder that holds the data set [default: $SENSORIUM_DATA, then the cache]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Draw the confusion matrix to this SVG file
    #[arg(long, value_name = "FILE", value_parser = svg)]
    plot: Option<PathBuf>,
}

/// A file that shall be an SVG picture.
fn svg(name: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(name);
    match path.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("svg") => Ok(path),
        _ => Err("only SVG is drawn: name a file that ends in .svg".to_owned()),
    }
}

/// The model that was named, or the shipped one for the data.
fn model_name(data: DataName, args: &Args) -> Result<&str> {
    match (&args.model, data) {
        (Some(name), _) => Ok(name),
        (None, DataName::Mnist) => Ok("mnist-net"),
        (None, DataName::FashionMnist) => {
            bail!(
                "no model is shipped for fashion-mnist: train one (`sensorium train fashion-mnist`) and name its folder with --model"
            )
        }
    }
}

/// Runs the command for either set.
pub fn run(data: DataName, args: &Args, context: &Context) -> Result<ExitCode> {
    context.only_f32("the evaluation of classifiers")?;
    let model_name = model_name(data, args)?;
    let hub = context.hub()?;
    let model = match &args.model {
        Some(name) => hub.resolve(name)?,
        None => hub.resolve_default(model_name)?,
    };
    let device = context.device()?;
    let classifier = ImageClassifier::builder(&model).device(device).build()?;
    let data_dir = context.data_store(args.data.clone())?.locate(data.name())?;
    let digits = Digits::load(&data_dir, Split::Test)?;

    let labels = classifier.labels();
    if !data.classes().eq(labels.iter().map(String::as_str)) {
        context.note(&format!(
            "the classes of {model_name} ({}) are not those of {}",
            labels.join(", "),
            data.name()
        ));
    }
    let start = Instant::now();
    let matrix = evaluate(classifier.network(), &digits, device, labels.len());
    let seconds = start.elapsed().as_secs_f64();
    if let Some(path) = &args.plot {
        plot_confusion(&matrix, labels, path)?;
    }
    let name = |i: usize| labels.get(i).cloned().unwrap_or_else(|| i.to_string());
    let rate = matrix.total() as f64 / seconds.max(1e-9);
    if context.global.json {
        let class = |(i, scores)| json!({ "label": name(i), "scores": scores });
        print::json(&json!({
            "model": model_name,
            "dataset": data.name(),
            "split": "test",
            "images": matrix.total(),
            "accuracy": matrix.accuracy(),
            "macro_f1": matrix.macro_f1(),
            "classes": matrix.per_class().into_iter().enumerate().map(class).collect::<Vec<_>>(),
            "confusion": matrix.counts(),
            "seconds": seconds,
            "images_per_second": rate,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (correct, total) = (matrix.correct(), matrix.total());
    let mut text = format!(
        "accuracy  {:.2} % ({correct} of {total})\n",
        100.0 * matrix.accuracy()
    );
    text += &format!("macro F1  {:.4}\n", matrix.macro_f1());
    text += &format!("speed     {rate:.0} images/s ({seconds:.2} s)\n\n");
    text += &class_table(&matrix, "images", name);
    text.push('\n');
    text += &confusion_table(&matrix, name);
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

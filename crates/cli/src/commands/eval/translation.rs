//! `sensorium eval translation`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use sensorium::generation::GenerationConfig;
use sensorium::metrics::{
    Bleu, Chrf, Counts, Interval, Metric, Paired, Ter, Tokenize, bootstrap, moses_tokenize, paired_bootstrap,
};
use sensorium::text::{Languages, TranslateOptions, Translator};
use sensorium::train::parallel;
use serde_json::{Value, json};

use crate::context::Context;
use crate::{print, progress, table};

/// What to evaluate.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: a folder, a shipped model or a hub id [default: the shipped one for the two languages]
    #[arg(short, long)]
    model: Option<String>,
    /// The texts to translate, a segment a line, gzipped or not; their name may end with the language
    #[arg(long, value_name = "FILE")]
    source: Option<PathBuf>,
    /// The translations to compare with, a segment a line, gzipped or not; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    reference: Vec<PathBuf>,
    /// Translations to score, instead of a model's
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "source"])]
    hypotheses: Option<PathBuf>,
    /// Other translations, to say whether the difference is more than chance
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// The language of the texts
    #[arg(long, value_name = "LANGUAGE")]
    from: Option<String>,
    /// The language of the translations
    #[arg(long, value_name = "LANGUAGE")]
    to: Option<String>,
    /// Beams that are searched [default: the model's]
    #[arg(long, value_name = "N")]
    num_beams: Option<usize>,
    /// Power of the length that divides the beams' scores
    #[arg(long, value_name = "X")]
    length_penalty: Option<f32>,
    /// How BLEU makes segments words
    #[arg(long, value_enum, default_value = "13a")]
    tokenize: TokenizeName,
    /// Write the translations to this file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Corpora that are drawn for intervals and tests
    #[arg(long, value_name = "N", default_value_t = 1000)]
    samples: usize,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum TokenizeName {
    #[value(name = "13a")]
    V13a,
    Intl,
    Zh,
    Char,
    None,
}

impl From<TokenizeName> for Tokenize {
    fn from(name: TokenizeName) -> Self {
        match name {
            TokenizeName::V13a => Self::V13a,
            TokenizeName::Intl => Self::International,
            TokenizeName::Zh => Self::Chinese,
            TokenizeName::Char => Self::Characters,
            TokenizeName::None => Self::None,
        }
    }
}

/// Runs the command.
pub fn run(args: &Args, context: &Context) -> Result<ExitCode> {
    let references: Vec<Vec<String>> = args
        .reference
        .iter()
        .map(|path| lines(path))
        .collect::<Result<_>>()?;
    let baseline = args.baseline.as_deref().map(lines).transpose()?;
    let start = Instant::now();
    let written = match (&args.hypotheses, &args.source) {
        (Some(path), _) => lines(path)?,
        (None, Some(source)) => translate(args, &lines(source)?, context)?,
        (None, None) => bail!("nothing to score: give --source for a model to translate, or --hypotheses"),
    };
    let seconds = start.elapsed().as_secs_f64();
    for (path, set) in args.reference.iter().zip(&references) {
        same_count(path, set.len(), written.len())?;
    }
    if let (Some(path), Some(set)) = (&args.baseline, &baseline) {
        same_count(path, set.len(), written.len())?;
    }
    if let Some(out) = &args.out {
        sensorium::hub::atomic::write_bytes(out, format!("{}\n", written.join("\n")).as_bytes())?;
    }
    let scorer = Scorer {
        written: &written,
        references: &references,
        baseline: baseline.as_deref(),
        samples: args.samples,
        seed: context.global.seed.unwrap_or(12345),
    };
    let language = args.to.clone().unwrap_or_default();
    let tokenized = |texts: &[String]| -> Vec<String> {
        texts.iter().map(|text| moses_tokenize(text, &language)).collect()
    };
    let bleu = Bleu {
        tokenize: args.tokenize.into(),
        ..Bleu::default()
    };
    let moses_written = tokenized(&written);
    let moses_references: Vec<Vec<String>> = references.iter().map(|set| tokenized(set)).collect();
    let moses_baseline = baseline.as_deref().map(tokenized);
    let moses = Scorer {
        written: &moses_written,
        references: &moses_references,
        baseline: moses_baseline.as_deref(),
        ..scorer
    };
    let results = [
        scorer.score(&bleu)?,
        moses
            .score(&Bleu::tokenised_lowercase())?
            .named("BLEU, tokenised, lower case"),
        scorer.score(&Chrf::plus_plus())?,
        scorer.score(&Ter::default())?,
    ];
    tell(
        &results,
        &written,
        (args.hypotheses.is_none()).then_some(seconds),
        context,
    )
}

fn lines(path: &Path) -> Result<Vec<String>> {
    Ok(parallel::lines(path)?)
}

fn same_count(path: &Path, found: usize, expected: usize) -> Result<()> {
    if found != expected {
        bail!(
            "{} has {found} lines, expected {expected}: one for each text",
            path.display()
        );
    }
    Ok(())
}

fn translate(args: &Args, sources: &[String], context: &Context) -> Result<Vec<String>> {
    let languages = Languages {
        from: args.from.as_deref(),
        to: args.to.as_deref(),
    };
    let hub = context.hub()?;
    let name = match &args.model {
        Some(name) => name.clone(),
        None => sensorium::translation_model(&hub, languages)?.to_string(),
    };
    let config = GenerationConfig {
        num_beams: args.num_beams,
        length_penalty: args.length_penalty,
        ..GenerationConfig::default()
    };
    config.validate()?;
    let device = context.device()?;
    let kind = context.global.dtype.map(|dtype| dtype.kind());
    let translator = Translator::open(&hub.resolve(&name)?, device, kind)?;
    let bar = progress::items(sources.len() as u64, "sentences", context.shows_progress());
    let mut on_progress = |done: usize, _: usize| bar.set_position(done as u64);
    let options = TranslateOptions {
        on_progress: Some(&mut on_progress),
        whole_lines: true,
        ..TranslateOptions::default()
    };
    let written = translator
        .translate_with(sources, languages, &config, options)
        .with_context(|| format!("cannot translate with {name}"));
    bar.finish_and_clear();
    written
}

/// Texts beside what they should be.
#[derive(Clone, Copy)]
struct Scorer<'a> {
    written: &'a [String],
    references: &'a [Vec<String>],
    baseline: Option<&'a [String]>,
    samples: usize,
    seed: u64,
}

/// A metric's result.
struct Scored {
    name: String,
    signature: String,
    interval: Interval,
    paired: Option<Paired>,
}

impl Scored {
    fn named(self, name: &str) -> Self {
        Self {
            name: name.to_string(),
            ..self
        }
    }
}

impl Scorer<'_> {
    fn score<M: Metric>(&self, metric: &M) -> Result<Scored> {
        let sets: Vec<&[String]> = self.references.iter().map(Vec::as_slice).collect();
        let counts = |texts: &[String]| -> Result<Vec<Counts>> { Ok(metric.count_all(texts, &sets)?) };
        let ours = counts(self.written)?;
        let paired = match self.baseline {
            Some(baseline) => Some(paired_bootstrap(
                metric,
                &ours,
                &counts(baseline)?,
                self.samples,
                self.seed,
            )?),
            None => None,
        };
        Ok(Scored {
            name: metric.name(),
            signature: metric.signature(sets.len()),
            interval: bootstrap(metric, &ours, self.samples, self.seed)?,
            paired,
        })
    }
}

fn tell(results: &[Scored], written: &[String], seconds: Option<f64>, context: &Context) -> Result<ExitCode> {
    if context.global.json {
        let metrics = results.iter().map(|result| {
            let mut value = json!({
                "name": result.name, "signature": result.signature, "score": result.interval.score,
                "confidence": result.interval.half_width,
            });
            if let Some(paired) = &result.paired {
                value["baseline"] = paired.baseline.score.into();
                value["p_value"] = paired.p_value.into();
            }
            value
        });
        print::json(&json!({
            "metrics": metrics.collect::<Vec<Value>>(), "segments": written.len(), "seconds": seconds,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let with_baseline = results.iter().any(|result| result.paired.is_some());
    let head: &[&str] = match with_baseline {
        true => &["metric", "score", "± 95 %", "baseline", "p", "signature"],
        false => &["metric", "score", "± 95 %", "signature"],
    };
    let mut rows = vec![head.iter().map(|name| (*name).to_string()).collect::<Vec<_>>()];
    for result in results {
        let mut row = vec![
            result.name.clone(),
            format!("{:.2}", result.interval.score),
            format!("{:.2}", result.interval.half_width),
        ];
        if let Some(paired) = &result.paired {
            row.push(format!("{:.2}", paired.baseline.score));
            row.push(format!("{:.4}", paired.p_value));
        }
        row.push(result.signature.clone());
        rows.push(row);
    }
    let mut text = table::aligned(&rows, None);
    if let Some(seconds) = seconds {
        let rate = written.len() as f64 / seconds.max(1e-9);
        text += &format!(
            "{} segments in {seconds:.1} s, {rate:.1} a second\n",
            written.len()
        );
    }
    print::text(&text)?;
    Ok(ExitCode::SUCCESS)
}

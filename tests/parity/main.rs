//! Runs parity cases through the public library and writes what came out: `cargo xtask parity`.
//!
//! A case is a folder with a checkpoint and what the Python reference made of it; its format is described
//! in the repository's `tests/parity/README.md`. This program knows no case by name: a case's checks say
//! what to do.

mod case;
mod compare;
mod moonshine;
mod processors;
mod seq2seq;
mod speech;
mod text;
mod value;
mod voices;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::{Map, Value, json};

use case::{Case, Check};
use compare::Verdict;

#[derive(Parser)]
#[command(
    name = "cargo xtask parity",
    about = "Compares Sensorium with the reference's outputs"
)]
struct Args {
    /// Folders of cases, or single cases [default: shared/parity/cases beside the checkout, else tests/parity/cases]
    dirs: Vec<PathBuf>,
    /// Only cases whose name matches this pattern
    #[arg(long, default_value = "*")]
    case: String,
    /// Where the results go, a JSON file a case
    #[arg(long, default_value = "target/parity")]
    out: PathBuf,
    /// Rounding must explain every difference
    #[arg(long)]
    strict: bool,
    /// Only checks of these kinds, separated by commas
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Print every check that falls short
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all went well.
fn run(args: &Args) -> Result<bool> {
    let pattern = glob::Pattern::new(&args.case).context("--case is not a pattern")?;
    let mut folders = Vec::new();
    for dir in &default_dirs(&args.dirs)? {
        find(dir, &mut folders).with_context(|| format!("cannot read {}", dir.display()))?;
    }
    folders.retain(|folder| pattern.matches(&folder.file_name().unwrap_or_default().to_string_lossy()));
    folders.sort();
    if folders.is_empty() {
        bail!("no case found: a case is a folder with `expected.json`");
    }
    fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    println!(
        "{:44} {:>6} {:>6} {:>6} {:>6}",
        "case", "passed", "near", "failed", "errors"
    );
    let mut total = Tally::default();
    for folder in &folders {
        let tally = run_case(folder, args)?;
        total.add(&tally);
    }
    println!(
        "{:44} {:>6} {:>6} {:>6} {:>6}",
        format!("{} cases", folders.len()),
        total.passed,
        total.near,
        total.failed,
        total.errors
    );
    Ok(total.failed == 0 && total.errors == 0 && (!args.strict || total.near == 0))
}

/// The folders to look in when none is named.
fn default_dirs(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("the checkout")?;
    let shared = root.parent().map(|parent| parent.join("shared/parity/cases"));
    Ok(vec![
        shared
            .filter(|dir| dir.is_dir())
            .unwrap_or_else(|| root.join("tests/parity/cases")),
    ])
}

/// Collects the case folders in `dir`, or `dir` itself.
fn find(dir: &Path, folders: &mut Vec<PathBuf>) -> Result<()> {
    if dir.join("expected.json").is_file() {
        folders.push(dir.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.join("expected.json").is_file() {
            folders.push(path);
        }
    }
    Ok(())
}

#[derive(Default)]
struct Tally {
    passed: usize,
    near: usize,
    failed: usize,
    errors: usize,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.near += other.near;
        self.failed += other.failed;
        self.errors += other.errors;
    }
}

fn run_case(folder: &Path, args: &Args) -> Result<Tally> {
    let case = Case::open(folder).with_context(|| format!("{} is no case", folder.display()))?;
    let mut results = Map::new();
    let mut tally = Tally::default();
    let mut remarks = Vec::new();
    let mut tools = Tools::new(&case);
    for check in &case.checks {
        if !args.kinds.is_empty() && !args.kinds.contains(&check.kind) {
            continue;
        }
        let result = match tools.run(check) {
            Ok(result) => result,
            Err(error) => {
                tally.errors += 1;
                remarks.push(format!("error {:38} {error:#}", check.id));
                results.insert(check.id.clone(), json!({ "error": format!("{error:#}") }));
                continue;
            }
        };
        for (field, verdict) in compare::check(&case, check, &result) {
            let what = format!("{:38} {field:24}", check.id);
            match verdict {
                Verdict::Pass => tally.passed += 1,
                Verdict::Near(note) => {
                    tally.near += 1;
                    remarks.push(format!("near  {what} {note}"));
                }
                Verdict::Fail(note) => {
                    tally.failed += 1;
                    remarks.push(format!("FAIL  {what} {note}"));
                }
            }
        }
        results.insert(check.id.clone(), Value::Object(result));
    }
    println!(
        "{:44} {:>6} {:>6} {:>6} {:>6}",
        case.name, tally.passed, tally.near, tally.failed, tally.errors
    );
    if args.verbose {
        remarks.iter().for_each(|remark| println!("  {remark}"));
    }
    let path = args.out.join(format!("{}.json", case.name));
    let text = serde_json::to_vec(&json!({ "case": case.name, "results": results }))?;
    sensorium_hub::atomic::write_bytes(&path, &text)?;
    Ok(tally)
}

/// What the checks of a case share, opened when first needed.
struct Tools<'a> {
    case: &'a Case,
    text: text::TextTools<'a>,
    speech: speech::SpeechTools<'a>,
    voices: voices::VoiceTools<'a>,
}

impl<'a> Tools<'a> {
    fn new(case: &'a Case) -> Self {
        Self {
            case,
            text: text::TextTools::new(case),
            speech: speech::SpeechTools::new(case),
            voices: voices::VoiceTools::new(case),
        }
    }

    /// The fields that a check asks for.
    fn run(&mut self, check: &Check) -> Result<Map<String, Value>> {
        let sound = ["audio", "audios"]
            .iter()
            .any(|name| check.input.contains_key(*name));
        match check.kind.as_str() {
            "decode_wav" => self.speech.decode_wav(check),
            "preprocess_audio" => self.speech.preprocess(check),
            "generate" if sound && self.speech.writes() => self.speech.generate(check),
            "forward" if sound => self.speech.forward(check),
            "pipeline" if sound => self.speech.pipeline(check),
            "decode" if self.speech.spells() => self.speech.decode(check),
            "decode" if check.expect.contains_key("offsets") => {
                let mut fields = self.text.decode(check)?;
                fields.insert("offsets".to_string(), self.speech.offsets(check)?);
                Ok(fields)
            }
            "tokenize" if self.voices.reads_characters() => self.voices.tokenize(check),
            "forward" if self.voices.has_speaker(check) => self.voices.forward(check),
            "vocoder" => self.voices.vocoder(check),
            "text_to_speech" => self.voices.speak(check),
            "tokenize" => self.text.tokenize(check),
            "decode" => self.text.decode(check),
            "chat_template" => self.text.chat_template(check),
            "forward" => self.text.forward(check),
            "generate" => self.text.generate(check),
            "pipeline" => self.text.pipeline(check),
            "logits_processor" => processors::run(self.case, check),
            other => bail!("checks of kind `{other}` cannot be run yet"),
        }
    }
}

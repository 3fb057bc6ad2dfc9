//! Texts in, texts out: what `translate` and `summarize` share.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use sensorium::hub::atomic;
use sensorium::text::document::Format;
use sensorium::{Content, Origin, Output};
use serde_json::json;

use crate::context::Context;
use crate::inputs::{self, Item, Items, Unread};
use crate::outputs::Outputs;
use crate::print;

/// Where the texts come from and go.
#[derive(Debug, clap::Args)]
pub struct RewriteArgs {
    /// Texts, files, folders, glob patterns, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Write to this file; of several inputs, to files of their names in this folder
    #[arg(short, long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// What stays as it is [default: by the file's name]
    #[arg(long, value_enum)]
    format: Option<FormatName>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FormatName {
    /// Line breaks
    Text,
    /// Code, links, markers
    Markdown,
    /// Numbers, times, tags of SRT and WebVTT
    Subtitles,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Text => Self::Plain,
            FormatName::Markdown => Self::Markdown,
            FormatName::Subtitles => Self::Subtitles,
        }
    }
}

/// Gives each input to `rewrite` and puts the result where it is to go. A bad input is an error while the others
/// go on.
pub fn run(
    args: &RewriteArgs,
    context: &Context,
    mut rewrite: impl FnMut(&str, Format) -> Result<Output>,
) -> Result<ExitCode> {
    let Items { items, several } = inputs::expand(&args.inputs)?;
    let mut failed = false;
    let mut outputs = Outputs::default();
    for item in &items {
        let name = item.name();
        let result = read(item).and_then(|(text, path)| {
            let target = match &args.out {
                Some(out) => Some(target(out, path.as_deref(), several)?),
                None => None,
            };
            if let Some(target) = &target {
                outputs.take(target, &name)?;
            }
            let by_name = path.as_deref().map_or(Format::Plain, Format::of_file);
            let output = rewrite(&text, args.format.map_or(by_name, Format::from))?;
            if let Some(target) = target {
                save(&target, &output, text.ends_with('\n'))?;
            }
            Ok(output)
        });
        match result {
            Ok(output) if context.global.json && several => {
                print::json(&json!({ "input": name, "output": output }))?;
            }
            Ok(output) if context.global.json => print::json(&output)?,
            Ok(_) if args.out.is_some() => {}
            Ok(output) => {
                let text = text_of(&output);
                let end = if text.ends_with('\n') { "" } else { "\n" };
                print::text(&format!("{text}{end}"))?;
            }
            Err(error) => {
                failed = true;
                tell_failure(&name, &error, several, context)?;
            }
        }
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Says what is wrong with an input: on standard error, or as a line of JSON among those of the others.
pub fn tell_failure(name: &str, error: &anyhow::Error, several: bool, context: &Context) -> Result<()> {
    let problem = print::one_line(error);
    match context.global.json && several {
        true => print::json(&json!({ "input": name, "error": problem })),
        false => {
            eprintln!("error: {problem}");
            Ok(())
        }
    }
}

/// The text of an input, and the file that it is from.
pub fn read(item: &Item) -> Result<(String, Option<PathBuf>)> {
    let input = match item.text(true) {
        Some(input) => input,
        None => item.read().map_err(|unread| match unread {
            Unread::Failed(problem) | Unread::Other(problem) => anyhow::anyhow!(problem),
        })?,
    };
    let path = match &input.origin {
        Origin::Path(path) => Some(path.clone()),
        _ => None,
    };
    match input.content {
        Content::Text(text) => Ok((text, path)),
        _ => bail!("{} is no text", input.origin),
    }
}

/// The file that a result goes to.
pub fn target(out: &Path, path: Option<&Path>, several: bool) -> Result<PathBuf> {
    if !several && !out.is_dir() {
        return Ok(out.to_path_buf());
    }
    let Some(name) = path.and_then(Path::file_name) else {
        bail!(
            "--out {} is a folder, and what is not from a file has no name there",
            out.display()
        );
    };
    std::fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let target = out.join(name);
    if path.is_some_and(|path| same_file(path, &target)) {
        bail!(
            "{} would be replaced: name another folder with --out",
            target.display()
        );
    }
    Ok(target)
}

pub fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn save(path: &Path, output: &Output, line_end: bool) -> Result<()> {
    let mut text = text_of(output).to_string();
    if line_end && !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(atomic::write_bytes(path, text.as_bytes())?)
}

fn text_of(output: &Output) -> &str {
    match output {
        Output::Translation { translation_text } => translation_text,
        Output::Summary { summary_text } => summary_text,
        Output::Generation { generated_text } => generated_text,
        _ => "",
    }
}

use super::*;
use clap::Parser;
use sensorium::{InputKind, Output, Pipeline, PipelineError, Task};
use serde_json::{Value, json};
use std::fs;

/// Counts the words of a text, and has no number for one that says so.
struct WordCount;

impl Pipeline for WordCount {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        let count = |input: &Input| match &input.content {
            Content::Text(text) if text.contains("unspeakable") => {
                Err(PipelineError::input(input, "it is unspeakable"))
            }
            Content::Text(text) => Ok(Output::Other(text.split_whitespace().count().into())),
            _ => Err(PipelineError::unsupported(input, "text")),
        };
        inputs.iter().map(count).collect()
    }
}

/// Runs `sensorium run ARGUMENTS` with a registry of one task: the lines printed, and whether all went well.
fn run(arguments: &[&str], inputs: &[PathBuf]) -> (Vec<String>, bool) {
    let mut registry = Registry::empty();
    let task = Task {
        name: "word-count",
        inputs: &[InputKind::Text],
        build: Some(|_| Ok(Box::new(WordCount))),
        ..Task::EMPTY
    };
    registry.register(task).unwrap();
    run_in(&registry, arguments, inputs)
}

fn run_in(registry: &Registry, arguments: &[&str], inputs: &[PathBuf]) -> (Vec<String>, bool) {
    let cli = crate::args::Cli::try_parse_from(["sensorium", "tasks"].iter().chain(arguments)).unwrap();
    let mut out = Vec::new();
    let request = Request {
        inputs,
        ..Request::default()
    };
    let code = run_with(registry, &request, &Context::new(cli.global), &mut out).unwrap();
    let lines = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    (lines, format!("{code:?}") == format!("{:?}", ExitCode::SUCCESS))
}

#[test]
fn one_input_is_a_bare_value() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.txt");
    fs::write(&file, "to be or not to be").unwrap();
    assert_eq!(
        run(&["--json"], std::slice::from_ref(&file)),
        (vec!["6".to_owned()], true)
    );
    assert_eq!(run(&[], &[file]), (vec!["6".to_owned()], true));
}

#[test]
fn several_inputs_keep_their_order_and_fail_alone() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let one = write("z.txt", b"one");
    let bad = write("b.txt", b"unspeakable");
    let image = write("c.png", b"\x89PNG\r\n\x1a\n");
    let two = write("a.txt", b"one two");
    let missing = dir.path().join("missing");

    let inputs = [one, bad, image, missing, two];
    let (lines, ok) = run(&["--json", "-q"], &inputs);
    let values: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!ok);
    let names: Vec<_> = values
        .iter()
        .map(|value| value["input"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        inputs
            .iter()
            .map(|path| path.to_str().unwrap())
            .collect::<Vec<_>>()
    );
    assert_eq!(values[0], json!({"input": names[0], "output": 1}));
    assert_eq!(
        values[1]["error"],
        format!("cannot use {}: it is unspeakable", names[1])
    );
    assert_eq!(
        values[2]["error"],
        format!("no task takes an image ({})", names[2])
    );
    assert!(values[3]["error"].as_str().unwrap().starts_with("cannot read "));
    assert_eq!(values[4], json!({"input": names[4], "output": 2}));

    // The same files in a folder: what is no text is skipped, and is no failure.
    fs::remove_file(dir.path().join("b.txt")).unwrap();
    let (lines, ok) = run(&["-q"], &[dir.path().to_path_buf()]);
    assert!(ok);
    assert_eq!(lines, [format!("{}\t2", names[4]), format!("{}\t1", names[0])]);
}

#[test]
fn a_folder_with_nothing_to_use_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let cli = crate::args::Cli::try_parse_from(["sensorium", "-q", "tasks"]).unwrap();
    let inputs = [dir.path().to_path_buf()];
    let request = Request {
        inputs: &inputs,
        ..Request::default()
    };
    let result = run_with(
        &Registry::empty(),
        &request,
        &Context::new(cli.global),
        &mut Vec::new(),
    );
    assert_eq!(
        result.unwrap_err().to_string(),
        "no task could use any of the inputs"
    );
}

#[test]
fn more_inputs_than_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..BATCH + 3 {
        fs::write(dir.path().join(format!("{i:04}")), "x ".repeat(i + 1)).unwrap();
    }
    let (lines, ok) = run(&["-q"], &[dir.path().to_path_buf()]);
    assert!(ok && lines.len() == BATCH + 3);
    assert!(
        lines
            .iter()
            .enumerate()
            .all(|(i, line)| line.ends_with(&format!("{i:04}\t{}", i + 1)))
    );
}

#[test]
fn a_batch_of_which_nothing_can_be_read_is_a_line_each() {
    let inputs: Vec<PathBuf> = (0..BATCH + 3).map(|i| format!("missing/{i}").into()).collect();
    let (lines, ok) = run(&["--json", "-q"], &inputs);
    assert!(!ok && lines.len() == BATCH + 3);
    assert!(lines.iter().all(|line| line.contains("cannot read")));
}

#[test]
fn each_kind_goes_its_own_way() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let image = write("a.png", b"\x89PNG\r\n\x1a\n");
    let (one, two) = (write("b.txt", b"one"), write("c.txt", b"one two"));
    let mut registry = Registry::empty();
    let words = Task {
        name: "word-count",
        inputs: &[InputKind::Text],
        build: Some(|_| Ok(Box::new(WordCount))),
        ..Task::EMPTY
    };
    let sizes = Task {
        name: "size",
        inputs: &[InputKind::Image],
        build: Some(|_| Ok(Box::new(Sizes))),
        ..Task::EMPTY
    };
    registry.register(words).unwrap();
    registry.register(sizes).unwrap();
    let (lines, ok) = run_in(&registry, &["-q"], &[image.clone(), one.clone(), image, two]);
    let results: Vec<_> = lines
        .iter()
        .map(|line| line.rsplit('\t').next().unwrap())
        .collect();
    assert!(ok);
    assert_eq!(results, ["8", "1", "8", "2"]);
    assert!(lines[1].starts_with(one.to_str().unwrap()));
}

/// Counts the bytes of an image file.
struct Sizes;

impl Pipeline for Sizes {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        let count = |input: &Input| Ok(Output::Other(size(input).into()));
        inputs.iter().map(count).collect()
    }
}

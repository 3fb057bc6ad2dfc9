//! The program as its user meets it: output, messages, exit statuses.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The program in an empty home, without what the environment of the test says.
fn sensorium(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sensorium"));
    for name in [
        "HF_HOME",
        "HF_HUB_CACHE",
        "XDG_CACHE_HOME",
        "SENSORIUM_HOME",
        "SENSORIUM_DATA",
        "COLUMNS",
    ] {
        command.env_remove(name);
    }
    command.env("HOME", home).current_dir(home);
    command
}

fn run(home: &Path, args: &[&str]) -> Output {
    sensorium(home).args(args).output().unwrap()
}

/// Runs with `args` and checks the exit status and that each of `expected` is on standard error.
fn check_error(home: &Path, args: &[&str], status: i32, expected: &[&str]) {
    let output = run(home, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{args:?}: {said}");
    for text in expected {
        assert!(said.contains(text), "{args:?}: no `{text}` in: {said}");
    }
    assert!(!said.contains("a bug in Sensorium"), "{args:?}: {said}"); // what a panic is told as
    if status == 1 {
        assert_eq!(
            said.trim_end().lines().count(),
            1,
            "{args:?}: more than a sentence: {said}"
        );
        assert!(said.starts_with("error: "), "{args:?}: {said}");
        assert!(output.stdout.is_empty(), "{args:?}: partial output");
    }
}

fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn help_and_version() {
    let home = tempfile::tempdir().unwrap();
    let help = stdout(&run(home.path(), &["--help"]));
    for command in [
        "run",
        "tasks",
        "classify",
        "models",
        "datasets",
        "doctor",
        "completions",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
    for flag in [
        "--json",
        "--device",
        "--dtype",
        "--threads",
        "--offline",
        "--seed",
        "--verbose",
        "--quiet",
    ] {
        assert!(help.contains(flag), "{help}");
    }
    let version = stdout(&run(home.path(), &["--version"]));
    assert!(
        version.starts_with(concat!("sensorium ", env!("CARGO_PKG_VERSION"), " (libtorch ")),
        "{version}"
    );
    let version = json(&run(home.path(), &["--version", "--json"]));
    assert_eq!(version["sensorium"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn tasks_are_listed() {
    let home = tempfile::tempdir().unwrap();
    let text = stdout(&run(home.path(), &["tasks"]));
    assert!(text.starts_with("TASK "), "{text}");
    assert!(
        text.lines()
            .any(|line| line.starts_with("image-classification ") && line.contains("image"))
    );
    let tasks = json(&run(home.path(), &["tasks", "--json"]));
    let names: Vec<_> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["task"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"automatic-speech-recognition") && names.contains(&"text-generation"));
    let (table, types) = text.split_once("\n\n").unwrap();
    assert_eq!(table.lines().count(), names.len() + 1);
    let types: Vec<&str> = types.split_whitespace().collect();
    assert!(
        types
            .windows(2)
            .any(|pair| pair == ["text-generation", "gemma2,"]),
        "{types:?}"
    );
}

#[test]
fn wrong_usage_exits_with_2() {
    let home = tempfile::tempdir().unwrap();
    let check = |args: &[&str], expected: &[&str]| check_error(home.path(), args, 2, expected);
    check(&["--frobnicate"], &["unexpected argument '--frobnicate'"]);
    check(
        &["clasify", "x"],
        &["unrecognized subcommand 'clasify'", "classify"],
    );
    check(&["classify"], &["<INPUT>"]);
    check(
        &["tasks", "--device", "gpu"],
        &["there is no device `gpu`; use auto, cpu, cuda or cuda:N"],
    );
    check(
        &["tasks", "--dtype", "int3"],
        &["there is no dtype `int3`; use f32, bf16 or f16"],
    );
    check(&["tasks", "--threads", "0"], &["--threads"]);
    check(&["classify", "x", "-k", "0"], &["--top-k"]);
    check(&["eval", "mnist", "--plot", "c.png"], &["c.png", ".svg"]);
    check(&["tasks", "-q", "-v"], &["cannot be used with"]);
    let asr = ["train", "asr", "--data", "x.tsv", "--out", "y"];
    let with = |more: &[&'static str]| [&asr, more].concat();
    check(&with(&["--freeze-encoder"]), &["--init"]);
    check(&with(&["--init", "m", "--inner", "2"]), &["cannot be used with"]);
    for what in ["asr", "sounds", "translation", "g2p", "aligner", "tts", "vocoder"] {
        for flag in ["--epochs", "--batch-size"] {
            if (what, flag) != ("translation", "--batch-size") {
                check(&["train", what, flag, "0"], &[flag, "a whole number, 1 or more"]);
            }
        }
    }
    check(&["eval", "asr", "--strings", "0"], &["--strings", "1 or more"]);
    let model = ["transcribe", "a.wav", "--language-model", "b.arpa", "--lm-weight"];
    check(&[&model[..], &["nan"]].concat(), &["expected a number"]);
    check(
        &["train", "lm", "--steps", "0"],
        &["--steps", "a whole number, 1 or more"],
    );
    check(&["train", "mnist", "--epochs", "0"], &["--epochs"]);
    for out in ["a.srt", "a.VTT", "a.tsv", "a.lrc", "a.txt"] {
        check(
            &["transcribe", "x.wav", "--json", "--out", out],
            &["--json and the name in --out"],
        );
        check(
            &["align", "x.wav", "--text", "one", "--json", "--out", out],
            &["--json and the name in --out"],
        );
    }
    check(
        &["run", "words", "-t", "sumarize"],
        &["no task `sumarize` (did you mean `summarize`"],
    );
    assert_eq!(run(home.path(), &[]).status.code(), Some(2));
}

#[test]
fn a_full_disk_under_standard_output_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let Ok(full) = fs::OpenOptions::new().write(true).open("/dev/full") else {
        return; // only Linux has it
    };
    let output = sensorium(home.path()).arg("tasks").stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.starts_with("error: cannot write to standard output: "),
        "{said}"
    );
}

#[test]
fn bad_input_is_one_sentence() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    fs::write(path.join("empty.png"), "").unwrap();
    fs::write(path.join("paper.png"), "%PDF-1.7 ...").unwrap();
    fs::write(path.join("zip.png"), b"PK\x03\x04...").unwrap();
    fs::create_dir(path.join("nothing")).unwrap();
    let check = |args: &[&str], expected: &[&str]| check_error(path, args, 1, expected);
    check(
        &["run", "missing.png"],
        &["error: cannot read missing.png: No such file or directory"],
    );
    check(
        &["run", "empty.png"],
        &["empty.png is empty; text, an image or audio is needed"],
    );
    check(&["classify", "paper.png"], &["paper.png is a PDF document"]);
    check(&["classify", "zip.png"], &["zip.png is a ZIP archive"]);
    check(&["run", "nothing"], &["the folder nothing holds no files"]);
    check(&["run", "*.jpg"], &["no file fits `*.jpg`"]);
    check(&["run", "-", "-"], &["only once"]);
    check(
        &["models", "show", "no/such", "--offline"],
        &["no/such", "--offline"],
    );
    check(&["models", "rm", "no/such"], &["no/such"]);
    fs::write(path.join("list.tsv"), "audio\ttext\tspeaker\na.wav\tone\tann\n").unwrap();
    fs::write(path.join("a.wav"), "").unwrap();
    let asr = ["train", "asr", "--data", "list.tsv", "--out", "y"];
    let with = |more: &[&'static str]| [&asr, more].concat();
    check(
        &with(&["--init", "fsdd-strings", "--language", "en"]),
        &["--language is for --init with a Whisper model, which this is not"],
    );
    check(
        &with(&["--without-speaker", "bob"]),
        &["list.tsv has no recordings of a speaker called bob"],
    );
    check(&["datasets", "show", "minst"], &["minst", "mnist"]);
    check(
        &["datasets", "pull", "mnist", "--offline"],
        &["mnist", "--offline"],
    );
}

#[test]
fn routing_is_explained_and_refused_with_reasons() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    image::GrayImage::new(28, 28)
        .save(path.join("digit.png"))
        .unwrap();
    fs::rename(path.join("digit.png"), path.join("digit.wav")).unwrap(); // the extension lies
    fs::write(path.join("words.txt"), "to be or not to be").unwrap();

    let route = json(&run(path, &["run", "digit.wav", "--explain", "--json"]));
    assert_eq!(route["task"], "image-classification");
    let model = sensorium::Registry::builtin()
        .find("image-classification")
        .unwrap()
        .default_model
        .unwrap();
    assert_eq!(route["model"], model);
    assert_eq!(route["why"][0], "digit.wav is an image (PNG), by its content");
    let text = stdout(&run(path, &["run", "digit.wav", "--explain"]));
    assert!(
        text.starts_with(&format!("task:  image-classification\nmodel: {model}\n- ")),
        "{text}"
    );

    let check = |args: &[&str], expected: &[&str]| check_error(path, args, 1, expected);
    check(
        &["run", "words.txt", "-t", "summarization"],
        &["cannot start `summarization`: this task has no default model: name a model folder or a hub id"],
    );
    check(
        &["run", "digit.wav", "-t", "transcribe"],
        &["`automatic-speech-recognition` takes audio, but digit.wav is an image (PNG)"],
    );
    check(
        &["classify", "words.txt"],
        &["`text-classification` has no pipeline"],
    );
}

#[test]
fn standard_input_is_recognised_too() {
    let home = tempfile::tempdir().unwrap();
    let mut command = sensorium(home.path());
    command
        .args(["run", "-", "--explain"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"fLaC\0\0\0\x22").unwrap();
    let text = stdout(&child.wait_with_output().unwrap());
    assert!(text.contains("standard input is audio (FLAC)"), "{text}");
}

#[test]
fn several_unreadable_inputs_are_a_line_each() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["run", "a.png", "b.png", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["input"], "a.png");
    assert_eq!(
        lines[1]["error"],
        "cannot read b.png: No such file or directory (os error 2)"
    );
}

#[test]
fn models_data_sets_and_the_doctor() {
    let home = tempfile::tempdir().unwrap();
    assert!(json(&run(home.path(), &["models", "list", "--json"])).is_array());
    let sets = json(&run(home.path(), &["datasets", "list", "--json"]));
    assert_eq!(sets[0]["dataset"], "mnist");
    assert_eq!(sets[0]["path"], Value::Null);
    let set = json(&run(home.path(), &["datasets", "show", "mnist", "--json"]));
    assert_eq!(set["files"].as_array().unwrap().len(), 4);

    let report = json(&run(home.path(), &["doctor", "--json"]));
    assert!(report["cpu"]["threads"].as_i64().unwrap() >= 1);
    assert!(report["problems"].is_array());
    assert!(stdout(&run(home.path(), &["doctor"])).contains("libtorch"));
}

/// A model folder `model` in `home`, with random weights.
fn save_model(home: &Path) {
    use sensorium::hub::save_safetensors;
    use sensorium::tch::{Device, Kind, Tensor};

    let folder = home.join("model");
    fs::create_dir(&folder).unwrap();
    let labels: serde_json::Map<_, _> = (0..10).map(|i| (i.to_string(), i.to_string().into())).collect();
    let config = serde_json::json!({ "model_type": "mnist-cnn", "id2label": labels });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let shapes: [(&str, &[i64]); 4] = [
        ("conv.weight", &[32, 1, 3, 3]),
        ("conv.bias", &[32]),
        ("dense.weight", &[10, 32 * 13 * 13]),
        ("dense.bias", &[10]),
    ];
    let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu)) * 0.1;
    let tensors = shapes.map(|(name, shape)| (name.to_owned(), random(shape)));
    save_safetensors(&folder.join("model.safetensors"), &tensors, &Default::default()).unwrap();
}

#[test]
fn classify_with_a_model_folder() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path();
    save_model(path);
    fs::create_dir(path.join("digits")).unwrap();
    for name in ["digits/b.png", "digits/a.jpg"] {
        let bar = |x: u32, _| image::Luma([if (12..16).contains(&x) { 250u8 } else { 5 }]);
        image::GrayImage::from_fn(28, 28, bar)
            .save(path.join(name))
            .unwrap();
    }
    fs::write(path.join("digits/notes.txt"), "not a picture").unwrap();

    let one = json(&run(
        path,
        &["classify", "digits/b.png", "-m", "model", "--json", "-k", "3"],
    ));
    assert_eq!(one.as_array().unwrap().len(), 3);
    assert!(one[0]["score"].as_f64() >= one[1]["score"].as_f64());
    assert!(one[0]["label"].is_string());
    let text = stdout(&run(path, &["classify", "digits/b.png", "-m", "model"]));
    assert_eq!(text.lines().count(), 10);

    let output = run(path, &["classify", "digits", "-m", "model", "--json"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("digits/notes.txt is text (UTF-8): skipped"));
    let lines: Vec<Value> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<_> = lines.iter().map(|line| line["input"].as_str().unwrap()).collect();
    assert_eq!(names, ["digits/a.jpg", "digits/b.png"]);
    assert!(lines.iter().all(|line| line["output"][0]["label"].is_string()));

    let check = |args: &[&str], expected: &[&str]| check_error(path, args, 1, expected);
    check(
        &["classify", "digits/notes.txt", "-m", "model"],
        &["takes an image, but digits/notes.txt is text"],
    );
    fs::write(path.join("model/model.safetensors"), b"short").unwrap();
    check(
        &["classify", "digits/b.png", "-m", "model"],
        &["model.safetensors"],
    );
    fs::write(path.join("model/config.json"), b"{").unwrap();
    check(&["classify", "digits/b.png", "-m", "model"], &["config.json"]);
    fs::remove_dir_all(path.join("model")).unwrap();
    check(&["classify", "digits/b.png", "-m", "./model"], &["./model"]);
}

#[test]
fn completions_for_each_shell() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stdout(&run(home.path(), &["completions", shell])).contains("classify"));
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let home = tempfile::tempdir().unwrap();
    let mut command = sensorium(home.path());
    command
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

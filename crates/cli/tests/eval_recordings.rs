//! `eval asr` and `eval sounds` on recordings of which some cannot be heard.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A folder with a good recording, one that is no sound, and one of 5 milliseconds.
fn recordings() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/samples/speech/pi.wav");
    let good = fs::read(sample).expect("a sample");
    let short = [&good[..40], &160u32.to_le_bytes(), &good[2000..2160]].concat();
    for (name, bytes) in [
        ("pi.wav", &good[..]),
        ("damaged.wav", b"no sound"),
        ("short.wav", &short),
    ] {
        fs::write(dir.path().join(name), bytes).expect("a file");
    }
    dir
}

fn eval(what: &str, model: &str, list: &[(&str, &str)], more: &[&str]) -> Output {
    let dir = recordings();
    let rows: String = list
        .iter()
        .map(|(name, text)| format!("{name}\t{text}\n"))
        .collect();
    fs::write(dir.path().join("list.tsv"), format!("audio\ttext\n{rows}")).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_sensorium"))
        .args(["--offline", "eval", what, "--model", model, "--data", "list.tsv"])
        .args(more)
        .env("HOME", dir.path())
        .current_dir(dir.path())
        .output()
        .expect("the program starts")
}

fn check(output: &Output, status: i32, expected: &[&str]) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert_eq!(output.status.code(), Some(status), "{said}");
    for text in expected {
        assert!(said.contains(text), "no `{text}` in: {said}");
    }
}

const PI: &str = "three one four one five nine";

#[test]
fn a_recording_that_cannot_be_heard_is_named_and_the_others_are_heard() {
    let list = [("damaged.wav", "one"), ("pi.wav", PI), ("short.wav", "two")];
    let output = eval("asr", "fsdd-strings", &list, &["--json"]);
    check(&output, 1, &[]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["wer"], 0.0);
    assert_eq!(
        (&found["recordings"], &found["words"]["hits"]),
        (&1.into(), &6.into())
    );
    let left_out = found["left_out"].as_array().expect("a list");
    assert_eq!(left_out.len(), 2);
    for (found, (name, why)) in left_out
        .iter()
        .zip([("damaged.wav", "no sound"), ("short.wav", "40 samples")])
    {
        assert_eq!(found["input"], name);
        let error = found["error"].as_str().expect("a text");
        assert!(
            error.starts_with(&format!("{name} cannot be used: ")) && error.contains(why),
            "{error}"
        );
    }
    let output = eval("asr", "fsdd-strings", &list, &[]);
    check(
        &output,
        1,
        &[
            "1 of 1 recordings without",
            "2 recordings are not counted:",
            "  short.wav cannot",
        ],
    );
    let output = eval("asr", "fsdd-strings", &list[1..2], &[]);
    check(&output, 0, &["1 of 1 recordings without"]);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("not counted"));
    let output = eval("asr", "fsdd-strings", &list[..1], &[]);
    check(
        &output,
        1,
        &["error: no recording could be used: damaged.wav cannot be used"],
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn a_class_that_the_model_does_not_know_is_named_and_the_others_are_counted() {
    let list = [("pi.wav", "three"), ("damaged.wav", "one"), ("pi.wav", "eleven")];
    let output = eval("sounds", "fsdd-digits", &list, &["--json"]);
    check(&output, 1, &[]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["recordings"], 1);
    let errors: Vec<&str> = (0..2)
        .filter_map(|i| found["left_out"][i]["error"].as_str())
        .collect();
    assert!(errors[0].starts_with("damaged.wav cannot be used"), "{errors:?}");
    assert_eq!(errors[1], "pi.wav is eleven, which the model does not know");
    let output = eval("sounds", "fsdd-digits", &list, &["--label", "speaker"]);
    check(
        &output,
        1,
        &["no recording could be used: pi.wav is of nobody who is known"],
    );
}

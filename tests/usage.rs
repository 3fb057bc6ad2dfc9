//! What `sensorium transcribe` and `align` refuse: flags without effect, and what a model cannot do.

use std::fs;

use sensorium_tests::recordings::{run, sample};
use sensorium_tests::stderr;

#[test]
fn flags_without_effect_are_wrong_usage() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let sample = sample();
    let sample = sample.to_str().expect("a path");
    let check = |args: &[&str], sentence: &str| {
        let output = run(home, args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(sentence), "{args:?}: {said}");
    };
    let transcribe = |args: &[&str], sentence| check(&[&["transcribe", sample], args].concat(), sentence);
    transcribe(&["--words"], "add --json");
    transcribe(&["--words", "--format", "srt"], "add --json");
    transcribe(&["--timestamps"], "add --json, or --format srt");
    transcribe(
        &["--timestamps", "--format", "txt"],
        "add --json, or --format srt",
    );
    transcribe(&["--rate", "8000"], "--rate");
    transcribe(&["--json", "--format", "srt"], "two kinds of file");
    transcribe(&["--max-line-width", "20"], "add --format srt or vtt");
    transcribe(
        &["--highlight-words", "--format", "tsv"],
        "add --format srt or vtt",
    );
    transcribe(&["--max-line-count", "2", "--format", "srt"], "--max-line-width");
    check(&["transcribe", "--live", "--parts"], "--parts");
    check(&["transcribe", "--live", "--words"], "add --json");
    let align = ["align", sample, "--text", "three"];
    check(
        &[&align[..], &["--highlight-words"]].concat(),
        "add --format srt or vtt",
    );
    check(
        &[&align[..], &["--json", "--format", "vtt"]].concat(),
        "two kinds of file",
    );
}

#[test]
fn what_is_no_detector_of_voices_is_refused() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let sample = sample();
    let sample = sample.to_str().expect("a path");
    fs::write(home.join("x.onnx"), [7; 300]).expect("a file");
    for path in ["x.onnx", "nowhere", "."] {
        let output = run(home, &["transcribe", sample, "--vad", path]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("no detector of voices"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let output = run(home, &["transcribe", sample, "--vad", "x.onnx", "--no-vad"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_a_model_cannot_do_is_refused() {
    let home = tempfile::tempdir().expect("a home");
    let sample = sample();
    let sample = sample.to_str().expect("a path");
    for (flags, cannot) in [
        (&["--language", "de"][..], "be told the language"),
        (&["--translate"], "translate"),
        (&["--prompt", "digits"], "take a prompt"),
        (&["--parts"], "hear a recording in parts"),
        (&["--no-speech-threshold", "0.5"], "check what it heard"),
    ] {
        let output = run(home.path(), &[&["transcribe", sample], flags].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains(&format!("it cannot {cannot}")),
            "{}",
            stderr(&output)
        );
    }
    let output = run(home.path(), &["transcribe", "--live", "--out", "x.txt"]);
    assert_eq!(output.status.code(), Some(2));
}

//! `sensorium eval lm` measures what training measured.

use std::fs;

use sensorium_tests::tiny::Tiny;
use sensorium_tests::{stderr, stdout};
use serde_json::Value;

#[test]
fn the_figures_are_those_of_training() {
    let tiny = Tiny::new();
    let text = "The keeper climbed the narrow stairs, and the lamp was lit. ".repeat(60);
    fs::write(tiny.beside("text.txt"), &text).expect("a file");
    let train = [
        "train",
        "lm",
        "--data",
        "text.txt",
        "--out",
        "out",
        "--steps",
        "6",
        "--eval-every",
        "3",
        "--block",
        "16",
        "--layers",
        "1",
        "--heads",
        "2",
        "--width",
        "16",
        "--json",
    ];
    let trained = tiny.run(&train, b"");
    assert!(trained.status.success(), "{}", stderr(&trained));
    let lines = stdout(&trained);
    let report = lines.lines().last().expect("a report behind the epochs");
    let trained: Value = serde_json::from_str(report).expect("JSON");

    let eval = [
        "eval",
        "lm",
        "-m",
        "out",
        "--data",
        "text.txt",
        "--held-out",
        "0.1",
    ];
    let measured = tiny.run(&[&eval[..], &["--json"]].concat(), b"");
    assert!(measured.status.success(), "{}", stderr(&measured));
    let measured: Value = serde_json::from_str(&stdout(&measured)).expect("JSON");
    for figure in ["loss", "perplexity", "bits_per_byte"] {
        let [a, b] = [&trained["best"], &measured].map(|value| value[figure].as_f64().expect("a figure"));
        assert!(
            (a - b).abs() < 1e-4 * a.abs(),
            "{figure}: {a} in training, {b} now"
        );
    }
    assert_eq!(measured["block"], 16);
    let words = stdout(&tiny.run(&eval, b""));
    assert!(
        words.starts_with("loss  ") && words.contains("nats/token\nperplexity  "),
        "{words}"
    );

    // A file that is for measuring alone is measured as a whole.
    let whole = tiny.run(&["eval", "lm", "-m", "out", "--data", "text.txt", "--json"], b"");
    let whole: Value = serde_json::from_str(&stdout(&whole)).expect("JSON");
    assert_eq!(whole["bytes"], text.len());
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let tiny = Tiny::new();
    fs::write(tiny.beside("short.txt"), "9").expect("a file");
    fs::write(tiny.beside("table.csv"), "id,body\n1,hello\n").expect("a file");
    let refuses = |data: &str, more: &[&str], expected: &str| {
        let args = [&["eval", "lm", "-m", "tiny", "--data", data], more].concat();
        tiny.refuses(&args, b"", &[expected]);
    };
    refuses("short.txt", &[], "short.txt is too short to measure");
    refuses("none.txt", &[], "none.txt cannot be read");
    refuses(
        "table.csv",
        &[],
        "has no column `text`; its columns are `id`, `body`",
    );
    refuses(
        "table.csv",
        &["--text-column", "body", "--block", "4000"],
        "than the 128 tokens",
    );
}

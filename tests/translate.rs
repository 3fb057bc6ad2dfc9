//! What `sensorium translate`, `summarize` and `eval translation` do with texts of all kinds.

use std::fs;
use std::path::Path;
use std::process::Output;

use sensorium_tests::{sensorium, stderr, stdout};
use serde_json::Value;

fn run(home: &Path, args: &[&str]) -> Output {
    let mut command = sensorium(home);
    command.args(args).current_dir(home);
    command.output().expect("the program starts")
}

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

#[test]
fn captions_become_german_and_lines_stay() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let output = run(
        home,
        &[
            "translate",
            "A dog is running in the snow.",
            "--from",
            "en",
            "--to",
            "de",
        ],
    );
    let text = stdout(&output);
    assert!(
        text.contains("Hund") && text.contains("Schnee"),
        "{text} {}",
        stderr(&output)
    );

    fs::write(home.join("a.txt"), "A man. A woman!\n\n  Two dogs.  \r\n***\n").expect("a file");
    let text = stdout(&run(home, &["translate", "a.txt"]));
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!(lines.len(), 5, "{text:?}");
    assert!(
        words(lines[0]) >= 4 && lines[1].is_empty() && lines[3] == "***",
        "{text:?}"
    );
    assert!(
        lines[2].starts_with("  ") && lines[2].ends_with("  \r"),
        "{text:?}"
    );

    let subtitles = "1\n00:00:01,000 --> 00:00:02,000\nA man is\nwalking.\n\n";
    fs::write(home.join("a.srt"), subtitles).expect("a file");
    let output = run(home, &["translate", "a.srt", "--out", "b.srt"]);
    assert!(
        output.status.success() && stdout(&output).is_empty(),
        "{}",
        stderr(&output)
    );
    let text = fs::read_to_string(home.join("b.srt")).expect("the result");
    assert!(text.starts_with("1\n00:00:01,000 --> 00:00:02,000\n"), "{text}");
    assert!(text.contains("Mann") && text.lines().count() == 5, "{text}");
}

#[test]
fn odd_texts_come_out_whole_or_are_refused() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    for text in ["x", "😀 東京 Привет", "3.14", "\u{200b}a\u{301}"] {
        fs::write(home.join("odd.txt"), text).expect("a file");
        let output = run(home, &["translate", "odd.txt", "--json"]);
        assert!(output.status.success(), "{text}: {}", stderr(&output));
        let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
        assert!(value["translation_text"].is_string(), "{value}");
    }
    // Sentences are not lost, however many there are.
    let long = "A dog runs. ".repeat(60);
    fs::write(home.join("long.txt"), &long).expect("a file");
    let text = stdout(&run(home, &["translate", "long.txt", "--num-beams", "1"]));
    assert_eq!(text.matches('.').count(), 60, "{text}");
    // Not a sentence in it: cut anywhere, and no part is lost.
    fs::write(home.join("endless.txt"), "a dog and ".repeat(200)).expect("a file");
    let text = stdout(&run(home, &["translate", "endless.txt", "--num-beams", "1"]));
    assert!(words(&text) > 200, "{text}");

    let check = |args: &[&str], expected: &str| {
        let output = run(home, args);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {error}");
        assert!(
            error.contains(expected) && !error.contains("panicked"),
            "{args:?}: {error}"
        );
    };
    check(
        &["translate", "Hello there", "--to", "fr"],
        "no shipped model translates to fr",
    );
    check(
        &["translate", "Hello there", "--to", "fr", "-m", "multi30k-en-de"],
        "the model does not translate to `fr`; it knows de",
    );
    check(&["translate", "nothing.txt"], "nothing.txt");
    check(
        &["translate", "Hello there", "-m", "mnist-cnn"],
        "not supported for text to text",
    );
    fs::write(home.join("bad.txt"), b"abc\xff").expect("a file");
    check(&["translate", "bad.txt"], "bad.txt");
    check(
        &["translate", "a b c", "--out", "no/such/folder/x.txt"],
        "no/such/folder",
    );
}

#[test]
fn translations_are_scored_beside_references() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let write = |name: &str, text: &str| fs::write(home.join(name), text).expect("a file");
    write("s.en", "A man is walking.\nA dog is running in the snow.\n");
    write("r.de", "Ein Mann geht.\nEin Hund rennt im Schnee.\n");
    write("worse.de", "Eine Frau sitzt.\nHund.\n");
    let args = [
        "eval",
        "translation",
        "--source",
        "s.en",
        "--reference",
        "r.de",
        "--from",
        "en",
        "--to",
        "de",
        "--json",
        "--out",
        "o.de",
        "--baseline",
        "worse.de",
    ];
    let output = run(home, &args);
    let value: Value =
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    let bleu = &value["metrics"][0];
    assert!(bleu["score"].as_f64() > Some(20.0), "{value}");
    assert!(
        bleu["signature"]
            .as_str()
            .expect("a signature")
            .contains("tok:13a"),
        "{value}"
    );
    assert!(bleu["p_value"].as_f64() <= Some(1.0), "{value}");
    assert_eq!(
        fs::read_to_string(home.join("o.de"))
            .expect("translations")
            .lines()
            .count(),
        2
    );

    let same = run(
        home,
        &[
            "eval",
            "translation",
            "--hypotheses",
            "r.de",
            "--reference",
            "r.de",
            "--to",
            "de",
        ],
    );
    assert!(
        stdout(&same).contains("BLEU                         100.00"),
        "{}",
        stdout(&same)
    );
    let output = run(
        home,
        &[
            "eval",
            "translation",
            "--hypotheses",
            "s.en",
            "--reference",
            "missing.de",
        ],
    );
    assert!(stderr(&output).contains("missing.de"), "{}", stderr(&output));
    write("short.de", "Ein Mann geht.\n");
    let output = run(
        home,
        &[
            "eval",
            "translation",
            "--hypotheses",
            "s.en",
            "--reference",
            "short.de",
        ],
    );
    assert!(
        stderr(&output).contains("short.de has 1 lines, expected 2"),
        "{}",
        stderr(&output)
    );
}

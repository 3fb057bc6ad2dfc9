//! What the shipped voice makes of English texts, with and without tags.

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

/// The words of a text as they are timed, in their order.
fn words(home: &Path, text: &str) -> Vec<String> {
    let said = run(home, &["speak", text, "-o", "said.wav", "--timings", "json"]);
    assert!(said.status.success(), "{text}: {}", stderr(&said));
    assert_eq!(stderr(&said), "", "{text}");
    let timings = fs::read(home.join("said.json")).expect("timings");
    let timings: Vec<Value> = serde_json::from_slice(&timings).expect("JSON");
    let mut last = 0.0;
    for word in &timings {
        let (start, end) = (word["start"].as_f64(), word["end"].as_f64());
        let (start, end) = (start.expect("a time"), end.expect("a time"));
        assert!(last <= start + 1e-3 && start <= end, "{text}: {timings:?}");
        last = end;
    }
    let text = |word: &Value| word["text"].as_str().expect("a word").to_string();
    timings.iter().map(text).collect()
}

#[test]
fn tags_and_figures_are_words_of_one_sentence() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    for (text, expected) in [
        (
            "<speak>Call <say-as interpret-as='digits'>12</say-as>, tom<emphasis>ato</emphasis>es.</speak>",
            vec!["Call", "one", "two,", "tomatoes."],
        ),
        (
            "<speak>A <phoneme alphabet='x-arpabet' ph='T AH0 M AA1 T OW0'>tomato</phoneme>'s red.</speak>",
            vec!["A", "[[T AH0 M AA1 T OW0]]'s", "red."],
        ),
        (
            "The CIA's plan A, at 3 a.m. today",
            vec!["The", "C I A's", "plan", "A,", "at", "three a m", "today"],
        ),
        // Vowels may come without a stress.
        ("a [[HH EH L OW]] of it", vec!["a", "[[HH EH L OW]]", "of", "it"]),
    ] {
        assert_eq!(words(home, text), expected, "{text}");
    }
    let phonemes = "AH0 L OW1 ".repeat(100);
    assert!(words(home, &format!("a [[{phonemes}]] b")).len() > 3);
}

#[test]
fn what_a_pipeline_leaves_out_is_told() {
    let home = tempfile::tempdir().expect("a home");
    let run = |args: &[&str]| run(home.path(), &[&["run", "Hello Москва"], args].concat());
    let voice = ["--task", "text-to-speech"];
    let said = run(&voice);
    assert!(said.status.success(), "{}", stderr(&said));
    assert!(stderr(&said).contains("does not know `М`"), "{}", stderr(&said));
    let said = run(&[&voice[..], &["--json"]].concat());
    let found: Value = serde_json::from_str(&stdout(&said)).expect("JSON");
    assert!(
        found["notes"][0].as_str().is_some_and(|note| note.contains('М')),
        "{found}"
    );
}

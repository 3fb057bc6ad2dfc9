//! What `sensorium generate` and `sensorium run` say to prompts and settings that cannot be served.

use std::fs;

use sensorium_tests::tiny::Tiny;
use sensorium_tests::{stderr, stdout};
use serde_json::Value;

const GENERATE: [&str; 5] = ["generate", "-m", "tiny", "--max-new-tokens", "4"];

fn generate<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&GENERATE, more].concat()
}

#[test]
fn a_prompt_is_continued_from_anywhere() {
    let tiny = Tiny::new();
    let expected = stdout(&tiny.run(&generate(&["The old map"]), b""));
    assert!(expected.starts_with("The old map"), "{expected}");
    assert_eq!(stdout(&tiny.run(&generate(&["-"]), b"The old map")), expected);
    assert_eq!(
        stdout(&tiny.run(&generate(&["--stream", "The old map"]), b"")),
        expected
    );

    fs::write(tiny.beside("prompt.txt"), "The old map").expect("a file");
    let run = ["run", "-m", "tiny", "--max-new-tokens", "4"];
    for input in ["The old map", "prompt.txt", "-"] {
        let output = tiny.run(&[&run[..], &[input]].concat(), b"The old map");
        assert_eq!(stdout(&output), expected, "{input}: {}", stderr(&output));
    }
    let output = tiny.run(
        &[&run[..], &["--json", "prompt.txt", "Who goes there?"]].concat(),
        b"",
    );
    let lines = stdout(&output);
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines[0]["output"]["generated_text"],
        expected.trim_end_matches('\n')
    );
    assert_eq!(lines[1]["input"], "Who goes there?");
}

#[test]
fn routing_finds_text_generation() {
    let tiny = Tiny::new();
    fs::write(tiny.beside("prompt.txt"), "The old map").expect("a file");
    let explained = tiny.run(&["run", "prompt.txt", "--explain", "--json"], b"");
    let explained: Value = serde_json::from_str(&stdout(&explained)).expect("JSON");
    assert_eq!(explained["task"], "text-generation");
    assert_eq!(explained["model"], "shakespeare");
    let written = tiny.run(&["run", "Once upon a time"], b"");
    assert!(
        written.status.success() && stdout(&written).len() > 20,
        "{}",
        stderr(&written)
    );
    tiny.refuses(&["run", "none.txt", "-m", "tiny"], b"", &["cannot read none.txt"]);
    tiny.refuses(
        &["run", "Hello", "-m", "tiny", "-t", "detect"],
        b"",
        &["`tiny` is for `text-generation`"],
    );
}

#[test]
fn a_prompt_that_is_too_long_is_refused_or_cut() {
    let tiny = Tiny::new();
    let long = "stairs ".repeat(200);
    let expected = ["the limit is 128", "--truncate cuts the beginning"];
    tiny.refuses(&generate(&[&long]), b"", &expected);
    let output = tiny.run(&generate(&[&long, "--truncate"]), b"");
    assert!(output.status.success(), "{}", stderr(&output));
    tiny.refuses(&["run", "-m", "tiny", &long], b"", &["the limit is 128"]);
}

#[test]
fn bad_prompts_and_settings_are_refused() {
    let tiny = Tiny::new();
    tiny.refuses(
        &generate(&["-"]),
        b"ab\xff",
        &["standard input is not UTF-8: the byte at 2 begins no character"],
    );
    for (setting, value, expected) in [
        ("--temperature", "0", "`temperature` is 0"),
        ("--top-p", "2", "`top_p` is 2"),
        ("--num-return-sequences", "3", "`num_return_sequences` is 3"),
        ("--stop", "", "`stop_strings`"),
        ("--regex", "(", "unclosed group"),
    ] {
        tiny.refuses(&generate(&["Hello", setting, value]), b"", &[expected]);
    }
    let output = tiny.run(&generate(&["Hello", "--temperature", "nan"]), b"");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn a_schema_that_nothing_meets_is_refused() {
    let tiny = Tiny::new();
    for (schema, expected) in [
        (r#"{"enum": []}"#, "no output can meet the constraint"),
        ("false", "nothing is accepted"),
        (
            r#"{"type": "integer", "minimum": 5, "maximum": 2}"#,
            "no number lies between the bounds",
        ),
        (
            r##"{"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}"##,
            "requires itself without end",
        ),
        (r#"{"type": "text"}"#, "\"text\" is not a type"),
        ("{", "schema.json is not JSON"),
    ] {
        fs::write(tiny.beside("schema.json"), schema).expect("a file");
        tiny.refuses(
            &generate(&["Hello", "--json-schema", "schema.json"]),
            b"",
            &["schema.json", expected],
        );
    }
    tiny.refuses(
        &generate(&["Hello", "--json-schema", "none.json"]),
        b"",
        &["cannot read none.json"],
    );

    fs::write(tiny.beside("schema.json"), r#"{"type": "array", "minItems": 9}"#).expect("a file");
    let output = tiny.run(&generate(&["Hello", "--json-schema", "schema.json"]), b"");
    assert!(stderr(&output).contains("note: the text was cut before it was complete"));
}

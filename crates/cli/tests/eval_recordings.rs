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
    eval_in(recordings().path(), what, model, list, more)
}

fn eval_in(dir: &Path, what: &str, model: &str, list: &[(&str, &str)], more: &[&str]) -> Output {
    let rows: String = list
        .iter()
        .map(|(name, text)| format!("{name}\t{text}\n"))
        .collect();
    fs::write(dir.join("list.tsv"), format!("audio\ttext\n{rows}")).expect("a file");
    sensorium(dir, &["eval", what, "--model", model, "--data", "list.tsv"], more)
}

fn sensorium(dir: &Path, args: &[&str], more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sensorium"))
        .arg("--offline")
        .args(args)
        .args(more)
        .env("HOME", dir)
        .current_dir(dir)
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

fn json(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {said}"))
}

#[test]
fn errors_are_told_as_texts_are_and_as_whisper_would_count_them() {
    let list = [("pi.wav", "Three, one four, one five seven!")];
    let output = eval("asr", "fsdd-strings", &list, &[]);
    let rows = [
        "as they are         words       50.00 %  6     3      0       0\n",
        "plain               words       16.67 %  6     1      0       0\n",
        "Whisper's, English  words       100.00 %  1     1      0       0\n",
        "                    characters  16.67 %   6     1      0       0\n",
    ];
    let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = blanks(&String::from_utf8_lossy(&output.stdout));
    for row in rows {
        assert!(said.contains(&blanks(row)), "no `{row}` in: {said}");
    }
    // The way that is asked for finds the worst ones.
    let plain = json(&eval("asr", "fsdd-strings", &list, &["--json"]));
    let raw = json(&eval("asr", "fsdd-strings", &list, &["--json", "--raw"]));
    let whisper = ["--json", "--normalize", "whisper"];
    let whisper = json(&eval("asr", "fsdd-strings", &list, &whisper));
    for (found, name, wrong, said) in [
        (&plain, "plain", 1, "three one four one five seven"),
        (&raw, "none", 3, "Three, one four, one five seven!"),
        (&whisper, "whisper", 1, "314157"),
    ] {
        assert_eq!(found["normalize"], name);
        assert_eq!(found["worst"][0]["said"], said);
        assert_eq!(found["words"]["substitutions"], wrong);
        for figure in ["wer", "cer", "words", "characters"] {
            assert_eq!(
                found[figure], found["normalizers"][name][figure],
                "{name} {figure}"
            );
        }
        assert_eq!(found["normalizers"]["none"]["wer"], 0.5, "{name}");
        assert_eq!(found["normalizers"]["whisper"]["wer"], 1.0, "{name}");
    }
    let german = ["--json", "--normalize", "whisper-basic"];
    let found = json(&eval("asr", "fsdd-strings", &list, &german));
    assert_eq!(found["normalizers"]["whisper-basic"]["wer"], found["wer"]);
    assert!(found["normalizers"]["whisper"].is_null());
}

/// The good recording, and noise that is louder.
fn noisy() -> tempfile::TempDir {
    let dir = recordings();
    let mut bytes = fs::read(dir.path().join("pi.wav")).expect("a recording");
    let mut random = 7u32;
    for sample in bytes[44..].as_chunks_mut::<2>().0 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (random >> 16) as i32 % 20_001 - 10_000;
        let sum = i32::from(i16::from_le_bytes(*sample)) + noise;
        *sample = (sum.clamp(-32_768, 32_767) as i16).to_le_bytes();
    }
    fs::write(dir.path().join("noisy.wav"), bytes).expect("a file");
    let seven = "\\data\\\n\n\\1-grams:\n-0.1\tseven\n-9\tone\n-9\tthree\n\n\\end\\\n";
    fs::write(dir.path().join("seven.arpa"), seven).expect("a file");
    dir
}

#[test]
fn models_that_spell_search_as_they_do_for_transcribe() {
    let dir = noisy();
    let heard = |flags: &[&str]| {
        let list = [("noisy.wav", "nothing")];
        let more = [flags, &["--json", "--raw"]].concat();
        let found = json(&eval_in(dir.path(), "asr", "fsdd-strings", &list, &more));
        let heard = found["worst"][0]["heard"].as_str().expect("a text").to_string();
        let output = sensorium(dir.path(), &["transcribe", "noisy.wav"], flags);
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), heard, "{flags:?}");
        heard
    };
    let likeliest = heard(&[]);
    let hot = heard(&["--hot-words", "seven", "--beams", "8"]);
    assert!(!likeliest.contains("seven") && hot.contains("seven"), "{hot}");
    let model = ["--language-model", "seven.arpa"];
    let weighed = heard(&[&model[..], &["--beams", "8", "--lm-weight", "3"]].concat());
    assert_ne!(weighed, likeliest);
    let paid = ["--beams", "8", "--lm-weight", "3", "--word-bonus", "0"];
    assert_ne!(heard(&[&model[..], &paid].concat()), weighed);

    let moonshine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/cases/moonshine");
    let moonshine = moonshine.to_str().expect("a path");
    let list = [("pi.wav", PI)];
    for (flags, cannot) in [
        (&["--hot-words", "seven"][..], "it cannot take hot words"),
        (&model, "it cannot take an n-gram language model"),
    ] {
        let output = eval_in(dir.path(), "asr", moonshine, &list, flags);
        check(&output, 1, &[cannot]);
        assert!(output.stdout.is_empty());
    }
    let output = eval("asr", "fsdd-strings", &list, &["--lm-weight", "2"]);
    check(&output, 2, &["--language-model"]);
}

#[test]
fn a_damaged_recording_is_left_out_of_its_strings_and_named_once() {
    let list = [("damaged.wav", "two"), ("pi.wav", PI), ("pi.wav", PI)];
    let strings = ["--strings", "6", "--join", "3", "--json"];
    let output = eval("asr", "fsdd-strings", &list, &strings);
    check(&output, 1, &[]);
    let found = json(&output);
    let left_out = found["left_out"].as_array().expect("a list");
    assert_eq!(left_out.len(), 1, "{found}");
    assert_eq!(left_out[0]["input"], "damaged.wav");
    assert_eq!(found["recordings"], 6);
    assert_eq!(found["wer"], 0.0);
    let said = found["words"]["hits"].as_u64().expect("a number");
    assert!(said.is_multiple_of(6) && said > 6 * 6, "{found}");
    let output = eval("asr", "fsdd-strings", &list[1..], &strings);
    check(&output, 0, &[]);
    let output = eval("asr", "fsdd-strings", &list[..1], &strings);
    check(&output, 1, &["error: damaged.wav cannot be used"]);
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

//! N-gram language models in all formats, beside the scores that KenLM's own `query` gives.
//!
//! `digits.arpa` in `ngrams/` is a small back-off model of three words in a row, made of random strings of digits; the
//! others are made of it by KenLM's `build_binary`. `expected.json` has what `query -v word` says of each word of some
//! texts, and of their ends. `make.py` there makes them all.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use sensorium_speech::NGrams;
use serde_json::Value;

const KINDS: [&str; 6] = ["probing", "rest", "trie", "quant", "array", "quantarray"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ngrams")
}

/// Logarithms, with base 10, of each word of a text and of its end.
fn scores(model: &NGrams, text: &str) -> Vec<f64> {
    let mut state = model.begin();
    let mut scores: Vec<f32> = text
        .split_whitespace()
        .map(|word| model.score(&mut state, word))
        .collect();
    scores.push(model.end(&state));
    let tens = |score: f32| f64::from(score / std::f32::consts::LN_10);
    scores.into_iter().map(tens).collect()
}

/// Compares all models in a folder with the scores that are expected of them.
fn check(folder: &Path) {
    let expected = fs::read(folder.join("expected.json")).expect("the scores");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    let texts = expected["texts"].as_array().expect("texts");
    let models = expected["scores"].as_object().expect("models");
    for (name, all) in models {
        let model = NGrams::open(&folder.join(name)).expect("a model");
        for (text, expected) in texts.iter().zip(all.as_array().expect("scores")) {
            let text = text.as_str().expect("a text");
            let found = scores(&model, text);
            let expected = expected.as_array().expect("scores");
            assert_eq!(found.len(), expected.len(), "{name}: {text}");
            for (found, expected) in found.iter().zip(expected) {
                let expected = expected.as_f64().expect("a score");
                assert!(
                    (found - expected).abs() < 1e-5,
                    "{name}: {text}: {found}, expected {expected}"
                );
            }
        }
    }
}

#[test]
fn scores_are_those_of_kenlm() {
    check(&folder());
}

/// Opens `bytes` as a file, and asks for scores if that can be done.
fn open(folder: &Path, number: usize, bytes: &[u8]) -> Result<Vec<f64>, String> {
    let path = folder.join(format!("{number}.bin"));
    fs::write(&path, bytes).expect("a file");
    let model = NGrams::open(&path).map_err(|error| error.to_string())?;
    Ok(scores(&model, "one two unheard three four zero nine"))
}

#[test]
fn damaged_files_are_named_or_score_wrongly() {
    let dir = tempfile::tempdir().expect("a folder");
    for kind in KINDS {
        let whole = fs::read(folder().join(format!("digits.{kind}"))).expect("a model");
        for (number, length) in (0..whole.len()).step_by(61).enumerate() {
            let error = open(dir.path(), number, &whole[..length]).expect_err("cut off");
            assert!(
                error.starts_with("the language model "),
                "{kind} {length}: {error}"
            );
        }
        for at in 0..whole.len() {
            // All bytes of the header, and some of what follows.
            if at > 160 && at % 41 > 0 {
                continue;
            }
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            if let Ok(scores) = open(dir.path(), at, &bytes) {
                assert!(scores.iter().all(|score| score.is_finite()), "{kind} {at}");
            }
        }
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let whole = fs::read(folder().join("digits.trie")).expect("a model");
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        open(dir.path(), at, &bytes).expect_err("a problem")
    };
    for (at, to, expected) in [
        (49, &b"4\n"[..], "of version `4`, expected 5"),
        (34, b"incomplete\n", "not finished"),
        (64, &[1; 4], "another kind of machine"),
        (96, &[9, 0, 0, 0], "the kind 9"),
        (104, &[7, 0, 0, 0], "version 7, expected 1"),
        (116, &[0xff; 4], "cut off or damaged"),
    ] {
        let error = changed(at, to);
        assert!(error.contains(expected), "{at}: {error}");
    }
}

#[test]
fn packed_texts_are_read_and_packed_binaries_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let packed = |name: &str| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        let whole = fs::read(folder().join(name)).expect("a model");
        packer.write_all(&whole).expect("room");
        packer.finish().expect("room")
    };
    let text = packed("digits.arpa");
    let plain = fs::read(folder().join("digits.arpa")).expect("a model");
    assert_eq!(open(dir.path(), 0, &text), open(dir.path(), 1, &plain));
    let error = open(dir.path(), 2, &text[..text.len() / 2]).expect_err("cut off");
    assert!(error.contains("is damaged"), "{error}");
    let error = open(dir.path(), 3, &packed("digits.trie")).expect_err("packed");
    assert!(error.ends_with("unpack it first"), "{error}");
}

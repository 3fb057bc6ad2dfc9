//! When words and characters are said: `sensorium align`, and `transcribe --chars`.

use std::fs;
use std::path::Path;
use std::process::Output;

use hound::SampleFormat;
use sensorium_speech::Audio;
use sensorium_tests::recordings::{SAID, piped, run, sample, write_wav};
use sensorium_tests::{stderr, stdout};
use serde_json::Value;

#[test]
fn a_known_text_is_found_in_a_recording() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let sample = sample().display().to_string();
    let found = run(
        home,
        &[
            "align",
            &sample,
            "--text",
            "Three, one four!\nOne five nine",
            "--json",
        ],
    );
    assert!(found.status.success(), "{}", stderr(&found));
    let found: Value = serde_json::from_str(&stdout(&found)).expect("JSON");
    let chunks = found["chunks"].as_array().expect("chunks");
    assert_eq!(chunks.len(), 2);
    let mut latest = 0.0;
    let words = chunks
        .iter()
        .flat_map(|chunk| chunk["words"].as_array().expect("words"));
    for word in words {
        let begin = word["timestamp"][0].as_f64().expect("a time");
        assert!(begin >= latest, "{found}");
        latest = word["timestamp"][1].as_f64().expect("a time");
        assert!(latest > begin && latest < 5.7, "{found}");
    }
    let failed = run(home, &["align", &sample, "--text", "hello"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        stderr(&failed).contains("knows no word or letter"),
        "{}",
        stderr(&failed)
    );
}

#[test]
fn standard_input_is_aligned_as_a_file_is() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let sample = sample();
    let file = run(home, &["align", sample.to_str().expect("a path"), "--text", SAID]);
    let bytes = fs::read(&sample).expect("the sample");
    let pipe = piped(home, &["align", "-", "--text", SAID], &bytes);
    assert!(pipe.status.success(), "{}", stderr(&pipe));
    assert_eq!(stdout(&pipe), stdout(&file));
}

/// The words in what was found with their characters, each in order and within its word.
fn words_with_characters(output: &Output) -> Vec<(String, String, f64)> {
    let found: Value = serde_json::from_str(&stdout(output)).unwrap_or_else(|_| panic!("{}", stderr(output)));
    let number = |value: &Value| value.as_f64().expect("a time");
    let word = |word: &Value| {
        let text = word["text"].as_str().expect("a text").trim().to_string();
        let (begin, end) = (number(&word["timestamp"][0]), number(&word["timestamp"][1]));
        let chars = word["chars"].as_array().expect("characters");
        let mut latest = begin;
        let mut spelt = String::new();
        for char in chars {
            let (start, stop) = (number(&char["start"]), number(&char["end"]));
            assert!(latest <= start && start <= stop && stop <= end, "{word}");
            latest = stop;
            spelt += char["char"].as_str().expect("a character");
        }
        assert!((number(&chars[0]["start"]) - begin).abs() < 1e-6, "{word}");
        (text, spelt, begin)
    };
    let chunks = found["chunks"].as_array().expect("chunks");
    let words = chunks
        .iter()
        .flat_map(|chunk| chunk["words"].as_array().expect("words"));
    words.map(word).collect()
}

#[test]
fn characters_have_times_where_the_model_spells_by_letters() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    // Its weights are random: the letters mean nothing.
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/cases/hubert-ctc");
    let model = model.to_str().expect("a path");
    let audio = Audio::open(&sample()).expect("the sample");
    let mut samples = vec![0.0; 5 * 16_000];
    samples.extend(audio.mono_at(16_000).expect("samples"));
    write_wav(&home.join("late.wav"), &samples, 16_000, 1, 16, SampleFormat::Int);
    for flags in [&["--start", "1"][..], &["--beams", "4"]] {
        let all = [
            &["transcribe", "late.wav", "-m", model, "--chars", "--json"],
            flags,
        ];
        let words = words_with_characters(&run(home, &all.concat()));
        assert!(words.len() > 1, "{words:?}");
        // The silence is left out when it is heard, and counted in the times.
        assert!(
            words
                .iter()
                .all(|(word, spelt, begin)| word == spelt && *begin > 4.0)
        );
    }
    let words = run(
        home,
        &["transcribe", "late.wav", "-m", model, "--words", "--json"],
    );
    assert!(!stdout(&words).contains("\"chars\""), "{}", stdout(&words));

    let text = "Hello, you";
    let args = [
        "align", "late.wav", "-m", model, "--text", text, "--chars", "--json",
    ];
    let found = words_with_characters(&run(home, &args));
    let spelt: Vec<&str> = found.iter().map(|(_, spelt, _)| spelt.as_str()).collect();
    assert_eq!(spelt, ["Hello", "you"]);
    let output = run(home, &[&args[..6], &["--json"]].concat());
    assert!(!stdout(&output).contains("\"chars\""), "{}", stdout(&output));

    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/cases");
    for (model, cannot) in [
        ("moonshine", "cannot tell when characters are said"),
        ("whisper-short", "cannot tell when characters are said"),
        ("fsdd-strings", "spells whole words"),
    ] {
        let folder = cases.join(model);
        let name = match folder.is_dir() {
            true => folder.to_str().expect("a path"),
            false => model,
        };
        let output = run(home, &["transcribe", "late.wav", "-m", name, "--chars", "--json"]);
        assert_eq!(output.status.code(), Some(1), "{model}");
        assert!(stderr(&output).contains(cannot), "{}", stderr(&output));
    }
    let output = run(home, &["align", "late.wav", "--text", "one", "--chars", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("spells whole words"),
        "{}",
        stderr(&output)
    );
}

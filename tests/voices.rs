//! `sensorium train tts`, `train vocoder` and `models convert`: from recordings to a voice that speaks.

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use sensorium_speech::Audio;
use sensorium_speech::audio::{SampleKind, WavFile};
use sensorium_tests::{sensorium, stderr};
use serde_json::Value;

fn run(home: &Path, args: &[&str]) -> Output {
    let mut command = sensorium(home);
    command.args(args).current_dir(home).stdin(Stdio::null());
    command.output().expect("the program starts")
}

/// Phonemes of “a low owl” and “lee”, each a tone of its own.
const SOUNDS: [(&str, f32); 6] = [
    ("AH0", 200.0),
    ("L", 260.0),
    ("OW1", 320.0),
    ("AW1", 380.0),
    ("IY1", 440.0),
    (".", 0.0),
];

/// So many sentences of these phonemes, in LJ Speech's layout.
fn corpus(folder: &Path, sentences: usize) {
    fs::create_dir_all(folder.join("wavs")).expect("a folder");
    fs::create_dir_all(folder.join("alignments")).expect("a folder");
    let mut table = String::new();
    for number in 0..sentences {
        let (mut samples, mut alignment, mut begin) = (Vec::new(), String::new(), 0.0);
        let (mut said, mut tone) = (Vec::new(), number);
        for i in 0..7 {
            // Never the same twice, and otherwise without an order.
            tone = (tone + 1 + (number * number + 3 * i * i + i * number) % 4) % 5;
            let (name, pitch) = SOUNDS[if i == 6 { 5 } else { tone }];
            let length = 0.12;
            alignment += &format!("s{number} 1 {begin:.3} {length} {name}\n");
            begin += length;
            said.push(name);
            let count = samples.len();
            let voice = |i: usize| {
                (1..6)
                    .map(|k| (TAU * pitch * (k * i) as f32 / 16_000.0).sin() * 0.1)
                    .sum::<f32>()
            };
            samples.extend((count..count + 1920).map(voice));
        }
        let path = folder.join(format!("wavs/s{number}.wav"));
        let mut file = WavFile::create(&path, 16_000, SampleKind::Int16).expect("a file");
        file.write(&samples).expect("samples");
        file.finish().expect("a file");
        fs::write(folder.join(format!("alignments/s{number}.ctm")), alignment).expect("a file");
        table += &format!("s{number}|tones|[[{}]].\n", said[..6].join(" "));
    }
    fs::write(folder.join("metadata.csv"), table).expect("a file");
}

#[test]
fn when_tones_are_heard_is_learned_without_being_told() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    corpus(&home.join("tones"), 80);
    fs::remove_dir_all(home.join("tones/alignments")).expect("the alignments go");
    let voice = "train tts --data tones --epochs 1 --width 16 --inner 16 --out voice";
    let untold = run(home, &voice.split(' ').collect::<Vec<_>>());
    assert_eq!(untold.status.code(), Some(1));
    assert!(stderr(&untold).contains("train aligner"), "{}", stderr(&untold));

    let aligner = "train aligner --data tones --held-out 6 --width 32 --epochs 30 --lr 0.002 --batch-size 4 --threads 1 \
                   --out run";
    let learned = run(home, &aligner.split(' ').collect::<Vec<_>>());
    assert!(learned.status.success(), "{}", stderr(&learned));
    let (mut apart, mut count) = (0.0, 0);
    for number in 0..80 {
        let path = home.join(format!("run/alignments/s{number}.ctm"));
        let text = fs::read_to_string(path).expect("an alignment");
        assert_eq!(text.lines().count(), 7, "{text}");
        for (line, i) in text.lines().zip(1..7) {
            let parts: Vec<&str> = line.split(' ').collect();
            let time = |at: usize| parts[at].parse::<f64>().expect("a time");
            apart += (time(2) + time(3) - 0.12 * f64::from(i)).abs();
            count += 1;
        }
    }
    let mean = apart / f64::from(count);
    assert!(mean < 0.032, "two frames and more off: {mean} s");
}

#[test]
fn a_voice_is_trained_joined_with_its_vocoder_and_speaks() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    corpus(&home.join("tones"), 12);
    let done = |args: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        let done = run(home, &args);
        assert!(done.status.success(), "{args:?}: {}", stderr(&done));
    };
    done(
        "train tts --data tones --held-out 6 --width 16 --inner 16 --encoder-layers 1 --decoder-layers 1 --epochs 2 \
          --batch-size 4 --threads 1 --out voice",
    );
    done(
        "train vocoder --data tones --held-out 6 --width 16 --layers 1 --frames 16 --epochs 2 --batch-size 4 \
          --threads 1 --out vocoder",
    );
    assert!(home.join("voice/samples/002.wav").is_file() && home.join("vocoder/samples/002.png").is_file());
    done("models convert voice --vocoder vocoder --dtype f16 --out both");
    let taken = run(home, &["models", "convert", "voice", "--out", "both"]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(
        stderr(&taken).contains("already holds a model"),
        "{}",
        stderr(&taken)
    );

    fs::write(home.join("a.txt"), "A low [[AW1 L]], lee.").expect("a file");
    done("speak a.txt --model both --out a.wav --timings json --pitch 0.5 --seed 1");
    let sound = Audio::open(&home.join("a.wav")).expect("a sound");
    assert_eq!((sound.rate(), sound.channels()), (16_000, 1));
    let told = fs::read_to_string(home.join("a.json")).expect("times");
    let words: Vec<Value> = serde_json::from_str(&told).expect("JSON");
    let texts: Vec<&str> = words.iter().filter_map(|word| word["text"].as_str()).collect();
    assert_eq!(texts, ["A", "low", "[[AW1 L]],", "lee."]);
    let phonemes = |word: &Value| -> Vec<String> {
        let sounds = word["phonemes"].as_array().cloned().unwrap_or_default();
        sounds
            .iter()
            .filter_map(|sound| sound["text"].as_str().map(str::to_string))
            .collect()
    };
    let ends: Vec<f64> = words.iter().filter_map(|word| word["end"].as_f64()).collect();
    assert!(
        ends.is_sorted() && ends.last().is_some_and(|end| *end <= sound.seconds() + 1e-6),
        "{told}"
    );
    // A barely trained voice may give a phoneme no time, but it stays with its word.
    let expected = [&["AH0"][..], &["L", "OW1"], &["AW1", "L"], &["L", "IY1"]];
    assert_eq!(words.iter().map(phonemes).collect::<Vec<_>>(), expected, "{told}");
    done("speak a.txt --model both --out fast.wav --timings json --speed 10");
    let told = fs::read_to_string(home.join("fast.json")).expect("times");
    let words: Vec<Value> = serde_json::from_str(&told).expect("JSON");
    assert_eq!(words.iter().map(phonemes).collect::<Vec<_>>(), expected, "{told}");

    for (text, problem) in [
        ("[[low]]", "`LOW`"),
        ("a [[L", "`[[` without `]]`"),
        ("cat", "needs the phoneme"),
        ("…", "nothing in the text"),
    ] {
        fs::write(home.join("b.txt"), text).expect("a file");
        let failed = run(home, &["speak", "b.txt", "--model", "both", "--out", "b.wav"]);
        assert_eq!(failed.status.code(), Some(1), "{text}");
        assert!(stderr(&failed).contains(problem), "{text}: {}", stderr(&failed));
        assert!(!home.join("b.wav").exists(), "{text}");
    }
    fs::write(home.join("own.dict"), "cat  L IY1\nlow\n").expect("a file");
    let failed = run(
        home,
        &[
            "speak",
            "b.txt",
            "--model",
            "both",
            "--out",
            "b.wav",
            "--lexicon",
            "own.dict",
        ],
    );
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        stderr(&failed).contains("without phonemes in line 2"),
        "{}",
        stderr(&failed)
    );
    fs::write(home.join("own.dict"), "cat  L IY1\n").expect("a file");
    fs::write(home.join("b.txt"), "cat").expect("a file");
    done("speak b.txt --model both --out b.wav --lexicon own.dict");
}

#[test]
fn what_is_wrong_with_recordings_is_told() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    corpus(&home.join("tones"), 12);
    let problem = |expected: &str| {
        let failed = run(
            home,
            &["train", "tts", "--data", "tones", "--epochs", "1", "--out", "out"],
        );
        assert_eq!(failed.status.code(), Some(1), "{expected}");
        assert!(
            stderr(&failed).contains(expected),
            "{expected}: {}",
            stderr(&failed)
        );
        let _ = fs::remove_dir_all(home.join("out"));
    };
    fs::write(home.join("tones/alignments/s3.ctm"), "s3 1 zero 1 A\n").expect("a file");
    problem("s3.ctm is no alignment");
    fs::remove_file(home.join("tones/alignments/s3.ctm")).expect("a file");
    problem("`s3` has no alignment");
    fs::remove_file(home.join("tones/wavs/s3.wav")).expect("a file");
    problem("s3.wav cannot be used");
    fs::write(home.join("tones/metadata.csv"), "s1\n").expect("a file");
    problem("no `name|text` in line 1");
    fs::remove_file(home.join("tones/metadata.csv")).expect("a file");
    problem("metadata.csv cannot be read");
}

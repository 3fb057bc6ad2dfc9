//! What `sensorium transcribe`, `classify` and `eval asr` do with recordings of all kinds.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use hound::{SampleFormat, WavSpec, WavWriter};
use sensorium_speech::Audio;
use sensorium_tests::{sensorium, stderr, stdout};
use serde_json::Value;

const SAID: &str = "three one four one five nine";

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/samples/speech/pi.wav")
}

/// The same in other formats.
fn sounds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/speech/tests/sounds")
}

fn run(home: &Path, args: &[&str]) -> Output {
    let mut command = sensorium(home);
    command.args(args).current_dir(home);
    command.output().expect("the program starts")
}

/// Writes `samples` to all `channels` of a WAV file.
fn write_wav(path: &Path, samples: &[f32], rate: u32, channels: u16, bits: u16, format: SampleFormat) {
    let spec = WavSpec {
        channels,
        sample_rate: rate,
        bits_per_sample: bits,
        sample_format: format,
    };
    let mut writer = WavWriter::create(path, spec).expect("a file");
    for &sample in samples {
        for _ in 0..channels {
            match format {
                SampleFormat::Float => writer.write_sample(sample).expect("a sample"),
                SampleFormat::Int => {
                    let most = (1i64 << (bits - 1)) as f32;
                    let value = (sample * most).round().clamp(-most, most - 1.0);
                    writer.write_sample(value as i32).expect("a sample");
                }
            }
        }
    }
    writer.finalize().expect("a file");
}

#[test]
fn the_same_words_at_every_rate_and_in_every_format() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let audio = Audio::open(&sample()).expect("the sample");
    let mut files: Vec<String> = ["pi.flac", "pi.mp3", "pi.ogg"].map(String::from).to_vec();
    for name in &files {
        fs::copy(sounds().join(name), home.join(name)).expect("a copy");
    }
    for rate in [8_000, 16_000, 22_050, 44_100, 48_000, 192_000] {
        let samples = audio.mono_at(rate).expect("samples");
        for (channels, bits, format) in [
            (1, 8, SampleFormat::Int),
            (1, 16, SampleFormat::Int),
            (2, 24, SampleFormat::Int),
            (1, 32, SampleFormat::Int),
            (1, 32, SampleFormat::Float),
            (32, 16, SampleFormat::Int),
        ] {
            if channels == 32 && rate != 16_000 {
                continue;
            }
            let name = format!("{rate}-{channels}-{bits}-{format:?}.wav");
            write_wav(&home.join(&name), &samples, rate, channels, bits, format);
            files.push(name);
        }
    }
    let mut args = vec!["transcribe"];
    args.extend(files.iter().map(String::as_str));
    let output = run(home, &args);
    let text = stdout(&output);
    assert_eq!(text.lines().count(), files.len(), "{}", stderr(&output));
    for line in text.lines() {
        assert!(line.ends_with(&format!("\t{SAID}")), "{line}");
    }
}

#[test]
fn moonshine_writes_what_it_hears() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/cases/moonshine");
    let model = model.to_str().expect("a path");
    let sound = Path::new(model).join("inputs/a_16k_u8.wav");
    fs::copy(sound, home.join("a.wav")).expect("a copy");
    let with = |more: &[&str]| run(home, &[&["transcribe", "a.wav", "--model", model], more].concat());
    // Its weights are random: the words mean nothing, but they are always the same ones.
    let output = with(&["--json", "--timestamps"]);
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let chunk = &value["chunks"][0];
    assert_eq!(value["text"], chunk["text"], "{}", stderr(&output));
    assert_eq!(chunk["timestamp"][0], 0.0);
    assert_eq!(stdout(&with(&[])).trim(), value["text"]);
    for (flag, cannot) in [
        ("--words", "cannot tell when words"),
        ("--translate", "cannot translate"),
    ] {
        let output = with(&[flag, "--json"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(cannot), "{}", stderr(&output));
    }
    let live = run(home, &["transcribe", "--live", "--model", model]);
    assert_eq!(live.status.code(), Some(1));
    assert!(stderr(&live).contains("record first"), "{}", stderr(&live));
}

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
fn recordings_heard_together_say_what_each_says_alone() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/cases/whisper-short");
    let model = model.to_str().expect("a path");
    // Windows have two seconds: recordings of several windows, of less than one, and of nothing but silence.
    let samples = Audio::open(&sample())
        .and_then(|audio| audio.mono_at(16_000))
        .expect("samples");
    let write = |name: &str, samples: &[f32]| {
        write_wav(&home.join(name), samples, 16_000, 1, 16, SampleFormat::Int);
    };
    write("long.wav", &samples[..60_000]);
    write("short.wav", &samples[8_000..20_000]);
    write("silent.wav", &[0.0; 50_000]);
    write("nothing.wav", &[]);
    write("other.wav", &samples[30_000..70_000]);
    let good = fs::read(sample()).expect("the sample");
    // What is wrong is found when it is opened, and when it is read.
    fs::write(home.join("head.wav"), &good[..30]).expect("a file");
    write_wav(
        &home.join("nan.wav"),
        &[&samples[..9_000], &[f32::NAN; 4]].concat(),
        16_000,
        1,
        32,
        SampleFormat::Float,
    );
    let files = [
        "long.wav",
        "head.wav",
        "short.wav",
        "silent.wav",
        "nan.wav",
        "nothing.wav",
        "missing.wav",
        "other.wav",
    ];
    let with = |size: &str, more: &[&str]| {
        let args = [
            &["transcribe", "--model", model, "--language", "en", "--beams", "2"][..],
            &["--batch-size", size],
            &files[..],
            more,
        ];
        run(home, &args.concat())
    };
    let alone = with("1", &["--json", "--words"]);
    assert_eq!(alone.status.code(), Some(1), "{}", stderr(&alone));
    for size in ["3", "16"] {
        let together = with(size, &["--json", "--words"]);
        assert_eq!(stdout(&together), stdout(&alone), "{size} at once");
        assert_eq!(together.status.code(), Some(1));
    }
    let lines: Vec<Value> = stdout(&alone)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line["input"].as_str()).collect();
    assert_eq!(names, files, "results stand in the order of their inputs");
    let bad: Vec<&str> = lines
        .iter()
        .filter(|line| line["error"].is_string())
        .filter_map(|line| line["input"].as_str())
        .collect();
    assert_eq!(bad, ["head.wav", "nan.wav", "nothing.wav", "missing.wav"]);
    for line in [&lines[0], &lines[7]] {
        let chunks = line["output"]["chunks"].as_array().expect("chunks");
        assert!(chunks.len() > 3 && chunks[0]["words"].is_array(), "{line}");
    }

    let written = |size: &str| {
        let output = with(size, &["--format", "srt", "--out", size]);
        assert!(stdout(&output).is_empty() && stderr(&output).lines().count() == bad.len());
        ["long", "short", "silent", "other"].map(|name| {
            fs::read_to_string(home.join(size).join(format!("{name}.srt"))).expect("a file of its own")
        })
    };
    assert_eq!(written("3"), written("1"));

    // Parts of one recording, many at once or one after the other.
    fs::write(home.join("talk.wav"), talk(14)).expect("a file");
    let parts = |size: &str| {
        let args = [
            &["transcribe", "--model", model, "--language", "en", "--beams", "2"][..],
            &["--temperatures", "0", "--words", "--json", "--parts"],
            &["--batch-size", size, "talk.wav"],
        ];
        stdout(&run(home, &args.concat()))
    };
    let one = parts("1");
    let found: Value = serde_json::from_str(&one).expect("JSON");
    let chunks = found["chunks"].as_array().expect("chunks");
    let last = chunks.last().and_then(|chunk| chunk["timestamp"][0].as_f64());
    assert!(chunks.len() > 20 && last > Some(60.0), "{last:?}");
    assert_eq!(parts("2"), one);
    assert_eq!(parts("16"), one);

    // A model that hears one after the other does so.
    fs::copy(sample(), home.join("pi.wav")).expect("a copy");
    let args = ["transcribe", "--batch-size", "2", "pi.wav", "head.wav", "pi.wav"];
    let said = stdout(&run(home, &args));
    assert_eq!(said, format!("pi.wav\t{SAID}\npi.wav\t{SAID}\n"));
}

#[test]
fn subtitles_and_times() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    fs::copy(sample(), home.join("a.wav")).expect("a copy");
    let output = run(home, &["transcribe", "a.wav", "--words", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(value["text"], SAID);
    let chunks = value["chunks"].as_array().expect("chunks");
    let words: Vec<&Value> = chunks
        .iter()
        .flat_map(|chunk| chunk["words"].as_array().expect("words"))
        .collect();
    assert_eq!(words.len(), 6);
    let mut latest = 0.0;
    for word in words {
        let [start, end] = [0, 1].map(|i| word["timestamp"][i].as_f64().expect("a time"));
        assert!(latest <= start && start < end, "{word}");
        latest = end;
    }
    let length = Audio::open(&sample()).expect("the sample").seconds();
    assert!(latest <= length);

    let output = run(
        home,
        &[
            "transcribe",
            "a.wav",
            "--out",
            "a.srt",
            "--max-words-per-line",
            "1",
        ],
    );
    assert!(
        output.status.success() && stdout(&output).is_empty(),
        "{}",
        stderr(&output)
    );
    let text = fs::read_to_string(home.join("a.srt")).expect("subtitles");
    assert!(text.starts_with("1\n00:00:0") && text.contains("three"), "{text}");
    let text = stdout(&run(home, &["transcribe", "a.wav", "--format", "vtt"]));
    assert!(text.starts_with("WEBVTT\n\n00:0"), "{text}");

    // Half of it, with the times of the whole.
    let half = format!("{}", length / 2.0);
    let output = run(
        home,
        &["transcribe", "a.wav", "--start", &half, "--words", "--json"],
    );
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let first = value["chunks"][0]["timestamp"][0].as_f64().expect("a time");
    assert!(first >= length / 2.0, "{value}");
    let heard = value["text"].as_str().expect("a text");
    assert!(
        heard.ends_with("five nine") && heard.len() < SAID.len(),
        "{heard}"
    );
}

#[test]
fn bad_recordings_are_named_while_others_go_on() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let good = fs::read(sample()).expect("the sample");
    let write = |name: &str, bytes: &[u8]| fs::write(home.join(name), bytes).expect("a file");
    write("good.wav", &good);
    write("cut.wav", &good[..good.len() / 2]);
    write("none.wav", b"RIFF\x24\0\0\0WAVE");
    write("text.wav", b"this is no sound");
    let mut silent = good.clone();
    silent[22] = 0; // channels
    write("channels.wav", &silent);
    let mut still = good.clone();
    still[24..28].fill(0); // rate
    write("rate.wav", &still);
    write_wav(&home.join("empty.wav"), &[], 8000, 1, 16, SampleFormat::Int);
    write_wav(
        &home.join("nan.wav"),
        &[0.0, f32::NAN, 0.0],
        8000,
        1,
        32,
        SampleFormat::Float,
    );
    write_wav(&home.join("tiny.wav"), &[0.1; 80], 8000, 1, 16, SampleFormat::Int);
    let mut narrow = good.clone();
    narrow[32] = 1; // bytes of a frame
    write("frame.wav", &narrow);
    write(
        "cut.flac",
        &fs::read(sounds().join("pi.flac")).expect("a sound")[..30],
    );
    write_wav(
        &home.join("many.wav"),
        &[0.1; 80],
        8000,
        300,
        16,
        SampleFormat::Int,
    );
    let args = [
        "transcribe",
        "good.wav",
        "cut.wav",
        "none.wav",
        "text.wav",
        "channels.wav",
        "rate.wav",
        "empty.wav",
        "nan.wav",
        "tiny.wav",
        "frame.wav",
        "cut.flac",
        "many.wav",
        "missing.wav",
    ];
    let output = run(home, &args);
    let (text, errors) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(text.contains(&format!("good.wav\t{SAID}")), "{text}{errors}");
    assert!(text.contains("cut.wav\tthree one"), "{text}{errors}");
    for bad in args.iter().skip(3) {
        let lines = errors.lines().filter(|line| line.contains(bad));
        assert_eq!(lines.count(), 1, "{bad}: {errors}");
    }
    assert!(
        !errors.contains("panicked") && !errors.contains("bug"),
        "{errors}"
    );

    let output = run(home, &["transcribe", "good.wav", "--channel", "3"]);
    assert!(
        stderr(&output).contains("there is no channel 3"),
        "{}",
        stderr(&output)
    );
    let output = run(home, &["transcribe", "good.wav", "--translate"]);
    assert!(
        stderr(&output).contains("cannot translate"),
        "{}",
        stderr(&output)
    );
    let output = run(home, &["transcribe", "good.wav", "cut.wav", "--format", "srt"]);
    assert!(stderr(&output).contains("--out"), "{}", stderr(&output));
    let output = run(
        home,
        &[
            "transcribe",
            "good.wav",
            "cut.wav",
            "--format",
            "srt",
            "--out",
            "subs",
        ],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(home.join("subs/cut.srt").is_file());
}

#[test]
fn recordings_are_classified_and_scored() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let audio = Audio::open(&sample()).expect("the sample");
    let samples = audio.mono_at(8000).expect("samples");
    write_wav(&home.join("a.wav"), &samples, 8000, 1, 16, SampleFormat::Int);
    let output = run(home, &["classify", "a.wav", "--json"]);
    let value: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    assert_eq!(value.as_array().map(Vec::len), Some(10), "{value}");

    fs::write(home.join("list.tsv"), format!("audio\ttext\na.wav\t{SAID} two\n")).expect("a manifest");
    let output = run(
        home,
        &[
            "eval",
            "asr",
            "-m",
            "fsdd-strings",
            "--data",
            "list.tsv",
            "--json",
        ],
    );
    let value: Value =
        serde_json::from_str(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!(value["words"]["deletions"], 1, "{value}");
    assert!((value["wer"].as_f64().expect("a rate") - 1.0 / 7.0).abs() < 1e-9);
}

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

#[test]
fn what_a_recording_lacks_is_told() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let flac = fs::read(sounds().join("pi.flac")).expect("a sound");
    let cut = &flac[..flac.len() / 2];
    fs::write(home.join("cut.flac"), cut).expect("a file");
    let wav = fs::read(sample()).expect("the sample");
    fs::write(home.join("cut.wav"), &wav[..wav.len() / 2]).expect("a file");
    let check = |said: &str, name: &str| {
        assert!(
            said.starts_with(&format!("note: {name} breaks off at ")),
            "{said}"
        );
        assert!(said.ends_with(" s of 5.6 s; heard as far as it goes\n"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    };
    for name in ["cut.flac", "cut.wav"] {
        for more in [&[][..], &["--json"], &["--format", "srt"], &["--out", "a.srt"]] {
            let output = run(home, &[&["transcribe", name], more].concat());
            assert!(output.status.success());
            check(&stderr(&output), name);
            if more == ["--json"] {
                let found: Value = serde_json::from_str(&stdout(&output)).expect("JSON");
                assert!(
                    found["notes"][0]
                        .as_str()
                        .expect("a note")
                        .starts_with("breaks off at")
                );
            }
        }
        let output = run(home, &["align", name, "--text", "three one"]);
        assert!(output.status.success());
        check(&stderr(&output), name);
    }
    let output = piped(home, &["transcribe", "-"], cut);
    check(&stderr(&output), "standard input");
    let quiet = run(home, &["transcribe", "cut.wav", "--end", "1"]);
    assert_eq!(stderr(&quiet), "");
}

#[test]
fn recordings_of_nothing_are_refused_as_such() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    write_wav(&home.join("a.wav"), &[], 16_000, 1, 16, SampleFormat::Int);
    fs::copy(sample(), home.join("b.wav")).expect("a copy");
    for args in [
        &["transcribe", "a.wav"][..],
        &["transcribe", "a.wav", "--end", "3"],
        &["align", "a.wav", "--text", "three"],
        &["transcribe", "b.wav", "--start", "9"],
    ] {
        let output = run(home, args);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(said.contains("has no samples"), "{args:?}: {said}");
        assert_eq!(
            said.contains("in the part"),
            args[1] == "b.wav",
            "{args:?}: {said}"
        );
    }
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
fn words_are_told_while_they_are_said() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let audio = Audio::open(&sample()).expect("the sample");
    let samples = audio.mono_at(8000).expect("samples");
    // The sample, four seconds of silence, the sample again.
    let silence = vec![0.0; 32_000];
    let bytes: Vec<u8> = [&samples, &silence, &samples]
        .into_iter()
        .flatten()
        .flat_map(|x| ((x * 32767.0) as i16).to_le_bytes())
        .collect();
    let live = |extra: &[&str]| {
        let mut command = sensorium(home);
        command
            .args(["transcribe", "--live", "--rate", "8000"])
            .args(extra);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("standard input");
        // In odd pieces, as pipes cut them.
        for part in bytes.chunks(777) {
            stdin.write_all(part).expect("it reads on");
        }
        drop(stdin);
        child.wait_with_output().expect("it ends")
    };
    let heard = live(&[]);
    assert!(heard.status.success(), "{}", stderr(&heard));
    assert_eq!(stdout(&heard), format!("{SAID}\n{SAID}\n"));
    let heard = live(&["--json"]);
    let words: Vec<Value> = stdout(&heard)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let starts: Vec<f64> = words.iter().filter_map(|word| word["start"].as_f64()).collect();
    assert!(starts.is_sorted() && starts.len() == words.len());
    let again = audio.seconds() + 4.0;
    assert!(starts[words.len() / 2] > again && starts[words.len() / 2 - 1] < audio.seconds());
    let both = run(home, &["transcribe", "--live", "a.wav"]);
    assert_eq!(both.status.code(), Some(2));
}

/// The sample several times with pauses between, as a WAV that does not know its length.
fn talk(times: usize) -> Vec<u8> {
    let sample = fs::read(sample()).expect("the sample");
    let mut bytes = sample[..40].to_vec();
    bytes.extend([0xff; 4]);
    for number in 0..times {
        bytes.extend(vec![0; 16_000 * (1 + number % 4)]);
        bytes.extend(&sample[44..]);
    }
    bytes
}

/// What the program makes of standard input.
fn piped(home: &Path, args: &[&str], bytes: &[u8]) -> Output {
    let mut command = sensorium(home);
    command.args(args).current_dir(home);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("standard input");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || {
        // It may have heard enough.
        let _ = stdin.write_all(&bytes);
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("it does not panic");
    output
}

#[test]
fn what_is_shown_as_it_is_found_is_what_is_written_at_the_end() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let talk = talk(14); // more than a minute, which is heard in pieces
    fs::write(home.join("talk.wav"), &talk).expect("a file");
    let whole = run(home, &["transcribe", "talk.wav", "--json"]);
    let whole: Value = serde_json::from_str(&stdout(&whole)).expect("JSON");
    let text = whole["text"].as_str().expect("a text");
    assert!(
        text.matches("three one four one five nine").count() == 14,
        "{text}"
    );
    for input in ["talk.wav", "-"] {
        let output = piped(home, &["transcribe", input], &talk);
        assert_eq!(stdout(&output), format!("{text}\n"), "{}", stderr(&output));
        assert!(stderr(&output).is_empty(), "{}", stderr(&output));
    }
    for format in ["txt", "srt", "vtt", "tsv", "lrc"] {
        let is_cut = ["srt", "vtt"].contains(&format);
        for shape in [&[][..], &["--max-words-per-line", "4"]] {
            if !shape.is_empty() && !is_cut {
                continue;
            }
            let args = [&["transcribe", "talk.wav", "--format", format], shape].concat();
            let shown = run(home, &args);
            let written = run(home, &[&args[..], &["--out", "talk.out"]].concat());
            assert!(written.status.success() && stdout(&written).is_empty());
            let written = fs::read_to_string(home.join("talk.out")).expect("a file");
            assert!(written.matches("nine").count() == 14, "{written}");
            assert_eq!(stdout(&shown), written, "{format}");
        }
    }
    // Nobody speaks: an empty line, as ever, and no caption.
    let silence = [&talk[..44], &vec![0; 200_000]].concat();
    assert_eq!(stdout(&piped(home, &["transcribe", "-"], &silence)), "\n");
    let output = piped(home, &["transcribe", "-", "--format", "vtt"], &silence);
    assert_eq!(stdout(&output), "WEBVTT\n\n");
}

#[test]
fn bad_pipes_are_one_sentence_and_nothing_else() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let good = talk(1);
    let mut nan = good.clone();
    nan[20] = 3; // floats
    nan[34] = 32;
    nan[32] = 4;
    nan[28..32].copy_from_slice(&64_000u32.to_le_bytes());
    let at = nan.len() - 400;
    nan[44..at].fill(0);
    nan[at..].fill(0xff);
    for (bytes, part) in [
        (&good[..20], "format chunk is cut"),
        (&good[..44], "no samples"),
        (&nan, "not a number"),
        (&good[..46], "at least"),
        (b"OggS and then nothing of the kind", "no sound that can be read"),
    ] {
        for format in ["txt", "srt", "vtt", "json"] {
            let output = piped(home, &["transcribe", "-", "--format", format], bytes);
            let errors = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{part}: {errors}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
            assert!(errors.contains(part), "{part}: {errors}");
            assert!(stdout(&output).is_empty(), "{}", stdout(&output));
        }
    }
    // What is wrong behind the part that is wanted is not looked at.
    let output = piped(home, &["transcribe", "-", "--end", "1"], &nan);
    assert!(output.status.success(), "{}", stderr(&output));
}

/// The most memory that a process has had, in kilobytes.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_silence_takes_no_more_memory_than_a_short_one() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let heard = |minutes: usize| {
        let mut command = sensorium(home);
        command.args(["transcribe", "-", "--channel", "0"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stdin = child.stdin.take().expect("standard input");
        // 800 Hz, as voices are looked for in all of it.
        let mut head = talk(0);
        head[24..28].copy_from_slice(&800u32.to_le_bytes());
        head[28..32].copy_from_slice(&1600u32.to_le_bytes());
        stdin.write_all(&head).expect("it reads on");
        let minute = vec![0; 1600 * 60];
        for _ in 0..minutes {
            stdin.write_all(&minute).expect("it reads on");
        }
        let peak = peak(child.id()).expect("a running process");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success() && stdout(&output) == "\n");
        peak
    };
    let (short, long) = (heard(2), heard(40));
    assert!(long < short + 8 * 1024, "{short} kB, {long} kB");
}

#[test]
fn transcripts_have_files_of_their_own() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    for folder in ["a", "b"] {
        fs::create_dir(home.join(folder)).expect("a folder");
        fs::copy(sample(), home.join(folder).join("x.wav")).expect("a copy");
    }
    let output = run(home, &["transcribe", "a", "b", "--format", "srt", "--beside"]);
    assert!(
        output.status.success() && stdout(&output).is_empty(),
        "{}",
        stderr(&output)
    );
    let read = |name: &str| fs::read_to_string(home.join(name)).expect("a file");
    assert!(read("a/x.srt").contains(SAID));
    assert_eq!(read("a/x.srt"), read("b/x.srt"));
    // In one folder they would have one name.
    let output = run(
        home,
        &["transcribe", "a", "b", "--format", "srt", "--out", "texts"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("texts/x.srt has what came of a/x.wav"),
        "{}",
        stderr(&output)
    );
    assert!(read("texts/x.srt").contains(SAID));
    // The name says what it is to be.
    assert!(
        run(home, &["transcribe", "a/x.wav", "--out", "x.json"])
            .status
            .success()
    );
    let json: Value = serde_json::from_str(&read("x.json")).expect("JSON");
    assert_eq!(json["text"], SAID);
    // A text of the user's own is not replaced unasked.
    fs::write(home.join("a/x.txt"), "mine").expect("a file");
    let output = run(home, &["transcribe", "a/x.wav", "--beside"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("a/x.txt is there already"),
        "{}",
        stderr(&output)
    );
    assert_eq!(read("a/x.txt"), "mine");
    let output = piped(
        home,
        &["transcribe", "-", "--beside"],
        &fs::read(sample()).expect("the sample"),
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("nothing is beside standard input"),
        "{}",
        stderr(&output)
    );
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

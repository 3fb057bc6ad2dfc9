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
    let mut files = Vec::new();
    for rate in [8_000, 16_000, 22_050, 44_100, 48_000] {
        let samples = audio.mono_at(rate).expect("samples");
        for (channels, bits, format) in [
            (1, 16, SampleFormat::Int),
            (2, 24, SampleFormat::Int),
            (1, 32, SampleFormat::Float),
        ] {
            let name = format!("{rate}-{channels}-{bits}.wav");
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
        let output = with(&[flag]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(cannot), "{}", stderr(&output));
    }
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
        "missing.wav",
    ];
    let output = run(home, &args);
    let (text, errors) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(text.contains(&format!("good.wav\t{SAID}")), "{text}{errors}");
    assert!(text.contains("cut.wav\tthree one"), "{text}{errors}");
    for bad in [
        "none", "text", "channels", "rate", "empty", "nan", "tiny", "missing",
    ] {
        let lines = errors.lines().filter(|line| line.contains(&format!("{bad}.wav")));
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

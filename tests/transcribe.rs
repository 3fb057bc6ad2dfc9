//! What `sensorium transcribe`, `classify` and `eval asr` do with recordings of all kinds.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use hound::SampleFormat;
use sensorium_speech::Audio;
use sensorium_tests::recordings::{SAID, piped, run, sample, sounds, talk, write_wav};
use sensorium_tests::{sensorium, stderr, stdout};
use serde_json::Value;

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
        let args = ["transcribe", "--live", "--rate", "8000"];
        piped(home, &[&args[..], extra].concat(), &bytes)
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

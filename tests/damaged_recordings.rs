//! What `sensorium transcribe` and `align` say of recordings that are cut, damaged, or no recordings.

use std::fs;

use hound::SampleFormat;
use sensorium_tests::recordings::{SAID, piped, run, sample, sounds, talk, write_wav};
use sensorium_tests::{stderr, stdout};
use serde_json::Value;

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

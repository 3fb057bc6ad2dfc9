//! What `sensorium speak` says, where it puts it, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use sensorium_speech::Audio;
use sensorium_tests::{sensorium, stderr, stdout};
use serde_json::Value;

/// A voice of four speakers that babbles: random weights of VITS's shape.
fn voice() -> String {
    let voice = Path::new(env!("CARGO_MANIFEST_DIR")).join("parity/cases/vits-speakers");
    voice.display().to_string()
}

fn run(home: &Path, args: &[&str]) -> Output {
    let mut command = sensorium(home);
    command
        .arg("speak")
        .args(args)
        .current_dir(home)
        .stdin(Stdio::null());
    command.output().expect("the program starts")
}

fn seconds(path: PathBuf) -> f64 {
    Audio::open(&path).expect("a sound").seconds()
}

#[test]
fn every_word_of_a_long_text_is_said() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let words = [
        "one",
        "Dr. Smith",
        "3 apples,",
        "late.",
        "\n\nThen",
        "at 5:30 pm,",
    ];
    let text: Vec<&str> = words.iter().copied().cycle().take(2000).collect();
    fs::write(home.join("long.txt"), text.join(" ")).expect("a file");
    let voice = voice();
    let said = run(
        home,
        &[
            "long.txt",
            "-m",
            &voice,
            "-o",
            "long.wav",
            "--timings",
            "json",
            "--json",
        ],
    );
    assert!(said.status.success(), "{}", stderr(&said));
    let told: Value = serde_json::from_str(&stdout(&said)).expect("JSON");
    let length = seconds(home.join("long.wav"));
    assert!((told["seconds"].as_f64().expect("seconds") - length).abs() < 1e-3);
    let timings = fs::read(home.join("long.json")).expect("timings");
    let timings: Vec<Value> = serde_json::from_slice(&timings).expect("JSON");
    let found: Vec<&str> = timings
        .iter()
        .map(|word| word["text"].as_str().expect("text"))
        .collect();
    let cycle = [
        "one",
        "Doctor",
        "Smith",
        "three",
        "apples,",
        "late.",
        "Then",
        "at",
        "five thirty p m,",
    ];
    let expected: Vec<&str> = cycle.into_iter().cycle().take(found.len()).collect();
    assert_eq!(found, expected);
    assert!(found.len() >= 3000 - 2, "{}", found.len());
    let mut latest = 0.0;
    for word in &timings {
        let (start, end) = (
            word["start"].as_f64().expect("start"),
            word["end"].as_f64().expect("end"),
        );
        assert!(
            start >= latest && end >= start && end <= length + 1e-3,
            "{word} after {latest}"
        );
        latest = end;
    }
    let audio = Audio::open(&home.join("long.wav")).expect("a sound");
    assert!(audio.samples().iter().all(|sample| sample.abs() < 0.99));
}

#[test]
fn subtitles_are_what_was_said() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let text = "It is 5 pm, my friend. Good night!";
    for format in ["srt", "lrc"] {
        let said = run(home, &[text, "-o", "told.wav", "--timings", format]);
        assert!(said.status.success(), "{}", stderr(&said));
        let told = fs::read_to_string(home.join("told").with_extension(format)).expect("timings");
        assert!(
            told.contains("It is five p m, my friend.") && told.contains("Good night!"),
            "{told}"
        );
        fs::remove_file(home.join("told.wav")).expect("a sound");
    }
}

#[test]
fn the_same_seed_gives_the_same_sound_and_flags_do_what_they_say() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let voice = voice();
    let say = |more: &[&str]| {
        let all = [
            &[
                "a fox sleeps. under a tree",
                "-m",
                &voice,
                "-o",
                "a.wav",
                "--seed",
                "7",
            ],
            more,
        ]
        .concat();
        let said = run(home, &all);
        assert!(said.status.success(), "{more:?}: {}", stderr(&said));
        fs::read(home.join("a.wav")).expect("a file")
    };
    let plain = say(&[]);
    assert_eq!(plain, say(&[]));
    assert_ne!(plain, say(&["--speaker", "3"]));
    let length = |bytes: Vec<u8>| Audio::decode(bytes).expect("a sound").seconds();
    let usual = length(plain);
    let dense = length(say(&["--pause", "0"]));
    assert!((usual - dense - 0.3).abs() < 1e-3, "{usual} {dense}");
    assert!(length(say(&["--pause", "0", "--speed", "0.5"])) > 1.3 * dense);
    let other = Audio::decode(say(&["--sample-rate", "22050", "--float"])).expect("a sound");
    assert_eq!(other.rate(), 22050);
    assert!((other.seconds() - usual).abs() < 0.01);
    let tagged = "<speak>a fox sleeps.<break time='2s'/> under a tree</speak>";
    let said = run(home, &[tagged, "-m", &voice, "-o", "b.wav", "--seed", "7"]);
    assert!(said.status.success(), "{}", stderr(&said));
    assert!((seconds(home.join("b.wav")) - dense - 2.0).abs() < 0.05);
    let stream = run(home, &["a fox sleeps", "-m", &voice, "--stream", "--seed", "7"]);
    assert!(Audio::decode(stream.stdout).expect("a sound").frames() > 100);
    let raw = run(
        home,
        &["a fox sleeps", "-m", &voice, "--stream", "--format", "pcm"],
    );
    assert!(raw.status.success() && !raw.stdout.starts_with(b"RIFF"));
}

#[test]
fn what_cannot_be_said_is_told_in_a_sentence() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    fs::write(home.join("bad.txt"), b"ab\xff").expect("a file");
    fs::write(home.join("good.txt"), "fine").expect("a file");
    fs::write(home.join("old.wav"), "what was there").expect("a file");
    let voice = voice();
    let refuses = |args: &[&str], expected: &str| {
        let failed = run(home, &[args, &["-m", &voice]].concat());
        let said = stderr(&failed);
        assert_eq!(failed.status.code(), Some(1), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    };
    refuses(
        &["...", "-o", "old.wav"],
        "nothing in the text that the voice can say",
    );
    refuses(
        &["你好", "-o", "a.wav"],
        "nothing in the text that the voice can say",
    );
    refuses(&["hello there", "-o", "no/a.wav"], "its folder does not exist");
    refuses(&["hello there", "-o", "a.wav", "--speaker", "4"], "no speaker 4");
    refuses(
        &["hello there", "-o", "a.wav", "--speaker", "nobody"],
        "nobody cannot be read",
    );
    refuses(
        &["<speak>hi <audio/></speak>", "-o", "a.wav"],
        "<audio>, which is not known",
    );
    refuses(&["good.txt", "-o", "good.txt"], "good.txt would be replaced");
    fs::write(home.join("lines.srt"), "fine").expect("a file");
    refuses(
        &["lines.srt", "-o", "lines.wav", "--timings", "srt"],
        "lines.srt would be replaced",
    );
    refuses(&["bad.txt", "-o", "a.wav"], "bad.txt");
    refuses(&["hello there", "more words", "--stream"], "name a folder");
    refuses(
        &["hello there", "-o", "a.wav", "--vocoder", &voice],
        "makes its samples itself",
    );
    for flags in [
        &["-o", "a.wav", "--format", "pcm"][..],
        &["--stream", "--json"],
        &["--stream", "--timings", "srt"],
    ] {
        let output = run(home, &[&["hello there", "-m", &voice], flags].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {}", stderr(&output));
    }
    assert_eq!(fs::read(home.join("old.wav")).expect("a file"), b"what was there");
    assert!(!home.join("a.wav").exists());
    // The others go on.
    let both = run(home, &["bad.txt", "good.txt", "-m", &voice, "-o", "out"]);
    assert_eq!(both.status.code(), Some(1));
    assert!(seconds(home.join("out/good.wav")) > 0.0);
    // One word of 5,000 letters, control characters, mixed scripts.
    let odd = format!("{} \u{1}\u{202e} mixed Москва 東京 text", "a".repeat(5000));
    let said = run(home, &[&odd, "-m", &voice, "-o", "odd.wav"]);
    assert!(said.status.success(), "{}", stderr(&said));
    assert!(
        stderr(&said).contains("does not know") && stderr(&said).contains('м'),
        "{}",
        stderr(&said)
    );
}

#[test]
fn the_shipped_voice_says_odd_texts_or_tells_why_not() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let long = "a".repeat(5000);
    let spelt: [&str; 4] = [
        &long,
        "tabs\t, bells \u{7} and \u{202e}marks",
        "Москва and 東京 and tea",
        "a [[T EH1 S T]] of it",
    ];
    for (at, text) in spelt.into_iter().enumerate() {
        let out = format!("{at}.wav");
        let said = run(home, &[text, "-o", &out]);
        assert!(said.status.success(), "{text}: {}", stderr(&said));
        assert!(seconds(home.join(out)) > 0.5, "{text}");
    }
    fs::write(
        home.join("bad.lexicon"),
        "hello  HH AH0 L OW1\nworld  W ER9 L D\n",
    )
    .expect("a file");
    fs::write(home.join("good.lexicon"), "hello  HH AH0 L OW1\n").expect("a file");
    let refuses = |args: &[&str], expected: &str| {
        let failed = run(home, &[args, &["-o", "no.wav"]].concat());
        let said = stderr(&failed);
        assert_eq!(failed.status.code(), Some(1), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
        assert!(!home.join("no.wav").exists(), "{args:?}");
    };
    refuses(&[" "], "nothing in the text");
    refuses(&["?!... —"], "nothing in the text");
    refuses(&["hello", "--lexicon", "bad.lexicon"], "bad.lexicon");
    refuses(&["hello", "--lexicon", "none.lexicon"], "none.lexicon");
    refuses(&["a [[T QQ]] of it"], "QQ");
    refuses(&["<speak>hi <break time='x'/></speak>"], "break");
    let known = run(home, &["hello", "--lexicon", "good.lexicon", "-o", "known.wav"]);
    assert!(known.status.success(), "{}", stderr(&known));
}

#[test]
fn no_output_takes_the_place_of_another() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let voice = voice();
    for (folder, text) in [("a", "fine"), ("b", "fine weather today")] {
        fs::create_dir(home.join(folder)).expect("a folder");
        fs::write(home.join(folder).join("x.txt"), text).expect("a file");
    }
    let twice = run(
        home,
        &["a/x.txt", "b/x.txt", "-m", &voice, "-o", "out", "--seed", "1"],
    );
    assert_eq!(twice.status.code(), Some(1));
    assert!(
        stderr(&twice).contains("x.wav has what came of a/x.txt"),
        "{}",
        stderr(&twice)
    );
    let alone = run(home, &["a/x.txt", "-m", &voice, "-o", "a.wav", "--seed", "1"]);
    assert!(alone.status.success(), "{}", stderr(&alone));
    assert_eq!(
        fs::read(home.join("out/x.wav")).expect("a sound"),
        fs::read(home.join("a.wav")).expect("a sound")
    );
    let both = run(home, &["fine", "-m", &voice, "-o", "t.json", "--timings", "json"]);
    assert_eq!(both.status.code(), Some(1));
    assert!(
        stderr(&both).contains("replaced by the times"),
        "{}",
        stderr(&both)
    );
    assert!(!home.join("t.json").exists());
}

#[test]
fn signs_that_a_voice_does_not_know_are_told() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let text = "a + b = 5 % & c @ d, \"(so-so)\" [it's]; no: yes!?";
    let said = run(
        home,
        &[text, "-m", &voice(), "-o", "a.wav", "--language", "de", "-q"],
    );
    assert_eq!((said.status.success(), stderr(&said).as_str()), (true, ""));
    let said = run(home, &[text, "-m", &voice(), "-o", "a.wav", "--language", "de"]);
    assert_eq!(
        stderr(&said),
        "note: the voice does not know `+`, `=`, `5`, `%`, `&`, `@`: left out\n"
    );
}

/// However slow, no more is said in one go than memory is good for.
#[test]
fn a_slow_text_is_said_in_pieces() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let words = "over the hills and far away ".repeat(3);
    let tagged = format!("<speak><prosody rate='0.1'>{words}</prosody></speak>");
    let said = run(
        home,
        &[&tagged, "--speed", "0.1", "-o", "slow.wav", "--timings", "json"],
    );
    assert!(said.status.success(), "{}", stderr(&said));
    let told = fs::read(home.join("slow.json")).expect("times");
    let told: Vec<Value> = serde_json::from_slice(&told).expect("JSON");
    assert_eq!(told.len(), 18);
    // Ten times as slow as usual, and not a hundred times.
    let length = seconds(home.join("slow.wav"));
    assert!((30.0..150.0).contains(&length), "{length} s");
}

#[cfg(unix)]
#[test]
fn links_and_pipes_stay_what_they_are() {
    use std::os::unix::fs::{FileTypeExt, symlink};
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let voice = voice();
    symlink("file.wav", home.join("link.wav")).expect("a link");
    let said = run(home, &["fine", "-m", &voice, "-o", "link.wav"]);
    assert!(said.status.success(), "{}", stderr(&said));
    assert!(seconds(home.join("file.wav")) > 0.0);
    let is_link = fs::symlink_metadata(home.join("link.wav")).is_ok_and(|meta| meta.is_symlink());
    assert!(is_link);

    let made = std::process::Command::new("mkfifo")
        .arg(home.join("pipe"))
        .status();
    assert!(made.is_ok_and(|made| made.success()));
    let pipe = home.join("pipe");
    let reader = std::thread::spawn(move || fs::read(pipe).expect("a pipe"));
    let said = run(home, &["fine", "-m", &voice, "-o", "pipe"]);
    assert!(said.status.success(), "{}", stderr(&said));
    let heard = Audio::decode(reader.join().expect("bytes")).expect("a sound");
    assert!(heard.seconds() > 0.0);
    let meta = fs::symlink_metadata(home.join("pipe")).expect("a pipe");
    assert!(meta.file_type().is_fifo());
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_half_written_stays_when_the_program_is_told_to_end() {
    let home = tempfile::tempdir().expect("a home");
    let home = home.path();
    let folder = home.join("out");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("a.wav"), "what was there").expect("a file");
    let text = "This is a sentence of some length. ".repeat(400);
    for signal in ["-INT", "-TERM"] {
        let program = sensorium(home);
        // What runs the tests may ignore signals, and programs inherit that.
        let mut speaking = std::process::Command::new("env")
            .arg("--default-signal=INT,TERM,HUP")
            .arg(program.get_program())
            .args(program.get_args())
            .args(["speak", &text, "-o", "out/a.wav"])
            .env("SENSORIUM_HOME", home)
            .current_dir(home)
            .stdin(Stdio::null())
            .spawn()
            .expect("the program starts");
        let files = || fs::read_dir(&folder).expect("a folder").count();
        while files() < 2 && speaking.try_wait().is_ok_and(|ended| ended.is_none()) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(files(), 2, "it grows beside its place");
        let told = std::process::Command::new("kill")
            .args([signal, &speaking.id().to_string()])
            .status();
        assert!(told.is_ok_and(|told| told.success()));
        let ended = speaking.wait().expect("it ends");
        assert_eq!(ended.code(), Some(130), "{signal}");
        assert_eq!(files(), 1, "{signal}");
        assert_eq!(fs::read(folder.join("a.wav")).expect("a file"), b"what was there");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_ends_the_stream_without_a_word() {
    let home = tempfile::tempdir().expect("a home");
    let text = "This is a sentence of some length. ".repeat(40);
    let mut speaking = sensorium(home.path())
        .args(["speak", &text, "--stream"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(speaking.stdout.take());
    let ended = speaking.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    assert_eq!(stderr(&ended), "");
}

use std::fs;

use super::*;

fn texts(recordings: &[Recording]) -> Vec<(&str, &str)> {
    recordings
        .iter()
        .map(|r| (r.id.as_str(), r.text.as_str()))
        .collect()
}

#[test]
fn layouts_are_recognised() {
    let dir = tempfile::tempdir().expect("a folder");
    let dir = dir.path();
    let write = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("digits/recordings/3_ann_0.wav", "");
    write("digits/recordings/7_ann_12.wav", "");
    let digits = read(&dir.join("digits")).expect("digits");
    assert_eq!(texts(&digits), [("3_ann_0", "three"), ("7_ann_12", "seven")]);
    assert_eq!(digits[0].speaker.as_deref(), Some("ann"));
    assert_eq!(
        [digits[0].part, digits[1].part],
        [Some(Part::Test), Some(Part::Train)]
    );
    assert!(
        digits[0]
            .audio()
            .expect_err("no sound")
            .to_string()
            .contains("3_ann_0")
    );

    write("yn/0_1_0_0_1_1_1_1.wav", "");
    let yes_no = read(&dir.join("yn")).expect("yes and no");
    assert_eq!(yes_no[0].text, "no yes no no yes yes yes yes");

    write("ls/dev-clean/19/198/19-198-0000.flac", "");
    write(
        "ls/dev-clean/19/198/19-198.trans.txt",
        "19-198-0000 HELLO THERE\n19-198-0001 LOST\n",
    );
    let libri = read(&dir.join("ls")).expect("LibriSpeech");
    assert_eq!(texts(&libri), [("19-198-0000", "HELLO THERE")]);
    assert_eq!(libri[0].part, Some(Part::Validation));

    write(
        "mine/train.jsonl",
        "{\"audio\": \"a/x.wav\", \"text\": \"one two\"}\n",
    );
    write("mine/test.tsv", "path\tsentence\ny\tthree \"four\n");
    write("mine/a/x.wav", "");
    write("mine/a/y.wav", "");
    let mine = read(&dir.join("mine")).expect("manifests");
    assert_eq!(texts(&mine), [("y", "three \"four"), ("a/x.wav", "one two")]);
    assert_eq!(part(&mine, Part::Test, 0.1, 0).len(), 1);
    assert_eq!(
        read(&dir.join("mine/train.jsonl")).expect("one manifest").len(),
        1
    );

    write("lj/metadata.csv", "LJ1|Dr. X|Doctor X\n");
    write("lj/wavs/LJ1.wav", "");
    assert_eq!(
        texts(&read(&dir.join("lj")).expect("LJ Speech")),
        [("LJ1", "Doctor X")]
    );

    write("bad/list.csv", "audio,text\nnowhere.wav,hello\n");
    let error = read(&dir.join("bad")).expect_err("no such recording").to_string();
    assert!(error.contains("list.csv names nowhere.wav"), "{error}");
    write("empty/readme.md", "");
    let error = read(&dir.join("empty")).expect_err("nothing").to_string();
    assert!(error.contains("has no recordings with texts"), "{error}");
}

/// A folder with files that hold their own names.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, file).expect("a file");
    }
    dir
}

/// What the recordings hold.
fn contents(recordings: &[Recording]) -> Vec<String> {
    let content = |recording: &Recording| match &recording.sound {
        Sound::File(path) => fs::read_to_string(path).expect("a file"),
        Sound::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    };
    recordings.iter().map(content).collect()
}

#[test]
fn a_row_is_the_recording_at_its_path() {
    let files = ["spk1/001.wav", "spk2/001.wav", "spk2/002.flac", "spk2/003.wav"];
    let dir = folder(&files);
    let root = dir.path().display();
    let rows = [
        (format!("{root}/spk1/001.wav"), files[0]),
        (format!("{root}/spk2/001.wav"), files[1]),
        ("./spk1/001.wav".to_string(), files[0]),
        ("spk1/../spk2//001.wav".to_string(), files[1]),
        ("spk1/001".to_string(), files[0]),
        ("spk2/002.wav".to_string(), files[2]), // has become another kind of file
        ("003".to_string(), files[3]),
        ("003.wav".to_string(), files[3]),
    ];
    let table: String = rows.iter().map(|(path, _)| format!("{path}\thello\n")).collect();
    fs::write(dir.path().join("list.tsv"), format!("audio\ttext\n{table}")).expect("a file");
    let expected: Vec<&str> = rows.iter().map(|(_, file)| *file).collect();
    assert_eq!(contents(&read(dir.path()).expect("a folder")), expected);
    assert_eq!(
        contents(&read(&dir.path().join("list.tsv")).expect("a manifest")),
        expected
    );

    // From an archive.
    let archive = dir.path().join("all.tar");
    let mut tar = tar::Builder::new(fs::File::create(&archive).expect("a file"));
    for file in files {
        tar.append_path_with_name(dir.path().join(file), format!("set/{file}"))
            .expect("an entry");
    }
    let list = "audio,text\n./../set/spk1/001.wav,a\nset/spk2/001.wav,b\n002,c\n";
    fs::write(dir.path().join("list.csv"), list).expect("a file");
    tar.append_path_with_name(dir.path().join("list.csv"), "set/list.csv")
        .expect("an entry");
    tar.finish().expect("an archive");
    drop(tar);
    assert_eq!(contents(&read(&archive).expect("an archive")), files[..3]);
}

#[test]
fn a_name_that_several_have_is_refused() {
    let dir = folder(&["a/x.wav", "b/x.wav", "b/y.wav"]);
    let says = |row: &str| {
        fs::write(dir.path().join("list.csv"), format!("audio,text\n{row},hello\n")).expect("a file");
        let file = dir.path().join("list.csv");
        let [whole, named] = [dir.path(), &file].map(|path| read(path).expect_err(row).to_string());
        assert_eq!(whole, named);
        whole.replace(&dir.path().display().to_string(), "")
    };
    let expected = "/list.csv names x, and there are several, a/x.wav and b/x.wav: name their folders";
    assert_eq!(says("x"), expected);
    for row in ["a/y.wav", "/nowhere/b/y.wav", "z.wav"] {
        assert_eq!(says(row), format!("/list.csv names {row}, which is not there"));
    }
}

#[test]
fn a_manifest_that_is_named_is_read_alone() {
    let dir = folder(&[
        "x.wav",
        "lists/damaged.tar.gz",
        "lists/y.wav",
        "lists/deep/LJ1.wav",
    ]);
    fs::write(dir.path().join("lists/other.jsonl"), "{").expect("a file");
    let list = dir.path().join("lists/list.csv");
    fs::write(&list, "audio,text\n../x.wav,one\ny.wav,two\nLJ1,three\n").expect("a file");
    let found = contents(&read(&list).expect("a manifest"));
    assert_eq!(found, ["x.wav", "lists/y.wav", "lists/deep/LJ1.wav"]);
    assert!(read(&dir.path().join("lists")).is_err()); // has a damaged archive
    let error = read(&dir.path().join("none.csv"))
        .expect_err("no file")
        .to_string();
    assert!(error.contains("none.csv cannot be read"), "{error}");
}

#[test]
fn parts_cover_everything_once() {
    let recording = |part| Recording {
        id: String::new(),
        text: String::new(),
        speaker: None,
        part,
        sound: Sound::Bytes(Arc::new([])),
    };
    let all: Vec<Recording> = (0..200)
        .map(|i| recording((i % 4 == 0).then_some(Part::Test)))
        .collect();
    let count = |of| part(&all, of, 0.2, 3).len();
    assert_eq!(count(Part::Test), 50);
    assert!((20..45).contains(&count(Part::Validation)));
    assert_eq!(count(Part::Train) + count(Part::Validation), 150);
    // However few there are, some are learned and one at least validates.
    for seed in 0..50 {
        for few in [2, 3, 9] {
            let all = vec![recording(None); few];
            let count = |of, held_out| part(&all, of, held_out, seed).len();
            for share in [0.01, 0.1, 0.99] {
                let validation = count(Part::Validation, share);
                assert!((1..few).contains(&validation), "{few} {share} {seed}");
                assert_eq!(count(Part::Train, share), few - validation);
            }
            assert_eq!(count(Part::Validation, 0.0), 0);
        }
        assert_eq!(part(&all[1..2], Part::Train, 0.5, seed).len(), 1);
    }
}

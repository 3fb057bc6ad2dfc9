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
}

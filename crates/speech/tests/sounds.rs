//! Recordings of all kinds through the reader of any length.

mod support;

use std::fs;
use std::io::Cursor;

use sensorium_speech::{Audio, AudioStream};
use support::{KINDS, change, content, lacks_both, piped, rf64, samples_last, sound, wav};

/// The same with an extension that says how many bits are valid and what they are.
fn extended(format: u16, channels: u16, (bits, valid): (u16, u16), data: &[u8]) -> Vec<u8> {
    let mut bytes = wav(0xfffe, channels, 16_000, bits, data);
    let mut extension = 22u16.to_le_bytes().to_vec();
    extension.extend(valid.to_le_bytes());
    extension.extend([4, 0, 0, 0]); // the place of the loudspeaker
    extension.extend(format.to_le_bytes());
    extension.extend(b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    bytes[16] += extension.len() as u8;
    bytes.splice(36..36, extension);
    bytes
}

#[test]
fn what_an_encoder_puts_around_a_recording_is_left_out() {
    let wav = Audio::decode(sound("pi.wav")).expect("a recording");
    for mut bytes in [sound("pi.m4a"), samples_last()] {
        let [damage, _] = lacks_both(&bytes).map(|(damage, _)| damage);
        assert_eq!(damage, None);
        // Its list of edits begins at 0, as if the first 1,024 samples were of the recording.
        assert_eq!(lacks_both(&bytes)[0].1, (wav.frames() + 1024) as f64 / 16_000.0);
        let list = content(&bytes, b"elst");
        change(&mut bytes, list + 12, |_| 1024);
        let aac = Audio::decode(bytes).expect("a recording");
        assert_eq!(aac.frames(), wav.frames());
        let product = |a: &Audio, b: &Audio| -> f32 {
            let pairs = a.samples().iter().zip(b.samples());
            pairs.map(|(x, y)| x * y).sum()
        };
        let likeness = product(&aac, &wav) / (product(&aac, &aac) * product(&wav, &wav)).sqrt();
        assert!(likeness > 0.9, "{likeness}");
    }
}

#[test]
fn pipes_are_heard_as_files_are() {
    for name in KINDS.into_iter().chain(["pi.wav"]) {
        let whole = Audio::decode(sound(name)).expect(name);
        assert!((whole.seconds() - 5.6).abs() < 0.2, "{name}: {}", whole.seconds());
        for most in [1, 7, 4096, usize::MAX] {
            assert_eq!(piped(sound(name), most).expect(name), whole, "{name} {most}");
        }
    }
}

#[test]
fn lengths_are_known_before_all_is_read() {
    for name in KINDS.into_iter().chain(["pi.wav"]) {
        let mut stream = AudioStream::decode(sound(name)).expect(name);
        let said = stream.seconds().expect(name);
        let found = stream.collect().expect(name).seconds();
        assert!((said - found).abs() < 0.2, "{name}: {said} {found}");
    }
    let mut endless = sound("pi.wav");
    endless[40..44].fill(0xff);
    let stream = AudioStream::new(Cursor::new(endless)).expect("a sound");
    assert_eq!(stream.seconds(), None);
}

#[test]
fn wavs_of_all_kinds_are_read() {
    let whole: Vec<i16> = (0..5000).map(|i: i16| i.wrapping_mul(13)).collect();
    let floats: Vec<f64> = whole.iter().map(|&x| f64::from(x) / 32768.0).collect();
    let expected: Vec<f32> = floats.iter().map(|&x| x as f32).collect();
    let doubles: Vec<u8> = floats.iter().flat_map(|x| x.to_le_bytes()).collect();
    let singles: Vec<u8> = expected.iter().flat_map(|x| x.to_le_bytes()).collect();
    let words: Vec<u8> = whole.iter().flat_map(|x| x.to_le_bytes()).collect();
    let long: Vec<u8> = whole
        .iter()
        .flat_map(|&x| (i32::from(x) << 16).to_le_bytes())
        .collect();
    for (format, bits, data) in [
        (3, 64, &doubles),
        (3, 32, &singles),
        (1, 16, &words),
        (1, 32, &long),
    ] {
        for channels in [1, 2] {
            let bytes = wav(format, channels, 16_000, bits, data);
            // With the length that a pipe cannot know, too.
            let mut endless = bytes.clone();
            endless[40..44].fill(0xff);
            for bytes in [bytes, endless] {
                let audio = Audio::decode(bytes.clone()).expect("a sound");
                assert_eq!(audio.samples(), expected, "{format} {bits} {channels}");
                assert_eq!(usize::from(channels), audio.channels());
                assert_eq!(piped(bytes, 1000).expect("a sound"), audio);
            }
        }
    }
    // The logarithms of telephones: µ-law, of which 0xff is silence and 0x80 is the loudest.
    let audio = Audio::decode(wav(7, 1, 8000, 8, &[0xff, 0x80, 0x00])).expect("a sound");
    let loud = 32124.0 / 32768.0;
    assert_eq!(audio.samples(), [0.0, loud, -loud]);
}

#[test]
fn bits_that_are_not_valid_are_the_last_ones() {
    let whole: Vec<i32> = (-500..500).map(|i: i32| i * 4096 * 1024).collect();
    let expected: Vec<f32> = whole.iter().map(|&x| x as f32 / 2f32.powi(31)).collect();
    let held = |bytes: usize| -> Vec<u8> {
        whole
            .iter()
            .flat_map(|x| x.to_le_bytes()[4 - bytes..].to_vec())
            .collect()
    };
    let singles: Vec<u8> = expected.iter().flat_map(|x| x.to_le_bytes()).collect();
    let doubles: Vec<u8> = expected
        .iter()
        .flat_map(|&x| f64::from(x).to_le_bytes())
        .collect();
    for (format, bits, data) in [
        (1, (32, 32), &held(4)),
        (1, (32, 24), &held(4)),
        (1, (32, 0), &held(4)),
        (1, (24, 24), &held(3)),
        (1, (24, 20), &held(3)),
        (1, (16, 16), &held(2)),
        (1, (16, 12), &held(2)),
        (3, (32, 32), &singles),
        (3, (64, 64), &doubles),
    ] {
        for channels in [1, 2] {
            let bytes = extended(format, channels, bits, data);
            let audio = Audio::decode(bytes.clone()).expect("a sound");
            assert_eq!(audio.samples(), expected, "{format} {bits:?} {channels}");
            assert_eq!(piped(bytes, 1000).expect("a sound"), audio);
        }
    }
    // The logarithms of telephones, and a kind that is another's.
    let audio = Audio::decode(extended(7, 1, (8, 8), &[0xff, 0x80])).expect("a sound");
    assert_eq!(audio.samples(), [0.0, 32124.0 / 32768.0]);
    let mut other = extended(1, 1, (16, 16), &[0; 1000]);
    other[46] = 1;
    let error = Audio::decode(other).expect_err("no known kind").to_string();
    assert!(error.contains("in a way that cannot be read"), "{error}");
}

#[test]
fn chunks_behind_no_samples_are_no_samples() {
    let with = |chunk: &[u8]| [wav(1, 1, 16_000, 16, &[]), chunk.to_vec()].concat();
    let list = [&b"LIST\xd0\x07\0\0"[..], &[1; 2000]].concat();
    let odd = [&list[..], b"id3 \x03\0\0\0abc"].concat();
    for chunks in [&list, &odd, &[&odd[..], b"\0"].concat()] {
        let audio = Audio::decode(with(chunks)).expect("a sound");
        assert_eq!(audio.frames(), 0);
    }
    // What is no chunk is what a writer did not count, and so is what is longer than the file.
    for samples in [&list[..2000], &[1; 2000]] {
        assert_eq!(Audio::decode(with(samples)).expect("a sound").frames(), 1000);
    }
}

#[test]
fn files_of_more_than_four_gigabytes_are_read_on() {
    let data = [0, 64].repeat(1000);
    let mut bytes = rf64(2000, &data);
    bytes.extend(b"LIST\x04\0\0\0INFO"); // no samples
    let audio = Audio::decode(bytes.clone()).expect("a sound");
    assert_eq!(audio.samples(), [0.5; 1000]);
    assert_eq!(piped(bytes, 333).expect("a sound"), audio);
    for lie in [0, 5000, u64::MAX] {
        let audio = Audio::decode(rf64(lie, &data)).expect("a sound");
        assert_eq!(audio.frames(), 1000, "{lie}");
        assert_eq!(piped(rf64(lie, &data), 333).expect("a sound"), audio);
    }

    // Five gigabytes of silence behind a header that says one kilobyte, and behind one that says four gigabytes.
    for size in [1000u32, u32::MAX] {
        let mut head = wav(1, 1, 16_000, 16, &[]);
        head[40..44].copy_from_slice(&size.to_le_bytes());
        let path = tempfile::NamedTempFile::new().expect("a file");
        fs::write(path.path(), head).expect("a file");
        path.as_file().set_len(5 << 30).expect("a file with a hole");
        let stream = AudioStream::open(path.path()).expect("a sound");
        let expected = ((5u64 << 30) - 44) as f64 / 32_000.0;
        assert_eq!(stream.seconds(), Some(expected), "{size}");
    }
}

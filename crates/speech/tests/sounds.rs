//! Recordings of all kinds, whole and damaged, through the reader of any length.

use std::fs;
use std::io::{self, Cursor, Read};
use std::path::Path;

use proptest::prelude::*;
use sensorium_speech::{Audio, AudioError, AudioStream, Damage};

/// The sample `pi.wav` as FFmpeg and libsndfile encode it.
const KINDS: [&str; 4] = ["pi.flac", "pi.mp3", "pi.ogg", "pi.m4a"];

fn sound(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = match name {
        "pi.wav" => folder.join("../../examples/samples/speech/pi.wav"),
        name => folder.join("tests/sounds").join(name),
    };
    fs::read(path).expect("a sound")
}

/// A pipe that gives a few bytes at a time.
struct Pipe {
    bytes: Cursor<Vec<u8>>,
    most: usize,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.most);
        self.bytes.read(&mut into[..most])
    }
}

fn piped(bytes: Vec<u8>, most: usize) -> Result<Audio, AudioError> {
    let bytes = Cursor::new(bytes);
    AudioStream::new(Pipe { bytes, most })?.collect()
}

/// A WAV with a format chunk of these numbers.
fn wav(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let align = channels * bits.div_ceil(8);
    let more: &[u8] = if format == 7 { &[0, 0] } else { &[] };
    let mut bytes = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
    bytes.extend((16 + more.len() as u32).to_le_bytes());
    bytes.extend(format.to_le_bytes());
    bytes.extend(channels.to_le_bytes());
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * u32::from(align)).to_le_bytes());
    bytes.extend(align.to_le_bytes());
    bytes.extend(bits.to_le_bytes());
    bytes.extend(more);
    bytes.extend(b"data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

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

/// What a recording lacks, and its length.
fn lacks(mut stream: AudioStream) -> (Option<Damage>, f64) {
    let audio = stream.collect().expect("a recording");
    (stream.damage(), audio.seconds())
}

fn lacks_both(bytes: &[u8]) -> [(Option<Damage>, f64); 2] {
    let pipe = Pipe {
        bytes: Cursor::new(bytes.to_vec()),
        most: 999,
    };
    let file = AudioStream::decode(bytes.to_vec()).expect("a recording");
    [lacks(file), lacks(AudioStream::new(pipe).expect("a recording"))]
}

/// The MP4 with its samples behind all that is said of them.
fn samples_last() -> Vec<u8> {
    let bytes = sound("pi.m4a");
    let begin = |name: &[u8]| bytes.windows(4).position(|four| four == name).expect("an atom") - 4;
    let (samples, movie) = (begin(b"mdat"), begin(b"moov"));
    let mut moved = [&bytes[..samples], &bytes[movie..], &bytes[samples..movie]].concat();
    let places = moved
        .windows(4)
        .position(|four| four == b"stco")
        .expect("an atom")
        + 12;
    let first = u32::from_be_bytes(moved[places..places + 4].try_into().expect("four bytes"));
    let first = first + (bytes.len() - movie) as u32;
    moved[places..places + 4].copy_from_slice(&first.to_be_bytes());
    moved
}

#[test]
fn where_a_recording_breaks_off_is_known() {
    for name in ["pi.flac", "pi.mp3", "pi.ogg", "pi.wav"] {
        let bytes = sound(name);
        for (damage, seconds) in lacks_both(&bytes) {
            assert_eq!(damage, None, "{name}");
            assert!((seconds - 5.602).abs() < 0.1, "{name}: {seconds}");
        }
        let cut = lacks_both(&bytes[..bytes.len() * 3 / 5]);
        for (number, (damage, seconds)) in cut.into_iter().enumerate() {
            match damage {
                Some(Damage::BreaksOff { at, of }) => {
                    assert!(
                        at == seconds && (2.0..5.0).contains(&at),
                        "{name} {number}: {damage:?}"
                    );
                    assert!(
                        of.is_none_or(|of| (of - 5.602).abs() < 0.1),
                        "{name} {number}: {damage:?}"
                    );
                    assert_eq!(of.is_some(), name != "pi.ogg", "{name} {number}");
                }
                // An MP3 has no place for where something is lost.
                Some(Damage::Short { at, of }) => {
                    assert!(name == "pi.mp3" && at == seconds, "{name} {number}: {damage:?}");
                    assert!(
                        (2.0..5.0).contains(&at) && (of - 5.602).abs() < 0.1,
                        "{number}: {damage:?}"
                    );
                }
                // No page of a pipe is known to be the last one.
                None => assert!(name == "pi.ogg" && number == 1, "{name} {number}"),
                Some(Damage::Gap { .. }) => panic!("{name} {number}: {damage:?}"),
            }
        }
    }
}

#[test]
fn lengths_that_no_writer_knew_promise_nothing() {
    let wav = sound("pi.wav");
    for length in [0, u32::MAX, 0x7fff_ffff, 0x8000_0000] {
        let mut bytes = wav.clone();
        bytes[40..44].copy_from_slice(&u32::to_le_bytes(length));
        for bytes in [&bytes[..], &bytes[..bytes.len() / 2]] {
            assert!(
                lacks_both(bytes).iter().all(|(damage, _)| damage.is_none()),
                "{length}"
            );
        }
    }
}

#[test]
fn what_is_lost_within_a_recording_is_known() {
    for name in ["pi.flac", "pi.mp3"] {
        let mut bytes = sound(name);
        let middle = bytes.len() / 2;
        bytes[middle..middle + 3000].fill(0x55);
        for (damage, seconds) in lacks_both(&bytes) {
            assert!(seconds > 4.0, "{name}: {seconds}");
            match damage {
                Some(Damage::Gap { at }) => assert!((1.5..4.0).contains(&at), "{name}: {at}"),
                Some(Damage::Short { at, of }) => assert!(name == "pi.mp3" && at < of - 0.1, "{at} {of}"),
                _ => panic!("{name}: {damage:?}"),
            }
        }
    }
}

#[test]
fn what_an_encoder_puts_around_a_recording_is_left_out() {
    let wav = Audio::decode(sound("pi.wav")).expect("a recording");
    for mut bytes in [sound("pi.m4a"), samples_last()] {
        let [damage, _] = lacks_both(&bytes).map(|(damage, _)| damage);
        assert_eq!(damage, None);
        // Its list of edits begins at 0, as if the first 1,024 samples were of the recording.
        assert_eq!(lacks_both(&bytes)[0].1, (wav.frames() + 1024) as f64 / 16_000.0);
        let begin = bytes
            .windows(4)
            .position(|four| four == b"elst")
            .expect("an atom")
            + 16;
        bytes[begin..begin + 4].copy_from_slice(&1024u32.to_be_bytes());
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

/// RF64, whose sizes are in a chunk of their own.
fn rf64(size: u64, data: &[u8]) -> Vec<u8> {
    let plain = wav(1, 1, 16_000, 16, data);
    let mut bytes = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0".to_vec();
    bytes.extend([0; 8]);
    bytes.extend(size.to_le_bytes());
    bytes.extend([0; 12]);
    bytes.extend(&plain[12..40]);
    bytes.extend([0xff; 4]);
    bytes.extend(data);
    bytes
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

#[test]
fn bad_recordings_say_what_is_wrong() {
    let good = sound("pi.wav");
    let says = |bytes: &[u8], part: &str| {
        for result in [Audio::decode(bytes.to_vec()), piped(bytes.to_vec(), 100)] {
            let error = result.expect_err(part).to_string();
            assert!(error.contains(part), "{part}: {error}");
        }
    };
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        changed
    };
    says(b"", "no sound");
    says(b"hello", "no sound");
    says(&[0; 100_000], "no sound");
    says(&with(22, &[0, 0]), "0 channels");
    says(&with(24, &[0; 4]), "0 Hz");
    says(&with(32, &[7, 0]), "frame size");
    says(&with(34, &[0, 0]), "frame size");
    says(&with(16, &[0xff; 4]), "too long");
    says(&with(36, b"none"), "no samples");
    says(&good[..38], "no samples");
    says(b"RIFF\0\0\0\0WAVEdata\x02\0\0\0\0\0", "comes after its samples");
    says(
        &wav(0x161, 1, 16_000, 8, &[0; 6000]),
        "in a way that cannot be read",
    );
    says(&wav(1, 300, 16_000, 16, &[0; 6000]), "300 channels");
    says(&wav(1, 1, 50, 16, &[0; 6000]), "50 Hz");
    let nan = [1.0f32, 0.5, f32::NAN, 0.0].map(f32::to_le_bytes).concat();
    says(&wav(3, 2, 16_000, 32, &nan), "not a number, in frame 1");
}

/// The most memory that this program has had, in bytes of address space.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak:"))?;
    line.split_whitespace()
        .nth(1)?
        .parse()
        .ok()
        .map(|kilobytes: u64| kilobytes << 10)
}

/// A file's bytes after a few accidents.
fn damaged(mut bytes: Vec<u8>, accidents: &[(u8, u32, u32)]) -> Vec<u8> {
    for &(kind, a, b) in accidents {
        if bytes.is_empty() {
            break;
        }
        // Headers are where the most can go wrong.
        let limit = if b % 3 == 0 {
            bytes.len()
        } else {
            bytes.len().min(300)
        };
        let at = a as usize % limit;
        let end = (at + b as usize % 64).min(bytes.len());
        match kind {
            0 => bytes[at] = b as u8,
            1 => bytes[at] ^= 1 << (b % 8),
            2 => bytes.truncate(a as usize % bytes.len()),
            3 => drop(bytes.drain(at..end)),
            4 => bytes[at..end].fill(0xff),
            _ => {
                let part = bytes[at..end].to_vec();
                let to = b as usize % bytes.len();
                drop(bytes.splice(to..to, part));
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes, there are samples or an error, and little memory is taken.
    #[test]
    fn damaged_files_are_heard_or_refused(
        kind in 0..6usize,
        accidents in prop::collection::vec((0..6u8, any::<u32>(), any::<u32>()), 1..6),
        piped in any::<bool>(),
    ) {
        let bytes = match kind {
            4 => sound("pi.wav")[..9000].to_vec(),
            5 => rf64(2000, &[0, 64].repeat(1000)),
            // The first half second is as good as all.
            kind => {
                let mut bytes = sound(KINDS[kind]);
                if KINDS[kind] != "pi.m4a" {
                    bytes.truncate(6000);
                }
                bytes
            }
        };
        let bytes = damaged(bytes, &accidents);
        let before = peak();
        let stream = match piped {
            true => AudioStream::new(Cursor::new(bytes)),
            false => AudioStream::decode(bytes),
        };
        let mut frames = 0u64;
        if let Ok(mut stream) = stream {
            let channels = stream.channels();
            while let Ok(Some(block)) = stream.next_block() {
                prop_assert!(block.len().is_multiple_of(channels));
                prop_assert!(block.iter().all(|sample| sample.is_finite()));
                frames += block.len() as u64;
            }
        }
        prop_assert!(frames < 1 << 26);
        if let (Some(before), Some(after)) = (before, peak()) {
            prop_assert!(after - before < 64 << 20, "{} bytes more", after - before);
        }
    }
}

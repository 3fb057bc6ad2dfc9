//! Recordings that are cut or damaged, through the reader of any length.

mod support;

use std::fs;
use std::io::Cursor;

use proptest::prelude::*;
use sensorium_speech::{Audio, AudioStream, Damage};
use support::{KINDS, change, content, lacks_both, piped, rf64, samples_last, sound, wav};

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
fn an_mp4_that_is_cut_says_so_or_where() {
    let samples_first = sound("pi.m4a");
    let samples_last = samples_last();
    let cut = |bytes: &[u8]| {
        for result in [Audio::decode(bytes.to_vec()), piped(bytes.to_vec(), 999)] {
            let error = result.expect_err("no recording").to_string();
            assert!(error.contains("it is an MP4 that is cut"), "{error}");
        }
    };
    for tenth in 1..10 {
        cut(&samples_first[..samples_first.len() * tenth / 10]);
        let end = samples_last.len() * tenth / 10;
        for (damage, seconds) in lacks_both(&samples_last[..end]) {
            let Some(Damage::BreaksOff { at, of: Some(of) }) = damage else {
                panic!("{tenth}: {damage:?}");
            };
            assert!(at == seconds && (of - 5.666).abs() < 0.01, "{at} {of}");
        }
    }
    for end in [8, 30, 100, 600, 1100] {
        cut(&samples_last[..end]);
    }
    // A picture has no sound at all.
    let picture = b"\0\0\0\x0cftypheic\0\0\0\x0cmeta\0\0\0\0\0\0\0\x08mdat".to_vec();
    let error = Audio::decode(picture).expect_err("no recording").to_string();
    assert!(error.contains("is no sound"), "{error}");
}

/// The MP4 with an edit list that leaves out 1,024 samples and does not know how many are left, and with a track that
/// is said to be so long.
fn of_length(mut bytes: Vec<u8>, ticks: u32) -> Vec<u8> {
    let (track, list) = (content(&bytes, b"mdhd"), content(&bytes, b"elst"));
    change(&mut bytes, track + 16, |_| ticks);
    change(&mut bytes, list + 8, |_| 0);
    change(&mut bytes, list + 12, |_| 1024);
    bytes
}

/// The MP4 with a note that fragments may follow.
fn in_fragments(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut more = b"\0\0\0\x28mvex\0\0\0\x20trex".to_vec();
    more.extend([0, 1, 1, 0, 0, 0].map(u32::to_be_bytes).concat());
    let (movie, samples) = (content(&bytes, b"moov") - 8, content(&bytes, b"mdat") - 8);
    let places = content(&bytes, b"stco") + 8;
    if movie < samples {
        change(&mut bytes, places, |place| place + more.len() as u32);
    }
    let mut end = movie;
    change(&mut bytes, movie, |size| size + more.len() as u32);
    end += u32::from_be_bytes(bytes[movie..movie + 4].try_into().expect("four bytes")) as usize - more.len();
    bytes.splice(end..end, more);
    bytes
}

#[test]
fn what_an_mp4_says_of_its_tracks_length_is_not_believed() {
    for whole in [sound("pi.m4a"), samples_last()] {
        for ticks in [0, 1, 1024, 50_000, u32::MAX] {
            let known = of_length(whole.clone(), ticks);
            for (bytes, frames) in [(in_fragments(known.clone()), 90_112), (known, 89_631)] {
                let [(damage, seconds), _] = lacks_both(&bytes);
                assert_eq!((damage, seconds * 16_000.0), (None, f64::from(frames)), "{ticks}");
            }
        }
    }
    for ticks in [0, u32::MAX] {
        let bytes = in_fragments(of_length(samples_last(), ticks));
        for (damage, seconds) in lacks_both(&bytes[..bytes.len() / 2]) {
            assert_eq!(
                damage,
                Some(Damage::BreaksOff {
                    at: seconds,
                    of: None
                })
            );
        }
    }
}

#[test]
fn frames_are_counted_at_the_rate_that_is_heard() {
    // As of HE-AAC, of which the lower half is heard: all but the samples are of twice the rate.
    let mut bytes = of_length(sound("pi.m4a"), 0);
    let (track, entry) = (content(&bytes, b"mdhd"), content(&bytes, b"mp4a"));
    change(&mut bytes, track + 12, |rate| 2 * rate);
    change(&mut bytes, entry + 24, |rate| 2 * rate);
    for (damage, seconds) in lacks_both(&bytes) {
        assert_eq!((damage, seconds * 16_000.0), (None, f64::from(91_136 - 512)));
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

//! Recordings for the tests of sound.
#![allow(dead_code, reason = "no test file uses all of them")]

use std::fs;
use std::io::{self, Cursor, Read};
use std::path::Path;

use sensorium_speech::{Audio, AudioError, AudioStream, Damage};

/// The sample `pi.wav` as FFmpeg and libsndfile encode it.
pub const KINDS: [&str; 4] = ["pi.flac", "pi.mp3", "pi.ogg", "pi.m4a"];

pub fn sound(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = match name {
        "pi.wav" => folder.join("../../examples/samples/speech/pi.wav"),
        name => folder.join("tests/sounds").join(name),
    };
    fs::read(path).expect("a sound")
}

/// A pipe that gives a few bytes at a time.
pub struct Pipe {
    pub bytes: Cursor<Vec<u8>>,
    pub most: usize,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(self.most);
        self.bytes.read(&mut into[..most])
    }
}

pub fn piped(bytes: Vec<u8>, most: usize) -> Result<Audio, AudioError> {
    let bytes = Cursor::new(bytes);
    AudioStream::new(Pipe { bytes, most })?.collect()
}

/// A WAV with a format chunk of these numbers.
pub fn wav(format: u16, channels: u16, rate: u32, bits: u16, data: &[u8]) -> Vec<u8> {
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

/// RF64, whose sizes are in a chunk of their own.
pub fn rf64(size: u64, data: &[u8]) -> Vec<u8> {
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

/// What a recording lacks, and its length.
fn lacks(mut stream: AudioStream) -> (Option<Damage>, f64) {
    let audio = stream.collect().expect("a recording");
    (stream.damage(), audio.seconds())
}

pub fn lacks_both(bytes: &[u8]) -> [(Option<Damage>, f64); 2] {
    let pipe = Pipe {
        bytes: Cursor::new(bytes.to_vec()),
        most: 999,
    };
    let file = AudioStream::decode(bytes.to_vec()).expect("a recording");
    [lacks(file), lacks(AudioStream::new(pipe).expect("a recording"))]
}

/// Where an atom's content begins.
pub fn content(bytes: &[u8], name: &[u8; 4]) -> usize {
    bytes.windows(4).position(|four| four == name).expect("an atom") + 4
}

/// Changes a number of four bytes.
pub fn change(bytes: &mut [u8], at: usize, change: impl Fn(u32) -> u32) {
    let number = u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    bytes[at..at + 4].copy_from_slice(&change(number).to_be_bytes());
}

/// The MP4 with its samples behind all that is said of them.
pub fn samples_last() -> Vec<u8> {
    let bytes = sound("pi.m4a");
    let [samples, movie] = [b"mdat", b"moov"].map(|name| content(&bytes, name) - 8);
    let mut moved = [&bytes[..samples], &bytes[movie..], &bytes[samples..movie]].concat();
    let places = content(&moved, b"stco") + 8;
    change(&mut moved, places, |place| place + (bytes.len() - movie) as u32);
    moved
}

//! Recordings for the tests of speech, and the program run on them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::sensorium;

/// What is said in the sample.
pub const SAID: &str = "three one four one five nine";

/// A recording of digits.
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/samples/speech/pi.wav")
}

/// The same in other formats.
pub fn sounds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/speech/tests/sounds")
}

/// What the program makes of `args`, in the folder of its home.
///
/// # Panics
/// If it does not start.
pub fn run(home: &Path, args: &[&str]) -> Output {
    let mut command = sensorium(home);
    command.args(args).current_dir(home);
    command.output().expect("the program starts")
}

/// Writes `samples` to all `channels` of a WAV file.
///
/// # Panics
/// If it cannot be written.
pub fn write_wav(path: &Path, samples: &[f32], rate: u32, channels: u16, bits: u16, format: SampleFormat) {
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

/// The sample several times with pauses between, as a WAV that does not know its length.
///
/// # Panics
/// If the sample is missing.
pub fn talk(times: usize) -> Vec<u8> {
    let sample = fs::read(sample()).expect("the sample");
    let mut bytes = sample[..40].to_vec();
    bytes.extend([0xff; 4]);
    for number in 0..times {
        bytes.extend(vec![0; 16_000 * (1 + number % 4)]);
        bytes.extend(&sample[44..]);
    }
    bytes
}

/// What the program makes of standard input, which comes in odd pieces, as pipes cut it.
///
/// # Panics
/// If it does not start.
pub fn piped(home: &Path, args: &[&str], bytes: &[u8]) -> Output {
    let mut command = sensorium(home);
    command.args(args).current_dir(home);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("standard input");
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || {
        for part in bytes.chunks(777) {
            if stdin.write_all(part).is_err() {
                break; // it has heard enough
            }
        }
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("it does not panic");
    output
}

//! WAV, read by `hound`, with lengths that writers to pipes could not know put right first.

use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec};

use super::{Audio, AudioError};

/// The recording, or none if the bytes are no WAV or hold what `hound` does not read.
pub(super) fn decode(bytes: &[u8]) -> Option<Result<Audio, AudioError>> {
    if !(bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE")) {
        return None;
    }
    Some(match layout(bytes) {
        Ok(Layout { others: true, .. }) => return None,
        Ok(layout) => read(bytes, &layout),
        Err(problem) => Err(wav(problem)),
    })
}

fn wav(problem: impl ToString) -> AudioError {
    AudioError::Wav {
        problem: problem.to_string(),
    }
}

/// Where the samples are.
struct Layout {
    /// The size field of the chunk `data`.
    size_at: usize,
    /// Bytes of samples that are there, in whole frames.
    size: usize,
    /// Samples of a kind that `hound` does not read.
    others: bool,
}

/// Walks the chunks. A `data` chunk that says 0 or more than there is reaches to the end of the file: the writer
/// could not go back, or the file was cut.
fn layout(bytes: &[u8]) -> Result<Layout, &'static str> {
    let number = |at: usize, len: usize| -> Option<usize> {
        let field = bytes.get(at..at + len)?;
        Some(field.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte)))
    };
    let mut at = 12;
    let mut frame = None;
    let mut others = false;
    while let (Some(name), Some(size)) = (bytes.get(at..at + 4), number(at + 4, 4)) {
        let begin = at + 8;
        match name {
            b"fmt " => {
                let field = |offset, len| number(begin + offset, len).ok_or("its format chunk is cut");
                let (mut format, channels, rate) = (field(0, 2)?, field(2, 2)?, field(4, 4)?);
                let (align, bits) = (field(12, 2)?, field(14, 2)?);
                if format == 0xfffe && size >= 26 {
                    format = field(24, 2)?;
                }
                if channels == 0 {
                    return Err("its header says 0 channels");
                }
                if rate == 0 {
                    return Err("its header says 0 Hz");
                }
                if bits == 0
                    || align != channels * bits.div_ceil(8) && format != 0xfffe && [1, 3].contains(&format)
                {
                    return Err("the frame size in its header does not fit channels and bits");
                }
                others = !matches!((format, bits), (1, 8 | 16 | 24 | 32) | (3, 32));
                frame = Some(align.max(1));
            }
            b"data" => {
                let frame = frame.ok_or("its format comes after its samples, or not at all")?;
                let left = bytes.len() - begin;
                let size = if size == 0 || size > left { left } else { size };
                return Ok(Layout {
                    size_at: at + 4,
                    size: size / frame * frame,
                    others,
                });
            }
            _ => {}
        }
        at = begin + size + size % 2;
    }
    Err("it has no samples")
}

fn read(bytes: &[u8], layout: &Layout) -> Result<Audio, AudioError> {
    let mut bytes = bytes.to_vec();
    let size = u32::try_from(layout.size).unwrap_or(u32::MAX);
    bytes[layout.size_at..layout.size_at + 4].copy_from_slice(&size.to_le_bytes());
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(wav)?;
    let WavSpec {
        channels,
        sample_rate,
        bits_per_sample,
        sample_format,
    } = reader.spec();
    let samples: Result<Vec<f32>, hound::Error> = match sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect(),
        SampleFormat::Int => {
            // Exact in f64, rounded once.
            let scale = 2f64.powi(1 - i32::from(bits_per_sample));
            let samples = reader.samples::<i32>();
            samples
                .map(|sample| Ok((f64::from(sample?) * scale) as f32))
                .collect()
        }
    };
    Audio::new(samples.map_err(wav)?, usize::from(channels), sample_rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(spec: WavSpec, samples: &[i32]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        samples
            .iter()
            .for_each(|&sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn spec(channels: u16, bits_per_sample: u16) -> WavSpec {
        WavSpec {
            channels,
            sample_rate: 8000,
            bits_per_sample,
            sample_format: SampleFormat::Int,
        }
    }

    #[test]
    fn integers_are_fractions_of_full_scale() {
        for (bits, full) in [(8, 128), (16, 1 << 15), (24, 1 << 23)] {
            let bytes = written(spec(2, bits), &[0, -full, full / 2, full / 4]);
            let audio = decode(&bytes).unwrap().unwrap();
            assert_eq!(audio.samples(), [0.0, -1.0, 0.5, 0.25], "{bits}");
            assert_eq!((audio.channels(), audio.rate(), audio.frames()), (2, 8000, 2));
        }
    }

    #[test]
    fn lengths_that_a_pipe_could_not_tell() {
        let good = written(spec(1, 16), &[1 << 14; 100]);
        for lie in [0u32, u32::MAX, 0x7fff_ffff, 5000] {
            let mut bytes = good.clone();
            bytes[40..44].copy_from_slice(&lie.to_le_bytes());
            assert_eq!(decode(&bytes).unwrap().unwrap().frames(), 100, "{lie}");
        }
        // Cut within a frame.
        let audio = decode(&good[..good.len() - 51]).unwrap().unwrap();
        assert_eq!(audio.frames(), 74);
    }

    #[test]
    fn headers_that_lie_are_errors() {
        let good = written(spec(1, 16), &[0; 10]);
        for (at, size) in [(22, 2), (24, 4), (32, 2), (34, 2)] {
            let mut bytes = good.clone();
            bytes[at..at + size].fill(0);
            assert!(decode(&bytes).unwrap().is_err(), "{at}");
        }
        assert!(decode(&good[..40]).unwrap().is_err());
        assert!(decode(b"RIFF").is_none());
    }
}

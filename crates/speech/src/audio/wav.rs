//! WAV, read by `hound`, with lengths that writers to pipes could not know put right first.

use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

use hound::{SampleFormat, WavReader};
use symphonia::core::io::MediaSource;

use super::AudioError;
use super::compressed::Packets;

/// Bytes of samples that are decoded at a time, about.
const BLOCK: usize = 1 << 16;
/// The largest format chunk.
const MOST_FORMAT: u32 = 1 << 17;
/// Programs that write to a pipe say about 2 or 4 GiB.
const ENDLESS: u64 = 0x7fff_0000;

/// The samples of a WAV file. Each block is decoded as a small WAV of its own, so that it matters neither what the
/// header says of the length nor how long the file is.
pub(super) struct WavBlocks {
    /// What is left of the samples.
    reader: io::Take<BufReader<Box<dyn MediaSource>>>,
    format: Format,
    /// Frames in all, if that is known.
    frames: Option<u64>,
    /// How many the header promises, if it knew.
    promised: Option<u64>,
    /// A header and a block of samples.
    bytes: Vec<u8>,
    /// The header's length.
    head: usize,
    decode: fn(&[u8], &mut Vec<f32>) -> Result<(), AudioError>,
}

/// The kinds of samples: integers, floats, and the logarithms of telephones.
const INTEGERS: usize = 1;
const FLOATS: usize = 3;
const LOGARITHMS: [usize; 2] = [6, 7];
/// That the kind is in the chunk's extension.
const EXTENSIBLE: usize = 0xfffe;
/// How the extension's name of a kind goes on behind the number.
const REST_OF_NAME: [u8; 14] = *b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

/// What the chunk `fmt ` says.
#[derive(Clone, Copy)]
struct Format {
    /// The number of the kind.
    kind: usize,
    channels: usize,
    rate: u32,
    /// Bytes of a frame.
    frame: usize,
    /// Whether a frame is a sample of each channel.
    plain: bool,
}

fn wav(problem: impl ToString) -> AudioError {
    AudioError::Wav {
        problem: problem.to_string(),
    }
}

impl WavBlocks {
    /// Whether a file with these first twelve bytes is a WAV.
    pub fn begins(head: &[u8]) -> bool {
        let riff = [b"RIFF", b"RF64", b"BW64"]
            .iter()
            .any(|name| head.starts_with(*name));
        riff && head.get(8..12) == Some(b"WAVE")
    }

    /// Reads the header behind the first twelve bytes.
    pub fn open(source: Box<dyn MediaSource>) -> Result<Self, AudioError> {
        let length = source.byte_len().filter(|_| source.is_seekable());
        let mut reader = BufReader::with_capacity(BLOCK, source);
        let Header {
            chunk,
            format,
            size,
            promised,
        } = header(&mut reader, length)?;
        let chunk = if format.plain { format.chunk() } else { chunk };
        let mut bytes = b"RIFF\xff\xff\xff\xffWAVEfmt ".to_vec();
        bytes.extend((chunk.len() as u32).to_le_bytes());
        bytes.extend(&chunk);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        bytes.extend(b"data\0\0\0\0");
        // What `hound` does not read is for others.
        let decode = match (format.kind, format.frame / format.channels) {
            (INTEGERS, 1..=4) | (FLOATS, 4) => by_hound,
            _ => by_others,
        };
        let frames = |size: Option<u64>| {
            let size = size.filter(|_| format.plain);
            size.map(|size| size / format.frame as u64)
        };
        Ok(Self {
            frames: frames(size),
            promised: frames(promised),
            reader: reader.take(size.unwrap_or(u64::MAX)),
            format,
            head: bytes.len(),
            bytes,
            decode,
        })
    }

    /// Channels and rate.
    pub fn shape(&self) -> (usize, u32) {
        (self.format.channels, self.format.rate)
    }

    /// Frames in all, if that is known.
    pub fn frames(&self) -> Option<u64> {
        self.frames
    }

    /// Frames that the header promises, if it knew: there may be fewer.
    pub fn promised(&self) -> Option<u64> {
        self.promised
    }

    /// The next samples, in whole frames; says whether there are any. A part of a frame at the end is left out.
    pub fn read(&mut self, block: &mut Vec<f32>) -> Result<bool, AudioError> {
        let frame = self.format.frame;
        let most = (BLOCK / frame).max(1) * frame;
        self.bytes.truncate(self.head);
        let count = self
            .reader
            .by_ref()
            .take(most as u64)
            .read_to_end(&mut self.bytes)?;
        let whole = count / frame * frame;
        if whole == 0 {
            return Ok(false);
        }
        self.bytes.truncate(self.head + whole);
        self.bytes[self.head - 4..self.head].copy_from_slice(&(whole as u32).to_le_bytes());
        (self.decode)(&self.bytes, block)?;
        Ok(true)
    }
}

/// What stands before the samples.
struct Header {
    /// The chunk `fmt `.
    chunk: Vec<u8>,
    /// What it says.
    format: Format,
    /// How many bytes of samples there are, if that is known.
    size: Option<u64>,
    /// How many the header promises, if its writer knew.
    promised: Option<u64>,
}

/// Walks the chunks up to the samples. A chunk of samples that says 0 or more than there is reaches to the end of the
/// file: the writer could not go back, or the file was cut. Where it says 0 and other chunks fill the file, it is empty.
fn header(reader: &mut (impl Read + Seek), length: Option<u64>) -> Result<Header, AudioError> {
    let mut at = 12;
    let mut found = None;
    let mut long = None;
    loop {
        let head = bytes(reader, 8)?;
        let &[a, b, c, d, _, _, _, _] = head.as_slice() else {
            return Err(wav("it has no samples"));
        };
        let size = number(&head[4..]) as u32;
        at += 8;
        let read = match &[a, b, c, d] {
            b"data" => {
                let (chunk, format) =
                    found.ok_or_else(|| wav("its format comes after its samples, or not at all"))?;
                let size = long
                    .filter(|_| size == u32::MAX)
                    .unwrap_or_else(|| u64::from(size));
                let promised = Some(size).filter(|&size| size > 0 && (long.is_some() || size < ENDLESS));
                let left = length.map(|length| length.saturating_sub(at));
                let size = match left {
                    Some(left) if size == 0 && chunks_follow(reader, left)? => Some(0),
                    // More than the header has digits for.
                    Some(left)
                        if size == 0 || size > left || long.is_none() && left > u64::from(u32::MAX) =>
                    {
                        Some(left)
                    }
                    None if size == 0 || long.is_none() && size >= ENDLESS => None,
                    _ => Some(size),
                };
                return Ok(Header {
                    chunk,
                    format,
                    size,
                    promised,
                });
            }
            b"fmt " if size > MOST_FORMAT => return Err(wav("its format chunk is too long")),
            b"fmt " => {
                let chunk = bytes(reader, size)?;
                let read = chunk.len();
                let format = Format::of(&chunk)?;
                found = Some((chunk, format));
                read
            }
            // The sizes of a file of more than 4 GiB: of the whole, of the samples.
            b"ds64" => {
                let chunk = bytes(reader, size.min(16))?;
                long = chunk.get(8..16).map(number);
                chunk.len()
            }
            _ => 0,
        };
        let rest = u64::from(size) + u64::from(size % 2) - read as u64;
        at += read as u64 + io::copy(&mut reader.by_ref().take(rest), &mut io::sink())?;
    }
}

/// Whether the `left` bytes up to the end of a file are chunks.
fn chunks_follow(reader: &mut (impl Read + Seek), left: u64) -> io::Result<bool> {
    let begin = reader.stream_position()?;
    let mut at = 0;
    while at < left {
        reader.seek(SeekFrom::Start(begin + at))?;
        let head = bytes(reader, 8)?;
        let named = head.len() == 8 && head[..4].iter().all(|byte| (b' '..=b'~').contains(byte));
        if !named {
            break;
        }
        let size = number(&head[4..]);
        at += 8 + size;
        // The last may lack its even end.
        at += u64::from(size % 2 == 1 && at < left);
    }
    reader.seek(SeekFrom::Start(begin))?;
    Ok(at == left)
}

/// So many bytes, or fewer at the end.
fn bytes(reader: &mut impl Read, count: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(u64::from(count)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A number, its last digits first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

impl Format {
    fn of(chunk: &[u8]) -> Result<Self, AudioError> {
        let field = |offset: usize, len| {
            let field = chunk
                .get(offset..offset + len)
                .ok_or_else(|| wav("its format chunk is cut"))?;
            Ok::<usize, AudioError>(number(field) as usize)
        };
        let (mut kind, channels, rate) = (field(0, 2)?, field(2, 2)?, field(4, 4)?);
        let (frame, bits) = (field(12, 2)?, field(14, 2)?);
        if kind == EXTENSIBLE && chunk.get(26..40) == Some(&REST_OF_NAME) {
            kind = field(24, 2)?;
        }
        if channels == 0 {
            return Err(wav("its header says 0 channels"));
        }
        if rate == 0 {
            return Err(wav("its header says 0 Hz"));
        }
        let plain = [INTEGERS, FLOATS].contains(&kind) || LOGARITHMS.contains(&kind);
        if bits == 0 || frame != channels * bits.div_ceil(8) && plain {
            return Err(wav("the frame size in its header does not fit channels and bits"));
        }
        Ok(Self {
            kind,
            channels,
            rate: rate as u32,
            frame: frame.max(1),
            plain,
        })
    }

    /// The chunk of a plain format in its oldest form. Samples are as wide as what holds them: where fewer bits are
    /// valid, they are the first ones.
    fn chunk(self) -> Vec<u8> {
        let bits = (self.frame / self.channels * 8) as u16;
        let bytes_of_second = (self.frame as u32).wrapping_mul(self.rate);
        let mut chunk = Vec::new();
        chunk.extend((self.kind as u16).to_le_bytes());
        chunk.extend((self.channels as u16).to_le_bytes());
        chunk.extend(self.rate.to_le_bytes());
        chunk.extend(bytes_of_second.to_le_bytes());
        chunk.extend((self.frame as u16).to_le_bytes());
        chunk.extend(bits.to_le_bytes());
        if LOGARITHMS.contains(&self.kind) {
            chunk.extend([0; 2]); // an extension of no bytes
        }
        chunk
    }
}

fn by_hound(bytes: &[u8], block: &mut Vec<f32>) -> Result<(), AudioError> {
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(wav)?;
    let spec = reader.spec();
    match spec.sample_format {
        SampleFormat::Float => {
            for sample in reader.samples::<f32>() {
                block.push(sample.map_err(wav)?);
            }
        }
        SampleFormat::Int => {
            // Exact in f64, rounded once.
            let scale = 2f64.powi(1 - i32::from(spec.bits_per_sample));
            for sample in reader.samples::<i32>() {
                block.push((f64::from(sample.map_err(wav)?) * scale) as f32);
            }
        }
    }
    Ok(())
}

fn by_others(bytes: &[u8], block: &mut Vec<f32>) -> Result<(), AudioError> {
    let packets = Packets::open(Box::new(Cursor::new(bytes.to_vec())));
    let mut packets = packets.map_err(|error| match error {
        AudioError::Unknown => wav("its samples are stored in a way that cannot be read"),
        error => error,
    })?;
    let mut part = Vec::new();
    while packets.read(&mut part)? {
        block.append(&mut part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use hound::WavSpec;

    use super::*;
    use crate::audio::Audio;

    fn decode(bytes: &[u8]) -> Result<Audio, AudioError> {
        Audio::decode(bytes.to_vec())
    }

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
            let audio = decode(&bytes).unwrap();
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
            assert_eq!(decode(&bytes).unwrap().frames(), 100, "{lie}");
        }
        // Cut within a frame.
        let audio = decode(&good[..good.len() - 51]).unwrap();
        assert_eq!(audio.frames(), 74);
    }

    #[test]
    fn headers_that_lie_are_errors() {
        let good = written(spec(1, 16), &[0; 10]);
        for (at, size) in [(22, 2), (24, 4), (32, 2), (34, 2)] {
            let mut bytes = good.clone();
            bytes[at..at + size].fill(0);
            assert!(decode(&bytes).is_err(), "{at}");
        }
        assert!(decode(&good[..40]).is_err());
        assert!(decode(b"RIFF").is_err());
    }
}

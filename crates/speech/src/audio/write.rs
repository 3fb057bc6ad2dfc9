//! Sound as WAV: files that are there whole or not at all, and streams of unknown length.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sensorium_hub::atomic::Unfinished;

use super::AudioError;

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SampleKind {
    /// 16-bit integers.
    #[default]
    Int16,
    /// 32-bit floats.
    Float32,
}

impl SampleKind {
    fn bytes(self) -> u16 {
        match self {
            Self::Int16 => 2,
            Self::Float32 => 4,
        }
    }

    /// Samples as a file has them.
    fn encode(self, samples: &[f32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(samples.len() * usize::from(self.bytes()));
        for &sample in samples {
            match self {
                Self::Int16 => bytes.extend(Self::int16(sample).to_le_bytes()),
                Self::Float32 => bytes.extend(sample.to_le_bytes()),
            }
        }
        bytes
    }

    /// A sample as a whole number of 16 bits; what is louder than 1 is cut.
    fn int16(sample: f32) -> i16 {
        (sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16
    }
}

/// Bytes of a header.
const HEADER: usize = 44;
/// The length that says that none is known.
const ENDLESS: u32 = u32::MAX;
/// As many bytes of samples as a header can tell of.
const MOST: u64 = (ENDLESS - 1) as u64 - (HEADER as u64 - 8);

/// A header for one channel with so many `bytes` of samples, or [`ENDLESS`].
fn header(rate: u32, kind: SampleKind, bytes: u32) -> [u8; HEADER] {
    let format: u16 = match kind {
        SampleKind::Int16 => 1,
        SampleKind::Float32 => 3,
    };
    let align = kind.bytes();
    let parts: [&[u8]; 13] = [
        b"RIFF",
        &bytes.saturating_add(HEADER as u32 - 8).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16u32.to_le_bytes(),
        &format.to_le_bytes(),
        &1u16.to_le_bytes(),
        &rate.to_le_bytes(),
        &rate.saturating_mul(align.into()).to_le_bytes(),
        &align.to_le_bytes(),
        &(align * 8).to_le_bytes(),
        b"data",
        &bytes.to_le_bytes(),
    ];
    let mut header = [0; HEADER];
    for (place, byte) in header.iter_mut().zip(parts.concat()) {
        *place = byte;
    }
    header
}

/// A WAV file of one channel that is not there before it is [`finish`](Self::finish)ed. A device or a pipe, which is
/// written at once, gets a header that does not know the length.
#[derive(Debug)]
pub struct WavFile {
    file: Unfinished,
    path: PathBuf,
    rate: u32,
    kind: SampleKind,
    /// Of samples that were written.
    bytes: u64,
}

impl WavFile {
    /// Begins a file that is to be at `path`, with samples at `rate` Hz.
    ///
    /// # Errors
    /// If nothing can be written in its folder.
    pub fn create(path: &Path, rate: u32, kind: SampleKind) -> Result<Self, AudioError> {
        let mut file = Unfinished::create(path)?;
        file.write_all(&header(rate, kind, ENDLESS))
            .map_err(|error| file.error(error))?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
            rate,
            kind,
            bytes: 0,
        })
    }

    /// Adds samples.
    ///
    /// # Errors
    /// If the disk is full, or the file would become larger than a WAV can be.
    pub fn write(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        let bytes = self.kind.encode(samples);
        self.bytes += bytes.len() as u64;
        if self.bytes > MOST && self.file.is_file() {
            return Err(AudioError::TooLarge {
                path: self.path.clone(),
            });
        }
        Ok(self
            .file
            .write_all(&bytes)
            .map_err(|error| self.file.error(error))?)
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(mut self) -> Result<(), AudioError> {
        let bytes = u32::try_from(self.bytes).unwrap_or(ENDLESS);
        self.file
            .write_over_begin(&header(self.rate, self.kind, bytes))
            .map_err(|error| self.file.error(error))?;
        Ok(self.file.finish()?)
    }
}

/// Writes sound of unknown length to a pipe: a WAV header that says so, then samples; or samples alone.
#[derive(Debug)]
pub struct WavStream<W: Write> {
    out: W,
    kind: SampleKind,
}

impl<W: Write> WavStream<W> {
    /// Begins with a header, unless the samples are to be `raw`.
    ///
    /// # Errors
    /// If the reader is gone.
    pub fn new(mut out: W, rate: u32, kind: SampleKind, raw: bool) -> io::Result<Self> {
        if !raw {
            out.write_all(&header(rate, kind, ENDLESS))?;
        }
        Ok(Self { out, kind })
    }

    /// Writes samples, at once.
    ///
    /// # Errors
    /// If the reader is gone.
    pub fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        self.out.write_all(&self.kind.encode(samples))?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Audio;
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let samples = [0.0, 0.5, -0.25, 1.5, -1.0];
        for (kind, loudest) in [(SampleKind::Int16, 32767.0 / 32768.0), (SampleKind::Float32, 1.5)] {
            let mut file = WavFile::create(&path, 22050, kind).unwrap();
            file.write(&samples[..2]).unwrap();
            assert!(folder.path().read_dir().unwrap().count() > 0);
            file.write(&samples[2..]).unwrap();
            file.finish().unwrap();
            let audio = Audio::open(&path).unwrap();
            assert_eq!((audio.rate(), audio.channels()), (22050, 1));
            assert_eq!(audio.samples(), [0.0, 0.5, -0.25, loudest, -1.0]);
        }
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        assert!(WavFile::create(&folder.path().join("no/a.wav"), 8000, SampleKind::Int16).is_err());
        assert!(WavFile::create(folder.path(), 8000, SampleKind::Int16).is_err());
        drop(WavFile::create(&folder.path().join("b.wav"), 8000, SampleKind::Int16).unwrap());
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_no_header_could_tell_of_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut file = WavFile::create(&path, 8000, SampleKind::Float32).unwrap();
        file.bytes = MOST - 4;
        file.write(&[0.5]).unwrap();
        let error = file.write(&[0.5]).unwrap_err();
        assert!(error.to_string().contains("4 GiB"), "{error}");
        drop(file);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_a_device_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.wav"), folder.path().join("link"));
        std::os::unix::fs::symlink("a.wav", &link).unwrap();
        for target in [&link, Path::new("/dev/null")] {
            let mut file = WavFile::create(target, 8000, SampleKind::Int16).unwrap();
            file.write(&[0.5]).unwrap();
            file.finish().unwrap();
            assert!(!std::fs::symlink_metadata(target).unwrap().is_file());
        }
        assert_eq!(Audio::open(&path).unwrap().samples(), [0.5]);
    }

    #[test]
    fn a_stream_can_be_read_though_its_header_does_not_know_its_length() {
        for kind in [SampleKind::Int16, SampleKind::Float32] {
            let mut bytes = Vec::new();
            let mut stream = WavStream::new(&mut bytes, 16000, kind, false).unwrap();
            stream.write(&[0.5, -0.5]).unwrap();
            stream.write(&[0.25]).unwrap();
            assert_eq!(Audio::decode(bytes).unwrap().samples(), [0.5, -0.5, 0.25]);
        }
        let mut raw = Vec::new();
        WavStream::new(&mut raw, 16000, SampleKind::Int16, true)
            .unwrap()
            .write(&[0.5])
            .unwrap();
        assert_eq!(raw, [0, 64]);
    }
}

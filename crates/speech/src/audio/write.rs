//! Sound as WAV: files that are there whole or not at all, and streams of unknown length.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use tempfile::NamedTempFile;

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

    /// A sample as a whole number of 16 bits; what is louder than 1 is cut.
    fn int16(sample: f32) -> i16 {
        (sample * 32768.0).round().clamp(-32768.0, 32767.0) as i16
    }
}

fn spec(rate: u32, kind: SampleKind) -> WavSpec {
    WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: kind.bytes() * 8,
        sample_format: match kind {
            SampleKind::Int16 => SampleFormat::Int,
            SampleKind::Float32 => SampleFormat::Float,
        },
    }
}

/// A WAV file of one channel that grows under another name until it is [`finish`](Self::finish)ed.
pub struct WavFile {
    writer: WavWriter<BufWriter<File>>,
    temporary: NamedTempFile,
    /// Where it is put at the end.
    path: PathBuf,
    kind: SampleKind,
}

impl std::fmt::Debug for WavFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WavFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl WavFile {
    /// Begins a file that is to be at `path`, with samples at `rate` Hz.
    ///
    /// # Errors
    /// If nothing can be written in its folder.
    pub fn create(path: &Path, rate: u32, kind: SampleKind) -> Result<Self, AudioError> {
        if path.is_dir() {
            return Err(write_error(
                path,
                io::Error::new(io::ErrorKind::IsADirectory, "it is a folder, not a file"),
            ));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(write_error(
                path,
                io::Error::new(io::ErrorKind::NotFound, "its folder does not exist"),
            ));
        }
        let temporary = tempfile::Builder::new()
            .prefix(".speech.")
            .tempfile_in(folder)
            .map_err(|error| write_error(path, error))?;
        let file = temporary.reopen().map_err(|error| write_error(path, error))?;
        let writer =
            WavWriter::new(BufWriter::new(file), spec(rate, kind)).map_err(|error| failed(path, error))?;
        Ok(Self {
            writer,
            temporary,
            path: path.to_path_buf(),
            kind,
        })
    }

    /// Adds samples.
    ///
    /// # Errors
    /// If the disk is full, or the file becomes larger than a WAV can be.
    pub fn write(&mut self, samples: &[f32]) -> Result<(), AudioError> {
        for &sample in samples {
            let written = match self.kind {
                SampleKind::Int16 => self.writer.write_sample(SampleKind::int16(sample)),
                SampleKind::Float32 => self.writer.write_sample(sample),
            };
            written.map_err(|error| failed(&self.path, error))?;
        }
        Ok(())
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<(), AudioError> {
        let Self {
            writer,
            temporary,
            path,
            ..
        } = self;
        writer.finalize().map_err(|error| failed(&path, error))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // A temporary file is for its owner alone; what cannot be changed does no harm.
            let _ = temporary
                .as_file()
                .set_permissions(std::fs::Permissions::from_mode(0o644));
        }
        temporary
            .persist(&path)
            .map_err(|error| write_error(&path, error.error))?;
        Ok(())
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
            let format: u16 = match kind {
                SampleKind::Int16 => 1,
                SampleKind::Float32 => 3,
            };
            let align = kind.bytes();
            out.write_all(b"RIFF\xff\xff\xff\xffWAVEfmt ")?; // as long as can be
            out.write_all(&16u32.to_le_bytes())?;
            out.write_all(&format.to_le_bytes())?;
            out.write_all(&1u16.to_le_bytes())?;
            out.write_all(&rate.to_le_bytes())?;
            out.write_all(&(rate * u32::from(align)).to_le_bytes())?;
            out.write_all(&align.to_le_bytes())?;
            out.write_all(&(align * 8).to_le_bytes())?;
            out.write_all(b"data\xff\xff\xff\xff")?;
        }
        Ok(Self { out, kind })
    }

    /// Writes samples, at once.
    ///
    /// # Errors
    /// If the reader is gone.
    pub fn write(&mut self, samples: &[f32]) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(samples.len() * usize::from(self.kind.bytes()));
        for &sample in samples {
            match self.kind {
                SampleKind::Int16 => bytes.extend(SampleKind::int16(sample).to_le_bytes()),
                SampleKind::Float32 => bytes.extend(sample.to_le_bytes()),
            }
        }
        self.out.write_all(&bytes)?;
        self.out.flush()
    }
}

fn failed(path: &Path, error: hound::Error) -> AudioError {
    let source = match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    };
    write_error(path, source)
}

fn write_error(path: &Path, source: io::Error) -> AudioError {
    AudioError::Write {
        path: path.to_path_buf(),
        source,
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

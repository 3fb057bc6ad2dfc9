//! Recordings of any length, block by block, from files and pipes.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};
use std::path::Path;

use symphonia::core::io::{MediaSource, ReadOnlySource};

use super::compressed::Packets;
use super::wav::WavBlocks;
use super::{Audio, AudioError, Damage, MOST_CHANNELS, RATES};

/// A recording that is read block by block. Its format is found from the content: WAV (8 to 32-bit integers, 32 and
/// 64-bit floats), FLAC, MP3, Ogg Vorbis, AAC in MP4.
///
/// What a header says of the length is not believed where it cannot be: a pipe is read to its end, and so is a file
/// that was cut.
pub struct AudioStream {
    source: Source,
    channels: usize,
    rate: u32,
    /// Samples of each channel, as far as they are known before they are read.
    frames: Option<u64>,
    /// How many were read.
    read: u64,
    /// Whether all of them were.
    ended: bool,
    block: Vec<f32>,
}

/// The shortest loss that is worth a word, in seconds: the last packet of some formats is not counted.
const LEAST_LOSS: f64 = 0.1;

enum Source {
    Wav(WavBlocks),
    Other(Box<Packets>),
}

impl std::fmt::Debug for AudioStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AudioStream")
            .field("channels", &self.channels)
            .field("rate", &self.rate)
            .field("frames", &self.frames)
            .field("read", &self.read)
            .finish_non_exhaustive()
    }
}

impl AudioStream {
    /// Begins to read a file.
    ///
    /// # Errors
    /// If it cannot be read, is no sound, or damaged so that nothing can be heard.
    pub fn open(path: &Path) -> Result<Self, AudioError> {
        Self::of(Box::new(File::open(path)?))
    }

    /// Begins to read a pipe, such as standard input. What can be read only with its end at hand (MP4) is kept in a
    /// temporary file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn new(reader: impl Read + Send + Sync + 'static) -> Result<Self, AudioError> {
        Self::of(Box::new(ReadOnlySource::new(reader)))
    }

    /// Begins to read the bytes of a file.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn decode(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, AudioError> {
        Self::of(Box::new(Cursor::new(bytes)))
    }

    fn of(mut source: Box<dyn MediaSource>) -> Result<Self, AudioError> {
        let mut head = Vec::new();
        source.by_ref().take(12).read_to_end(&mut head)?;
        if WavBlocks::begins(&head) {
            return Self::wav(WavBlocks::open(source)?);
        }
        let source: Box<dyn MediaSource> = if source.is_seekable() {
            source.rewind()?;
            source
        } else if head.get(4..8) == Some(b"ftyp") {
            Box::new(kept(Cursor::new(head).chain(source))?)
        } else {
            Box::new(ReadOnlySource::new(Cursor::new(head).chain(source)))
        };
        let packets = Packets::open(source)?;
        let (channels, rate) = packets.shape();
        let frames = packets.frames();
        Self::checked(Source::Other(Box::new(packets)), channels, rate, frames)
    }

    fn wav(blocks: WavBlocks) -> Result<Self, AudioError> {
        let (channels, rate) = blocks.shape();
        let frames = blocks.frames();
        Self::checked(Source::Wav(blocks), channels, rate, frames)
    }

    fn checked(source: Source, channels: usize, rate: u32, frames: Option<u64>) -> Result<Self, AudioError> {
        if !RATES.contains(&rate) {
            return Err(AudioError::Rate { rate });
        }
        if channels == 0 || channels > MOST_CHANNELS {
            return Err(AudioError::Channels { channels });
        }
        Ok(Self {
            source,
            channels,
            rate,
            frames,
            read: 0,
            ended: false,
            block: Vec::new(),
        })
    }

    /// Samples per second of each channel, in Hz.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The length, in seconds, if it is known before all is read.
    pub fn seconds(&self) -> Option<f64> {
        self.frames.map(|frames| frames as f64 / f64::from(self.rate))
    }

    /// What the recording lacks, as far as it was read: that it breaks off shows at its end.
    pub fn damage(&self) -> Option<Damage> {
        let (promised, cut, gap) = match &self.source {
            Source::Wav(blocks) => (blocks.promised(), blocks.promised().is_some(), None),
            Source::Other(packets) => (packets.promised(), packets.is_cut(), packets.gap()),
        };
        let seconds = |frames: u64| frames as f64 / f64::from(self.rate);
        let at = seconds(self.read);
        let of = promised.map(seconds).filter(|of| of - at > LEAST_LOSS);
        let gap = gap.map(seconds).map(|at| Damage::Gap { at });
        let cut = cut && (of.is_some() || promised.is_none());
        match of {
            _ if self.ended && cut => Some(Damage::BreaksOff { at, of }),
            Some(of) if self.ended => gap.or(Some(Damage::Short { at, of })),
            _ => gap,
        }
    }

    /// The next samples, interleaved, in whole frames; none at the end.
    ///
    /// # Errors
    /// If they cannot be read, or one is not a number.
    pub fn next_block(&mut self) -> Result<Option<&[f32]>, AudioError> {
        self.block.clear();
        while self.block.is_empty() {
            let more = match &mut self.source {
                Source::Wav(blocks) => blocks.read(&mut self.block)?,
                Source::Other(packets) => packets.read(&mut self.block)?,
            };
            if !more {
                self.ended = true;
                return Ok(None);
            }
        }
        if let Some(at) = self.block.iter().position(|sample| !sample.is_finite()) {
            let frame = self.read as usize + at / self.channels;
            return Err(AudioError::NotANumber { frame });
        }
        self.read += (self.block.len() / self.channels) as u64;
        Ok(Some(&self.block))
    }

    /// All that is left, in memory.
    ///
    /// # Errors
    /// As [`next_block`](Self::next_block).
    pub fn collect(&mut self) -> Result<Audio, AudioError> {
        self.collect_at_most(usize::MAX)
    }

    /// All that is left, in memory, if that is not too much.
    ///
    /// # Errors
    /// As [`next_block`](Self::next_block), and if there are more than so many samples.
    pub fn collect_at_most(&mut self, most: usize) -> Result<Audio, AudioError> {
        let mut samples = Vec::new();
        while let Some(block) = self.next_block()? {
            if block.len() > most - samples.len() {
                return Err(AudioError::TooLong { most });
            }
            samples.extend_from_slice(block);
        }
        Audio::new(samples, self.channels, self.rate)
    }
}

/// All of `reader` in a temporary file without a name.
fn kept(mut reader: impl Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut reader, &mut file)?;
    file.rewind()?;
    Ok(file)
}

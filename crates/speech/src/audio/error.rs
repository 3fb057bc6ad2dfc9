//! Why a sound cannot be used.

/// Why a sound cannot be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] sensorium_hub::Error),
    /// A file has grown beyond what its format can tell of.
    #[error("{} would be larger than 4 GiB, which a WAV file cannot be", path.display())]
    TooLarge {
        /// The file.
        path: std::path::PathBuf,
    },
    /// A long recording cannot be kept until it is heard.
    #[error("cannot be kept in a temporary file")]
    Spool {
        /// Why not.
        source: std::io::Error,
    },
    /// The content is no sound.
    #[error("is no sound that can be read: expected WAV, FLAC, MP3, Ogg Vorbis or AAC in MP4")]
    Unknown,
    /// A WAV file is damaged.
    #[error("is not a usable WAV file: {problem}")]
    Wav {
        /// What is wrong.
        problem: String,
    },
    /// Another file is damaged.
    #[error("is not a usable sound file: {problem}")]
    Damaged {
        /// What is wrong.
        problem: String,
    },
    /// The rate makes no sense.
    #[error("has a rate of {rate} Hz, expected 100 to 1536000")]
    Rate {
        /// In Hz.
        rate: u32,
    },
    /// The number of channels makes no sense.
    #[error("has {channels} channels or a part of a frame, expected whole frames of 1 to 256 channels")]
    Channels {
        /// What was found.
        channels: usize,
    },
    /// A channel that is not there.
    #[error("has {channels} channels, there is no channel {number} (the first one is 0)")]
    NoChannel {
        /// What was asked for.
        number: usize,
        /// What there is.
        channels: usize,
    },
    /// There are too many samples to hear them as a whole.
    #[error("is too long to be heard as a whole: it has more than {most} samples")]
    TooLong {
        /// The most that are taken.
        most: usize,
    },
    /// There is nothing to hear.
    #[error("has no samples")]
    NoSamples,
    /// There is nothing to hear in the part that was chosen.
    #[error("has no samples in the part that is to be heard")]
    Empty,
    /// A sample is not a number.
    #[error("has a sample that is not a number, in frame {frame}")]
    NotANumber {
        /// Where.
        frame: usize,
    },
}

//! FLAC, MP3, Ogg Vorbis, AAC and the rarer WAVs, by `symphonia`.

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;

use super::AudioError;

/// A recording, packet by packet.
pub(super) struct Packets {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    /// Frames in all, if the file says so.
    frames: Option<u64>,
    /// Channels and rate of all packets.
    shape: Option<(usize, u32)>,
    /// Samples of the first packet, which was read to learn the shape.
    first: Vec<f32>,
    /// Whether there were any samples.
    heard: bool,
}

fn damaged(problem: impl ToString) -> AudioError {
    AudioError::Damaged {
        problem: problem.to_string(),
    }
}

impl Packets {
    /// Reads up to the first packet.
    pub fn open(source: Box<dyn MediaSource>) -> Result<Self, AudioError> {
        let stream = MediaSourceStream::new(source, Default::default());
        let probed = symphonia::default::get_probe().probe(
            &Hint::new(),
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        );
        let format = probed.map_err(|_| AudioError::Unknown)?;
        let track = format
            .default_track(TrackType::Audio)
            .ok_or(AudioError::Unknown)?;
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        let params = params.ok_or(AudioError::Unknown)?;
        let decoder =
            symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default());
        let mut packets = Self {
            track: track.id,
            frames: track.num_frames,
            decoder: decoder.map_err(damaged)?,
            format,
            shape: None,
            first: Vec::new(),
            heard: false,
        };
        let mut first = Vec::new();
        if !packets.decode(&mut first)? {
            return Err(damaged("nothing in it can be heard"));
        }
        packets.first = first;
        Ok(packets)
    }

    /// Channels and rate.
    pub fn shape(&self) -> (usize, u32) {
        self.shape.unwrap_or_default()
    }

    /// Frames in all, if the file says so.
    pub fn frames(&self) -> Option<u64> {
        self.frames
    }

    /// The samples of the next packet, of which there may be none; says whether there was one.
    pub fn read(&mut self, block: &mut Vec<f32>) -> Result<bool, AudioError> {
        if !self.first.is_empty() {
            std::mem::swap(block, &mut self.first);
            self.first = Vec::new();
            return Ok(true);
        }
        self.decode(block)
    }

    fn decode(&mut self, block: &mut Vec<f32>) -> Result<bool, AudioError> {
        loop {
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => return Ok(false),
                // Cut in the middle: what was heard so far counts.
                Err(Error::IoError(_)) if self.heard => return Ok(false),
                Err(error) => return Err(damaged(error)),
            };
            if packet.track_id != self.track {
                continue;
            }
            let decoded = match self.decoder.decode(&packet) {
                Ok(decoded) => decoded,
                Err(Error::DecodeError(_)) => continue, // one bad packet is a gap, not the end
                Err(error) => return Err(damaged(error)),
            };
            let found = (decoded.spec().channels().count(), decoded.spec().rate());
            if *self.shape.get_or_insert(found) != found {
                return Err(damaged("rate or channels change in the middle"));
            }
            block.resize(decoded.samples_interleaved(), 0.0);
            decoded.copy_to_slice_interleaved(&mut *block);
            self.heard |= !block.is_empty();
            return Ok(true);
        }
    }
}

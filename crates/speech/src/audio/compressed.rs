//! FLAC, MP3, Ogg Vorbis, AAC and the rarer WAVs, by `symphonia`.

use std::ops::Range;

use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::units::Timestamp;

use super::AudioError;
use super::cut::Cut;
use super::edit::{self, Edit};

/// A recording, packet by packet.
pub(super) struct Packets {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    /// Frames in all, if the file says so.
    frames: Option<u64>,
    /// Whether that is no estimate.
    is_counted: bool,
    /// Frames that are still to be left out, and frames that are to be heard.
    skip: u64,
    left: u64,
    /// Frames that were heard.
    heard: u64,
    /// Whether the file ends before the recording does.
    cut: bool,
    /// The frame at which something is lost within it.
    gap: Option<u64>,
    /// When the next packet should begin, where packets are numbered without gaps.
    next: Option<Timestamp>,
    /// Channels and rate of all packets.
    shape: Option<(usize, u32)>,
    /// Samples of the first packet, which was read to learn the shape.
    first: Vec<f32>,
}

/// Numbers of frames that are believed: 0 and the highest ones stand for an unknown number.
const COUNTS: Range<u64> = 1..u32::MAX as u64;

fn damaged(problem: impl ToString) -> AudioError {
    AudioError::Damaged {
        problem: problem.to_string(),
    }
}

impl Packets {
    /// Reads up to the first packet that is to be heard.
    pub fn open(mut source: Box<dyn MediaSource>) -> Result<Self, AudioError> {
        let is_seekable = source.is_seekable();
        let (mut found, mut is_fragmented) = (None, false);
        if is_seekable {
            if edit::lacks_movie(&mut source)? {
                return Err(damaged(
                    "it is an MP4 that is cut: what says where its sound lies is missing",
                ));
            }
            found = Edit::find(&mut source)?;
            is_fragmented = edit::is_fragmented(&mut source)?;
            if let Some(length) = edit::promised_end(&mut source)? {
                source = Box::new(Cut { source, length });
            }
            source.rewind()?;
        }
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
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(damaged)?;
        // An MP4 may name another rate than that of its AAC, and counts frames by it.
        let rate = decoder.codec_params().sample_rate;
        let whole = track
            .num_frames
            .filter(|frames| COUNTS.contains(frames) && !is_fragmented && rate == params.sample_rate);
        let kind = format.format_info().short_name;
        let is_counted = match kind {
            "mp1" | "mp2" | "mp3" => track.delay.is_some(),
            "aac" => false,
            _ => whole.is_some(),
        };
        let (skip, length) = match (found, rate) {
            (Some(edit), Some(rate)) => edit.frames(rate),
            _ => (0, None),
        };
        let behind = whole.map(|whole| whole.saturating_sub(skip));
        let frames = length
            .into_iter()
            .chain(behind)
            .filter(|frames| COUNTS.contains(frames))
            .min();
        let mut packets = Self {
            track: track.id,
            frames,
            is_counted,
            skip,
            left: frames.filter(|_| found.is_some()).unwrap_or(u64::MAX),
            heard: 0,
            // The last page of an Ogg file, if it is there, counts the samples.
            cut: kind == "ogg" && is_seekable && track.num_frames.is_none(),
            gap: None,
            next: (kind == "flac").then_some(Timestamp::ZERO),
            decoder,
            format,
            shape: None,
            first: Vec::new(),
        };
        let mut first = Vec::new();
        while first.is_empty() {
            if !packets.decode(&mut first)? {
                return Err(damaged("nothing in it can be heard"));
            }
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

    /// Frames that the file promises, where that is no estimate: there may be fewer.
    pub fn promised(&self) -> Option<u64> {
        self.frames.filter(|_| self.is_counted)
    }

    /// Whether the file ended before the recording did.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The frame at which something is lost, if anything is.
    pub fn gap(&self) -> Option<u64> {
        self.gap
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
                Err(Error::IoError(_) | Error::DecodeError(_)) if self.heard > 0 => {
                    self.cut = true;
                    return Ok(false);
                }
                Err(error) => return Err(damaged(error)),
            };
            if packet.track_id != self.track {
                continue;
            }
            if let Some(next) = &mut self.next {
                if packet.pts > *next && self.heard > 0 {
                    self.gap.get_or_insert(self.heard);
                }
                *next = packet.pts.saturating_add(packet.dur);
            }
            let decoded = match self.decoder.decode(&packet) {
                Ok(decoded) => decoded,
                Err(Error::DecodeError(_)) => {
                    // One bad packet is a gap, not the end; before all others it belongs to what was cut away.
                    if self.heard > 0 {
                        self.gap.get_or_insert(self.heard);
                    }
                    continue;
                }
                Err(error) => return Err(damaged(error)),
            };
            let found = (decoded.spec().channels().count(), decoded.spec().rate());
            if *self.shape.get_or_insert(found) != found {
                return Err(damaged("rate or channels change in the middle"));
            }
            block.resize(decoded.samples_interleaved(), 0.0);
            decoded.copy_to_slice_interleaved(&mut *block);
            self.trim(block, found.0);
            return Ok(true);
        }
    }

    /// Leaves out what an encoder put before and behind the recording.
    fn trim(&mut self, block: &mut Vec<f32>, channels: usize) {
        let frames = (block.len() / channels) as u64;
        let skip = self.skip.min(frames);
        block.drain(..skip as usize * channels);
        let heard = (frames - skip).min(self.left);
        block.truncate(heard as usize * channels);
        self.skip -= skip;
        self.left -= heard;
        self.heard += heard;
    }
}

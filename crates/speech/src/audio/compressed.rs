//! FLAC, MP3, Ogg Vorbis, AAC and the rarer WAVs, by `symphonia`.

use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::{Audio, AudioError};

pub(super) fn decode(bytes: Vec<u8>) -> Result<Audio, AudioError> {
    let damaged = |problem: &dyn ToString| AudioError::Damaged {
        problem: problem.to_string(),
    };
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let probed = symphonia::default::get_probe().probe(
        &Hint::new(),
        stream,
        FormatOptions::default(),
        MetadataOptions::default(),
    );
    let mut format = probed.map_err(|_| AudioError::Unknown)?;
    let track = format
        .default_track(TrackType::Audio)
        .ok_or(AudioError::Unknown)?;
    let id = track.id;
    let params = track.codec_params.as_ref().and_then(|params| params.audio());
    let params = params.ok_or(AudioError::Unknown)?;
    let decoder =
        symphonia::default::get_codecs().make_audio_decoder(params, &AudioDecoderOptions::default());
    let mut decoder = decoder.map_err(|error| damaged(&error))?;

    let (mut samples, mut part) = (Vec::new(), Vec::new());
    let mut shape: Option<(usize, u32)> = None;
    loop {
        let packet = match format.next_packet() {
            Ok(Some(packet)) => packet,
            Ok(None) => break,
            // Cut in the middle: what was heard so far counts.
            Err(Error::IoError(_)) if !samples.is_empty() => break,
            Err(error) => return Err(damaged(&error)),
        };
        if packet.track_id != id {
            continue;
        }
        let decoded = match decoder.decode(&packet) {
            Ok(decoded) => decoded,
            Err(Error::DecodeError(_)) => continue, // one bad packet is a gap, not the end
            Err(error) => return Err(damaged(&error)),
        };
        let found = (decoded.spec().channels().count(), decoded.spec().rate());
        if *shape.get_or_insert(found) != found {
            return Err(damaged(&"rate or channels change in the middle"));
        }
        part.resize(decoded.samples_interleaved(), 0.0f32);
        decoded.copy_to_slice_interleaved(&mut part);
        samples.extend_from_slice(&part);
    }
    let (channels, rate) = shape.ok_or_else(|| damaged(&"nothing in it can be heard"))?;
    Audio::new(samples, channels, rate)
}

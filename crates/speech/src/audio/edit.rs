//! What of an AAC recording in MP4 is to be heard: encoders put some samples before it and behind it, and say so in an
//! edit list (ISO/IEC 14496-12, 8.6.6) or, as iTunes does, in a comment named `iTunSMPB`.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// The samples that are to be heard, in ticks of the track's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edit {
    /// Ticks of a second.
    pub clock: u32,
    /// Ticks before it.
    pub skip: u64,
    /// Its ticks, if that is known.
    pub length: Option<u64>,
}

/// Atoms that are looked at in one place, at most.
const MOST_ATOMS: usize = 4096;
/// Bytes of an atom that are read, at most.
const MOST_BYTES: u64 = 1 << 16;

/// A name and where the content is.
type Atom = ([u8; 4], Range<u64>);

impl Edit {
    /// Finds what the first track of sound says; none if it says nothing.
    pub fn find(file: &mut (impl Read + Seek)) -> io::Result<Option<Self>> {
        let end = file.seek(SeekFrom::End(0))?;
        let Some(movie) = child(file, 0..end, b"moov")? else {
            return Ok(None);
        };
        for (_, track) in atoms(file, movie.clone())?.into_iter().filter(named(b"trak")) {
            let Some(media) = child(file, track.clone(), b"mdia")? else {
                continue;
            };
            let kind = content(file, media.clone(), &[b"hdlr"])?;
            if kind.get(8..12) == Some(b"soun") {
                let of_list = Self::of_list(file, &movie, &track, &media)?;
                return match of_list {
                    Some(edit) if edit.skip > 0 => Ok(of_list),
                    _ => Ok(Self::of_comment(file, &movie, &media)?.or(of_list)),
                };
            }
        }
        Ok(None)
    }

    /// What an edit list of one entry says.
    fn of_list(
        file: &mut (impl Read + Seek),
        movie: &Range<u64>,
        track: &Range<u64>,
        media: &Range<u64>,
    ) -> io::Result<Option<Self>> {
        let list = content(file, track.clone(), &[b"edts", b"elst"])?;
        let (Some(clock), Some(movie_clock)) = (
            clock(&content(file, media.clone(), &[b"mdhd"])?),
            clock(&content(file, movie.clone(), &[b"mvhd"])?),
        ) else {
            return Ok(None);
        };
        let size = if list.first() == Some(&1) { 8 } else { 4 };
        let entries = list.get(8..).unwrap_or_default().chunks_exact(2 * size + 4);
        let entries = entries.map(|entry| (number(&entry[..size]), number(&entry[size..2 * size])));
        // An entry of nothing, at -1, is silence before the recording.
        let nothing = if size == 8 { u64::MAX } else { u64::from(u32::MAX) };
        let mut entries = entries.filter(|&(_, skip)| skip != nothing);
        let (Some((length, skip)), None) = (entries.next(), entries.next()) else {
            return Ok(None);
        };
        // A coarser clock may say an end that is a tick early.
        let late = u128::from(clock != movie_clock);
        let clocks = (u128::from(clock), u128::from(movie_clock));
        let told = (u128::from(length) + late) * clocks.0 / clocks.1;
        // Where the writer did not know it, it is 0 or all ones.
        let length = (1..nothing)
            .contains(&length)
            .then(|| u64::try_from(told).unwrap_or(u64::MAX));
        Ok(Some(Self { clock, skip, length }))
    }

    /// What iTunes says: samples before the recording, behind it, and of it, in hexadecimal digits.
    fn of_comment(
        file: &mut (impl Read + Seek),
        movie: &Range<u64>,
        media: &Range<u64>,
    ) -> io::Result<Option<Self>> {
        let Some(clock) = clock(&content(file, media.clone(), &[b"mdhd"])?) else {
            return Ok(None);
        };
        let Some(user) = child(file, movie.clone(), b"udta")? else {
            return Ok(None);
        };
        let Some(meta) = child(file, user, b"meta")? else {
            return Ok(None);
        };
        let Some(list) = child(file, meta.start + 4..meta.end, b"ilst")? else {
            return Ok(None);
        };
        for (_, comment) in atoms(file, list)?.into_iter().filter(named(b"----")) {
            let name = content(file, comment.clone(), &[b"name"])?;
            if name.get(4..) != Some(b"iTunSMPB") {
                continue;
            }
            let text = content(file, comment, &[b"data"])?;
            let text = String::from_utf8_lossy(text.get(8..).unwrap_or_default()).into_owned();
            let mut numbers = text
                .split_whitespace()
                .map(|digits| u64::from_str_radix(digits, 16));
            if let (Some(Ok(skip)), Some(Ok(length))) = (numbers.nth(1), numbers.nth(1)) {
                let length = Some(length).filter(|&length| length > 0);
                return Ok(Some(Self { clock, skip, length }));
            }
        }
        Ok(None)
    }

    /// The same in frames at `rate` Hz: how many are left out, and how many are heard.
    pub fn frames(&self, rate: u32) -> (u64, Option<u64>) {
        let frames = |ticks: u64| {
            let frames = u128::from(ticks) * u128::from(rate) / u128::from(self.clock);
            u64::try_from(frames).unwrap_or(u64::MAX)
        };
        (frames(self.skip), self.length.map(frames))
    }
}

/// Whether a file begins as an MP4 does, but what says where its sound lies is not there as a whole. A picture in such
/// a file has `meta` instead.
pub(super) fn lacks_movie(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let end = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut head = Vec::new();
    file.by_ref().take(8).read_to_end(&mut head)?;
    let is_there = |(name, _): &Atom| matches!(name, b"moov" | b"meta");
    Ok(head.get(4..) == Some(b"ftyp") && !atoms(file, 0..end)?.iter().any(is_there))
}

/// Whether the sound is in fragments: nothing that comes before them counts them.
pub(super) fn is_fragmented(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let end = file.seek(SeekFrom::End(0))?;
    match child(file, 0..end, b"moov")? {
        Some(movie) => Ok(child(file, movie, b"mvex")?.is_some()),
        None => Ok(false),
    }
}

/// Where an MP4 would end that is cut within its samples.
pub(super) fn promised_end(file: &mut (impl Read + Seek)) -> io::Result<Option<u64>> {
    let end = file.seek(SeekFrom::End(0))?;
    let at = atoms(file, 0..end)?.last().map_or(0, |(_, content)| content.end);
    let cut = atom(file, at..end)?.filter(|(name, content)| name == b"mdat" && content.end > end);
    Ok(cut.map(|(_, content)| content.end))
}

/// Ticks of a second, of `mdhd` and `mvhd`.
fn clock(content: &[u8]) -> Option<u32> {
    let at = if content.first()? == &1 { 20 } else { 12 };
    let clock = number(content.get(at..at + 4)?) as u32;
    (clock > 0).then_some(clock)
}

fn named(name: &'static [u8; 4]) -> impl Fn(&Atom) -> bool {
    move |(found, _)| found == name
}

fn child(file: &mut (impl Read + Seek), place: Range<u64>, name: &[u8; 4]) -> io::Result<Option<Range<u64>>> {
    let found = atoms(file, place)?.into_iter().find(|(found, _)| found == name);
    Ok(found.map(|(_, place)| place))
}

/// The content of an atom in atoms; nothing if it is not there.
fn content(file: &mut (impl Read + Seek), mut place: Range<u64>, path: &[&[u8; 4]]) -> io::Result<Vec<u8>> {
    for name in path {
        match child(file, place, name)? {
            Some(found) => place = found,
            None => return Ok(Vec::new()),
        }
    }
    file.seek(SeekFrom::Start(place.start))?;
    let length = (place.end - place.start).min(MOST_BYTES);
    let mut bytes = Vec::new();
    file.by_ref().take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The atoms in a place, up to one that does not fit there.
fn atoms(file: &mut (impl Read + Seek), place: Range<u64>) -> io::Result<Vec<Atom>> {
    let (mut found, mut at) = (Vec::new(), place.start);
    while at < place.end && found.len() < MOST_ATOMS {
        let Some(atom) = atom(file, at..place.end)?.filter(|(_, content)| content.end <= place.end) else {
            break;
        };
        at = atom.1.end;
        found.push(atom);
    }
    Ok(found)
}

/// The atom that a place begins with, which may say that it ends behind it.
fn atom(file: &mut (impl Read + Seek), place: Range<u64>) -> io::Result<Option<Atom>> {
    file.seek(SeekFrom::Start(place.start))?;
    let mut head = Vec::new();
    file.by_ref().take(16).read_to_end(&mut head)?;
    let (Some(size), Some(&[a, b, c, d])) = (head.get(..4), head.get(4..8)) else {
        return Ok(None);
    };
    let (head_size, size) = match (number(size), head.get(8..16)) {
        (0, _) => (8, place.end - place.start),
        (1, Some(size)) => (16, number(size)),
        (size, _) => (8, size),
    };
    let end = place.start.checked_add(size).filter(|_| size >= head_size);
    Ok(end.map(|end| ([a, b, c, d], place.start + head_size..end)))
}

/// A number, its first digits first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |n, &byte| n << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn atom(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
        [&(content.len() as u32 + 8).to_be_bytes(), &name[..], content].concat()
    }

    fn numbers(numbers: &[u32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// A file with a track of sound of 50,000 ticks at 10 kHz, `edits` in it, and comments.
    fn file(edits: &[u8], comments: &[u8]) -> Cursor<Vec<u8>> {
        let kind = atom(b"hdlr", b"\0\0\0\0\0\0\0\0soun");
        let clock = atom(b"mdhd", &numbers(&[0, 0, 0, 10_000, 50_000, 0]));
        let track = [edits, &atom(b"mdia", &[clock, kind].concat())].concat();
        let movie = [
            atom(b"mvhd", &numbers(&[0, 0, 0, 1000, 5000])),
            atom(b"trak", &atom(b"mdia", &atom(b"hdlr", b"\0\0\0\0\0\0\0\0vide"))),
            atom(b"trak", &track),
            comments.to_vec(),
        ];
        Cursor::new(
            [
                atom(b"ftyp", b"M4A "),
                atom(b"mdat", &[7; 100]),
                atom(b"moov", &movie.concat()),
            ]
            .concat(),
        )
    }

    fn list(entries: &[u32]) -> Vec<u8> {
        let head = numbers(&[0, entries.len() as u32 / 3]);
        atom(b"edts", &atom(b"elst", &[head, numbers(entries)].concat()))
    }

    fn found(mut file: Cursor<Vec<u8>>) -> Option<(u64, Option<u64>)> {
        Edit::find(&mut file)
            .expect("a file")
            .map(|edit| (edit.skip, edit.length))
    }

    #[test]
    fn edit_lists_and_comments_say_what_is_heard() {
        let one = 1 << 16;
        let check =
            |edits: &[u32], expected| assert_eq!(found(file(&list(edits), &[])), expected, "{edits:?}");
        check(&[4000, 1024, one], Some((1024, Some(40_010))));
        check(&[5000, 1024, one], Some((1024, Some(50_010))));
        // No writer of these knew how long it would be.
        check(&[0, 1024, one], Some((1024, None)));
        check(&[u32::MAX, 1024, one], Some((1024, None)));
        check(&[500, u32::MAX, one, 4000, 2112, one], Some((2112, Some(40_010))));
        check(&[1000, 0, one, 1000, 30_000, one], None); // put together of parts
        let text = b"\0\0\0\x01\0\0\0\0 00000000 00000840 000001CA 0000000000009C40 00000000";
        let comment = [
            atom(b"mean", b"\0\0\0\0com.apple.iTunes"),
            atom(b"name", b"\0\0\0\0iTunSMPB"),
            atom(b"data", text),
        ];
        let comments = atom(b"ilst", &atom(b"----", &comment.concat()));
        let comments = atom(b"udta", &atom(b"meta", &[&[0; 4], &comments[..]].concat()));
        assert_eq!(found(file(&[], &comments)), Some((2112, Some(40_000))));
        assert_eq!(
            found(file(&list(&[5000, 0, one]), &comments)),
            Some((2112, Some(40_000)))
        );
        assert_eq!(found(file(&[], &[])), None);
    }

    #[test]
    fn other_files_and_damaged_ones_say_nothing() {
        let whole = file(&list(&[4000, 1024, 1 << 16]), &[]).into_inner();
        for end in 0..whole.len() {
            assert_eq!(found(Cursor::new(whole[..end].to_vec())), None, "{end}");
            let mut lies = whole.clone();
            lies[end] ^= 0xff;
            let _ = found(Cursor::new(lies)); // it ends
        }
        assert_eq!(
            found(Cursor::new(b"fLaC, or what else begins like this".to_vec())),
            None
        );
    }
}

//! The table of contents of a zip archive, of which every part is stored plainly.
//!
//! Only what PyTorch's writer uses: no compression, no encryption, one disk, with or without the 64-bit
//! extension.

use std::collections::BTreeMap;
use std::ops::Range;

use super::TorchProblem;
use super::TorchProblem::Archive;

/// The parts of an archive by name, each as a range of the file's bytes.
pub(super) type Parts = BTreeMap<String, Range<usize>>;

const END: &[u8] = b"PK\x05\x06";
const END_64_PLACE: &[u8] = b"PK\x06\x07";
const END_64: &[u8] = b"PK\x06\x06";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";

/// The length of the end record without its comment.
const END_LEN: usize = 22;
const ENTRY_LEN: usize = 46;
const LOCAL_LEN: usize = 30;
/// The longest comment that can follow the table.
const MAX_COMMENT: usize = 0xffff;
/// The kind of the extra field that holds 64-bit numbers.
const EXTRA_64: u64 = 1;

/// Reads where the parts of the archive `bytes` are.
///
/// # Errors
/// If it is cut short or damaged, or a part is compressed.
pub(super) fn parts(bytes: &[u8]) -> Result<Parts, TorchProblem> {
    let (start, count) = directory(bytes)?;
    let mut parts = Parts::new();
    let mut at = start;
    for _ in 0..count {
        let head = slice(bytes, at, ENTRY_LEN)?;
        if !head.starts_with(ENTRY) {
            return Err(Archive("an entry of its table of contents is none"));
        }
        let [name, extra, comment] = [28, 30, 32].map(|field| number(head, field, 2) as usize);
        let name_bytes = slice(bytes, at + ENTRY_LEN, name)?;
        let name_text = String::from_utf8_lossy(name_bytes).into_owned();
        let extra_bytes = slice(bytes, at + ENTRY_LEN + name, extra)?;
        let [stored, size, offset] = sizes(head, extra_bytes)?;
        if number(head, 10, 2) != 0 || number(head, 8, 2) & 1 != 0 {
            return Err(TorchProblem::Compressed { part: name_text });
        }
        if stored != size {
            return Err(Archive("two lengths of a part differ"));
        }
        let local = slice(bytes, offset, LOCAL_LEN)?;
        if !local.starts_with(LOCAL) {
            return Err(Archive("a part is not where its table of contents says"));
        }
        let data = offset + LOCAL_LEN + number(local, 26, 2) as usize + number(local, 28, 2) as usize;
        slice(bytes, data, size)?;
        parts.insert(name_text, data..data + size);
        at += ENTRY_LEN + name + extra + comment;
    }
    Ok(parts)
}

/// Where the table of contents begins, and how many entries it has.
fn directory(bytes: &[u8]) -> Result<(usize, u64), TorchProblem> {
    let nothing = Archive("its table of contents is missing");
    let last = bytes
        .len()
        .checked_sub(END_LEN)
        .ok_or(Archive("it is too short"))?;
    let first = last.saturating_sub(MAX_COMMENT);
    let end = (first..=last)
        .rev()
        .find(|&at| bytes[at..].starts_with(END))
        .ok_or(nothing)?;
    let record = slice(bytes, end, END_LEN)?;
    let (mut count, mut start) = (number(record, 10, 2), number(record, 16, 4));
    let place = end
        .checked_sub(20)
        .and_then(|at| bytes.get(at..end))
        .filter(|p| p.starts_with(END_64_PLACE));
    if let Some(place) = place {
        let record = slice(bytes, index(number(place, 8, 8))?, 56)?;
        if !record.starts_with(END_64) {
            return Err(Archive("its table of contents is not where it says"));
        }
        (count, start) = (number(record, 32, 8), number(record, 48, 8));
    }
    Ok((index(start)?, count))
}

/// The stored length, the length and the offset of an entry; numbers of 32 bits that are full are in the
/// extra field.
fn sizes(head: &[u8], extra: &[u8]) -> Result<[usize; 3], TorchProblem> {
    const FULL: u64 = 0xffff_ffff;
    // In the order in which the extra field holds them: length, stored length, offset.
    let mut found = [number(head, 24, 4), number(head, 20, 4), number(head, 42, 4)];
    let mut rest = extra;
    while rest.len() >= 4 {
        let (kind, len) = (number(rest, 0, 2), number(rest, 2, 2) as usize);
        let mut field = slice(rest, 4, len)?;
        if kind == EXTRA_64 {
            for value in found.iter_mut().filter(|value| **value == FULL) {
                let (eight, more) = field
                    .split_at_checked(8)
                    .ok_or(Archive("a length of 64 bits is missing"))?;
                *value = number(eight, 0, 8);
                field = more;
            }
        }
        rest = &rest[4 + len..];
    }
    let [size, stored, offset] = found;
    Ok([index(stored)?, index(size)?, index(offset)?])
}

/// `len` bytes from `at`.
fn slice(bytes: &[u8], at: usize, len: usize) -> Result<&[u8], TorchProblem> {
    at.checked_add(len)
        .and_then(|end| bytes.get(at..end))
        .ok_or(Archive("a part of it lies beyond its end"))
}

/// A little-endian number of `len` bytes that are known to be there.
fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len]
        .iter()
        .rev()
        .fold(0, |n, byte| n << 8 | u64::from(*byte))
}

fn index(number: u64) -> Result<usize, TorchProblem> {
    usize::try_from(number).map_err(|_| Archive("a length in it is impossible"))
}

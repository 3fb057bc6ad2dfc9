//! What a file says of itself.

use super::bytes::Bytes;

const MAGIC: &[u8] = b"mmap lm http://kheafield.com/code ";
const VERSION: &[u8] = b"format version ";
/// Behind the magic bytes: 0, 1 and -1/2 as floats, 1 and the greatest as words, nothing, 1 as a long number.
const SANITY: [u32; 8] = [0, 0x3f80_0000, 0xbf00_0000, 1, u32::MAX, 0, 1, 0];
/// Where they begin.
const SANITY_AT: u64 = 56;
/// Where the header's own numbers begin.
const NUMBERS_AT: u64 = 88;
/// Where the counts begin.
const COUNTS_AT: u64 = 108;

/// Whether it is a binary file of KenLM.
pub(in super::super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// The header's numbers.
#[derive(Debug)]
pub(super) struct Header {
    /// N-grams of each length.
    pub counts: Vec<u64>,
    /// Buckets of a hash table for each thing in it.
    pub buckets: f32,
    /// From 0 to 5: hashed, hashed with rest costs, trie, with quantised weights, with packed pointers, with both.
    kind: u32,
    /// Whether the words stand at the end.
    pub has_words: bool,
}

impl Header {
    pub fn read(bytes: &Bytes) -> Result<Self, String> {
        let said = &bytes.0[MAGIC.len().min(bytes.0.len())..];
        let Some(version) = said.strip_prefix(VERSION) else {
            return Err("is a binary file of KenLM that was not finished: build it again".to_string());
        };
        if !version.starts_with(b"5\n") {
            let version = version.split(|byte| !byte.is_ascii_digit()).next();
            let version = String::from_utf8_lossy(version.unwrap_or_default()).into_owned();
            return Err(format!(
                "is a binary file of KenLM of version `{version}`, expected 5: build it again, or take the ARPA file"
            ));
        }
        let sanity = (0..).map(|i| bytes.u32(SANITY_AT + 4 * i));
        if !sanity.zip(SANITY).all(|(found, expected)| found == expected) {
            return Err("is a binary file of KenLM of another kind of machine, or damaged".to_string());
        }
        let order = u64::from(bytes.byte(NUMBERS_AT));
        let header = Self {
            counts: (0..order).map(|n| bytes.u64(COUNTS_AT + 8 * n)).collect(),
            buckets: bytes.f32(NUMBERS_AT + 4),
            kind: bytes.u32(NUMBERS_AT + 8),
            has_words: bytes.byte(NUMBERS_AT + 12) != 0,
        };
        if header.kind > 5 {
            return Err(format!(
                "is a binary file of KenLM of the kind {}, expected hash tables or tries (0 to 5)",
                header.kind
            ));
        }
        let version = bytes.u32(NUMBERS_AT + 16);
        let expected = u32::from(header.is_trie());
        if version != expected {
            return Err(format!(
                "has KenLM's tables in version {version}, expected {expected}"
            ));
        }
        let sound = order >= 2 && header.buckets.is_finite() && header.buckets >= 1.0;
        if !sound || header.counts[0] >= 1 << 32 {
            return Err(damaged());
        }
        Ok(header)
    }

    /// Whether n-grams are in a trie, and not in hash tables.
    pub fn is_trie(&self) -> bool {
        self.kind >= 2
    }

    pub fn has_rest_costs(&self) -> bool {
        self.kind == 1
    }

    pub fn is_quantised(&self) -> bool {
        matches!(self.kind, 3 | 5)
    }

    pub fn has_packed_pointers(&self) -> bool {
        self.kind >= 4
    }
}

/// What is said of a header with impossible numbers.
pub(super) fn damaged() -> String {
    "is a damaged binary file of KenLM".to_string()
}

/// Gives out a file's parts one after the other.
#[derive(Debug)]
pub(super) struct Layout {
    at: u64,
    length: u64,
}

impl Layout {
    /// From the end of the header on.
    pub fn new(header: &Header, bytes: &Bytes) -> Self {
        let end = COUNTS_AT + 8 * header.counts.len() as u64;
        Self {
            at: end.next_multiple_of(8),
            length: bytes.len(),
        }
    }

    /// Where the next part begins.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Where a part of so many bytes begins; `bytes` is none if they are too many to count.
    pub fn take(&mut self, bytes: Option<u64>) -> Result<u64, String> {
        let begin = self.at;
        let end = bytes
            .and_then(|bytes| begin.checked_add(bytes))
            .ok_or_else(damaged)?;
        if end > self.length {
            return Err(format!(
                "is cut off or damaged: it has {} bytes and its header tells of {end} or more",
                self.length
            ));
        }
        self.at = end;
        Ok(begin)
    }
}

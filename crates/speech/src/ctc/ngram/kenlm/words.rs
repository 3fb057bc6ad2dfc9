//! The numbers of words, found by their hashes; the words themselves stand behind all else, if at all.

use super::bytes::Bytes;
use super::hashed::Buckets;
use super::header::{Header, Layout, damaged};

/// Where the numbers are.
#[derive(Debug)]
pub(super) enum Words {
    /// Hashes with numbers.
    Hashed { buckets: Buckets, count: u64 },
    /// Hashes in order: a word's number is its hash's, from 1.
    Sorted { at: u64, count: u64 },
}

impl Words {
    /// A hash table.
    pub fn hashed(header: &Header, bytes: &Bytes, layout: &mut Layout) -> Result<Self, String> {
        let at = layout.take(Some(8))?;
        let count = u64::from(bytes.u32(at + 4));
        let buckets = Buckets::new(header.counts[0], header.buckets, 12, layout)?;
        // Numbers are places among the n-grams of one word.
        match bytes.u32(at) == 0 && (1..=header.counts[0] + 1).contains(&count) {
            true => Ok(Self::Hashed { buckets, count }),
            false => Err(damaged()),
        }
    }

    /// A list in order.
    pub fn sorted(header: &Header, bytes: &Bytes, layout: &mut Layout) -> Result<Self, String> {
        let at = layout.take(Some(8 + 8 * header.counts[0]))?;
        let count = bytes.u64(at);
        match count <= header.counts[0] {
            true => Ok(Self::Sorted { at: at + 8, count }),
            false => Err(damaged()),
        }
    }

    /// The words, with the one for all that are not known, which has the number 0.
    pub fn count(&self) -> u64 {
        match self {
            Self::Hashed { count, .. } => *count,
            Self::Sorted { count, .. } => count + 1,
        }
    }

    /// The number of a word that is known.
    pub fn find(&self, bytes: &Bytes, word: &str) -> Option<u32> {
        let hash = murmur(word.as_bytes());
        match self {
            Self::Hashed { buckets, count } => {
                let found = bytes.u32(buckets.find(bytes, hash)? + 8);
                (u64::from(found) < *count).then_some(found)
            }
            Self::Sorted { at, count } => {
                let place = bytes.up_to(*at, *count, hash).checked_sub(1)?;
                (bytes.u64(at + 8 * place) == hash).then(|| place as u32 + 1)
            }
        }
    }
}

/// Says so if the words at `at` are not so many, the first of them `<unk>`.
pub(super) fn check(bytes: &Bytes, at: u64, count: u64) -> Result<(), String> {
    let words = usize::try_from(at).ok().and_then(|at| bytes.0.get(at..));
    let words = words.unwrap_or_default();
    let found = words.iter().filter(|&&byte| byte == 0).count() as u64;
    if !words.starts_with(b"<unk>\0") || found < count {
        return Err(format!(
            "is cut off or damaged: {count} words should stand at its end"
        ));
    }
    Ok(())
}

/// `MurmurHash64A` (Appleby 2008), with the seed 0.
fn murmur(text: &[u8]) -> u64 {
    const FACTOR: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = (text.len() as u64).wrapping_mul(FACTOR);
    let (blocks, rest) = text.as_chunks::<8>();
    for block in blocks {
        let mut mixed = u64::from_le_bytes(*block).wrapping_mul(FACTOR);
        mixed ^= mixed >> 47;
        hash = (hash ^ mixed.wrapping_mul(FACTOR)).wrapping_mul(FACTOR);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR);
    }
    hash ^= hash >> 47;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ (hash >> 47)
}

//! N-grams in hash tables, one for each length.

use super::bytes::Bytes;
use super::header::{Header, Layout, damaged};
use super::{Gram, Node};

/// A hash table that is probed from a key's place on until a bucket is empty.
#[derive(Debug)]
pub(super) struct Buckets {
    at: u64,
    count: u64,
    /// Bytes of a bucket, the key first.
    width: u64,
}

impl Buckets {
    /// The next part of the file, for so many things.
    pub fn new(things: u64, buckets: f32, width: u64, layout: &mut Layout) -> Result<Self, String> {
        let more = things.checked_add(1).ok_or_else(damaged)?;
        let count = more.max((buckets * things as f32) as u64);
        let at = layout.take(count.checked_mul(width))?;
        Ok(Self { at, count, width })
    }

    /// Where the bucket of `key` is.
    pub fn find(&self, bytes: &Bytes, key: u64) -> Option<u64> {
        let first = key % self.count;
        let places = (first..self.count).chain(0..first);
        for place in places {
            let at = self.at + place * self.width;
            match bytes.u64(at) {
                found if found == key => return Some(at),
                0 => return None,
                _ => {}
            }
        }
        None
    }
}

/// The tables of all lengths.
#[derive(Debug)]
pub(super) struct Hashed {
    unigrams: u64,
    /// Bytes of one.
    width: u64,
    /// From two words on.
    longer: Vec<Buckets>,
}

impl Hashed {
    pub fn new(header: &Header, layout: &mut Layout) -> Result<Self, String> {
        let counts = &header.counts;
        // Score and back-off, and what a word would cost without what is before it.
        let width = if header.has_rest_costs() { 12 } else { 8 };
        let unigrams = layout.take(Some((counts[0] + 1) * width))?;
        let mut longer = Vec::new();
        for (number, &count) in counts.iter().enumerate().skip(1) {
            let last = number + 1 == counts.len();
            let width = if last { 12 } else { 8 + width };
            longer.push(Buckets::new(count, header.buckets, width, layout)?);
        }
        Ok(Self {
            unigrams,
            width,
            longer,
        })
    }

    pub fn unigram(&self, bytes: &Bytes, word: u32) -> (Gram, Node) {
        let at = self.unigrams + u64::from(word) * self.width;
        (gram(bytes, at), Node::Hash(word.into()))
    }

    pub fn longer(&self, bytes: &Bytes, hash: u64, length: usize, word: u32) -> Option<(Gram, Node)> {
        let buckets = self.longer.get(length.checked_sub(2)?)?;
        let hash = hash.wrapping_mul(8_978_948_897_894_561_157)
            ^ (u64::from(word) + 1).wrapping_mul(17_894_857_484_156_487_943);
        let at = buckets.find(bytes, hash)? + 8;
        let gram = match length > self.longer.len() {
            true => Gram {
                score: bytes.f32(at),
                backoff: 0.0,
            },
            false => gram(bytes, at),
        };
        Some((gram, Node::Hash(hash)))
    }
}

/// The sign of a score tells whether there are longer ones; no score is above 0.
fn gram(bytes: &Bytes, at: u64) -> Gram {
    Gram {
        score: -bytes.f32(at).abs(),
        backoff: bytes.f32(at + 4),
    }
}

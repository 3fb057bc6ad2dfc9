//! N-grams in a trie: for each length a list of packed bits, in which those with the same end stand together, in the order
//! of the words before it.

use super::bytes::{Bytes, width};
use super::header::{Header, Layout, damaged};
use super::{Gram, Node};

/// The lists.
#[derive(Debug)]
pub(super) struct Trie {
    unigrams: u64,
    /// Bits of a word.
    word: u32,
    /// From two words on; the last one has neither back-offs nor pointers.
    longer: Vec<List>,
}

/// The n-grams of one length.
#[derive(Debug)]
struct List {
    at: u64,
    count: u64,
    /// Bits of an n-gram: a word, weights, and where the longer ones begin.
    width: u64,
    weights: Weights,
    pointers: Pointers,
}

/// How scores and back-offs are written.
#[derive(Debug, Clone, Copy)]
enum Weights {
    /// As they are, the score without its sign.
    Plain,
    /// As numbers of a table's entries: where the tables are and the bits of a number, the score's and the back-off's.
    Tables { score: (u64, u32), backoff: (u64, u32) },
}

/// How it is written where longer ones begin.
#[derive(Debug, Clone, Copy)]
struct Pointers {
    /// The lower bits, which stand in the n-gram.
    bits: u32,
    /// Where the upper ones change: a list, and its length.
    upper: Option<(u64, u64)>,
}

/// Bits of the weights of the header.
#[derive(Debug, Clone, Copy)]
struct Quantised {
    score: u32,
    backoff: u32,
}

impl Trie {
    pub fn new(header: &Header, bytes: &Bytes, layout: &mut Layout) -> Result<Self, String> {
        let counts = &header.counts;
        let tables = match header.is_quantised() {
            true => tables(counts.len(), bytes, layout)?,
            false => vec![Weights::Plain; counts.len() - 1],
        };
        let unigrams = layout.take(Some((counts[0] + 2) * 16))?;
        let word = width(counts[0]);
        // So many upper bits at most are left out of pointers; it stands where the first list begins.
        let mut most_upper = None;
        let mut longer = Vec::new();
        for (number, weights) in tables.into_iter().enumerate() {
            let count = counts[number + 1];
            let entries = count.checked_add(1).filter(|count| count >> 57 == 0);
            let entries = entries.ok_or_else(damaged)?;
            let next = counts.get(number + 2).copied();
            let pointers = match next {
                None => Pointers { bits: 0, upper: None },
                Some(next) if header.has_packed_pointers() => {
                    let most = match most_upper {
                        Some(most) => most,
                        None if bytes.byte(layout.at()) == 0 => u32::from(bytes.byte(layout.at() + 1)),
                        None => return Err(damaged()),
                    };
                    most_upper = Some(most);
                    Pointers::packed(entries, next, most, layout)?
                }
                Some(next) => Pointers {
                    bits: width(next),
                    upper: None,
                },
            };
            if pointers.bits > 57 {
                return Err(damaged());
            }
            let width = u64::from(word + weights.bits(next.is_some()) + pointers.bits);
            let bits = entries.checked_mul(width);
            let at = layout.take(bits.map(|bits| bits.div_ceil(8) + 8))?;
            longer.push(List {
                at,
                count,
                width,
                weights,
                pointers,
            });
        }
        Ok(Self {
            unigrams,
            word,
            longer,
        })
    }

    pub fn unigram(&self, bytes: &Bytes, word: u32) -> (Gram, Node) {
        let at = self.unigrams + u64::from(word) * 16;
        let gram = Gram {
            score: bytes.f32(at),
            backoff: bytes.f32(at + 4),
        };
        (gram, Node::Range(bytes.u64(at + 8), bytes.u64(at + 24)))
    }

    pub fn longer(&self, bytes: &Bytes, range: (u64, u64), length: usize, word: u32) -> Option<(Gram, Node)> {
        let list = self.longer.get(length.checked_sub(2)?)?;
        let place = list.find(bytes, range, word, self.word)?;
        let bit = place * list.width + u64::from(self.word);
        let last = length > self.longer.len();
        let gram = list.weights.read(bytes, (list.at, bit), last);
        let bit = bit + u64::from(list.weights.bits(!last));
        let range = match last {
            true => Node::Range(0, 0),
            false => list.range(bytes, place, bit),
        };
        Some((gram, range))
    }
}

impl List {
    /// The place of `word` among those of `range`.
    fn find(&self, bytes: &Bytes, (begin, end): (u64, u64), word: u32, bits: u32) -> Option<u64> {
        let (mut low, mut high) = (begin, end.min(self.count));
        while low < high {
            let middle = low + (high - low) / 2;
            match bytes
                .bits(self.at, middle * self.width, bits)
                .cmp(&u64::from(word))
            {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The longer ones of the n-gram at `place`, whose pointer is at `bit`.
    fn range(&self, bytes: &Bytes, place: u64, bit: u64) -> Node {
        let Pointers { bits, upper } = self.pointers;
        let pointer = |place: u64, bit: u64| {
            let lower = bytes.bits(self.at, bit, bits);
            let upper = upper.map_or(0, |(at, count)| bytes.up_to(at, count, place).saturating_sub(1));
            (upper << bits) | lower
        };
        Node::Range(pointer(place, bit), pointer(place + 1, bit + self.width))
    }
}

impl Weights {
    /// Bits of both, or of a score alone.
    fn bits(self, both: bool) -> u32 {
        match self {
            Self::Plain if both => 63,
            Self::Plain => 31,
            Self::Tables { score, backoff } if both => score.1 + backoff.1,
            Self::Tables { score, .. } => score.1,
        }
    }

    fn read(self, bytes: &Bytes, (at, bit): (u64, u64), last: bool) -> Gram {
        match self {
            Self::Plain => Gram {
                score: -f32::from_bits(bytes.bits(at, bit, 31) as u32),
                backoff: match last {
                    true => 0.0,
                    false => f32::from_bits(bytes.bits(at, bit + 31, 32) as u32),
                },
            },
            Self::Tables { score, backoff } => {
                let entry =
                    |(table, bits): (u64, u32), bit: u64| bytes.f32(table + 4 * bytes.bits(at, bit, bits));
                let before = if last { 0 } else { u64::from(backoff.1) };
                Gram {
                    score: entry(score, bit + before),
                    backoff: if last { 0.0 } else { entry(backoff, bit) },
                }
            }
        }
    }
}

impl Pointers {
    /// Pointers up to `next` of so many `entries`, without upper bits, of which there are as many as saves the most, `most`
    /// at the most.
    fn packed(entries: u64, next: u64, most: u32, layout: &mut Layout) -> Result<Self, String> {
        let all = width(next);
        let upper = |left_out: u32| next.checked_shr(all - left_out).unwrap_or(0);
        // In bits: what the list takes, and what the n-grams do not.
        let cost = |left_out: &u32| {
            let list = upper(*left_out).wrapping_mul(64);
            list.wrapping_sub(entries.wrapping_mul(u64::from(*left_out))) as i64
        };
        let left_out = (0..=all.min(most)).min_by_key(cost).unwrap_or(0);
        let count = upper(left_out).checked_add(1).ok_or_else(damaged)?;
        let at = layout.take(
            count
                .checked_add(1)
                .and_then(|all| all.checked_mul(8)?.checked_add(7)),
        )?;
        Ok(Self {
            bits: all - left_out,
            upper: Some((at.next_multiple_of(8) + 8, count)),
        })
    }
}

/// The tables of quantised weights for each length from two words on.
fn tables(order: usize, bytes: &Bytes, layout: &mut Layout) -> Result<Vec<Weights>, String> {
    let at = layout.take(Some(8))?;
    let bits = Quantised {
        score: bytes.byte(at + 1).into(),
        backoff: bytes.byte(at + 2).into(),
    };
    let sound = |bits: u32| (1..=25).contains(&bits);
    if bytes.byte(at) != 2 || !sound(bits.score) || !sound(bits.backoff) {
        return Err(damaged());
    }
    let mut table = |bits: u32| Ok::<_, String>((layout.take(Some(4 << bits))?, bits));
    let mut tables = Vec::new();
    for length in 2..=order {
        let score = table(bits.score)?;
        let backoff = if length < order {
            table(bits.backoff)?
        } else {
            (0, 0)
        };
        tables.push(Weights::Tables { score, backoff });
    }
    Ok(tables)
}

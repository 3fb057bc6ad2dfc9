//! Numbers in a file, which may end before them.

use std::borrow::Cow;
use std::fmt;

/// A file's bytes. Where there are none, all are 0.
pub(super) struct Bytes(pub Cow<'static, [u8]>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Bytes {
    pub fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// `N` bytes at `at`.
    pub fn array<const N: usize>(&self, at: u64) -> [u8; N] {
        let found = usize::try_from(at).ok().and_then(|at| self.0.get(at..));
        found
            .and_then(|rest| rest.first_chunk::<N>())
            .copied()
            .unwrap_or([0; N])
    }

    pub fn byte(&self, at: u64) -> u8 {
        self.array::<1>(at)[0]
    }

    pub fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    pub fn u64(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    pub fn f32(&self, at: u64) -> f32 {
        f32::from_le_bytes(self.array(at))
    }

    /// `count` bits, at most 57, from the bit `bit` on of what begins at `at`.
    pub fn bits(&self, at: u64, bit: u64, count: u32) -> u64 {
        let word = self.u64(at.saturating_add(bit / 8));
        (word >> (bit % 8)) & ((1 << count) - 1)
    }

    /// How many of the `count` sorted numbers at `at` are no greater than `most`.
    pub fn up_to(&self, at: u64, count: u64, most: u64) -> u64 {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.u64(at + 8 * middle) <= most {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }
}

/// The bits that numbers up to `most` need.
pub(super) fn width(most: u64) -> u32 {
    u64::BITS - most.leading_zeros()
}

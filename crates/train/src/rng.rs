//! Seeds as pure functions of what they are for.
//!
//! No generator is carried through training: the order of an epoch, the distortion of a picture and the
//! dropout of a step each follow from the run's seed and a few counters, so that a resumed run
//! draws exactly what an unbroken one would, however many threads load its data.

/// A well-mixed 64-bit value from `seed` and counters (the SplitMix64 finaliser, Steele et al. 2014).
pub fn mix(seed: u64, counters: &[u64]) -> u64 {
    counters.iter().fold(finish(seed), |state, &counter| {
        finish(state ^ finish(counter.wrapping_add(1)))
    })
}

fn finish(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A random order of `0..len` (Fisher–Yates).
pub fn permutation(len: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    for i in (1..len).rev() {
        // The modulo's bias is below 2^-40 for any data set that fits in memory.
        let j = (mix(seed, &[i as u64]) % (i as u64 + 1)) as usize;
        order.swap(i, j);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_holds_everything_once_and_depends_on_the_seed() {
        let a = permutation(1000, 1);
        let mut sorted = a.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..1000));
        assert_ne!(a, permutation(1000, 2));
        assert_eq!(a, permutation(1000, 1));
    }
}

//! Recordings in batches of like length.

use crate::rng::{mix, permutation};

/// Batches of at most `size` of recordings with `lengths`, each with those that are about as long: a length counts as up
/// to `noise` more, drawn by `seed`.
pub(super) fn by_length(lengths: &[usize], size: usize, seed: u64, noise: u64) -> Vec<Vec<usize>> {
    let length = |&i: &usize| lengths[i] as u64 + mix(seed, &[i as u64]) % (noise + 1);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_cached_key(length);
    order.chunks(size).map(<[usize]>::to_vec).collect()
}

/// The same for an epoch, in an order that is drawn, too.
pub(super) fn shuffled(lengths: &[usize], size: usize, seed: u64) -> Vec<Vec<usize>> {
    const NOISE: u64 = 60; // frames, about a second
    let batches = by_length(lengths, size, seed, NOISE);
    let order = permutation(batches.len(), mix(seed, &[]));
    order.into_iter().map(|i| batches[i].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recording_is_in_one_batch_of_its_length() {
        let lengths: Vec<usize> = (0..50).map(|i| (i * 37) % 50 * 100).collect();
        assert_eq!(by_length(&[5, 1, 3], 2, 0, 0), [vec![1, 2], vec![0]]);
        let batches = shuffled(&lengths, 4, 1);
        assert_ne!(batches, shuffled(&lengths, 4, 2));
        for batch in &batches {
            let own = || batch.iter().map(|&i| lengths[i]);
            assert!(own().max() <= own().min().map(|least| least + 300));
        }
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
    }
}

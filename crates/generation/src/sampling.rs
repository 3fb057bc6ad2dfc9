//! Random draws.

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// The random numbers of one sequence, determined by a seed and the sequence's number.
pub(crate) fn generator(seed: u64, sequence: u64) -> Pcg64 {
    // Scrambled, so that neighbouring seeds and sequences have nothing in common.
    let mixed = seed.wrapping_add(sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Pcg64::seed_from_u64(mixed ^ (mixed >> 31))
}

/// Draws a token by its probability; `None` if all are forbidden.
pub(crate) fn draw(scores: &[f32], rng: &mut Pcg64) -> Option<usize> {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let allowed = scores
        .iter()
        .zip(0..)
        .filter(|&(&score, _)| score > f32::NEG_INFINITY);
    let mut total = 0f64;
    let mut cumulated: Vec<(f64, usize)> = Vec::new();
    for (&score, i) in allowed {
        total += f64::from((score - max).exp());
        cumulated.push((total, i));
    }
    let point = rng.random::<f64>() * total;
    let at = cumulated.partition_point(|&(sum, _)| sum <= point);
    cumulated.get(at).or(cumulated.last()).map(|&(_, i)| i)
}

/// Noise by which the greatest of `scores + noise` are a draw without replacement: Kool et al.,
/// *Stochastic beams and where to find them* (2019), section 2.3.
pub(crate) fn gumbel(rng: &mut Pcg64) -> f32 {
    let uniform = 1. - rng.random::<f64>(); // in (0, 1]
    let uniform = uniform.min(1. - f64::EPSILON);
    -(-uniform.ln()).ln() as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_probabilities() {
        let scores = [0., f32::NEG_INFINITY, 3f32.ln()];
        let mut rng = generator(1, 0);
        let mut counts = [0; 3];
        for _ in 0..4000 {
            counts[draw(&scores, &mut rng).unwrap()] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((900..1100).contains(&counts[0]), "{counts:?}");
        assert_eq!(draw(&[f32::NEG_INFINITY; 3], &mut rng), None);
    }

    #[test]
    fn seeds_and_sequences_differ() {
        let first = |seed, sequence| generator(seed, sequence).random::<u64>();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(1, 2), first(1, 3));
    }
}

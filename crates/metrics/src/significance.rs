//! How much of a score is chance: bootstrap resampling (Koehn 2004).

use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

use crate::{Counts, Error, Metric, sum};

/// A score with the range that 95 % of the resampled corpora fall in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The score of the corpus itself.
    pub score: f64,
    /// The mean of the resampled corpora.
    pub mean: f64,
    /// Half the width of the middle 95 %.
    pub half_width: f64,
}

/// A system beside a baseline on the same segments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Paired {
    /// The system.
    pub system: Interval,
    /// The baseline.
    pub baseline: Interval,
    /// How probable a difference at least as large is if there is none; below 0.05 is called significant.
    pub p_value: f64,
}

/// Draws `samples` corpora of as many segments, with replacement, from `seed`.
///
/// The same seed gives the same corpora on every machine, but not those of sacreBLEU, which draws with NumPy.
///
/// # Errors
/// If there is no segment.
pub fn bootstrap<M: Metric>(
    metric: &M,
    counts: &[Counts],
    samples: usize,
    seed: u64,
) -> Result<Interval, Error> {
    let score = metric.score(&sum(counts)?);
    Ok(interval(score, resampled(metric, counts, samples, seed)))
}

/// Compares a system with a baseline on resampled corpora, the same ones for both: a two-sided test with the
/// differences shifted to have no mean (Riezler and Maxwell 2005).
///
/// # Errors
/// If there is no segment, or not equally many.
pub fn paired_bootstrap<M: Metric>(
    metric: &M,
    system: &[Counts],
    baseline: &[Counts],
    samples: usize,
    seed: u64,
) -> Result<Paired, Error> {
    if system.len() != baseline.len() {
        return Err(Error::Count {
            hypotheses: system.len(),
            references: baseline.len(),
        });
    }
    let scores = [system, baseline].map(|counts| resampled(metric, counts, samples, seed));
    let [ours, theirs] = [metric.score(&sum(system)?), metric.score(&sum(baseline)?)];
    let real = (ours - theirs).abs();
    let [a, b] = &scores;
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    // Around their own mean: what differences would be if there were none.
    let mean = differences.iter().sum::<f64>() / differences.len().max(1) as f64;
    let as_large = differences
        .iter()
        .filter(|difference| (*difference - mean).abs() >= real)
        .count();
    let [a, b] = scores;
    Ok(Paired {
        system: interval(ours, a),
        baseline: interval(theirs, b),
        p_value: (as_large + 1) as f64 / (differences.len() + 1) as f64,
    })
}

fn resampled<M: Metric>(metric: &M, counts: &[Counts], samples: usize, seed: u64) -> Vec<f64> {
    let Some(first) = counts.first() else {
        return Vec::new();
    };
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut total = vec![0.0; first.len()];
    let mut draw = || {
        total.fill(0.0);
        for _ in 0..counts.len() {
            let segment = &counts[random.random_range(0..counts.len())];
            total.iter_mut().zip(segment).for_each(|(sum, more)| *sum += more);
        }
        metric.score(&total)
    };
    (0..samples).map(|_| draw()).collect()
}

fn interval(score: f64, mut scores: Vec<f64>) -> Interval {
    scores.sort_by(f64::total_cmp);
    let count = scores.len();
    if count == 0 {
        return Interval {
            score,
            mean: score,
            half_width: 0.0,
        };
    }
    let at = |share: f64| scores[((count - 1) as f64 * share).round() as usize];
    Interval {
        score,
        mean: scores.iter().sum::<f64>() / count as f64,
        half_width: (at(0.975) - at(0.025)) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bleu;

    fn counts(noise: usize) -> Vec<Counts> {
        let text = |i: usize| {
            format!(
                "the {i} small dogs run over the {} green hills of town",
                i * 7 % 5
            )
        };
        let bleu = Bleu::default();
        (0..200)
            .map(|i| {
                let written = if i % noise == 0 {
                    "something else entirely here".to_string()
                } else {
                    text(i)
                };
                bleu.count(&written, &[&text(i)])
            })
            .collect()
    }

    #[test]
    fn intervals_hold_the_score_and_depend_on_the_seed_alone() {
        let counts = counts(3);
        let one = bootstrap(&Bleu::default(), &counts, 500, 1).unwrap();
        assert_eq!(one, bootstrap(&Bleu::default(), &counts, 500, 1).unwrap());
        assert!(
            (one.score - one.mean).abs() < one.half_width && one.half_width < 10.0,
            "{one:?}"
        );
    }

    #[test]
    fn a_large_difference_is_significant_and_none_is_not() {
        let (good, bad) = (counts(10), counts(3));
        let bleu = Bleu::default();
        assert!(paired_bootstrap(&bleu, &good, &bad, 500, 1).unwrap().p_value < 0.01);
        assert!(paired_bootstrap(&bleu, &good, &good, 500, 1).unwrap().p_value > 0.9);
        assert!(paired_bootstrap(&bleu, &good, &bad[..9], 10, 1).is_err());
    }
}

//! Metrics of classifiers.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// How many rows of `logits` `[batch, classes]` have their largest value at `labels` `[batch]`.
pub fn correct(logits: &Tensor, labels: &Tensor) -> usize {
    logits
        .argmax(-1, false)
        .eq_tensor(labels)
        .sum(Kind::Int64)
        .int64_value(&[]) as usize
}

/// Counts of true against predicted classes, and what follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// `counts[truth][prediction]`.
    counts: Vec<Vec<usize>>,
}

/// Precision, recall and F1 of one class, each from 0 to 1 (0 where undefined).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Share of the predictions of this class that are right.
    pub precision: f64,
    /// Share of this class's examples that are found.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Examples of this class.
    pub support: usize,
}

impl ConfusionMatrix {
    /// An empty matrix for `classes` classes.
    pub fn new(classes: usize) -> Self {
        Self {
            counts: vec![vec![0; classes]; classes],
        }
    }

    /// Counts one example; classes beyond the matrix make it grow.
    pub fn add(&mut self, truth: usize, prediction: usize) {
        let classes = self.counts.len().max(truth + 1).max(prediction + 1);
        self.counts.resize(classes, Vec::new());
        for row in &mut self.counts {
            row.resize(classes, 0);
        }
        self.counts[truth][prediction] += 1;
    }

    /// `counts[truth][prediction]`.
    pub fn counts(&self) -> &[Vec<usize>] {
        &self.counts
    }

    /// Examples counted.
    pub fn total(&self) -> usize {
        self.counts.iter().flatten().sum()
    }

    /// Examples predicted correctly.
    pub fn correct(&self) -> usize {
        (0..self.counts.len()).map(|i| self.counts[i][i]).sum()
    }

    /// Share of the examples predicted correctly.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// Precision, recall and F1 of each class.
    pub fn per_class(&self) -> Vec<ClassScores> {
        let class = |i: usize| {
            let hits = self.counts[i][i];
            let support = self.counts[i].iter().sum();
            let predicted = self.counts.iter().map(|row| row[i]).sum();
            let f1 = ratio(2 * hits, support + predicted);
            ClassScores {
                precision: ratio(hits, predicted),
                recall: ratio(hits, support),
                f1,
                support,
            }
        };
        (0..self.counts.len()).map(class).collect()
    }

    /// The mean F1 of the classes, each counting the same; those that no example has and none was taken for are left out.
    pub fn macro_f1(&self) -> f64 {
        let occurs =
            |&i: &usize| self.counts[i].iter().any(|&n| n > 0) || self.counts.iter().any(|row| row[i] > 0);
        let classes = self.per_class();
        let found: Vec<f64> = (0..classes.len()).filter(occurs).map(|i| classes[i].f1).collect();
        found.iter().sum::<f64>() / found.len().max(1) as f64
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_known_matrix() {
        let mut matrix = ConfusionMatrix::new(3);
        // Truth 0: 3 right, 1 taken for 1. Truth 1: 2 right. Truth 2: never found, taken for 0.
        for (truth, prediction) in [(0, 0), (0, 0), (0, 0), (0, 1), (1, 1), (1, 1), (2, 0)] {
            matrix.add(truth, prediction);
        }
        assert_eq!((matrix.total(), matrix.correct()), (7, 5));
        let [zero, one, two] = matrix.per_class()[..] else {
            panic!("three classes")
        };
        assert_eq!(
            (zero.precision, zero.recall, zero.f1, zero.support),
            (0.75, 0.75, 0.75, 4)
        );
        assert_eq!((one.precision, one.recall, one.f1), (2.0 / 3.0, 1.0, 0.8));
        assert_eq!((two.precision, two.recall, two.f1), (0.0, 0.0, 0.0));
        assert!((matrix.macro_f1() - (0.75 + 0.8) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn classes_that_do_not_occur_do_not_count() {
        let mut matrix = ConfusionMatrix::new(9);
        matrix.add(1, 1);
        matrix.add(4, 4);
        assert_eq!(matrix.macro_f1(), 1.0);
        matrix.add(4, 6); // taken for one that does not occur
        assert!((matrix.macro_f1() - (1.0 + 2.0 / 3.0 + 0.0) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_counted_scores_nothing() {
        let matrix = ConfusionMatrix::new(2);
        assert_eq!((matrix.accuracy(), matrix.macro_f1()), (0.0, 0.0));
    }
}

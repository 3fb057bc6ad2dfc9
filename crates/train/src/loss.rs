//! Losses.

use tch::{Reduction, Tensor};

/// Mean cross-entropy of `logits` `[batch, classes]` against class indices `labels` `[batch]`, with
/// `smoothing` (0 for none) of the target spread evenly over the classes (arXiv 1512.00567, section 7).
/// Labels that are [`IGNORED`] count for nothing.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Tensor {
    logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, IGNORED, smoothing)
}

/// The label of what is no example: padding.
pub const IGNORED: i64 = -100;

/// Mean binary cross-entropy of `logits` against `targets` from 0 to 1, of one shape.
pub fn binary_cross_entropy(logits: &Tensor, targets: &Tensor) -> Tensor {
    logits.binary_cross_entropy_with_logits::<Tensor>(targets, None, None, Reduction::Mean)
}

/// Mean squared error of `predictions` against `targets`, of one shape.
pub fn mean_squared_error(predictions: &Tensor, targets: &Tensor) -> Tensor {
    predictions.mse_loss(targets, Reduction::Mean)
}

/// Mean Huber loss: squared up to errors of `delta`, linear beyond (Huber 1964).
pub fn huber(predictions: &Tensor, targets: &Tensor, delta: f64) -> Tensor {
    predictions.huber_loss(targets, Reduction::Mean, delta)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_known_values() {
        let near = |loss: Tensor, expected: f64| {
            let loss = loss.double_value(&[]);
            assert!((loss - expected).abs() < 1e-6, "{loss} for {expected}");
        };
        let (found, wanted) = (
            Tensor::from_slice(&[0.5f32, -3.0]),
            Tensor::from_slice(&[1f32, 0.0]),
        );
        near(mean_squared_error(&found, &wanted), (0.25 + 9.0) / 2.0);
        near(huber(&found, &wanted, 1.0), (0.5 * 0.25 + (3.0 - 0.5)) / 2.0);
        let [one, zero] = [0.5f64, 3.0].map(|logit| (1.0 + (-logit).exp()).ln());
        near(binary_cross_entropy(&found, &wanted), (one + zero) / 2.0);

        let logits = Tensor::from_slice(&[2f32, 0.0, -1.0]).view([1, 3]);
        let log_sum = (2f64.exp() + 1.0 + (-1f64).exp()).ln();
        let label = Tensor::from_slice(&[0i64]);
        near(cross_entropy(&logits, &label, 0.0), log_sum - 2.0);
        // 0.3 of the target goes to all three alike.
        near(
            cross_entropy(&logits, &label, 0.3),
            log_sum - 0.7 * 2.0 - 0.3 / 3.0,
        );
    }
}

//! Losses.

use tch::{Kind, Reduction, Tensor};

/// Mean cross-entropy of `logits` `[batch, classes]` against class indices `labels` `[batch]`, with
/// `smoothing` (0 for none) of the target spread evenly over the classes (arXiv 1512.00567, section 7).
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Tensor {
    const NO_IGNORED_LABEL: i64 = -100;
    logits.cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, NO_IGNORED_LABEL, smoothing)
}

/// How many rows of `logits` `[batch, classes]` have their largest value at `labels` `[batch]`.
pub fn correct(logits: &Tensor, labels: &Tensor) -> usize {
    logits
        .argmax(-1, false)
        .eq_tensor(labels)
        .sum(Kind::Int64)
        .int64_value(&[]) as usize
}

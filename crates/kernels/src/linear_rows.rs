//! Fully connected layers for a few rows, as in the steps of decoding.

use tch::Tensor;

/// `x · weightᵀ + bias` for a few rows.
///
/// `x` is `[…, in]` in `f32`, `bf16` or `f16`, `weight` `[out, in]` and `bias` `[out]` in any of these
/// types. The result is `[…, out]` in the type of `x`, summed in `f32`. Forward only.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear_rows(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let bias = bias.map(|b| b.to_kind(x.kind()));
    x.linear(&weight.to_kind(x.kind()), bias.as_ref())
}

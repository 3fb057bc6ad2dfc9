//! What the fully connected layers for few rows share: the checks and conversions of a call.

use tch::{Kind, Tensor};

use crate::memory::Fresh;
use crate::simd::{Bf16, Element, F16, Floating};

/// One call.
pub(crate) struct Layer<'a> {
    /// `[rows, inputs]`, of the type of the result.
    pub x: Floating<'a>,
    pub weight: Floating<'a>,
    pub bias: Option<Floating<'a>>,
    pub rows: usize,
    pub inputs: usize,
    pub outputs: usize,
}

/// A way to compute a layer.
pub(crate) trait Product {
    /// Writes `x · weight + bias` to `out` `[rows, outputs]`.
    fn compute<O: Element>(layer: &Layer<'_>, out: &mut [O]);
}

/// The result, `[…, outputs]`, in the type of `x` `[…, inputs]`.
///
/// # Panics
/// If the shapes do not fit, a tensor has another type or is not on the CPU, or `weight` or `bias` is not
/// contiguous.
pub(crate) fn run<P: Product>(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    [inputs, outputs]: [i64; 2],
) -> Tensor {
    let mut shape = x.size();
    assert_eq!(shape.last(), Some(&inputs), "x is […, in]");
    if let Some(bias) = bias {
        assert_eq!(bias.size(), [outputs], "bias is [out]");
    }
    let width = shape.len() - 1;
    shape[width] = outputs;
    let x = x.contiguous();
    let layer = Layer {
        x: Floating::of(&x, "x"),
        weight: Floating::of(weight, "weight"),
        bias: bias.map(|bias| Floating::of(bias, "bias")),
        rows: shape[..width].iter().product::<i64>() as usize,
        inputs: inputs as usize,
        outputs: outputs as usize,
    };
    match x.kind() {
        Kind::Float => fresh::<P, f32>(&layer, &shape),
        Kind::BFloat16 => fresh::<P, Bf16>(&layer, &shape),
        _ => fresh::<P, F16>(&layer, &shape),
    }
}

fn fresh<P: Product, O: Element>(layer: &Layer<'_>, shape: &[i64]) -> Tensor {
    let mut out = Fresh::<O>::unset(shape);
    P::compute(layer, out.as_mut_slice());
    out.into_tensor()
}

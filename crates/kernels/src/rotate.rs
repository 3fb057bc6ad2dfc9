//! Rotary positions for a few tokens, in one call where libtorch needs seven.

use tch::{Kind, Tensor};

use crate::memory::Fresh;
use crate::simd::{Bf16, Element, F16};
use crate::strided::Strided;

/// Which features are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pairs {
    /// Feature `i` of the first half with feature `i` of the second half (GPT-NeoX, Llama).
    #[default]
    Halves,
    /// Each feature of an even number with the next one (arXiv 2104.09864 itself).
    Neighbours,
}

/// Rotates the first `dim` features of each token of `x` (arXiv 2104.09864), two by two.
///
/// `x` is `[rows, heads, tokens, head_dim]` with neighbouring features, `cos` and `sin` `[rows or 1, 1, tokens,
/// dim]`, all `f32`, `bf16` or `f16` alike and on the CPU. The result has the shape and type of `x`; every step
/// is rounded to that type, as libtorch's own operations do it. One thread, forward only.
///
/// # Panics
/// If the shapes or types do not fit.
pub fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor, pairs: Pairs) -> Tensor {
    match x.kind() {
        Kind::Float => rotated::<f32>(x, cos, sin, pairs),
        Kind::BFloat16 => rotated::<Bf16>(x, cos, sin, pairs),
        _ => rotated::<F16>(x, cos, sin, pairs),
    }
}

fn rotated<T: Element>(x: &Tensor, cos: &Tensor, sin: &Tensor, pairs: Pairs) -> Tensor {
    let size = x.size();
    let [rows, heads, tokens, head_dim] = [0, 1, 2, 3].map(|i| size[i] as usize);
    let table = cos.size();
    assert_eq!(table, sin.size(), "cos and sin are of one shape");
    let (table_rows, dim) = (table[0] as usize, table[3] as usize);
    assert!(
        dim <= head_dim && dim % 2 == 0 && table[1] == 1 && table[2] as usize == tokens,
        "cos is [rows or 1, 1, tokens, dim]"
    );
    assert!(
        table_rows == 1 || table_rows == rows,
        "a table for all rows, or one each"
    );
    let (values, cos, sin) = (
        Strided::<T>::of(x, "x"),
        Strided::<T>::of(cos, "cos"),
        Strided::<T>::of(sin, "sin"),
    );
    let mut out = Fresh::<T>::unset(&size);
    let mut outs = out.as_mut_slice().chunks_exact_mut(head_dim.max(1));
    for row in 0..rows {
        let table_row = row.min(table_rows - 1);
        let (cos, sin) = (
            cos.positions(table_row, 0, 0, tokens),
            sin.positions(table_row, 0, 0, tokens),
        );
        for head in 0..heads {
            let values = values.positions(row, head, 0, tokens);
            for ((x, (cos, sin)), out) in values.iter().zip(cos.iter().zip(sin.iter())).zip(&mut outs) {
                match pairs {
                    Pairs::Halves => turn_halves(x, cos, sin, out),
                    Pairs::Neighbours => turn_neighbours(x, cos, sin, out),
                }
                out[dim..].copy_from_slice(&x[dim..]);
            }
        }
    }
    out.into_tensor()
}

/// The first features of one token, as many as `cos` has.
#[inline(always)]
fn turn_halves<T: Element>(x: &[T], cos: &[T], sin: &[T], out: &mut [T]) {
    let half = cos.len() / 2;
    let (x1, x2) = x[..2 * half].split_at(half);
    let (out1, out2) = out[..2 * half].split_at_mut(half);
    for i in 0..half {
        out1[i] = T::from_f32(product(x1[i], cos[i]) - product(x2[i], sin[i]));
        out2[i] = T::from_f32(product(x2[i], cos[half + i]) + product(x1[i], sin[half + i]));
    }
}

/// The same for pairs of neighbours.
#[inline(always)]
fn turn_neighbours<T: Element>(x: &[T], cos: &[T], sin: &[T], out: &mut [T]) {
    for i in (0..cos.len()).step_by(2) {
        out[i] = T::from_f32(product(x[i], cos[i]) - product(x[i + 1], sin[i]));
        out[i + 1] = T::from_f32(product(x[i + 1], cos[i + 1]) + product(x[i], sin[i + 1]));
    }
}

#[inline(always)]
fn product<T: Element>(a: T, b: T) -> f32 {
    T::from_f32(a.to_f32() * b.to_f32()).to_f32()
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn equals_libtorch() {
        tch::manual_seed(5);
        for kind in [Kind::Float, Kind::BFloat16, Kind::Half] {
            for (rows, table_rows, dim) in [(1, 1, 16), (3, 1, 8), (3, 3, 16)] {
                let random = |shape: [i64; 4]| Tensor::randn(shape, (Kind::Float, Device::Cpu)).to_kind(kind);
                // A view, as the projections of one joined layer are.
                let x = random([rows, 2, 5, 32]).transpose(1, 2).narrow(3, 8, 16);
                let [cos, sin] = [0, 1].map(|_| random([table_rows, 1, 2, dim]));
                let part = x.narrow(3, 0, dim);
                let (first, second) = (part.narrow(3, 0, dim / 2), part.narrow(3, dim / 2, dim / 2));
                let (even, odd) = (part.slice(3, 0, dim, 2), part.slice(3, 1, dim, 2));
                for (pairs, crossed) in [
                    (Pairs::Halves, Tensor::cat(&[second.neg(), first], 3)),
                    (
                        Pairs::Neighbours,
                        Tensor::stack(&[odd.neg(), even], 4).flatten(3, 4),
                    ),
                ] {
                    let turned = &part * &cos + crossed * &sin;
                    let expected = Tensor::cat(&[turned, x.narrow(3, dim, 16 - dim)], 3);
                    let found = rotate(&x, &cos, &sin, pairs);
                    assert!(
                        found.equal(&expected),
                        "{kind:?} {rows} {table_rows} {dim} {pairs:?}"
                    );
                }
            }
        }
    }
}

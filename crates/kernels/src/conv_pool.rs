//! Convolution, ReLU and 2×2 max-pooling of grey pictures in one pass.
//!
//! libtorch writes the whole convolution to memory, reads it for the pooling, and keeps both for the
//! backward pass. Here each pooled value is made in registers from its four convolutions, and the
//! backward pass visits only the position that won, so that nothing but the pooled values and one
//! byte each for the winner touches memory. Channels are the innermost axis: they fill the vectors.
//!
//! The bodies are plain Rust that the compiler vectorises; each is compiled for AVX-512, for AVX2 and
//! for the baseline, and the best one that the machine has is chosen at run time.

use tch::{Device, Kind, Tensor};

use crate::bridge::{grad_enabled, parallel_for, with_backward};
use crate::memory::{Fresh, Parts, bytes, floats};

/// The kernel's height and width.
const K: usize = 3;
/// Kernel elements.
const TAPS: usize = K * K;
/// Channels worked on at a time.
const LANES: usize = 8;
/// The winner's index where the ReLU let nothing through; 0 to 3 are the places of the 2×2 window.
const DEAD: u8 = 4;
/// Pictures summed into one partial gradient. Fixed, so that sums do not depend on the thread count.
const PIECE: usize = 8;

/// `max_pool2d(relu(conv2d(x, weight, bias)), 2)` for one-channel pictures, channels last.
///
/// `x` is `[batch, height, width]`, `weight` `[channels, 1, 3, 3]`, `bias` `[channels]`, all `f32` on
/// the CPU, with `channels` a multiple of 8; no padding, stride 1. The result is
/// `[batch, (height - 2) / 2, (width - 2) / 2, channels]`. Gradients flow to `weight` and `bias`.
///
/// Returns `None` where this does not hold, or `x` wants a gradient: use libtorch's operators then.
pub fn conv_relu_pool(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Option<Tensor> {
    let fits = |t: &Tensor| t.kind() == Kind::Float && t.device() == Device::Cpu;
    if !(fits(x) && fits(weight) && fits(bias)) || x.requires_grad() {
        return None;
    }
    let shape = Shape::new(&x.size(), &weight.size(), &bias.size())?;
    let needs_winners = grad_enabled() && (weight.requires_grad() || bias.requires_grad());

    let x = x.detach().contiguous();
    let taps = weight
        .detach()
        .reshape([-1, TAPS as i64])
        .transpose(0, 1)
        .contiguous(); // [taps, channels]
    let mut out = Fresh::floats(&shape.out());
    let kept = if needs_winners { shape.pooled() } else { 0 };
    let mut winners = Fresh::bytes(&[shape.batch as i64, kept as i64]);
    {
        let (pictures, taps, bias) = (floats(&x), floats(&taps), bias.detach().contiguous());
        let bias = floats(&bias);
        let out = Parts::new(out.as_mut_slice());
        let winners = Parts::new(winners.as_mut_slice());
        let (picture, pooled) = (shape.height * shape.width, shape.pooled());
        parallel_for(shape.batch, PIECE, |range| {
            for i in range {
                // SAFETY: one part per picture, and each picture goes to one thread.
                let (out, winners) = unsafe { (out.part(i * pooled, pooled), winners.part(i * kept, kept)) };
                forward(
                    &shape,
                    &pictures[i * picture..][..picture],
                    taps,
                    bias,
                    out,
                    winners,
                );
            }
        });
    }
    let (out, winners) = (out.into_tensor(), winners.into_tensor());
    if !needs_winners {
        return Some(out);
    }
    Some(with_backward(out, &[weight, bias], move |grad| {
        let (weight, bias) = gradients(&shape, &x, &grad.contiguous(), &winners);
        vec![Some(weight), Some(bias)]
    }))
}

/// The sizes of one call.
#[derive(Clone, Copy)]
struct Shape {
    batch: usize,
    height: usize,
    width: usize,
    channels: usize,
}

impl Shape {
    fn new(x: &[i64], weight: &[i64], bias: &[i64]) -> Option<Self> {
        let (&[batch, height, width], &[channels, 1, 3, 3]) = (x, weight) else {
            return None;
        };
        if bias != [channels] || channels % LANES as i64 != 0 || height < 4 || width < 4 {
            return None;
        }
        let size = |n: i64| usize::try_from(n).ok();
        Some(Self {
            batch: size(batch)?,
            height: size(height)?,
            width: size(width)?,
            channels: size(channels)?,
        })
    }

    /// Rows and columns after pooling.
    fn grid(&self) -> (usize, usize) {
        let pooled = |size: usize| (size - (K - 1)) / 2;
        (pooled(self.height), pooled(self.width))
    }

    /// Pooled values of one picture.
    fn pooled(&self) -> usize {
        let (rows, columns) = self.grid();
        rows * columns * self.channels
    }

    fn out(&self) -> [i64; 4] {
        let (rows, columns) = self.grid();
        [
            self.batch as i64,
            rows as i64,
            columns as i64,
            self.channels as i64,
        ]
    }
}

/// The gradients of weight `[channels, 1, 3, 3]` and bias `[channels]`, summed over the batch.
fn gradients(shape: &Shape, x: &Tensor, grad: &Tensor, winners: &Tensor) -> (Tensor, Tensor) {
    let (picture, pooled) = (shape.height * shape.width, shape.pooled());
    let pieces = shape.batch.div_ceil(PIECE);
    let rows = TAPS + 1; // the last one is the bias
    let mut sums = Fresh::floats(&[pieces as i64, rows as i64, shape.channels as i64]);
    {
        let (pictures, grads, winners) = (floats(x), floats(grad), bytes(winners));
        let size = rows * shape.channels;
        let sums = Parts::new(sums.as_mut_slice());
        parallel_for(pieces, 1, |range| {
            for piece in range {
                // SAFETY: one part per piece, and each piece goes to one thread.
                let sum = unsafe { sums.part(piece * size, size) };
                for i in piece * PIECE..shape.batch.min((piece + 1) * PIECE) {
                    let at = i * pooled..(i + 1) * pooled;
                    backward(
                        shape,
                        &pictures[i * picture..][..picture],
                        &grads[at.clone()],
                        &winners[at],
                        sum,
                    );
                }
            }
        });
    }
    let sums = sums
        .into_tensor()
        .sum_dim_intlist([0i64].as_slice(), false, Kind::Float);
    let weight = sums.narrow(0, 0, TAPS as i64).transpose(0, 1).contiguous();
    (
        weight.view([shape.channels as i64, 1, K as i64, K as i64]),
        sums.select(0, TAPS as i64).contiguous(),
    )
}

/// Compiles a body for each instruction set and calls the best that the machine has.
macro_rules! dispatch {
    ($(#[$doc:meta])* fn $name:ident, $body:ident, ($($arg:ident: $type:ty),*)) => {
        $(#[$doc])*
        fn $name($($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
                fn avx512($($arg: $type),*) { $body::<true>($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $type),*) { $body::<true>($($arg),*) }
                let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
                let has_avx512 = is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw");
                if has_avx2 && has_avx512 {
                    // SAFETY: the machine has these instructions.
                    return unsafe { avx512($($arg),*) };
                }
                if has_avx2 {
                    // SAFETY: the machine has these instructions.
                    return unsafe { avx2($($arg),*) };
                }
            }
            // 64-bit Arm has a fused multiply-add in its baseline; elsewhere it would be a library call.
            $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}

dispatch!(
    /// One picture `[height, width]` to pooled values `[rows, columns, channels]` and their winners.
    fn forward, forward_body,
    (shape: &Shape, x: &[f32], taps: &[f32], bias: &[f32], out: &mut [f32], winners: &mut [u8])
);

dispatch!(
    /// Adds one picture's share of the gradients to `sum` `[taps + 1, channels]`.
    fn backward, backward_body,
    (shape: &Shape, x: &[f32], grad: &[f32], winners: &[u8], sum: &mut [f32])
);

type Lanes = [f32; LANES];

#[inline(always)]
fn lanes(slice: &[f32]) -> Lanes {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&slice[..LANES]);
    lanes
}

#[inline(always)]
fn multiply_add<const FUSED: bool>(sum: &mut Lanes, a: f32, b: &Lanes) {
    for (sum, b) in sum.iter_mut().zip(b) {
        *sum = if FUSED { a.mul_add(*b, *sum) } else { a * b + *sum };
    }
}

/// The `K + 1` by `K + 1` picture elements behind one pooled value.
#[inline(always)]
fn patch(shape: &Shape, x: &[f32], row: usize, column: usize) -> [[f32; K + 1]; K + 1] {
    let mut patch = [[0.0; K + 1]; K + 1];
    for (i, line) in patch.iter_mut().enumerate() {
        line.copy_from_slice(&x[(2 * row + i) * shape.width + 2 * column..][..K + 1]);
    }
    patch
}

#[inline(always)]
fn forward_body<const FUSED: bool>(
    shape: &Shape,
    x: &[f32],
    taps: &[f32],
    bias: &[f32],
    out: &mut [f32],
    winners: &mut [u8],
) {
    let channels = shape.channels;
    let (rows, columns) = shape.grid();
    for row in 0..rows {
        for column in 0..columns {
            let patch = patch(shape, x, row, column);
            let at = (row * columns + column) * channels;
            for c in (0..channels).step_by(LANES) {
                let mut sums = [[0.0; LANES]; 4];
                for ky in 0..K {
                    for kx in 0..K {
                        let weights = lanes(&taps[(ky * K + kx) * channels + c..]);
                        for (place, sum) in sums.iter_mut().enumerate() {
                            multiply_add::<FUSED>(sum, patch[ky + place / 2][kx + place % 2], &weights);
                        }
                    }
                }
                let bias = lanes(&bias[c..]);
                let mut best = sums[0];
                let mut winner = [0u32; LANES];
                for (place, sum) in sums.iter().enumerate().skip(1) {
                    for lane in 0..LANES {
                        // What is no number wins, and nothing wins over it.
                        let wins = (sum[lane] > best[lane]) | sum[lane].is_nan();
                        best[lane] = if wins { sum[lane] } else { best[lane] };
                        winner[lane] = if wins { place as u32 } else { winner[lane] };
                    }
                }
                for lane in 0..LANES {
                    let value = best[lane] + bias[lane];
                    best[lane] = if value <= 0.0 { 0.0 } else { value };
                    winner[lane] = if value <= 0.0 {
                        u32::from(DEAD)
                    } else {
                        winner[lane]
                    };
                }
                out[at + c..][..LANES].copy_from_slice(&best);
                if !winners.is_empty() {
                    let winners = &mut winners[at + c..][..LANES];
                    for lane in 0..LANES {
                        winners[lane] = winner[lane] as u8;
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn backward_body<const FUSED: bool>(shape: &Shape, x: &[f32], grad: &[f32], winners: &[u8], sum: &mut [f32]) {
    let channels = shape.channels;
    let (rows, columns) = shape.grid();
    for c in (0..channels).step_by(LANES) {
        let mut weight_sums = [[0.0; LANES]; TAPS];
        let mut bias_sum = [0.0; LANES];
        for row in 0..rows {
            for column in 0..columns {
                let patch = patch(shape, x, row, column);
                let at = (row * columns + column) * channels + c;
                let grad = lanes(&grad[at..]);
                let winner = &winners[at..][..LANES];
                for place in 0..4 {
                    let mut share = [0.0; LANES]; // the gradient where this place won, else zero
                    for lane in 0..LANES {
                        share[lane] = if u32::from(winner[lane]) == place as u32 {
                            grad[lane]
                        } else {
                            0.0
                        };
                    }
                    for (total, share) in bias_sum.iter_mut().zip(share) {
                        *total += share;
                    }
                    for ky in 0..K {
                        for kx in 0..K {
                            let value = patch[ky + place / 2][kx + place % 2];
                            multiply_add::<FUSED>(&mut weight_sums[ky * K + kx], value, &share);
                        }
                    }
                }
            }
        }
        for (tap, tap_sum) in weight_sums.iter().chain([&bias_sum]).enumerate() {
            for (total, value) in sum[tap * channels + c..][..LANES].iter_mut().zip(tap_sum) {
                *total += value;
            }
        }
    }
}

#[cfg(test)]
mod tests;

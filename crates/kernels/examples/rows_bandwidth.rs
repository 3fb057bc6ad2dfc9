//! Prints how fast layers for a few rows read their weights, beside libtorch's and the memory's speed.
//!
//! ```text
//! cargo run --release -p sensorium-kernels --example rows_bandwidth -- [rows] [threads]
//! ```

use std::hint::black_box;
use std::time::Instant;

use sensorium_kernels::{linear_columns, linear_rows, parallel_for};
use tch::{Device, Kind, Tensor};

/// `[out, in]` of the layers of GPT-2 124M and SmolLM2-135M.
const SHAPES: [[i64; 2]; 9] = [
    [768, 768],
    [2304, 768],
    [3072, 768],
    [768, 3072],
    [50257, 768],
    [576, 576],
    [192, 576],
    [1536, 576],
    [49152, 576],
];
/// Weights are taken in turn from this much memory, so that caches do not hold them.
const FOOTPRINT: usize = 256 << 20;

/// Seconds per call of each body: the best of many short runs. They take turns of some milliseconds, for
/// OpenMP's threads stay awake that long after libtorch's loops.
fn best<const N: usize>(bodies: [&dyn Fn(usize); N]) -> [f64; N] {
    let mut best = [f64::INFINITY; N];
    let mut calls = [1; N];
    let mut at = 0;
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < 0.7 * N as f64 {
        for ((body, best), calls) in bodies.iter().zip(&mut best).zip(&mut calls) {
            let turn = Instant::now();
            while turn.elapsed().as_secs_f64() < 0.03 {
                let run = Instant::now();
                for _ in 0..*calls {
                    body(at);
                    at += 1;
                }
                let seconds = run.elapsed().as_secs_f64();
                if seconds < 0.5e-3 {
                    *calls *= 2;
                } else {
                    *best = best.min(seconds / f64::from(*calls));
                }
            }
        }
    }
    best
}

fn main() {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse().expect("a number"));
    let rows = args.next().unwrap_or(1);
    tch::set_num_threads(args.next().unwrap_or(2) as i32);
    let _guard = tch::no_grad_guard();

    let options = (Kind::Float, Device::Cpu);
    let memory = Tensor::ones([FOOTPRINT as i64 / 4], options);
    let [read, empty] = best([&|_| drop(memory.sum(Kind::Float)), &|_| {
        parallel_for(2, 1, |i| _ = black_box(i))
    }]);
    println!(
        "sum of {} MB: {:.1} GB/s",
        FOOTPRINT >> 20,
        FOOTPRINT as f64 / read / 1e9
    );
    println!("empty OpenMP loop: {:.2} us", 1e6 * empty);
    drop(memory);

    for [outputs, inputs] in SHAPES {
        for kind in [Kind::Float, Kind::BFloat16] {
            let bytes = (outputs * inputs) as usize * kind.elt_size_in_bytes();
            let x = Tensor::randn([rows, inputs], options).to_kind(kind);
            let weights: Vec<Tensor> = (0..FOOTPRINT.div_ceil(bytes))
                .map(|_| Tensor::randn([outputs, inputs], options).to_kind(kind))
                .collect();
            let weight = |i: usize| &weights[i % weights.len()];
            let [ours, columns, theirs] = best([
                &|i| drop(linear_rows(&x, weight(i), None)),
                // other values, as many bytes
                &|i| drop(linear_columns(&x, &weight(i).view([inputs, outputs]), None)),
                &|i| drop(x.linear(weight(i), None::<&Tensor>)),
            ]);
            let speed = |seconds: f64| bytes as f64 / seconds / 1e9;
            println!(
                "{outputs:>5} x {inputs:<4} {kind:>8?}: {:5.1} GB/s ({:7.1} us), libtorch {:5.1} GB/s, ratio {:.2}; [in, out] {:5.1} GB/s",
                speed(ours),
                1e6 * ours,
                speed(theirs),
                theirs / ours,
                speed(columns)
            );
        }
    }
}

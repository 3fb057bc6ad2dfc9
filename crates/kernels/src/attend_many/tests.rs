use tch::Device;

use super::*;
use crate::simd::tests::on_each_level;

const F32: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Which keys each query sees, `[rows, 1, queries, len]`.
fn mask(rows: i64, queries: i64, seen: &Seen<'_>) -> Tensor {
    let mut mask = Vec::new();
    for row in 0..rows as usize {
        for position in seen.len - queries..seen.len {
            for key in 0..seen.len {
                let after_start = seen.starts.is_none_or(|starts| starts[row] <= key);
                let before_end = seen.ends.is_none_or(|ends| key < ends[row]);
                let near = seen.window.is_none_or(|window| (position - key).abs() < window);
                let past = !seen.causal || key <= position;
                mask.push(after_start && before_end && near && past);
            }
        }
    }
    Tensor::from_slice(&mask).view([rows, 1, queries, seen.len])
}

/// The same in `f64`, with libtorch's operators.
fn reference([q, k, v]: [&Tensor; 3], seen: &Seen<'_>, scale: f64, softcap: Option<f64>) -> Tensor {
    let mask = mask(q.size()[0], q.size()[2], seen);
    let [q, k, v] = [q, k, v].map(|t| t.to_kind(Kind::Double));
    let repeats = q.size()[1] / k.size()[1];
    let all = |t: &Tensor| {
        t.narrow(2, 0, seen.len)
            .repeat_interleave_self_int(repeats, 1, None)
    };
    if softcap.is_none() && mask.any_dim(-1, false).all().int64_value(&[]) == 1 {
        let mask = Some(&mask);
        return Tensor::scaled_dot_product_attention(&q, &all(&k), &all(&v), mask, 0.0, false, scale, false);
    }
    let mut scores = q.matmul(&all(&k).transpose(2, 3)) * scale;
    if let Some(cap) = softcap {
        scores = (scores / cap).tanh() * cap;
    }
    let scores = scores.masked_fill(&mask.logical_not(), f64::NEG_INFINITY);
    let weights = scores.softmax(-1, Kind::Double).nan_to_num(0.0, None, None);
    weights.matmul(&all(&v))
}

fn check(level: Level, tensors: [&Tensor; 3], seen: &Seen<'_>, softcap: Option<f64>) {
    let [q, k, v] = tensors;
    let y = attend_many(q, k, v, seen, 0.2, softcap);
    assert_eq!((y.size(), y.kind()), (q.size(), q.kind()));
    let expected = reference(tensors, seen, 0.2, softcap);
    let tolerance = if q.kind() == Kind::Float { 1e-5 } else { 1e-2 };
    assert!(
        y.to_kind(Kind::Double)
            .allclose(&expected, tolerance, tolerance / 4.0, false),
        "{level:?} {:?} {:?} {seen:?} {softcap:?}: {}",
        q.size(),
        k.size(),
        (y - expected).abs().max()
    );
}

fn random(shape: [i64; 4], kind: Kind) -> Tensor {
    Tensor::randn(shape, F32).to_kind(kind)
}

#[test]
fn equals_libtorch_for_any_number_of_queries_and_keys() {
    tch::manual_seed(8);
    on_each_level(|level| {
        for queries in 1..=40 {
            let len = (queries * 61) % 300 + 1;
            let dim = [8, 24, 64, 80, 128, 7, 30][queries as usize % 7];
            let q = random([1, 2, queries, dim], Kind::Float);
            let [k, v] = [(); 2].map(|()| random([1, 2, len, dim], Kind::Float));
            let seen = Seen {
                len,
                ..Seen::default()
            };
            check(level, [&q, &k, &v], &seen, None);
        }
    });
}

#[test]
fn equals_libtorch_whatever_is_seen() {
    tch::manual_seed(9);
    on_each_level(|level| {
        for (i, (rows, heads, kv_heads, queries, dim, len)) in [
            (1, 2, 2, 100, 64, 100),
            (3, 2, 1, 17, 24, 130),
            (2, 6, 2, 70, 80, 71),
            (2, 4, 4, 230, 8, 300),
            (3, 3, 1, 5, 128, 9),
            (2, 2, 2, 9, 16, 5),
        ]
        .into_iter()
        .enumerate()
        {
            let kind = [Kind::Float, Kind::Float, Kind::BFloat16, Kind::Half][i % 4];
            let q = random([rows, heads, queries, dim], kind);
            let [k, v] = [(); 2].map(|()| random([rows, kv_heads, len + 5, dim], kind));
            let starts: Vec<i64> = (0..rows).map(|r| (r * 37) % (len + 1)).collect();
            let ends: Vec<i64> = (0..rows).map(|r| len + 3 - (r * 53) % (len + 4)).collect();
            for choice in 0..24 {
                let seen = Seen {
                    len,
                    starts: (choice % 2 == 1).then_some(&starts),
                    ends: (choice / 2 % 2 == 1).then_some(&ends),
                    window: [None, Some(20), Some(len + 9)][choice / 8],
                    causal: choice / 4 % 2 == 1,
                };
                check(level, [&q, &k, &v], &seen, None);
                check(level, [&q, &k, &v], &seen, Some(3.0));
            }
        }
    });
}

#[test]
fn great_scores_and_those_that_are_no_numbers() {
    tch::manual_seed(10);
    on_each_level(|level| {
        let q = random([1, 1, 30, 16], Kind::Float) * 100.0;
        let [k, v] = [(); 2].map(|()| random([1, 1, 200, 16], Kind::Float) * 10.0);
        let seen = Seen {
            len: 200,
            ..Seen::default()
        };
        let y = attend_many(&q, &k, &v, &seen, 1.0, None);
        let expected = reference([&q, &k, &v], &seen, 1.0, None);
        let error = (y - expected).abs().max().double_value(&[]);
        assert!(error < 2e-2, "{level:?}: {error}"); // scores of thousands, of which the sixth digit is rounded

        let rising = Tensor::arange(200, F32).view([1, 1, 200, 1]) * Tensor::ones([16], F32);
        let y = attend_many(&q.ones_like(), &rising, &v, &seen, 10.0, None);
        let last = v.narrow(2, 199, 1).expand([1, 1, 30, 16], false);
        assert!(y.allclose(&last, 1e-5, 1e-6, false), "{level:?}: the last key");

        let _ = q.narrow(2, 3, 1).fill_(f64::NAN);
        let y = attend_many(&q, &k, &v, &seen, 1.0, None);
        let odd = y.isnan().any_dim(-1, false).flatten(0, -1);
        assert_eq!(
            odd.nonzero().flatten(0, -1),
            Tensor::from_slice(&[3i64]),
            "{level:?}"
        );
    });
}

#[test]
fn takes_views_and_any_number_of_threads() {
    tch::manual_seed(11);
    let storage = Tensor::randn([2, 333, 3, 4, 24], F32); // [rows, positions, q, k or v, heads, head_dim]
    let part = |i| storage.select(2, i).transpose(1, 2);
    let [q, k, v] = [0, 1, 2].map(part);
    let seen = Seen {
        len: 333,
        causal: true,
        ..Seen::default()
    };
    let on = |threads, q: &Tensor| {
        tch::set_num_threads(threads);
        attend_many(q, &k, &v, &seen, 0.125, None)
    };
    let one = on(1, &q);
    assert!(one.equal(&on(2, &q)));
    assert!(one.equal(&on(2, &q.contiguous())));
    assert!(one.transpose(1, 2).is_contiguous());
    let all = Seen {
        causal: false,
        ..seen
    };
    let few = attend_many(&q.narrow(2, 300, 33), &k, &v, &all, 0.125, None);
    let many = attend_many(&q, &k, &v, &all, 0.125, None);
    assert!(few.equal(&many.narrow(2, 300, 33)), "queries do not meet");
}

#[test]
fn queries_that_see_nothing_are_zero() {
    let x = Tensor::ones([2, 2, 40, 8], F32);
    let seen = Seen {
        len: 40,
        starts: Some(&[3, 40]),
        causal: true,
        ..Seen::default()
    };
    let y = attend_many(&x, &x, &x, &seen, 1.0, None);
    let expected = x.copy();
    let _ = expected.get(0).narrow(1, 0, 3).fill_(0.0);
    let _ = expected.get(1).fill_(0.0);
    assert!(y.allclose(&expected, 1e-6, 0.0, false));
    let nothing = attend_many(&x, &x, &x, &Seen::default(), 1.0, None);
    assert!(nothing.equal(&x.zeros_like()));
    let none = x.narrow(2, 0, 0);
    assert_eq!(
        attend_many(&none, &x, &x, &Seen::default(), 1.0, None).size(),
        [2, 2, 0, 8]
    );
}

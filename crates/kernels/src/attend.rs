//! Attention of one query per row over a cache of keys and values.

use tch::{Kind, Tensor};

/// Attention of one new position per row over the first `len` positions of a cache.
///
/// `q` is `[rows, heads, head_dim]`, `k` and `v` are `[rows, kv_heads, capacity, head_dim]`, where `heads`
/// is a multiple of `kv_heads` and each key head serves `heads / kv_heads` neighbouring query heads. Row
/// `r` sees the positions `starts[r]..len` (`0..len` without `starts`), of these the last `window` only.
/// Scores are multiplied by `scale`, and with `softcap` become `softcap · tanh(score / softcap)`. The
/// result is `[rows, heads, head_dim]` in the type of `q`. Forward only.
///
/// # Panics
/// If the shapes do not fit.
#[allow(clippy::too_many_arguments)]
pub fn attend_one(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    len: i64,
    starts: Option<&[i64]>,
    scale: f64,
    window: Option<i64>,
    softcap: Option<f64>,
) -> Tensor {
    let (_, heads, _) = q.size3().expect("q is [rows, heads, head_dim]");
    let (rows, kv_heads, _, _) = k.size4().expect("k is [rows, kv_heads, capacity, head_dim]");
    let first = window.map_or(0, |w| (len - w).max(0));
    let out: Vec<Tensor> = (0..rows)
        .map(|r| {
            let start = starts.map_or(0, |s| s[r as usize]).max(first);
            let part = |t: &Tensor| {
                let t = t.select(0, r).narrow(1, start, len - start).to_kind(Kind::Float);
                t.repeat_interleave_self_int(heads / kv_heads, 0, None)
            };
            let mut scores = q
                .select(0, r)
                .to_kind(Kind::Float)
                .unsqueeze(1)
                .matmul(&part(k).transpose(1, 2))
                * scale;
            if let Some(cap) = softcap {
                scores = (scores / cap).tanh() * cap;
            }
            scores.softmax(-1, Kind::Float).matmul(&part(v)).squeeze_dim(1)
        })
        .collect();
    Tensor::stack(&out, 0).to_kind(q.kind())
}

//! Attention of one query per row over a cache of keys and values.
//!
//! The positions are worked on in pieces of [`PIECE`], side by side on all threads; each piece yields its
//! greatest score, the sum of its weights and the weighted sum of its values, which are then put together
//! (Flash-Decoding, <https://pytorch.org/blog/flash-decoding/>). Query heads that share a key head read
//! keys and values once.

mod piece;

use std::ops::Range;

use tch::{Kind, Tensor};

use self::piece::Piece;
use crate::memory::{Fresh, Parts};
use crate::seen::Seen;
use crate::simd::{self, Bf16, Element, F16, Floating, Level};
use crate::strided::Strided;
use crate::team::spread;

/// Positions in a piece. Fixed, so that results do not depend on the number of threads.
const PIECE: usize = 256;

/// Attention of one query per row and head, as of the last position, over a cache.
///
/// `q` is `[rows, heads, head_dim]`, `k` and `v` are `[rows, kv_heads, capacity, head_dim]`, where `heads`
/// is a multiple of `kv_heads` and each key head serves `heads / kv_heads` neighbouring query heads; `q`
/// and the cache each `f32`, `bf16` or `f16` on the CPU. The cache may be a view of something larger, as
/// long as the elements of each head of a position are neighbours. Scores are multiplied by
/// `scale`, and with `softcap` become `softcap · tanh(score / softcap)`; they and their softmax are `f32`.
/// The result is `[rows, heads, head_dim]` in the type of `q`; zero for a row that sees nothing.
///
/// Forward only: gradients do not pass. Results do not depend on the number of threads.
///
/// # Panics
/// If the shapes do not fit, more positions are seen than the cache has, or a tensor has another type or place.
pub fn attend_one(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    seen: &Seen<'_>,
    scale: f64,
    softcap: Option<f64>,
) -> Tensor {
    let (rows, heads, head_dim) = q.size3().expect("q is [rows, heads, head_dim]");
    let kv_heads = seen.check([rows, heads, head_dim], k, v);
    let q_ = q.contiguous();
    let call = Call {
        q: &Floating::of(&q_, "q").widen(),
        seen: (0..rows as usize).map(|row| seen.of(row)).collect(),
        len: seen.len as usize,
        kv_heads,
        group: heads as usize / kv_heads,
        head_dim: head_dim as usize,
        scale: scale as f32,
        softcap: softcap.map(|cap| cap as f32),
    };
    let out = match k.kind() {
        Kind::Float => call.forward::<f32>(k, v),
        Kind::BFloat16 => call.forward::<Bf16>(k, v),
        _ => call.forward::<F16>(k, v),
    };
    out.view([rows, heads, head_dim]).to_kind(q.kind())
}

/// What all pieces of one call share.
struct Call<'a> {
    /// `[rows, kv_heads, group, head_dim]`
    q: &'a [f32],
    /// The positions that each row sees.
    seen: Vec<Range<usize>>,
    len: usize,
    kv_heads: usize,
    group: usize,
    head_dim: usize,
    scale: f32,
    softcap: Option<f32>,
}

impl Call<'_> {
    fn forward<T: Element>(&self, k: &Tensor, v: &Tensor) -> Tensor {
        let (k, v) = (Strided::<T>::of(k, "k"), Strided::<T>::of(v, "v"));
        let (heads, width) = (self.seen.len() * self.kv_heads, self.head_dim + 2);
        let pieces = self.len.div_ceil(PIECE);
        // for each query head and piece: the greatest score, the sum of weights, the weighted values
        let mut partial = vec![0.0f32; heads * pieces * self.group * width];
        let mut out = Fresh::<f32>::unset(&[(heads * self.group * self.head_dim) as i64]);
        let level = Level::best();
        {
            let parts = Parts::new(&mut partial);
            spread(self.seen.len(), heads * pieces, |task| {
                let (head, piece) = (task / pieces, task % pieces);
                let (row, kv_head) = (head / self.kv_heads, head % self.kv_heads);
                let from = self.seen[row].start.max(piece * PIECE);
                let to = self.seen[row].end.min((piece + 1) * PIECE);
                // SAFETY: one part per task, and each task goes to one thread.
                let partial = unsafe { parts.part(task * self.group * width, self.group * width) };
                if from >= to {
                    partial.fill(f32::NEG_INFINITY); // a greatest score of −∞ has no weight
                    return;
                }
                let positions = to - from;
                let piece = Piece {
                    call: self,
                    q: &self.q[head * self.group * self.head_dim..][..self.group * self.head_dim],
                    k: k.positions(row, kv_head, from, positions),
                    v: v.positions(row, kv_head, from, positions),
                    partial,
                };
                simd::run(level, piece);
            });
        }
        let out_ = out.as_mut_slice();
        for (head, out) in out_.chunks_mut(self.group * self.head_dim).enumerate() {
            for (g, out) in out.chunks_mut(self.head_dim).enumerate() {
                let of_piece =
                    |piece| &partial[((head * pieces + piece) * self.group + g) * width..][..width];
                merge((0..pieces).map(of_piece), out);
            }
        }
        out.into_tensor()
    }
}

/// Puts the pieces of one query head together.
fn merge<'a>(pieces: impl Iterator<Item = &'a [f32]> + Clone, out: &mut [f32]) {
    let greatest = pieces.clone().map(|p| p[0]).fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    out.fill(0.0);
    for piece in pieces.filter(|p| p[0] != f32::NEG_INFINITY) {
        let share = (piece[0] - greatest).exp();
        total += share * piece[1];
        for (out, value) in out.iter_mut().zip(&piece[2..]) {
            *out += share * value;
        }
    }
    if total != 0.0 {
        out.iter_mut().for_each(|out| *out /= total);
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::simd::tests::on_each_level;

    const F32: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// The first `len` positions, in all rows.
    fn first(len: i64) -> Seen<'static> {
        Seen {
            len,
            ..Seen::default()
        }
    }

    /// The same in `f64`, with libtorch's operators.
    fn reference([q, k, v]: [&Tensor; 3], seen: &Seen<'_>, scale: f64, softcap: Option<f64>) -> Tensor {
        let len = seen.len;
        let [q, k, v] = [q, k, v].map(|t| t.to_kind(Kind::Double));
        let repeats = q.size()[1] / k.size()[1];
        let all = |t: &Tensor| t.narrow(2, 0, len).repeat_interleave_self_int(repeats, 1, None);
        let mut scores = all(&k).matmul(&q.unsqueeze(-1)).squeeze_dim(-1) * scale; // [rows, heads, len]
        if let Some(cap) = softcap {
            scores = (scores / cap).tanh() * cap;
        }
        for row in 0..q.size()[0] {
            let first = seen
                .starts
                .map_or(0, |s| s[row as usize])
                .max(seen.window.map_or(0, |w| len - w))
                .clamp(0, len);
            let end = seen.ends.map_or(len, |e| e[row as usize]).clamp(0, len);
            for (from, count) in [(0, first), (end, len - end)] {
                let _ = scores.get(row).narrow(-1, from, count).fill_(f64::NEG_INFINITY);
            }
        }
        let weights = scores.softmax(-1, Kind::Double).nan_to_num(0.0, None, None);
        weights.unsqueeze(2).matmul(&all(&v)).squeeze_dim(2)
    }

    #[test]
    fn equals_libtorch() {
        tch::manual_seed(6);
        on_each_level(|level| {
            for (i, (rows, heads, kv_heads, dim, len)) in [
                (1, 12, 12, 64, 33),
                (1, 9, 3, 64, 300),
                (3, 4, 2, 80, 128),
                (2, 8, 1, 36, 129),
                (2, 5, 1, 7, 1),
                (1, 14, 2, 64, 700),
                (4, 2, 2, 128, 257),
            ]
            .into_iter()
            .enumerate()
            {
                let kind = [Kind::Float, Kind::BFloat16, Kind::Half][i % 3];
                let q = Tensor::randn([rows, heads, dim], F32);
                let cache = || Tensor::randn([rows, kv_heads, len + 5, dim], F32).to_kind(kind);
                let (k, v) = (cache(), cache());
                let starts: Vec<i64> = (0..rows).map(|r| (r * 37) % (len + 1)).collect();
                let ends: Vec<i64> = (0..rows).map(|r| len + 3 - (r * 53) % (len + 4)).collect();
                for (starts, ends) in [
                    (None, None),
                    (Some(&starts), None),
                    (None, Some(&ends)),
                    (Some(&starts), Some(&ends)),
                ] {
                    for window in [None, Some(20), Some(len + 9)] {
                        for softcap in [None, Some(3.0)] {
                            let seen = Seen {
                                len,
                                starts: starts.map(Vec::as_slice),
                                ends: ends.map(Vec::as_slice),
                                window,
                                ..Seen::default()
                            };
                            let y = attend_one(&q, &k, &v, &seen, 0.125, softcap);
                            let expected = reference([&q, &k, &v], &seen, 0.125, softcap);
                            assert!(
                                y.to_kind(Kind::Double).allclose(&expected, 1e-5, 2e-6, false),
                                "{level:?} {rows} {heads} {kv_heads} {dim} {seen:?} {softcap:?}"
                            );
                        }
                    }
                }
            }
        });
    }

    #[test]
    fn takes_views_and_any_number_of_threads() {
        tch::manual_seed(7);
        let q = Tensor::randn([2, 6, 64], F32).to_kind(Kind::BFloat16);
        let storage = Tensor::randn([2, 500, 2, 2, 64], F32); // [rows, positions, k or v, heads, head_dim]
        let part = |i| storage.select(2, i).transpose(1, 2);
        let on = |threads, k: &Tensor, v: &Tensor| {
            tch::set_num_threads(threads);
            attend_one(&q, k, v, &first(450), 0.125, None)
        };
        let (k, v) = (part(0), part(1));
        let one = on(1, &k, &v);
        assert_eq!((one.size(), one.kind()), (vec![2, 6, 64], Kind::BFloat16));
        assert!(one.equal(&on(2, &k, &v)));
        assert!(one.equal(&on(2, &k.contiguous(), &v.contiguous())));
    }

    #[test]
    fn rows_that_see_nothing_are_zero() {
        let q = Tensor::ones([2, 2, 8], F32);
        let k = Tensor::ones([2, 2, 4, 8], F32);
        let seen = Seen {
            starts: Some(&[3, 1]),
            ..first(3)
        };
        let y = attend_one(&q, &k, &k, &seen, 1.0, None);
        assert_eq!(y.get(0).abs().sum(Kind::Float).double_value(&[]), 0.0);
        assert!(y.get(1).allclose(&Tensor::ones([2, 8], F32), 1e-6, 0.0, false));
        assert!(attend_one(&q, &k, &k, &first(0), 1.0, None).equal(&(&q * 0.0)));
    }
}

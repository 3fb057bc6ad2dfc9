//! Multi-head attention (arXiv 1706.03762), with grouped queries (arXiv 2305.13245).

use sensorium_kernels as kernels;
use tch::{Device, Kind, Tensor};

use crate::mask::Ranges;
use crate::{KvCache, Linear, Mask, Norm, Rotation};

/// Sizes of an attention layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heads {
    /// Query heads.
    pub queries: i64,
    /// Key and value heads; each serves `queries / keys` query heads.
    pub keys: i64,
    /// Features of each head.
    pub dim: i64,
}

impl Heads {
    /// As many key heads as query heads.
    pub fn equal(heads: i64, dim: i64) -> Self {
        Self {
            queries: heads,
            keys: heads,
            dim,
        }
    }

    /// Features of all query heads.
    pub fn query_size(&self) -> i64 {
        self.queries * self.dim
    }

    /// Features of all key heads.
    pub fn key_size(&self) -> i64 {
        self.keys * self.dim
    }
}

/// How queries, keys and values come from the hidden states.
#[derive(Debug)]
pub enum Projections {
    /// Three layers.
    Separate {
        /// Queries.
        q: Linear,
        /// Keys.
        k: Linear,
        /// Values.
        v: Linear,
    },
    /// One layer whose output has all queries, then all keys, then all values.
    Joined(Linear),
    /// One layer whose output has query, key and value of the first head, then of the second, ...
    Interleaved(Linear),
}

/// Multi-head attention of tokens to those of the same sequence.
#[derive(Debug)]
pub struct Attention {
    core: Core,
    projections: Projections,
    norms: Option<[Norm; 2]>,
}

/// What all layers of one pass through a model share.
#[derive(Debug, Default, Clone, Copy)]
pub struct Pass<'a> {
    /// Which keys a query sees; none: all of them.
    pub mask: Option<&'a Mask>,
    /// The rotation of queries and keys, for models that have it.
    pub rotation: Option<&'a Rotation>,
    /// What distances add to the scores, `[1, heads, queries, keys]`, where attention weighs that itself
    /// ([`GatedAttention`](crate::GatedAttention)); elsewhere it is part of the mask.
    pub distances: Option<&'a Tensor>,
    /// Whether dropout is on.
    pub train: bool,
}

impl Attention {
    /// Attention with scores scaled by `1 / sqrt(head_dim)`.
    pub fn new(heads: Heads, projections: Projections, output: Linear) -> Self {
        Self {
            core: Core::new(heads, output),
            projections,
            norms: None,
        }
    }

    /// Normalises each head's queries and keys before they are rotated (arXiv 2010.04245).
    pub fn with_norms(mut self, query: Norm, key: Norm) -> Self {
        self.norms = Some([query, key]);
        self
    }

    /// Another factor on the scores.
    pub fn with_scale(mut self, scale: f64) -> Self {
        self.core.scale = scale;
        self
    }

    /// Bounds the scores smoothly by `cap · tanh(score / cap)` (arXiv 2408.00118).
    pub fn with_softcap(mut self, cap: Option<f64>) -> Self {
        self.core.softcap = cap;
        self
    }

    /// Drops this share of the attention weights in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.core.dropout = dropout;
        self
    }

    /// Attends over `x` `[rows, tokens, hidden]` and what `cache` has of the same rows; the result has the
    /// shape of `x`. The new keys and values are added to the cache.
    ///
    /// # Panics
    /// If `x` is not of rank 3 or of another width than the layer.
    pub fn forward(&self, x: &Tensor, pass: Pass<'_>, cache: Option<&mut KvCache>) -> Tensor {
        let [mut q, mut k, v] = self.project(x);
        if let Some([query, key]) = &self.norms {
            (q, k) = (query.forward(&q), key.forward(&k));
        }
        if let Some(rotation) = pass.rotation {
            (q, k) = (rotation.apply(&q), rotation.apply(&k));
        }
        let Some(cache) = cache else {
            return self.core.attend(&q, &k, &v, pass);
        };
        cache.append(&k, &v);
        if let Some(([k, v], len)) = cache.buffers()
            && let Some(y) = self.core.attend_here(&q, k, v, len, pass)
        {
            return y;
        }
        let [k, v] = cache.view();
        self.core.attend(&q, &k, &v, pass)
    }

    fn project(&self, x: &Tensor) -> [Tensor; 3] {
        let Heads { queries, keys, dim } = self.core.heads;
        match &self.projections {
            Projections::Separate { q, k, v } => [
                self.core.split(&q.forward(x), queries),
                self.core.split(&k.forward(x), keys),
                self.core.split(&v.forward(x), keys),
            ],
            Projections::Joined(joined) => {
                let size = x.size();
                let all = joined
                    .forward(x)
                    .view([size[0], size[1], -1, dim])
                    .transpose(1, 2);
                [
                    all.narrow(1, 0, queries),
                    all.narrow(1, queries, keys),
                    all.narrow(1, queries + keys, keys),
                ]
            }
            Projections::Interleaved(joined) => {
                let size = x.size();
                let all = joined.forward(x).view([size[0], size[1], queries, 3 * dim]);
                let all = all.transpose(1, 2);
                [0, 1, 2].map(|i| all.narrow(3, i * dim, dim))
            }
        }
    }
}

/// What all attention has, wherever queries, keys and values come from.
#[derive(Debug)]
pub(crate) struct Core {
    pub heads: Heads,
    pub output: Linear,
    pub scale: f64,
    pub softcap: Option<f64>,
    pub dropout: f64,
}

impl Core {
    /// With scores scaled by `1 / sqrt(head_dim)`.
    pub(crate) fn new(heads: Heads, output: Linear) -> Self {
        Self {
            heads,
            output,
            scale: (heads.dim as f64).sqrt().recip(),
            softcap: None,
            dropout: 0.0,
        }
    }

    /// `[rows, tokens, heads · dim]` to `[rows, heads, tokens, dim]`.
    pub(crate) fn split(&self, x: &Tensor, heads: i64) -> Tensor {
        let size = x.size();
        x.view([size[0], size[1], heads, self.heads.dim]).transpose(1, 2)
    }

    /// The attention over the first `len` keys and values by our own kernels, where they can do it and are faster.
    /// Shapes are those of [`attend`](Self::attend).
    fn attend_here(&self, q: &Tensor, k: &Tensor, v: &Tensor, len: i64, pass: Pass<'_>) -> Option<Tensor> {
        let ranges = || match pass.mask {
            Some(mask) => mask.ranges(),
            None => Some(Ranges::default()),
        };
        let same = q.kind() == k.kind() && k.kind() == v.kind();
        if pass.train || !same || !is_ours(q) {
            return None;
        }
        Some(self.join(&attended([q, k, v], len, &ranges()?, self.scale, self.softcap)))
    }

    /// Queries, keys and values are `[rows, heads, tokens, head_dim]`, the result `[rows, tokens, hidden]`.
    pub(crate) fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, pass: Pass<'_>) -> Tensor {
        self.attend_here(q, k, v, k.size()[2], pass)
            .unwrap_or_else(|| self.join(&self.weighted(q, k, v, pass)))
    }

    /// `[rows, heads, tokens, head_dim]` to the result.
    fn join(&self, y: &Tensor) -> Tensor {
        let size = y.size();
        let y = y
            .transpose(1, 2)
            .reshape([size[0], size[2], self.heads.query_size()]);
        self.output.forward(&y)
    }

    /// The mean of the values, weighted by their keys' likeness to each query.
    fn weighted(&self, q: &Tensor, k: &Tensor, v: &Tensor, pass: Pass<'_>) -> Tensor {
        let dropout = if pass.train { self.dropout } else { 0.0 };
        if self.softcap.is_some() {
            return self.weighted_capped(q, k, v, pass, dropout);
        }
        let grouped = self.heads.keys != self.heads.queries;
        let triangle = pass.mask.is_some_and(Mask::is_triangle);
        let bias = pass
            .mask
            .filter(|mask| !mask.is_triangle())
            .and_then(|mask| mask.bias(q.kind(), q.device()));
        Tensor::scaled_dot_product_attention(q, k, v, bias, dropout, triangle, self.scale, grouped)
    }

    fn weighted_capped(&self, q: &Tensor, k: &Tensor, v: &Tensor, pass: Pass<'_>, dropout: f64) -> Tensor {
        let groups = self.heads.queries / self.heads.keys;
        let repeat = |x: &Tensor| x.repeat_interleave_self_int(groups, 1, None);
        let mut scores = q.matmul(&repeat(k).transpose(2, 3)) * self.scale;
        if let Some(cap) = self.softcap {
            scores = (scores / cap).tanh() * cap;
        }
        if let Some(bias) = pass.mask.and_then(|mask| mask.bias(q.kind(), q.device())) {
            scores += bias;
        }
        let weights = scores.softmax(-1, Kind::Float).to_kind(q.kind());
        weights.dropout(dropout, dropout > 0.0).matmul(&repeat(v))
    }
}

/// Whether our kernels attend with queries `q` `[rows, heads, tokens, head_dim]`, forward only.
fn is_ours(q: &Tensor) -> bool {
    if q.device() != Device::Cpu || kernels::grad_enabled() {
        return false;
    }
    match q.kind() {
        Kind::Float => true,
        // libtorch's products of 16-bit numbers are faster where the processor has them.
        Kind::BFloat16 | Kind::Half => q.size()[2] <= FEW || kernels::widening_is_fastest(),
        _ => false,
    }
}

/// Up to so many queries that see the same are worked on one by one, without a tile of them.
const FEW: i64 = 8;

/// The mean of the values, weighted by their keys' likeness to each query, by our kernels.
fn attended([q, k, v]: [&Tensor; 3], len: i64, ranges: &Ranges, scale: f64, softcap: Option<f64>) -> Tensor {
    let seen = kernels::Seen {
        len,
        starts: ranges.starts.as_deref(),
        ends: ranges.ends.as_deref(),
        window: ranges.window,
        causal: ranges.causal,
    };
    let size = q.size();
    let alike = size[2] == 1 || !ranges.causal && ranges.window.is_none();
    if alike && size[2] <= FEW {
        // Which head of a key's a query belongs to does not matter: tokens are heads.
        let q = q.reshape([size[0], size[1] * size[2], size[3]]);
        return kernels::attend_one(&q, k, v, &seen, scale, softcap).view(&size[..]);
    }
    kernels::attend_many(q, k, v, &seen, scale, softcap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_kernels_equal_libtorchs() {
        tch::manual_seed(12);
        let params = crate::Params::fresh(12);
        let output = Linear::new(&(&params / "out"), 24, 24, crate::Init::Xavier).expect("a layer");
        let mut core = Core::new(
            Heads {
                queries: 6,
                keys: 2,
                dim: 4,
            },
            output,
        );
        let keep = Tensor::from_slice(&[7i64, 20])
            .unsqueeze(1)
            .gt_tensor(&Tensor::arange(20, (Kind::Int64, Device::Cpu)));
        for tokens in [1, 3, 15, 19] {
            let random = |heads, tokens| Tensor::randn([2, heads, tokens, 4], (Kind::Float, Device::Cpu));
            let (q, k, v) = (random(6, tokens), random(2, 20), random(2, 20));
            for mask in [
                Mask::full(tokens, 20),
                Mask::full(tokens, 20).with_window(Some(6)),
                Mask::full(tokens, 20).with_keep(Some(&keep)),
                Mask::causal(tokens, 20, 0),
                Mask::causal(tokens, 20, 5).with_window(Some(3)),
                Mask::causal(tokens, 20, 5).with_starts(Some(&[5, 6])),
            ] {
                for softcap in [None, Some(2.0)] {
                    core.softcap = softcap;
                    let pass = Pass {
                        mask: Some(&mask),
                        ..Pass::default()
                    };
                    let expected = core.join(&core.weighted(&q, &k, &v, pass));
                    assert!(
                        core.attend_here(&q, &k, &v, 20, pass).is_none(),
                        "gradients are libtorch's"
                    );
                    let found =
                        tch::no_grad(|| core.attend_here(&q, &k, &v, 20, pass)).expect("a plain mask");
                    assert!(found.allclose(&expected, 1e-5, 1e-6, false), "{tokens} {mask:?}");
                }
            }
        }
    }
}

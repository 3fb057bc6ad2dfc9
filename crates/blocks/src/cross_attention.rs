//! Attention of one sequence to another (arXiv 1706.03762, section 3.2.3).

use tch::{Kind, Tensor};

use crate::attention::Core;
use crate::{Heads, Linear, Pass};

/// Multi-head attention of a decoder's tokens to an encoder's states.
#[derive(Debug)]
pub struct CrossAttention {
    core: Core,
    q: Linear,
    k: Linear,
    v: Linear,
}

impl CrossAttention {
    /// Attention with scores scaled by `1 / sqrt(head_dim)`; `q` is applied to the decoder's states, `k` and `v`
    /// to the encoder's.
    pub fn new(heads: Heads, [q, k, v]: [Linear; 3], output: Linear) -> Self {
        Self {
            core: Core::new(heads, output),
            q,
            k,
            v,
        }
    }

    /// Query heads.
    pub fn heads(&self) -> i64 {
        self.core.heads.queries
    }

    /// Another factor on the scores.
    pub fn with_scale(mut self, scale: f64) -> Self {
        self.core.scale = scale;
        self
    }

    /// Drops this share of the attention weights in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.core.dropout = dropout;
        self
    }

    /// The keys and values of `states` `[rows, tokens, hidden]`, each `[rows, heads, tokens, head_dim]`:
    /// computed once for a sequence.
    pub fn keys_values(&self, states: &Tensor) -> [Tensor; 2] {
        let heads = self.core.heads.keys;
        [&self.k, &self.v].map(|layer| self.core.split(&layer.forward(states), heads).contiguous())
    }

    /// How much each token of `x` `[rows, tokens, hidden]` attends to each of the other sequence, whose `keys` came
    /// from [`keys_values`](Self::keys_values): `[rows, heads, tokens, other tokens]` in `f32`, sums of 1.
    pub fn weights(&self, x: &Tensor, keys: &Tensor) -> Tensor {
        let q = self.core.split(&self.q.forward(x), self.core.heads.queries);
        let scores = q.matmul(&keys.transpose(2, 3)) * self.core.scale;
        scores.softmax(-1, Kind::Float)
    }

    /// Attends from `x` `[rows, tokens, hidden]` to what [`keys_values`](Self::keys_values) made of the other
    /// sequence; the result has the shape of `x`.
    ///
    /// # Panics
    /// If `x` is not of rank 3 or of another width than the layer.
    pub fn forward(&self, x: &Tensor, [k, v]: &[Tensor; 2], pass: Pass<'_>) -> Tensor {
        let q = self.core.split(&self.q.forward(x), self.core.heads.queries);
        self.core.attend(&q, k, v, pass)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::{Init, Params};

    #[test]
    fn equals_the_formula() {
        let params = Params::fresh(7);
        let layer = |name: &str| Linear::new(&(&params / name), 12, 12, Init::Xavier).unwrap();
        let heads = Heads::equal(3, 4);
        let (q, k, v, o) = (layer("q"), layer("k"), layer("v"), layer("o"));
        let random = |tokens| Tensor::randn([2, tokens, 12], (Kind::Float, Device::Cpu));
        let (x, states) = (random(5), random(7));
        let split = |x: Tensor| x.view([2, -1, 3, 4]).transpose(1, 2);
        let scores = split(q.forward(&x)).matmul(&split(k.forward(&states)).transpose(2, 3)) / 2.0;
        let mixed = scores.softmax(-1, Kind::Float).matmul(&split(v.forward(&states)));
        let expected = o.forward(&mixed.transpose(1, 2).reshape([2, 5, 12]));

        let attention = CrossAttention::new(heads, [q, k, v], o);
        let found = attention.forward(&x, &attention.keys_values(&states), Pass::default());
        assert!(found.allclose(&expected, 1e-5, 1e-6, false));
        let few = tch::no_grad(|| attention.forward(&x, &attention.keys_values(&states), Pass::default()));
        assert!(few.allclose(&expected, 1e-5, 1e-6, false), "by our kernel");
        let weights = attention.weights(&x, &attention.keys_values(&states)[0]);
        assert!(weights.allclose(&scores.softmax(-1, Kind::Float), 1e-5, 1e-6, false));
    }
}

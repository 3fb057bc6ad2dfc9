//! Conformer blocks: attention and convolution between two half steps of a feed-forward (arXiv 2005.08100).

use tch::{Kind, Tensor};

use crate::{Activation, Conv1d, Embedding, Heads, LayerNorm, Linear, Mask, Mlp, Params, ParamsError};

/// A block of a Conformer.
#[derive(Debug)]
pub struct ConformerBlock {
    /// The first half step, and its norm.
    pub first: (LayerNorm, Mlp),
    /// The attention, and its norm.
    pub attention: (LayerNorm, DistanceAttention),
    /// The convolution, and its norm.
    pub conv: (LayerNorm, ConvModule),
    /// The second half step, and its norm.
    pub second: (LayerNorm, Mlp),
    /// The norm at the end.
    pub norm: LayerNorm,
    /// The share of each part's output that is dropped in training.
    pub dropout: f64,
}

impl ConformerBlock {
    /// `x` is `[batch, steps, hidden]`, and so is the result; `keep` `[batch, steps, 1]` is zero at padding, and the
    /// mask says the same to the attention.
    pub fn forward(&self, x: &Tensor, mask: &Mask, keep: Option<&Tensor>, train: bool) -> Tensor {
        let drop = |y: Tensor| match train && self.dropout > 0.0 {
            true => y.dropout(self.dropout, true),
            false => y,
        };
        let half = |x: &Tensor, (norm, mlp): &(LayerNorm, Mlp)| x + drop(mlp.forward(&norm.forward(x))) * 0.5;
        let x = half(x, &self.first);
        let (norm, attention) = &self.attention;
        let x = &x + drop(attention.forward(&norm.forward(&x), mask));
        let (norm, conv) = &self.conv;
        let inner = norm.forward(&x);
        let inner = match keep {
            Some(keep) => inner * keep,
            None => inner,
        };
        let x = &x + drop(conv.forward(&inner));
        self.norm.forward(&half(&x, &self.second))
    }
}

/// The convolution of a [`ConformerBlock`]: gated, each channel by itself, looking back only.
#[derive(Debug)]
pub struct ConvModule {
    /// From `hidden` channels to twice as many, the second half of which are gates.
    pub widen: Conv1d,
    /// Each channel by itself.
    pub depthwise: Conv1d,
    /// Steps that it sees.
    pub size: i64,
    /// Behind it.
    pub norm: LayerNorm,
    /// Behind the norm.
    pub activation: Activation,
    /// The last layer.
    pub output: Conv1d,
}

impl ConvModule {
    /// `x` is `[batch, steps, hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.widen.forward(&x.transpose(1, 2)).glu(1);
        let x = x.constant_pad_nd([self.size - 1, 0]);
        let x = self.norm.forward(&self.depthwise.forward(&x).transpose(1, 2));
        let x = self.activation.forward(&x).transpose(1, 2);
        self.output.forward(&x).transpose(1, 2)
    }
}

/// Attention that knows how far a key is from a query: each distance has a vector that queries are compared with, too
/// (arXiv 1803.02155).
#[derive(Debug)]
pub struct DistanceAttention {
    heads: Heads,
    q: Linear,
    k: Linear,
    v: Linear,
    output: Linear,
    distances: Option<Distances>,
}

#[derive(Debug)]
struct Distances {
    table: Embedding, // [left + right + 1, head_dim]
    left: i64,
    right: i64,
}

impl DistanceAttention {
    /// Attention of layers `q`, `k`, `v` and `output` to which distances do not matter.
    pub fn new(heads: Heads, [q, k, v, output]: [Linear; 4]) -> Self {
        Self {
            heads,
            q,
            k,
            v,
            output,
            distances: None,
        }
    }

    /// With a vector for each distance from `left` steps back to `right` steps on; farther ones count as these.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn with_distances(self, params: &Params, left: i64, right: i64) -> Result<Self, ParamsError> {
        let table = Embedding::new(params, left + right + 1, self.heads.dim)?;
        Ok(Self {
            distances: Some(Distances { table, left, right }),
            ..self
        })
    }

    /// Attends over `x` `[batch, steps, hidden]`; the result has its shape.
    pub fn forward(&self, x: &Tensor, mask: &Mask) -> Tensor {
        let size = x.size();
        let split = |x: Tensor| {
            x.view([size[0], size[1], self.heads.queries, self.heads.dim])
                .transpose(1, 2)
        };
        let [q, k, v] = [&self.q, &self.k, &self.v].map(|layer| split(layer.forward(x)));
        let scale = (self.heads.dim as f64).sqrt().recip();
        let seen = mask.bias(q.kind(), q.device());
        let bias = match &self.distances {
            Some(distances) => {
                let bias = distances.bias(&q) * scale; // [batch, heads, queries, keys]
                Some(match &seen {
                    Some(seen) => bias + *seen,
                    None => bias,
                })
            }
            None => seen.map(Tensor::shallow_clone),
        };
        let y = Tensor::scaled_dot_product_attention(&q, &k, &v, bias.as_ref(), 0.0, false, scale, false);
        let y = y
            .transpose(1, 2)
            .reshape([size[0], size[1], self.heads.query_size()]);
        self.output.forward(&y)
    }
}

impl Distances {
    /// The likeness of queries `[batch, heads, steps, dim]` to the vector of each key's distance.
    fn bias(&self, q: &Tensor) -> Tensor {
        let size = q.size();
        let steps = size[2];
        let place = Tensor::arange(steps, (Kind::Int64, q.device()));
        let distance = (place.unsqueeze(0) - place.unsqueeze(1)).clamp(-self.left, self.right) + self.left;
        // All distances first, then those that are needed: there are fewer distances than pairs.
        let likeness = self.table.as_head().forward(q); // [batch, heads, steps, distances]
        likeness.gather(
            -1,
            &distance.expand([size[0], size[1], steps, steps], false),
            false,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Init;

    #[test]
    fn far_keys_share_a_distance() {
        let params = Params::fresh(1);
        let linear = |name: &str| Linear::new(&(&params / name), 8, 8, Init::Xavier).expect("a layer");
        let attention = DistanceAttention::new(Heads::equal(2, 4), ["q", "k", "v", "o"].map(linear))
            .with_distances(&(&params / "d"), 2, 1)
            .expect("a table");
        let distances = attention.distances.as_ref().expect("distances");
        let q = Tensor::rand([1, 2, 6, 4], (Kind::Float, tch::Device::Cpu));
        let bias = distances.bias(&q);
        assert_eq!(bias.size(), [1, 2, 6, 6]);
        let at = |query: i64, key: i64| bias.double_value(&[0, 1, query, key]);
        assert_eq!(at(5, 0), at(5, 3)); // five and two steps back
        assert_ne!(at(5, 3), at(5, 4));
        assert_eq!(at(0, 1), at(0, 5)); // one and five steps on
        let row = q.get(0).get(1).get(3);
        let expected = row
            .dot(&distances.table.forward(&Tensor::from(1i64)))
            .double_value(&[]); // one step back
        assert!((at(3, 2) - expected).abs() < 1e-6);
    }
}

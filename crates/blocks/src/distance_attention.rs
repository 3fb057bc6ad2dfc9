//! Attention that knows distances.

use tch::{Device, Kind, Tensor};

use crate::{Embedding, Heads, Linear, Mask, Params, ParamsError};

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
    dropout: f64,
}

#[derive(Debug)]
struct Distances {
    table: Embedding, // [left + right + 1, head_dim]
    /// Added to the values.
    values: Option<Tensor>, // as the table
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
            dropout: 0.0,
        }
    }

    /// Drops this share of the attention weights in training.
    pub fn with_dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// With a vector for each distance from `left` steps back to `right` steps on; farther ones count as these.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn with_distances(self, params: &Params, left: i64, right: i64) -> Result<Self, ParamsError> {
        let table = Embedding::new(params, left + right + 1, self.heads.dim)?;
        Ok(self.with_table(table, left, right))
    }

    /// The same with a table that other layers may share, `[left + right + 1, head_dim]`: the key that is farthest back
    /// comes first.
    pub fn with_table(self, table: Embedding, left: i64, right: i64) -> Self {
        let values = None;
        Self {
            distances: Some(Distances {
                table,
                values,
                left,
                right,
            }),
            ..self
        }
    }

    /// With a vector for each distance of up to `window` steps that queries are compared with and one that is added to
    /// the values, `[1, 2 · window + 1, head_dim]` each; farther keys have none (VITS, arXiv 2106.06103).
    pub fn with_window(self, keys: &Tensor, values: &Tensor, window: i64) -> Self {
        // All that is farther shares the distance behind the window, whose vector is zero.
        let padded = |table: &Tensor| table.squeeze_dim(0).constant_pad_nd([0, 0, 1, 1]);
        Self {
            distances: Some(Distances {
                table: Embedding::fixed(padded(keys)),
                values: Some(padded(values)),
                left: window + 1,
                right: window + 1,
            }),
            ..self
        }
    }

    /// Attends over `x` `[batch, steps, hidden]`; the result has its shape. All steps are seen without a mask.
    pub fn forward(&self, x: &Tensor, mask: Option<&Mask>, train: bool) -> Tensor {
        let size = x.size();
        let split = |x: Tensor| {
            x.view([size[0], size[1], self.heads.queries, self.heads.dim])
                .transpose(1, 2)
        };
        let [q, k, v] = [&self.q, &self.k, &self.v].map(|layer| split(layer.forward(x)));
        let scale = (self.heads.dim as f64).sqrt().recip();
        let dropout = if train { self.dropout } else { 0.0 };
        let seen = mask.and_then(|mask| mask.bias(q.kind(), q.device()));
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
        let y = match self
            .distances
            .as_ref()
            .and_then(|distances| Some((distances, distances.values.as_ref()?)))
        {
            Some((distances, values)) => {
                let scores = (q * scale).matmul(&k.transpose(2, 3));
                let scores = match bias {
                    Some(bias) => scores + bias,
                    None => scores,
                };
                let weights = scores.softmax(-1, v.kind()).dropout(dropout, dropout > 0.0);
                weights.matmul(&v) + distances.spread(&weights, values)
            }
            None => {
                Tensor::scaled_dot_product_attention(&q, &k, &v, bias.as_ref(), dropout, false, scale, false)
            }
        };
        let y = y
            .transpose(1, 2)
            .reshape([size[0], size[1], self.heads.query_size()]);
        self.output.forward(&y)
    }
}

impl Distances {
    /// The entry of each pair of `steps` queries and keys, `[steps, steps]`.
    fn entries(&self, steps: i64, device: Device) -> Tensor {
        let place = Tensor::arange(steps, (Kind::Int64, device));
        (place.unsqueeze(0) - place.unsqueeze(1)).clamp(-self.left, self.right) + self.left
    }

    /// The likeness of queries `[batch, heads, steps, dim]` to the vector of each key's distance.
    fn bias(&self, q: &Tensor) -> Tensor {
        let size = q.size();
        let steps = size[2];
        // All distances first, then those that are needed: there are fewer distances than pairs.
        let likeness = self.table.as_head().forward(q); // [batch, heads, steps, distances]
        let entries = self.entries(steps, q.device());
        likeness.gather(
            -1,
            &entries.expand([size[0], size[1], steps, steps], false),
            false,
        )
    }

    /// The vectors of `values` by the attention's `weights` `[batch, heads, queries, keys]`.
    fn spread(&self, weights: &Tensor, values: &Tensor) -> Tensor {
        let size = weights.size();
        let entries = self.entries(size[3], weights.device());
        let shape = [size[0], size[1], size[2], values.size()[0]];
        let by_distance = Tensor::zeros(shape, (weights.kind(), weights.device())).scatter_add(
            -1,
            &entries.expand(&size, false),
            weights,
        );
        by_distance.matmul(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Init, Params};

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

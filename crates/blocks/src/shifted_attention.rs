//! Attention over content and distance, with a wave for each distance (Transformer-XL, arXiv 1901.02860, section 3.3).

use tch::{Device, Kind, Tensor};

use crate::{Heads, Init, Linear, Mask, Params, ParamsError};

/// Attention that compares queries with keys and with waves of the keys' distances, each with a bias of its own.
#[derive(Debug)]
pub struct ShiftedAttention {
    heads: Heads,
    projections: [Linear; 3],
    output: Linear,
    /// Of the waves.
    places: Linear,
    /// Added to queries before they are compared with keys, and with distances, `[heads, head_dim]`.
    biases: [Tensor; 2],
    dropout: f64,
}

impl ShiftedAttention {
    /// Attention over states of `hidden` features; asks `params` for `linear_q`, `linear_k`, `linear_v`, `linear_out`,
    /// `linear_pos`, `pos_bias_u` and `pos_bias_v`, as ESPnet names them.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, heads: Heads, hidden: i64, init: Init) -> Result<Self, ParamsError> {
        let layer = |name: &str| Linear::new(&(params / name), hidden, heads.query_size(), init);
        let bias = |name: &str| params.weight(name, &[heads.queries, heads.dim], init);
        Ok(Self {
            heads,
            projections: [layer("linear_q")?, layer("linear_k")?, layer("linear_v")?],
            output: Linear::new(&(params / "linear_out"), heads.query_size(), hidden, init)?,
            places: Linear::without_bias(&(params / "linear_pos"), hidden, heads.query_size(), init)?,
            biases: [bias("pos_bias_u")?, bias("pos_bias_v")?],
            dropout: 0.0,
        })
    }

    /// Drops this share of the attention weights in training.
    pub fn with_dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// Attends over `x` `[batch, steps, hidden]`; the result has its shape. All steps are seen without a mask.
    pub fn forward(&self, x: &Tensor, mask: Option<&Mask>, train: bool) -> Tensor {
        let size = x.size();
        let (batch, steps) = (size[0], size[1]);
        let Heads {
            queries: heads, dim, ..
        } = self.heads;
        let [q, k, v] = self
            .projections
            .each_ref()
            .map(|layer| layer.forward(x).view([batch, steps, heads, dim]));
        let waves = self.places.forward(&waves(steps, size[2], x.kind(), x.device()));
        let waves = waves.view([2 * steps - 1, heads, dim]).permute([1, 2, 0]);
        let [with_keys, with_places] = self.biases.each_ref().map(|bias| (&q + bias).transpose(1, 2));
        let scale = (dim as f64).sqrt().recip();
        let bias = shifted(&with_places.matmul(&waves)) * scale; // [batch, heads, queries, keys]
        let bias = match mask.and_then(|mask| mask.bias(x.kind(), x.device())) {
            Some(seen) => bias + seen,
            None => bias,
        };
        let dropout = if train { self.dropout } else { 0.0 };
        let y = Tensor::scaled_dot_product_attention(
            &with_keys,
            &k.transpose(1, 2),
            &v.transpose(1, 2),
            Some(&bias),
            dropout,
            false,
            scale,
            false,
        );
        let y = y.transpose(1, 2).reshape([batch, steps, self.heads.query_size()]);
        self.output.forward(&y)
    }
}

/// A wave for each distance, from the key that is farthest back to the one that is farthest on, `[2 · steps - 1, dim]`:
/// sines and cosines in turn.
fn waves(steps: i64, dim: i64, kind: Kind, device: Device) -> Tensor {
    let options = (Kind::Float, device);
    let distance = Tensor::arange_start_step(steps - 1, -steps, -1, options).unsqueeze(1);
    let rates = (Tensor::arange_start_step(0, dim, 2, options) * (-(10_000f64.ln()) / dim as f64)).exp();
    let angles = distance * rates; // [distances, dim / 2]
    Tensor::stack(&[angles.sin(), angles.cos()], 2)
        .flatten(1, 2)
        .to_kind(kind)
}

/// From a value for each query and distance, `[batch, heads, steps, 2 · steps - 1]`, to one for each query and key.
fn shifted(x: &Tensor) -> Tensor {
    let size = x.size();
    let (steps, distances) = (size[2], size[3]);
    if steps == 1 {
        return x.shallow_clone();
    }
    // Key `k` is `steps - 1 - query + k` values into its query's row: without a value a row, each row of the same memory
    // begins one step earlier.
    x.flatten(2, 3)
        .narrow(2, steps - 1, steps * (distances - 1))
        .view([size[0], size[1], steps, distances - 1])
        .narrow(3, 0, steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_get_the_value_of_their_distance() {
        for steps in [1, 2, 5] {
            // Each column is named by the distance that it is for.
            let distances = Tensor::arange_start_step(steps - 1, -steps, -1, (Kind::Float, Device::Cpu));
            let x = distances.expand([2, 3, steps, 2 * steps - 1], false).contiguous();
            let found = shifted(&x);
            assert_eq!(found.size(), [2, 3, steps, steps]);
            for query in 0..steps {
                for key in 0..steps {
                    assert_eq!(found.double_value(&[1, 2, query, key]), (query - key) as f64);
                }
            }
        }
    }

    #[test]
    fn padding_changes_nothing() {
        let attention =
            ShiftedAttention::new(&Params::fresh(1), Heads::equal(2, 4), 8, Init::Xavier).expect("layers");
        let x = Tensor::randn([1, 6, 8], (Kind::Float, Device::Cpu));
        let whole = attention.forward(&x.narrow(1, 0, 4), None, false);
        let keep = Tensor::from_slice(&[1i64, 1, 1, 1, 0, 0]).unsqueeze(0);
        let mask = Mask::full(6, 6).with_keep(Some(&keep));
        let padded = attention.forward(&x, Some(&mask), false).narrow(1, 0, 4);
        assert!((whole - padded).abs().max().double_value(&[]) < 1e-5);
    }
}

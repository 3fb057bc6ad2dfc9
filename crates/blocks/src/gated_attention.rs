//! Attention in which each query says how much distances matter (WavLM, arXiv 2110.13900, section 3.1).

use tch::Tensor;

use crate::{Heads, Init, Linear, Params, ParamsError, Pass};

/// Attention whose biases of distances ([`Pass::distances`]) are weighed by two gates of each query and head.
#[derive(Debug)]
pub struct GatedAttention {
    heads: Heads,
    projections: [Linear; 3],
    output: Linear,
    /// From a head's share of a state to four numbers a gate.
    gates: Linear,
    /// How far the second gate reaches, `[1, heads, 1, 1]`.
    reach: Tensor,
    dropout: f64,
}

impl GatedAttention {
    /// Attention over states of `hidden` features; asks `params` for `q_proj`, `k_proj`, `v_proj`, `out_proj`,
    /// `gru_rel_pos_linear` and `gru_rel_pos_const`.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, heads: Heads, hidden: i64, init: Init) -> Result<Self, ParamsError> {
        let layer = |name: &str| Linear::new(&(params / name), hidden, heads.query_size(), init);
        Ok(Self {
            heads,
            projections: [layer("q_proj")?, layer("k_proj")?, layer("v_proj")?],
            output: Linear::new(&(params / "out_proj"), heads.query_size(), hidden, init)?,
            gates: Linear::new(&(params / "gru_rel_pos_linear"), heads.dim, 8, init)?,
            reach: params.weight("gru_rel_pos_const", &[1, heads.queries, 1, 1], Init::Const(1.0))?,
            dropout: 0.0,
        })
    }

    /// Drops this share of the attention weights in training.
    pub fn with_dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// Attends over `x` `[batch, steps, hidden]`; the result has its shape. All steps are seen without a mask.
    pub fn forward(&self, x: &Tensor, pass: Pass<'_>) -> Tensor {
        let size = x.size();
        let split = |x: &Tensor| {
            x.view([size[0], size[1], self.heads.queries, self.heads.dim])
                .transpose(1, 2)
        };
        let [q, k, v] = self.projections.each_ref().map(|layer| split(&layer.forward(x)));
        let seen = pass.mask.and_then(|mask| mask.bias(x.kind(), x.device()));
        let weighed = pass.distances.map(|bias| self.gate(&split(x)) * bias); // [batch, heads, queries, keys]
        let bias = match (weighed, seen) {
            (Some(bias), Some(seen)) => Some(bias + seen),
            (bias, seen) => bias.or_else(|| seen.map(Tensor::shallow_clone)),
        };
        let dropout = if pass.train { self.dropout } else { 0.0 };
        let y = Tensor::scaled_dot_product_attention(
            &q,
            &k,
            &v,
            bias.as_ref(),
            dropout,
            false,
            None::<f64>,
            false,
        );
        let y = y
            .transpose(1, 2)
            .reshape([size[0], size[1], self.heads.query_size()]);
        self.output.forward(&y)
    }

    /// How much distances matter to each query, `[batch, heads, queries, 1]`, of the heads' shares of its state.
    fn gate(&self, states: &Tensor) -> Tensor {
        let size = states.size();
        let gates = self
            .gates
            .forward(states)
            .view([size[0], size[1], size[2], 2, 4])
            .sum_dim_intlist(-1i64, false, None)
            .sigmoid();
        let [update, reset] = [0, 1].map(|i| gates.narrow(-1, i, 1));
        update * (reset * &self.reach - 1.0) + 2.0
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::Mask;

    #[test]
    fn padding_changes_nothing_and_distances_something() {
        let attention =
            GatedAttention::new(&Params::fresh(1), Heads::equal(2, 4), 8, Init::Xavier).expect("layers");
        let options = (Kind::Float, Device::Cpu);
        let x = Tensor::randn([1, 6, 8], options);
        let distances = Tensor::randn([1, 2, 6, 6], options);
        let whole = |distances: Option<&Tensor>| {
            let pass = Pass {
                distances,
                ..Pass::default()
            };
            attention.forward(&x.narrow(1, 0, 4), pass)
        };
        let near = distances.narrow(2, 0, 4).narrow(3, 0, 4);
        let keep = Tensor::from_slice(&[1i64, 1, 1, 1, 0, 0]).unsqueeze(0);
        let mask = Mask::full(6, 6).with_keep(Some(&keep));
        let pass = Pass {
            mask: Some(&mask),
            distances: Some(&distances),
            ..Pass::default()
        };
        let padded = attention.forward(&x, pass).narrow(1, 0, 4);
        let difference = |a: &Tensor, b: &Tensor| (a - b).abs().max().double_value(&[]);
        assert!(difference(&whole(Some(&near)), &padded) < 1e-5);
        assert!(difference(&whole(None), &padded) > 1e-3);
    }
}

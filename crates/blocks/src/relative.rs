//! Learned biases for the distance between two tokens (T5, arXiv 1910.10683, section 2.1).

use tch::{Kind, Tensor};

use crate::{Embedding, Params, ParamsError};

/// A number for each head and each range of distances that is added to the attention scores.
///
/// Near distances have a number each, far ones share one by the logarithm of the distance, and all beyond
/// `max_distance` share the last.
#[derive(Debug)]
pub struct RelativeBias {
    table: Embedding, // [buckets, heads]
    buckets: i64,
    max_distance: i64,
    both_ways: bool,
}

impl RelativeBias {
    /// Biases of `heads` heads; asks `params` for `weight`. With `both_ways`, half of the buckets are for keys
    /// that come after the query; without, those count as no distance.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn new(
        params: &Params,
        heads: i64,
        buckets: i64,
        max_distance: i64,
        both_ways: bool,
    ) -> Result<Self, ParamsError> {
        Ok(Self {
            table: Embedding::new(params, buckets, heads)?,
            buckets,
            max_distance,
            both_ways,
        })
    }

    /// The biases of the `queries` last of `keys` tokens, `[1, heads, queries, keys]`.
    pub fn at(&self, queries: i64, keys: i64) -> Tensor {
        let options = (Kind::Int64, self.table.device());
        let query = Tensor::arange_start(keys - queries, keys, options).unsqueeze(1);
        let key = Tensor::arange(keys, options).unsqueeze(0);
        let bias = self.table.forward(&self.bucket(&(key - query))); // [queries, keys, heads]
        bias.permute([2, 0, 1]).unsqueeze(0)
    }

    /// The bucket of each of `offsets`, a key's position less its query's.
    fn bucket(&self, offsets: &Tensor) -> Tensor {
        let (buckets, start, distance) = if self.both_ways {
            let half = self.buckets / 2;
            (half, offsets.gt(0).to_kind(Kind::Int64) * half, offsets.abs())
        } else {
            (self.buckets, offsets.zeros_like(), offsets.clamp_max(0).neg())
        };
        let exact = buckets / 2;
        // In f32, as the reference: where the logarithm falls on a border, rounding decides.
        let range = (self.max_distance as f64 / exact as f64).ln();
        let far = (distance.to_kind(Kind::Float) / exact as f64).log() / range * (buckets - exact) as f64;
        let far = (far.clamp(0.0, buckets as f64).to_kind(Kind::Int64) + exact).clamp_max(buckets - 1);
        start + distance.where_self(&distance.lt(exact), &far)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(both_ways: bool, offsets: &[i64]) -> Vec<i64> {
        let bias = RelativeBias::new(&Params::fresh(0), 2, 32, 128, both_ways).unwrap();
        Vec::try_from(bias.bucket(&Tensor::from_slice(offsets))).unwrap()
    }

    #[test]
    fn buckets_are_exact_near_and_logarithmic_far() {
        let offsets = [0, -1, -7, -8, -11, -12, -127, -128, -5000, 1, 8, 5000];
        assert_eq!(
            buckets(true, &offsets),
            [0, 1, 7, 8, 8, 9, 15, 15, 15, 17, 24, 31]
        );
        let offsets = [0, -1, -15, -16, -18, -19, -127, -5000, 1, 100];
        assert_eq!(buckets(false, &offsets), [0, 1, 15, 16, 16, 17, 31, 31, 0, 0]);
    }

    #[test]
    fn a_step_has_the_last_row() {
        let bias = RelativeBias::new(&Params::fresh(0), 2, 8, 20, false).unwrap();
        let all = bias.at(9, 9);
        assert_eq!(all.size(), [1, 2, 9, 9]);
        assert_eq!(all.narrow(2, 8, 1), bias.at(1, 9));
    }
}

//! Embeddings of tokens and of learned positions.

use tch::{Device, Kind, Tensor};

use crate::{Init, Linear, Params, ParamsError};

/// A table with a vector for each id.
#[derive(Debug)]
pub struct Embedding {
    weight: Tensor, // [entries, hidden]
}

impl Embedding {
    /// A table of `entries` vectors of `size`; asks `params` for `weight`.
    ///
    /// # Errors
    /// If the checkpoint lacks the tensor or has it with another shape.
    pub fn new(params: &Params, entries: i64, size: i64) -> Result<Self, ParamsError> {
        let weight = params.table("weight", &[entries, size], Init::Normal { std: 0.02 })?;
        Ok(Self { weight })
    }

    /// A table that was made elsewhere, `[entries, hidden]`: computed positions, a part of a larger one.
    pub fn fixed(weight: Tensor) -> Self {
        Self { weight }
    }

    /// `ids` is `[…]` of int64 below the number of entries, the result `[…, hidden]`.
    pub fn forward(&self, ids: &Tensor) -> Tensor {
        Tensor::embedding(&self.weight, ids, -1, false, false)
    }

    /// The number of entries.
    pub fn entries(&self) -> i64 {
        self.weight.size()[0]
    }

    /// Where the table is.
    pub fn device(&self) -> Device {
        self.weight.device()
    }

    /// The same table for another part of the model.
    pub fn share(&self) -> Self {
        Self::fixed(self.weight.shallow_clone())
    }

    /// The dtype of the table.
    pub fn kind(&self) -> Kind {
        self.weight.kind()
    }

    /// An output layer that shares this table (arXiv 1608.05859).
    pub fn as_head(&self) -> Linear {
        Linear::tied(&self.weight)
    }
}

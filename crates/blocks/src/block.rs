//! Encoder and decoder blocks in the two common wirings.

use tch::Tensor;

use crate::{
    Attention, CrossAttention, DistanceAttention, GatedAttention, KvCache, Mask, Mlp, Norm, Pass,
    ShiftedAttention,
};

/// Where the norms of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wiring {
    /// `x + f(norm(x))` (arXiv 2002.04745).
    PreNorm,
    /// `norm(x + f(x))` (arXiv 1706.03762).
    PostNorm,
}

/// A sub-layer's norm, and where it is.
#[derive(Debug)]
struct Residual {
    norm: Norm,
    wiring: Wiring,
    dropout: f64,
}

impl Residual {
    fn around(&self, x: &Tensor, train: bool, f: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let drop = |y: Tensor| {
            if train && self.dropout > 0.0 {
                y.dropout(self.dropout, true)
            } else {
                y
            }
        };
        match self.wiring {
            Wiring::PreNorm => x + drop(f(&self.norm.forward(x))),
            Wiring::PostNorm => self.norm.forward(&(x + drop(f(x)))),
        }
    }
}

/// Attention of tokens to those of the same sequence.
#[derive(Debug)]
pub enum SelfAttention {
    /// By content, and by place if queries and keys are rotated.
    Content(Attention),
    /// By content and distance. It takes no cache.
    Distance(DistanceAttention),
    /// By content and the waves of distances. It takes no cache.
    Shifted(ShiftedAttention),
    /// By content and distance, which each query weighs. It takes no cache.
    Gated(GatedAttention),
}

impl SelfAttention {
    pub(crate) fn forward(&self, x: &Tensor, pass: Pass<'_>, cache: Option<&mut KvCache>) -> Tensor {
        match self {
            Self::Content(attention) => attention.forward(x, pass, cache),
            Self::Distance(attention) => attention.forward(x, pass.mask, pass.train),
            Self::Shifted(attention) => attention.forward(x, pass.mask, pass.train),
            Self::Gated(attention) => attention.forward(x, pass),
        }
    }
}

impl From<Attention> for SelfAttention {
    fn from(attention: Attention) -> Self {
        Self::Content(attention)
    }
}

impl From<ShiftedAttention> for SelfAttention {
    fn from(attention: ShiftedAttention) -> Self {
        Self::Shifted(attention)
    }
}

impl From<GatedAttention> for SelfAttention {
    fn from(attention: GatedAttention) -> Self {
        Self::Gated(attention)
    }
}

impl From<DistanceAttention> for SelfAttention {
    fn from(attention: DistanceAttention) -> Self {
        Self::Distance(attention)
    }
}

/// Self-attention and feed-forward: a block of an encoder, or of a language model, whose mask makes it
/// causal.
#[derive(Debug)]
pub struct Block {
    attention: SelfAttention,
    mlp: Mlp,
    first: Residual,
    second: Residual,
}

impl Block {
    /// A block with its sub-layers, each with its norm.
    pub fn new(wiring: Wiring, attention: (impl Into<SelfAttention>, Norm), mlp: (Mlp, Norm)) -> Self {
        let residual = |norm| Residual {
            norm,
            wiring,
            dropout: 0.0,
        };
        Self {
            attention: attention.0.into(),
            mlp: mlp.0,
            first: residual(attention.1),
            second: residual(mlp.1),
        }
    }

    /// Drops this share of each sub-layer's output in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        (self.first.dropout, self.second.dropout) = (dropout, dropout);
        self
    }

    /// `x` is `[rows, tokens, hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor, pass: Pass<'_>, cache: Option<&mut KvCache>) -> Tensor {
        let attend = |x: &Tensor| self.attention.forward(x, pass, cache);
        let x = self.first.around(x, pass.train, attend);
        self.second.around(&x, pass.train, |x| self.mlp.forward(x))
    }
}

/// A [`Block`] that also attends to an encoder's states, between its two sub-layers.
#[derive(Debug)]
pub struct CrossBlock {
    block: Block,
    cross: CrossAttention,
    middle: Residual,
}

impl CrossBlock {
    /// A block with its sub-layers, each with its norm.
    pub fn new(
        wiring: Wiring,
        attention: (Attention, Norm),
        cross: (CrossAttention, Norm),
        mlp: (Mlp, Norm),
    ) -> Self {
        Self {
            block: Block::new(wiring, attention, mlp),
            cross: cross.0,
            middle: Residual {
                norm: cross.1,
                wiring,
                dropout: 0.0,
            },
        }
    }

    /// Drops this share of each sub-layer's output in training.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        self.block = self.block.with_dropout(dropout);
        self.middle.dropout = dropout;
        self
    }

    /// The encoder's keys and values for this block, computed once; `states` is `[rows, tokens, hidden]`.
    pub fn keys_values(&self, states: &Tensor) -> [Tensor; 2] {
        self.cross.keys_values(states)
    }

    /// `x` is `[rows, tokens, hidden]`, and so is the result; `encoded` came from
    /// [`keys_values`](Self::keys_values), `seen` says which of its tokens are not padding.
    ///
    /// Where `encoded` has fewer rows than `x`, each of them serves as many neighbours in `x`: the beams of a
    /// sequence share what they attend to.
    pub fn forward(
        &self,
        x: &Tensor,
        pass: Pass<'_>,
        cache: Option<&mut KvCache>,
        encoded: &[Tensor; 2],
        seen: Option<&Mask>,
    ) -> Tensor {
        let block = &self.block;
        let attend = |x: &Tensor| block.attention.forward(x, pass, cache);
        let x = block.first.around(x, pass.train, attend);
        let over = Pass {
            mask: seen,
            rotation: None,
            ..pass
        };
        let x = self
            .middle
            .around(&x, pass.train, |x| self.cross_attend(x, encoded, over));
        block.second.around(&x, pass.train, |x| block.mlp.forward(x))
    }

    /// Heads that attend to the encoder.
    pub fn heads(&self) -> i64 {
        self.cross.heads()
    }

    /// How much each token of `x`, the block's input, attends to each of the encoder's, of which there is no padding:
    /// `[rows, heads, tokens, encoder's tokens]`.
    pub fn cross_weights(&self, x: &Tensor, pass: Pass<'_>, encoded: &[Tensor; 2]) -> Tensor {
        let attend = |x: &Tensor| self.block.attention.forward(x, pass, None);
        let x = self.block.first.around(x, pass.train, attend);
        match self.middle.wiring {
            Wiring::PreNorm => self.cross.weights(&self.middle.norm.forward(&x), &encoded[0]),
            Wiring::PostNorm => self.cross.weights(&x, &encoded[0]),
        }
    }

    /// Which tokens attend together does not matter to cross-attention: rows that share an encoder's states
    /// become one longer row.
    fn cross_attend(&self, x: &Tensor, encoded: &[Tensor; 2], pass: Pass<'_>) -> Tensor {
        let (size, sources) = (x.size(), encoded[0].size()[0]);
        if size[0] == sources {
            return self.cross.forward(x, encoded, pass);
        }
        let joined = x.reshape([sources, -1, size[2]]);
        self.cross.forward(&joined, encoded, pass).view_as(x)
    }
}

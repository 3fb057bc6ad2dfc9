//! What all decoder-only Transformers share: embeddings, a stack of layers, an output layer.

use sensorium_blocks::{Block, Embedding, Guess, Head, KvCache, Linear, Mask, Norm, Pass, Rope, Rotation};
use tch::{Kind, Tensor};

/// A decoder-only Transformer, put together by its family's file.
pub(crate) struct Stack {
    pub embedding: Embedding,
    /// Factor on the embeddings.
    pub scale: Option<f64>,
    pub positions: Option<LearnedPositions>,
    /// Between embeddings and layers of another width.
    pub project_in: Option<Linear>,
    pub project_out: Option<Linear>,
    pub embedding_dropout: f64,
    /// The kinds of rotary positions that the layers choose from.
    pub ropes: Vec<Rope>,
    pub layers: Vec<Layer>,
    pub norm: Option<Norm>,
    pub head: Head,
    /// Bounds the logits by `cap · tanh(logit / cap)`.
    pub softcap: Option<f64>,
    pub max_positions: i64,
    pub vocabulary: i64,
}

/// A table of positions; the first token's is entry `offset`.
pub(crate) struct LearnedPositions {
    pub table: Embedding,
    pub offset: i64,
}

/// One layer and what it needs of the stack.
pub(crate) struct Layer {
    pub wiring: Box<dyn Wiring>,
    /// Tokens that it looks back on.
    pub window: Option<i64>,
    /// Which of the stack's rotary positions it uses.
    pub rope: Option<usize>,
}

/// How the sub-layers of a layer are put together.
pub(crate) trait Wiring: Send {
    /// `x` is `[rows, tokens, hidden]`, and so is the result.
    fn forward(&self, x: &Tensor, pass: Pass<'_>, cache: Option<&mut KvCache>) -> Tensor;
}

impl Wiring for Block {
    fn forward(&self, x: &Tensor, pass: Pass<'_>, cache: Option<&mut KvCache>) -> Tensor {
        Block::forward(self, x, pass, cache)
    }
}

/// What one pass gives.
pub(crate) struct Hidden {
    /// `[rows, tokens, hidden]` behind the last norm.
    pub last: Tensor,
    /// On request: the embeddings' output and each layer's; that of the last is behind the last norm.
    pub all: Vec<Tensor>,
}

/// One pass's tokens and where they are.
pub(crate) struct Tokens<'a> {
    /// `[rows, tokens]`
    pub ids: &'a Tensor,
    /// `[rows, tokens]`, or `[1, tokens]` where all rows are alike.
    pub positions: &'a Tensor,
    /// The length of the sequence that they end.
    pub len: i64,
}

impl Stack {
    /// A stack with no layers and none of the parts that only some families have.
    pub fn plain(embedding: Embedding, head: Linear, max_positions: i64) -> Self {
        Self {
            vocabulary: embedding.entries(),
            embedding,
            scale: None,
            positions: None,
            project_in: None,
            project_out: None,
            embedding_dropout: 0.0,
            ropes: Vec::new(),
            layers: Vec::new(),
            norm: None,
            head: head.into(),
            softcap: None,
            max_positions,
        }
    }

    /// One pass through all layers. `mask_for` gives the mask of a layer by its window and its cache.
    pub fn forward(
        &self,
        tokens: &Tokens<'_>,
        mut caches: Option<&mut [KvCache]>,
        mask_for: &dyn Fn(Option<i64>, Option<&KvCache>) -> Mask,
        train: bool,
        keep_all: bool,
    ) -> Hidden {
        let mut x = self.embed(tokens, train);
        let rotations: Vec<Rotation> = self
            .ropes
            .iter()
            .map(|rope| rope.at(tokens.positions, tokens.len, x.kind()))
            .collect();
        let mut masks: Vec<(Option<i64>, Mask)> = Vec::new(); // one for each window
        let mut all = Vec::new();
        for (i, layer) in self.layers.iter().enumerate() {
            if keep_all {
                all.push(x.shallow_clone());
            }
            let cache = caches.as_mut().map(|caches| &mut caches[i]);
            let known = masks.iter().position(|(window, _)| *window == layer.window);
            let known = known.unwrap_or_else(|| {
                masks.push((layer.window, mask_for(layer.window, cache.as_deref())));
                masks.len() - 1
            });
            let pass = Pass {
                mask: Some(&masks[known].1),
                rotation: layer.rope.map(|rope| &rotations[rope]),
                distances: None,
                train,
            };
            x = layer.wiring.forward(&x, pass, cache);
        }
        if let Some(norm) = &self.norm {
            x = norm.forward(&x);
        }
        if let Some(project) = &self.project_out {
            x = project.forward(&x);
        }
        if keep_all {
            all.push(x.shallow_clone());
        }
        Hidden { last: x, all }
    }

    /// Logits `[…, vocabulary]` for hidden states `[…, hidden]`.
    pub fn logits(&self, hidden: &Tensor) -> Tensor {
        let logits = self.head.forward(hidden);
        match self.softcap {
            Some(cap) => (logits / cap).tanh() * cap,
            None => logits,
        }
    }

    /// The same for the only row `hidden` `[1, 1, hidden]`, without computing all of them, where that is faster.
    pub fn guess(&self, hidden: &Tensor) -> Option<Guess> {
        match self.softcap {
            Some(_) => None,
            None => self.head.guess(hidden),
        }
    }

    fn embed(&self, tokens: &Tokens<'_>, train: bool) -> Tensor {
        let mut x = self.embedding.forward(tokens.ids);
        if let Some(scale) = self.scale {
            // The factor is rounded to the dtype first, as in the reference.
            x = &x * Tensor::from(scale).to_kind(x.kind()).to_device(x.device());
        }
        if let Some(project) = &self.project_in {
            x = project.forward(&x);
        }
        if let Some(positions) = &self.positions {
            x += positions.table.forward(&(tokens.positions + positions.offset));
        }
        if train && self.embedding_dropout > 0.0 {
            x = x.dropout(self.embedding_dropout, true);
        }
        x
    }

    /// Empty caches for all layers, with room for `reserve` tokens.
    pub fn caches(&self, reserve: i64) -> Vec<KvCache> {
        let cache = |layer: &Layer| match layer.window {
            Some(window) => KvCache::sliding(window, reserve.min(window)),
            None => KvCache::new(reserve),
        };
        self.layers.iter().map(cache).collect()
    }

    /// The dtype that the logits are computed in.
    pub fn kind(&self) -> Kind {
        self.embedding.kind()
    }
}

//! What all encoder–decoder Transformers share: two stacks of layers and an output layer.

use crate::{
    Block, CrossBlock, Embedding, Guess, Head, KvCache, Mask, Norm, Pass, RelativeBias, Rope, Rotation,
};
use tch::{Kind, Tensor};

/// Reads the whole source at once.
#[derive(Debug)]
pub struct Encoder {
    /// Embeddings, positions, norms.
    pub ends: Ends,
    /// In their order.
    pub layers: Vec<Block>,
}

/// Writes token by token, looking at an encoder's states.
#[derive(Debug)]
pub struct Decoder {
    /// Embeddings, positions, norms.
    pub ends: Ends,
    /// In their order.
    pub layers: Vec<CrossBlock>,
    /// Factor on the states before the output layer.
    pub output_scale: Option<f64>,
    /// The output layer.
    pub head: Head,
    /// The most tokens, where positions are a table.
    pub max_positions: Option<i64>,
}

/// What is before and behind the layers of either side.
#[derive(Debug)]
pub struct Ends {
    /// A vector for each token.
    pub embedding: Embedding,
    /// Factor on the embeddings.
    pub scale: Option<f64>,
    /// What tells a token's place.
    pub positions: Positions,
    /// Behind the embeddings.
    pub embedding_norm: Option<Norm>,
    /// Added to the scores of self-attention in every layer.
    pub relative: Option<RelativeBias>,
    /// Behind the last layer.
    pub norm: Option<Norm>,
    /// Of the embeddings, in training.
    pub dropout: f64,
    /// Also behind the last norm (T5).
    pub last_dropout: bool,
}

/// How a token's place is told.
#[derive(Debug)]
pub enum Positions {
    /// By the distances in attention alone.
    Relative,
    /// A table; the first token's is entry `offset`.
    Table {
        /// A vector for each place.
        table: Embedding,
        /// Entries before the first place.
        offset: i64,
    },
    /// A table that padding does not count in: its own entry is `pad`, the first token's the next one.
    Counted {
        /// A vector for each place.
        table: Embedding,
        /// The id of padding.
        pad: i64,
    },
    /// By rotating queries and keys in self-attention.
    Rotary(Rope),
}

impl Positions {
    /// The vectors of `ids` `[rows, tokens]`, the first of which is number `past` of its row.
    fn of(&self, ids: &Tensor, past: i64) -> Option<Tensor> {
        match self {
            Self::Relative | Self::Rotary(_) => None,
            Self::Table { table, offset } => {
                let first = past + offset;
                let options = (Kind::Int64, ids.device());
                let at = Tensor::arange_start(first, first + ids.size()[1], options);
                Some(table.forward(&at.unsqueeze(0)))
            }
            Self::Counted { table, pad } => {
                let real = ids.ne(*pad).to_kind(Kind::Int64);
                let at = (real.cumsum(1, Kind::Int64) + past) * real + *pad;
                Some(table.forward(&at))
            }
        }
    }

    /// The rotation of the tokens `x` `[rows, tokens, hidden]`, the first of which is number `past` of its row.
    fn rotation(&self, x: &Tensor, past: i64) -> Option<Rotation> {
        let Self::Rotary(rope) = self else { return None };
        let len = past + x.size()[1];
        let at = Tensor::arange_start(past, len, (Kind::Int64, x.device()));
        Some(rope.at(&at.unsqueeze(0), len, x.kind()))
    }
}

impl Ends {
    /// An embedding and nothing else.
    pub fn new(embedding: Embedding) -> Self {
        Self {
            embedding,
            scale: None,
            positions: Positions::Relative,
            embedding_norm: None,
            relative: None,
            norm: None,
            dropout: 0.0,
            last_dropout: false,
        }
    }

    /// `ids` is `[rows, tokens]`, the result `[rows, tokens, hidden]`.
    fn embed(&self, ids: &Tensor, past: i64, train: bool) -> Tensor {
        let mut x = self.embedding.forward(ids);
        if let Some(scale) = self.scale {
            x *= scale;
        }
        if let Some(positions) = self.positions.of(ids, past) {
            x += positions;
        }
        if let Some(norm) = &self.embedding_norm {
            x = norm.forward(&x);
        }
        self.drop(x, train)
    }

    fn finish(&self, x: Tensor, train: bool) -> Tensor {
        let x = match &self.norm {
            Some(norm) => norm.forward(&x),
            None => x,
        };
        self.drop(x, train && self.last_dropout)
    }

    fn drop(&self, x: Tensor, train: bool) -> Tensor {
        match train && self.dropout > 0.0 {
            true => x.dropout(self.dropout, true),
            false => x,
        }
    }

    /// The mask with the biases of the distances.
    fn biased(&self, mask: Mask, queries: i64, keys: i64) -> Mask {
        match &self.relative {
            Some(relative) => mask.with_bias(relative.at(queries, keys)),
            None => mask,
        }
    }
}

impl Encoder {
    /// The states of `ids` `[rows, tokens]`; `keep` is zero at padding. Each layer's input is put in `all`.
    pub fn forward(
        &self,
        ids: &Tensor,
        keep: Option<&Tensor>,
        train: bool,
        mut all: Option<&mut Vec<Tensor>>,
    ) -> Tensor {
        let mut x = self.ends.embed(ids, 0, train);
        let count = ids.size()[1];
        let mask = Mask::full(count, count).with_keep(keep);
        let mask = self.ends.biased(mask, count, count);
        let rotation = self.ends.positions.rotation(&x, 0);
        let pass = Pass {
            mask: Some(&mask),
            rotation: rotation.as_ref(),
            distances: None,
            train,
        };
        for layer in &self.layers {
            if let Some(all) = &mut all {
                all.push(x.shallow_clone());
            }
            x = layer.forward(&x, pass, None);
        }
        self.ends.finish(x, train)
    }
}

/// What the decoder attends to: per layer the keys and values of the encoder's states, each
/// `[sources, heads, tokens, head_dim]`.
#[derive(Debug)]
pub struct Memory {
    /// A pair of each layer.
    pub layers: Vec<[Tensor; 2]>,
    /// Zero at padding, `[sources, tokens]`.
    pub keep: Option<Tensor>,
}

/// What the decoder has seen of its own sequence.
#[derive(Debug, Default)]
pub struct Past<'a> {
    /// Tokens of each row.
    pub len: i64,
    /// Their keys and values, a layer each; the new ones are put in.
    pub caches: Option<&'a mut [KvCache]>,
}

impl Memory {
    /// Only the sources `index`, in that order.
    pub fn select(&mut self, index: &Tensor) {
        for pair in &mut self.layers {
            *pair = pair.each_ref().map(|tensor| tensor.index_select(0, index));
        }
        self.keep = self.keep.as_ref().map(|keep| keep.index_select(0, index));
    }
}

impl Decoder {
    /// Logits `[…, vocabulary]` for the states `[…, hidden]`.
    pub fn logits(&self, states: &Tensor) -> Tensor {
        match self.output_scale {
            Some(scale) => self.head.forward(&(states * scale)),
            None => self.head.forward(states),
        }
    }

    /// The same for the only row `states` `[1, 1, hidden]`, without computing all of them, where that is faster.
    pub fn guess(&self, states: &Tensor) -> Option<Guess> {
        match self.output_scale {
            Some(scale) => self.head.guess(&(states * scale)),
            None => self.head.guess(states),
        }
    }

    /// The dtype of the weights.
    pub fn kind(&self) -> Kind {
        self.ends.embedding.kind()
    }

    /// Tokens that can be written.
    pub fn vocabulary(&self) -> i64 {
        self.ends.embedding.entries()
    }

    /// Keys and values of all layers for the encoder's `states` `[sources, tokens, hidden]`.
    pub fn remember(&self, states: &Tensor, keep: Option<&Tensor>) -> Memory {
        Memory {
            layers: self
                .layers
                .iter()
                .map(|layer| layer.keys_values(states))
                .collect(),
            keep: keep.map(Tensor::shallow_clone),
        }
    }

    /// How much each of `ids` `[rows, tokens]`, which begin a sequence, attends to each of the encoder's states, as
    /// the heads see it that `heads` names by layer and number: `[rows, heads, tokens, encoder's tokens]`.
    pub fn cross_weights(&self, ids: &Tensor, memory: &Memory, heads: &[(usize, i64)]) -> Tensor {
        let mut inputs = Vec::new();
        let _ = self.forward(ids, Past::default(), memory, None, false, Some(&mut inputs));
        let count = ids.size()[1];
        let mask = self.ends.biased(Mask::causal(count, count, 0), count, count);
        let rotation = inputs.first().and_then(|x| self.ends.positions.rotation(x, 0));
        let pass = Pass {
            mask: Some(&mask),
            rotation: rotation.as_ref(),
            ..Pass::default()
        };
        let mut layers: Vec<Option<Tensor>> = inputs.iter().map(|_| None).collect();
        let weights = heads.iter().map(|&(layer, head)| {
            let weights = layers[layer].get_or_insert_with(|| {
                self.layers[layer].cross_weights(&inputs[layer], pass, &memory.layers[layer])
            });
            weights.select(1, head)
        });
        Tensor::stack(&weights.collect::<Vec<_>>(), 1)
    }

    /// The states of `ids` `[rows, tokens]`, which follow `past`. `keep` is zero at padding of the whole sequence. Each
    /// layer's input is put in `all`.
    pub fn forward(
        &self,
        ids: &Tensor,
        mut past: Past<'_>,
        memory: &Memory,
        keep: Option<&Tensor>,
        train: bool,
        mut all: Option<&mut Vec<Tensor>>,
    ) -> Tensor {
        let mut x = self.ends.embed(ids, past.len, train);
        let count = ids.size()[1];
        let keys = past.len + count;
        let mask = Mask::causal(count, keys, 0).with_keep(keep);
        let mask = self.ends.biased(mask, count, keys);
        let source = memory.layers.first().map_or(0, |[keys, _]| keys.size()[2]);
        let seen = Mask::full(count, source).with_keep(memory.keep.as_ref());
        let rotation = self.ends.positions.rotation(&x, past.len);
        let pass = Pass {
            mask: Some(&mask),
            rotation: rotation.as_ref(),
            distances: None,
            train,
        };
        for (i, layer) in self.layers.iter().enumerate() {
            if let Some(all) = &mut all {
                all.push(x.shallow_clone());
            }
            let cache = past.caches.as_mut().map(|caches| &mut caches[i]);
            x = layer.forward(&x, pass, cache, &memory.layers[i], Some(&seen));
        }
        self.ends.finish(x, train)
    }
}

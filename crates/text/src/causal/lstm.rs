//! A small recurrent language model: embedding, LSTM layers, dense softmax.
//!
//! The LSTM is that of Hochreiter and Schmidhuber (1997) with forget gates, as libtorch computes it.

use sensorium_blocks::{Embedding, Init, Linear, Params};
use sensorium_generation::Session;
use serde::Deserialize;
use serde_json::Value;
use tch::{Kind, Tensor};

use super::{Forward, ForwardOptions};
use sensorium_blocks::BuildError;
use sensorium_blocks::size;

/// `config.json` of a model of this family.
#[derive(Deserialize)]
struct Config {
    vocab_size: i64,
    hidden_size: i64,
    #[serde(default = "one")]
    num_hidden_layers: i64,
    embedding_size: Option<i64>,
    max_position_embeddings: i64,
    #[serde(default)]
    dropout: f64,
}

fn one() -> i64 {
    1
}

/// The model.
pub(super) struct Lstm {
    embedding: Embedding,
    /// Input and recurrent weights and biases of each layer, as in PyTorch.
    weights: Vec<Tensor>,
    head: Linear,
    hidden: i64,
    layers: i64,
    dropout: f64,
    pub vocabulary: i64,
    pub max_positions: i64,
}

/// Hidden and cell states, each `[layers, rows, hidden]`.
type State = [Tensor; 2];

pub(super) fn build(config: &Value, params: &Params) -> Result<Lstm, BuildError> {
    let config = Config::deserialize(config)?;
    let vocabulary = size("vocab_size", config.vocab_size, 1 << 24)?;
    let hidden = size("hidden_size", config.hidden_size, 1 << 17)?;
    let layers = size("num_hidden_layers", config.num_hidden_layers, 1 << 10)?;
    let embedded = size("embedding_size", config.embedding_size.unwrap_or(hidden), 1 << 17)?;
    let max_positions = size("max_position_embeddings", config.max_position_embeddings, 1 << 24)?;
    let init = Init::Uniform {
        bound: (hidden as f64).sqrt().recip(),
    };
    let mut weights = Vec::new();
    for layer in 0..layers {
        let inputs = if layer == 0 { embedded } else { hidden };
        let at = params / "lstm";
        for (name, shape) in [
            ("weight_ih", vec![4 * hidden, inputs]),
            ("weight_hh", vec![4 * hidden, hidden]),
            ("bias_ih", vec![4 * hidden]),
            ("bias_hh", vec![4 * hidden]),
        ] {
            weights.push(at.weight(&format!("{name}_l{layer}"), &shape, init)?);
        }
    }
    Ok(Lstm {
        embedding: Embedding::new(&(params / "embedding"), vocabulary, embedded)?,
        weights,
        head: Linear::new(&(params / "head"), hidden, vocabulary, init)?,
        hidden,
        layers,
        dropout: config.dropout,
        vocabulary,
        max_positions,
    })
}

impl Lstm {
    pub fn kind(&self) -> Kind {
        self.embedding.kind()
    }

    /// Whole sequences. Rows padded on the left begin behind their padding.
    pub fn forward(&self, ids: &Tensor, options: ForwardOptions<'_>) -> Forward {
        let embedded = self.embedding.forward(ids);
        let state = self.fresh(ids.size()[0]);
        let (states, _) = self.run(&embedded, &state, options.train);
        let last = states.dropout(self.dropout, options.train);
        let hidden_states = if options.hidden_states {
            vec![embedded, states]
        } else {
            Vec::new()
        };
        Forward {
            logits: self.head.forward(&last),
            hidden_states,
        }
    }

    fn fresh(&self, rows: i64) -> State {
        let zeros = || {
            Tensor::zeros(
                [self.layers, rows, self.hidden],
                (self.kind(), self.weights[0].device()),
            )
        };
        [zeros(), zeros()]
    }

    /// The top layer's output at each token, `[rows, tokens, hidden]`, and the state behind the last one.
    fn run(&self, embedded: &Tensor, state: &State, train: bool) -> (Tensor, State) {
        let weights: Vec<&Tensor> = self.weights.iter().collect();
        let state: Vec<&Tensor> = state.iter().collect();
        let (states, h, c) = embedded.lstm(
            &state,
            &weights,
            true,
            self.layers,
            self.dropout,
            train,
            false,
            true,
        );
        (states, [h, c])
    }
}

/// The model in the middle of writing.
pub(super) struct LstmSession<'a> {
    model: &'a Lstm,
    state: State,
    /// All ids fed, `[rows, tokens]`: a state cannot be taken back, so it is computed again.
    ids: Option<Tensor>,
    starts: Vec<i64>,
    hidden: Option<Tensor>,
}

impl<'a> LstmSession<'a> {
    pub fn new(model: &'a Lstm, starts: Vec<i64>) -> Self {
        Self {
            state: model.fresh(starts.len() as i64),
            model,
            ids: None,
            starts,
            hidden: None,
        }
    }

    /// The top layer's output at each token; padding leaves a row's state untouched.
    fn advance(&mut self, ids: &Tensor) -> Tensor {
        let (begin, count) = (self.len(), ids.size()[1]);
        let embedded = self.model.embedding.forward(ids);
        if self.starts.iter().all(|&start| start <= begin) {
            let (states, state) = self.model.run(&embedded, &self.state, false);
            self.state = state;
            return states;
        }
        let mut rows = Vec::new();
        for (row, &start) in self.starts.iter().enumerate() {
            let row = row as i64;
            let skip = (start - begin).clamp(0, count);
            let states = Tensor::zeros([1, count, self.model.hidden], (self.model.kind(), ids.device()));
            if skip < count {
                let part = embedded.narrow(0, row, 1).narrow(1, skip, count - skip);
                let state = self.state.each_ref().map(|s| s.narrow(1, row, 1).contiguous());
                let (new, state) = self.model.run(&part, &state, false);
                states.narrow(1, skip, count - skip).copy_(&new);
                for (all, new) in self.state.iter().zip(&state) {
                    all.narrow(1, row, 1).copy_(new);
                }
            }
            rows.push(states);
        }
        Tensor::cat(&rows, 0)
    }
}

impl Session for LstmSession<'_> {
    fn rows(&self) -> i64 {
        self.starts.len() as i64
    }

    fn len(&self) -> i64 {
        self.ids.as_ref().map_or(0, |ids| ids.size()[1])
    }

    fn limit(&self) -> Option<i64> {
        Some(self.model.max_positions)
    }

    fn feed(&mut self, ids: &Tensor, last: i64) -> Tensor {
        tch::no_grad(|| {
            let states = self.advance(ids);
            self.ids = Some(match self.ids.take() {
                Some(before) => Tensor::cat(&[&before, ids], 1),
                None => ids.copy(),
            });
            let states = states.narrow(1, ids.size()[1] - last, last);
            let logits = self.model.head.forward(&states).to_kind(Kind::Float);
            self.hidden = Some(states);
            logits
        })
    }

    fn hidden(&self) -> Option<Tensor> {
        self.hidden.as_ref().map(Tensor::shallow_clone)
    }

    fn select(&mut self, rows: &[i64]) {
        let index = Tensor::from_slice(rows).to_device(self.state[0].device());
        self.state = self.state.each_ref().map(|s| s.index_select(1, &index));
        self.ids = self.ids.as_ref().map(|ids| ids.index_select(0, &index));
        self.starts = rows.iter().map(|&row| self.starts[row as usize]).collect();
        self.hidden = None;
    }

    fn truncate(&mut self, len: i64) {
        if len >= self.len() {
            return;
        }
        let Some(ids) = self.ids.take() else { return };
        let kept = ids.narrow(1, 0, len);
        self.state = self.model.fresh(self.rows());
        if len > 0 {
            let _states = tch::no_grad(|| self.advance(&kept));
            self.ids = Some(kept);
        }
        self.hidden = None;
    }
}

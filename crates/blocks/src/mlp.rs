//! The feed-forward part of a Transformer block.

use tch::Tensor;

use crate::{Activation, Linear};

/// Two or three linear layers around an activation, applied to each position by itself.
#[derive(Debug)]
pub struct Mlp {
    input: Input,
    activation: Activation,
    output: Linear,
}

#[derive(Debug)]
enum Input {
    Plain(Linear),
    Gated { gate: Linear, up: Linear },
    Joined(Linear),
}

impl Mlp {
    /// `output(act(input(x)))` (arXiv 1706.03762, section 3.3).
    pub fn plain(input: Linear, activation: Activation, output: Linear) -> Self {
        Self {
            input: Input::Plain(input),
            activation,
            output,
        }
    }

    /// `output(act(gate(x)) · up(x))` (arXiv 2002.05202).
    pub fn gated(gate: Linear, up: Linear, activation: Activation, output: Linear) -> Self {
        Self {
            input: Input::Gated { gate, up },
            activation,
            output,
        }
    }

    /// The same with both inputs in one layer: the gate's features come first.
    pub fn gated_joined(gate_up: Linear, activation: Activation, output: Linear) -> Self {
        Self {
            input: Input::Joined(gate_up),
            activation,
            output,
        }
    }

    /// `x` is `[…, hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let act = |x: &Tensor| self.activation.forward(x);
        let inner = match &self.input {
            Input::Plain(input) => act(&input.forward(x)),
            Input::Gated { gate, up } => act(&gate.forward(x)) * up.forward(x),
            Input::Joined(joined) => {
                let both = joined.forward(x).chunk(2, -1);
                act(&both[0]) * &both[1]
            }
        };
        self.output.forward(&inner)
    }
}

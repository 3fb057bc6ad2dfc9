//! The feed-forward part of a Transformer block.

use tch::Tensor;

use crate::{Activation, Conv1d, Linear};

/// Two or three linear layers around an activation, applied to each position by itself.
#[derive(Debug)]
pub struct Mlp {
    layers: Layers,
    activation: Activation,
}

#[derive(Debug)]
enum Layers {
    Linear {
        input: Input,
        output: Linear,
    },
    /// The first and the last.
    Conv(Box<[Conv1d; 2]>),
}

#[derive(Debug)]
enum Input {
    Plain(Linear),
    Gated {
        gate: Linear,
        up: Linear,
    },
    Joined {
        both: Linear,
        /// Which half of its features is the gate.
        gate: usize,
    },
}

impl Mlp {
    /// `output(act(input(x)))` (arXiv 1706.03762, section 3.3).
    pub fn plain(input: Linear, activation: Activation, output: Linear) -> Self {
        Self::linear(Input::Plain(input), activation, output)
    }

    /// `output(act(gate(x)) · up(x))` (arXiv 2002.05202).
    pub fn gated(gate: Linear, up: Linear, activation: Activation, output: Linear) -> Self {
        Self::linear(Input::Gated { gate, up }, activation, output)
    }

    /// The same with both inputs in one layer: the gate's features come first.
    pub fn gated_joined(gate_up: Linear, activation: Activation, output: Linear) -> Self {
        let input = Input::Joined {
            both: gate_up,
            gate: 0,
        };
        Self::linear(input, activation, output)
    }

    /// The same with the gate's features behind the others.
    pub fn gated_joined_last(up_gate: Linear, activation: Activation, output: Linear) -> Self {
        let input = Input::Joined {
            both: up_gate,
            gate: 1,
        };
        Self::linear(input, activation, output)
    }

    /// The same with convolutions over neighbouring positions, which keep the length (FastSpeech, arXiv 1905.09263).
    pub fn convolved(input: Conv1d, activation: Activation, output: Conv1d) -> Self {
        Self {
            layers: Layers::Conv(Box::new([input, output])),
            activation,
        }
    }

    fn linear(input: Input, activation: Activation, output: Linear) -> Self {
        Self {
            layers: Layers::Linear { input, output },
            activation,
        }
    }

    /// `x` is `[…, hidden]`, with convolutions `[rows, positions, hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let act = |x: &Tensor| self.activation.forward(x);
        let (input, output) = match &self.layers {
            Layers::Linear { input, output } => (input, output),
            Layers::Conv(convs) => {
                let [input, output] = convs.as_ref();
                let inner = act(&input.forward(&x.transpose(1, 2)));
                return output.forward(&inner).transpose(1, 2);
            }
        };
        let inner = match input {
            Input::Plain(input) => act(&input.forward(x)),
            Input::Gated { gate, up } => act(&gate.forward(x)) * up.forward(x),
            Input::Joined { both, gate } => {
                let both = both.forward(x).chunk(2, -1);
                act(&both[*gate]) * &both[1 - gate]
            }
        };
        output.forward(&inner)
    }
}

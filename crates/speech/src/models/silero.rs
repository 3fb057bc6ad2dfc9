//! Silero's detector of voices, as it is published for 16 kHz (versions 5 and 6): the spectrum of a window, four
//! convolutions over it, and an LSTM from window to window.
//! Reference: `tinygrad_model.py` of <https://github.com/snakers4/silero-vad>.

use sensorium_blocks::{Conv1d, Conv1dShape, Init, Linear, Params, ParamsError};
use tch::{Kind, Tensor};

/// The sizes of a [`Silero`].
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Samples that are judged together.
    pub window: i64,
    /// Samples before them that are seen, too.
    pub context: i64,
    /// Samples of a spectrum; the next one begins at its middle.
    pub spectrum: i64,
    /// What the convolutions give; the last number is the LSTM's, too.
    pub channels: [i64; 4],
}

impl Sizes {
    /// Those of the published network.
    pub const PUBLISHED: Self = Self {
        window: 512,
        context: 64,
        spectrum: 256,
        channels: [128, 64, 64, 128],
    };
}

/// How far the convolutions go from output to output: they make one step of four.
const STRIDES: [i64; 4] = [1, 2, 2, 1];

/// The network.
#[derive(Debug)]
pub struct Silero {
    sizes: Sizes,
    /// Cosines, then sines.
    waves: Conv1d,
    convs: Vec<Conv1d>,
    cell: Cell,
    /// Weights of the hidden state, and a bias.
    head: (Vec<f32>, f32),
}

/// An LSTM's cell. It takes single steps, which are too short for libtorch's threads.
#[derive(Debug)]
struct Cell {
    /// From the convolutions to the gates, `4 · hidden`.
    input: Linear,
    /// `[hidden, 4 · hidden]`.
    hidden: Vec<f32>,
}

/// What is remembered from window to window.
#[derive(Debug, Clone)]
pub struct State {
    hidden: Vec<f32>,
    cell: Vec<f32>,
}

impl Silero {
    /// A network of these sizes.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, sizes: Sizes) -> Result<Self, ParamsError> {
        let (bins, hidden) = (sizes.spectrum / 2 + 1, sizes.channels[3]);
        let conv = |name: &str, [inputs, outputs, size]: [i64; 3], bias| {
            let shape = Conv1dShape::new(inputs, outputs, size);
            Conv1d::new(&(params / name), shape, bias, Init::FanIn)
        };
        let mut inputs = bins;
        let mut convs = Vec::new();
        for (number, (outputs, stride)) in (1..).zip(sizes.channels.into_iter().zip(STRIDES)) {
            let layer = conv(&format!("conv{number}"), [inputs, outputs, 3], true)?;
            convs.push(layer.strided(stride).padded(1));
            inputs = outputs;
        }
        let head = params / "final_conv";
        let weight = head.weight("weight", &[1, hidden, 1], Init::FanIn)?;
        let bias = head.weight("bias", &[1], Init::Const(0.0))?;
        Ok(Self {
            sizes,
            waves: conv("stft_conv", [1, 2 * bins, sizes.spectrum], false)?.strided(sizes.spectrum / 2),
            convs,
            cell: Cell::new(&(params / "lstm_cell"), hidden)?,
            head: (numbers(&weight), numbers(&bias)[0]),
        })
    }

    /// The network's sizes.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// What is remembered before the first window: nothing.
    pub fn fresh(&self) -> State {
        let zeros = || vec![0.0; self.head.0.len()];
        State {
            hidden: zeros(),
            cell: zeros(),
        }
    }

    /// How likely there is a voice in each of several windows, one after the other; they come with what is before them,
    /// `[windows, context + window]`.
    pub fn forward(&self, windows: &Tensor, state: &mut State) -> Vec<f32> {
        let x = windows
            .unsqueeze(1)
            .reflection_pad1d([0, self.sizes.spectrum / 4]);
        let waves = self.waves.forward(&x).chunk(2, 1); // [windows, bins, 4] each
        let mut x = (waves[0].square() + waves[1].square()).sqrt();
        for conv in &self.convs {
            x = conv.forward(&x).relu();
        }
        let mut gates = numbers(&self.cell.input.forward(&x.squeeze_dim(-1)));
        let steps = gates.chunks_exact_mut(self.cell.hidden.len() / self.head.0.len());
        steps.map(|gates| self.step(gates, state)).collect()
    }

    fn step(&self, gates: &mut [f32], state: &mut State) -> f32 {
        self.cell.step(gates, state);
        let (weights, bias) = &self.head;
        let pairs = state.hidden.iter().zip(weights);
        sigmoid(pairs.map(|(x, weight)| x.max(0.0) * weight).sum::<f32>() + bias)
    }
}

impl Cell {
    fn new(params: &Params, size: i64) -> Result<Self, ParamsError> {
        let matrix = |name| params.weight(name, &[4 * size, size], Init::FanIn);
        let bias = |name| params.weight(name, &[4 * size], Init::Const(0.0));
        Ok(Self {
            input: Linear::tied(&matrix("weight_ih")?).adding(bias("bias_ih")? + bias("bias_hh")?),
            hidden: numbers(&matrix("weight_hh")?.tr()),
        })
    }

    /// Takes what the input adds to the gates: input, forgetting, candidates, output.
    fn step(&self, gates: &mut [f32], state: &mut State) {
        for (x, weights) in state.hidden.iter().zip(self.hidden.chunks_exact(gates.len())) {
            for (gate, weight) in gates.iter_mut().zip(weights) {
                *gate += x * weight;
            }
        }
        let size = state.cell.len();
        for (i, (hidden, cell)) in state.hidden.iter_mut().zip(&mut state.cell).enumerate() {
            let gate = |number| gates[number * size + i];
            *cell = sigmoid(gate(1)) * *cell + sigmoid(gate(0)) * gate(2).tanh();
            *hidden = sigmoid(gate(3)) * cell.tanh();
        }
    }
}

fn sigmoid(x: f32) -> f32 {
    (1.0 + (-x).exp()).recip()
}

/// All numbers of a tensor.
fn numbers(x: &Tensor) -> Vec<f32> {
    let mut numbers = vec![0.0; x.numel()];
    let x = x.to_kind(Kind::Float).contiguous();
    x.copy_data(&mut numbers, x.numel());
    numbers
}

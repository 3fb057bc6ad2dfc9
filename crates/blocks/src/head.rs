//! The output layer of models that write tokens.

use std::cell::OnceCell;

use sensorium_kernels::{self as kernels, Guess, Screen};
use tch::{Device, Tensor};

use crate::Linear;

/// From hidden states to a score for each token of the vocabulary.
#[derive(Debug)]
pub struct Head {
    layer: Linear,
    /// Made when first needed; none where it cannot be, or would not be faster.
    screen: OnceCell<Option<Screen>>,
}

impl From<Linear> for Head {
    fn from(layer: Linear) -> Self {
        Self {
            layer,
            screen: OnceCell::new(),
        }
    }
}

impl Head {
    /// With fewer tokens the whole layer is as fast.
    const MANY: i64 = 4096;

    /// `x` is `[…, hidden]`, the result `[…, vocabulary]`.
    ///
    /// # Panics
    /// If the last dimension of `x` is not that of the layer.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.layer.forward(x)
    }

    /// What tells the greatest score of the only row `x` `[1, 1, hidden]` without computing them all, where that is
    /// faster: on the CPU, without gradients, for a large vocabulary.
    pub fn guess(&self, x: &Tensor) -> Option<Guess> {
        let hidden = *x.size().last()?;
        if x.device() != Device::Cpu || x.numel() as i64 != hidden || kernels::grad_enabled() {
            return None;
        }
        let screen = self.screen.get_or_init(|| {
            let weight = self.layer.weight_alone()?;
            (weight.size()[0] >= Self::MANY).then(|| Screen::new(weight))?
        });
        screen.as_ref()?.guess(x)
    }
}

//! Conformer blocks: attention and convolution between two half steps of a feed-forward (arXiv 2005.08100).

use tch::Tensor;

use crate::{Activation, Conv1d, DistanceAttention, LayerNorm, Mask, Mlp};

/// A block of a Conformer.
#[derive(Debug)]
pub struct ConformerBlock {
    /// The first half step, and its norm.
    pub first: (LayerNorm, Mlp),
    /// The attention, and its norm.
    pub attention: (LayerNorm, DistanceAttention),
    /// The convolution, and its norm.
    pub conv: (LayerNorm, ConvModule),
    /// The second half step, and its norm.
    pub second: (LayerNorm, Mlp),
    /// The norm at the end.
    pub norm: LayerNorm,
    /// The share of each part's output that is dropped in training.
    pub dropout: f64,
}

impl ConformerBlock {
    /// `x` is `[batch, steps, hidden]`, and so is the result; `keep` `[batch, steps, 1]` is zero at padding, and the
    /// mask says the same to the attention.
    pub fn forward(&self, x: &Tensor, mask: &Mask, keep: Option<&Tensor>, train: bool) -> Tensor {
        let drop = |y: Tensor| match train && self.dropout > 0.0 {
            true => y.dropout(self.dropout, true),
            false => y,
        };
        let half = |x: &Tensor, (norm, mlp): &(LayerNorm, Mlp)| x + drop(mlp.forward(&norm.forward(x))) * 0.5;
        let x = half(x, &self.first);
        let (norm, attention) = &self.attention;
        let x = &x + drop(attention.forward(&norm.forward(&x), Some(mask), train));
        let (norm, conv) = &self.conv;
        let inner = norm.forward(&x);
        let inner = match keep {
            Some(keep) => inner * keep,
            None => inner,
        };
        let x = &x + drop(conv.forward(&inner));
        self.norm.forward(&half(&x, &self.second))
    }
}

/// The convolution of a [`ConformerBlock`]: gated, each channel by itself, looking back only.
#[derive(Debug)]
pub struct ConvModule {
    /// From `hidden` channels to twice as many, the second half of which are gates.
    pub widen: Conv1d,
    /// Each channel by itself.
    pub depthwise: Conv1d,
    /// Steps that it sees.
    pub size: i64,
    /// Behind it.
    pub norm: LayerNorm,
    /// Behind the norm.
    pub activation: Activation,
    /// The last layer.
    pub output: Conv1d,
}

impl ConvModule {
    /// `x` is `[batch, steps, hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let x = self.widen.forward(&x.transpose(1, 2)).glu(1);
        let x = x.constant_pad_nd([self.size - 1, 0]);
        let x = self.norm.forward(&self.depthwise.forward(&x).transpose(1, 2));
        let x = self.activation.forward(&x).transpose(1, 2);
        self.output.forward(&x).transpose(1, 2)
    }
}

//! Conformer blocks: attention and convolution between two half steps of a feed-forward (arXiv 2005.08100).

use tch::Tensor;

use crate::{Activation, BatchNorm, Conv1d, LayerNorm, Mask, Mlp, Pass, SelfAttention};

/// A block of a Conformer, each part with its norm. Without the first half step the second is a whole one.
#[derive(Debug)]
pub struct ConformerBlock {
    /// The first half step.
    pub first: Option<(LayerNorm, Mlp)>,
    /// The attention.
    pub attention: (LayerNorm, SelfAttention),
    /// The convolution.
    pub conv: Option<(LayerNorm, ConvModule)>,
    /// The second half step.
    pub second: (LayerNorm, Mlp),
    /// The norm at the end.
    pub norm: Option<LayerNorm>,
    /// Norms come before the parts, not behind their sums.
    pub norm_first: bool,
    /// The share of each part's output that is dropped in training.
    pub dropout: f64,
}

impl ConformerBlock {
    /// `x` is `[batch, steps, hidden]`, and so is the result; `keep` `[batch, steps, 1]` is zero at padding, and the
    /// mask says the same to the attention.
    pub fn forward(&self, x: &Tensor, mask: Option<&Mask>, keep: Option<&Tensor>, train: bool) -> Tensor {
        let step = |x: &Tensor, norm: &LayerNorm, scale: f64, part: &dyn Fn(&Tensor) -> Tensor| {
            let y = match self.norm_first {
                true => part(&norm.forward(x)),
                false => part(x),
            };
            let y = match train && self.dropout > 0.0 {
                true => y.dropout(self.dropout, true),
                false => y,
            };
            let sum = if scale == 1.0 { x + y } else { x + y * scale };
            match self.norm_first {
                true => sum,
                false => norm.forward(&sum),
            }
        };
        let mut x = x.shallow_clone();
        let scale = if self.first.is_some() { 0.5 } else { 1.0 };
        if let Some((norm, mlp)) = &self.first {
            x = step(&x, norm, scale, &|x| mlp.forward(x));
        }
        let pass = Pass {
            mask,
            train,
            ..Pass::default()
        };
        let (norm, attention) = &self.attention;
        x = step(&x, norm, 1.0, &|x| attention.forward(x, pass, None));
        if let Some((norm, conv)) = &self.conv {
            x = step(&x, norm, 1.0, &|x| match keep {
                Some(keep) => conv.forward(&(x * keep), train),
                None => conv.forward(x, train),
            });
        }
        let (norm, mlp) = &self.second;
        x = step(&x, norm, scale, &|x| mlp.forward(x));
        match &self.norm {
            Some(norm) => norm.forward(&x),
            None => x,
        }
    }
}

/// The convolution of a [`ConformerBlock`]: gated, each channel by itself.
#[derive(Debug)]
pub struct ConvModule {
    /// From `hidden` channels to twice as many, the second half of which are gates.
    pub widen: Conv1d,
    /// Each channel by itself.
    pub depthwise: Conv1d,
    /// Zeros before the first step and behind the last one: that many steps it looks back, and on.
    pub padding: [i64; 2],
    /// Behind it.
    pub norm: ConvNorm,
    /// Behind the norm.
    pub activation: Activation,
    /// The last layer.
    pub output: Conv1d,
}

/// The norm of a [`ConvModule`].
#[derive(Debug)]
pub enum ConvNorm {
    /// Over the features of a step.
    Layer(LayerNorm),
    /// Over the steps of a feature.
    Batch(BatchNorm),
}

impl ConvModule {
    /// `x` is `[batch, steps, hidden]`, and so is the result.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let x = self.widen.forward(&x.transpose(1, 2)).glu(1);
        let x = self.depthwise.forward(&x.constant_pad_nd(self.padding));
        let x = match &self.norm {
            ConvNorm::Layer(norm) => norm.forward(&x.transpose(1, 2)).transpose(1, 2),
            ConvNorm::Batch(norm) => norm.forward(&x, train),
        };
        self.output.forward(&self.activation.forward(&x)).transpose(1, 2)
    }
}

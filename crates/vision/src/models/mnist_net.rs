//! A small network that comes close to the limit of single networks on MNIST.

use sensorium_blocks::{BatchNorm2d, Conv2d, ConvReluPool, Init, Linear, Params, ParamsError};
use tch::Tensor;

/// Convolutions with batch normalisation, pooled early so that the wide layers see small pictures.
///
/// Six 3×3 convolutions, each normalised (arXiv 1502.03167), in the spirit of the plain nets of An et al.
/// (arXiv 2008.10400), but with pooling, which makes it some ten times cheaper. The first one is pooled
/// before it is normalised: its full-size result, the largest of the network, never touches memory.
#[derive(Debug)]
pub struct MnistNet {
    stem: ConvReluPool,
    stem_norm: BatchNorm2d,
    middle: [ConvNorm; 2],
    top: [ConvNorm; 3],
    head: Linear,
}

impl MnistNet {
    /// Mean and standard deviation of the MNIST training pictures, scaled to `[0, 1]`.
    const MEAN: f64 = 0.1307;
    const STD: f64 = 0.3081;
    /// Features dropped before the last layer in training.
    const DROPOUT: f64 = 0.3;

    /// The network for `classes` classes.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, classes: i64) -> Result<Self, ParamsError> {
        Ok(Self {
            stem: ConvReluPool::new(&(params / "stem"), 32, Init::He)?, // 28 → 26, pooled to 13
            stem_norm: BatchNorm2d::new(&(params / "stem.norm"), 32)?,
            middle: [
                ConvNorm::new(&(params / "middle.0"), 32, 64, 0)?, // 13 → 11
                ConvNorm::new(&(params / "middle.1"), 64, 64, 1)?, // 11, pooled to 5
            ],
            top: [
                ConvNorm::new(&(params / "top.0"), 64, 128, 1)?,  // 5
                ConvNorm::new(&(params / "top.1"), 128, 128, 0)?, // 5 → 3
                ConvNorm::new(&(params / "top.2"), 128, 192, 1)?, // 3
            ],
            head: Linear::new(&(params / "head"), 192 * 3 * 3, classes, Init::FanIn)?,
        })
    }

    /// `x` is `[batch, 28, 28]` in `[0, 1]`; the result is logits `[batch, classes]`.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let x = self.stem.forward(&((x - Self::MEAN) / Self::STD)); // [batch, 13, 13, 32]
        // Strides of a channels-last picture: libtorch then keeps that layout, the faster one here.
        let mut x = self.stem_norm.forward(&x.permute([0, 3, 1, 2]), train);
        for layer in &self.middle {
            x = layer.forward(&x, train).relu();
        }
        x = x.max_pool2d(3, 2, 0, 1, false);
        for layer in &self.top {
            x = layer.forward(&x, train).relu();
        }
        self.head.forward(&x.flatten(1, -1).dropout(Self::DROPOUT, train))
    }
}

/// A 3×3 convolution and its batch normalisation.
#[derive(Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    fn new(params: &Params, inputs: i64, outputs: i64, padding: i64) -> Result<Self, ParamsError> {
        let conv = Conv2d::without_bias(&(params / "conv"), inputs, outputs, 3, Init::He)?;
        Ok(Self {
            conv: conv.padded(padding),
            norm: BatchNorm2d::new(&(params / "norm"), outputs)?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.norm.forward(&self.conv.forward(x), train)
    }
}

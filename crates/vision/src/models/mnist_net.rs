//! A small network that comes close to the limit of single networks on MNIST.

use sensorium_blocks::{BatchNorm2d, Conv2d, Init, Linear, Params, ParamsError};
use tch::Tensor;

/// Convolutions with batch normalisation, pooled early so that the wide layers see small pictures.
///
/// Five 3×3 (first: 5×5) convolutions, batch normalisation after each (arXiv 1502.03167), in the spirit
/// of the plain nets of An et al. (arXiv 2008.10400), but with pooling, which makes it some ten
/// times cheaper.
#[derive(Debug)]
pub struct MnistNet {
    stem: ConvNorm,
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
            stem: ConvNorm::new(&(params / "stem"), 1, 32, 5, 0)?, // 28 → 24, pooled to 12
            middle: [
                ConvNorm::new(&(params / "middle.0"), 32, 64, 3, 1)?,
                ConvNorm::new(&(params / "middle.1"), 64, 64, 3, 1)?, // 12, pooled to 6
            ],
            top: [
                ConvNorm::new(&(params / "top.0"), 64, 128, 3, 1)?,  // 6
                ConvNorm::new(&(params / "top.1"), 128, 128, 3, 0)?, // 6 → 4
                ConvNorm::new(&(params / "top.2"), 128, 192, 3, 0)?, // 4 → 2
            ],
            head: Linear::new(&(params / "head"), 192 * 2 * 2, classes, Init::FanIn)?,
        })
    }

    /// `x` is `[batch, 28, 28]` in `[0, 1]`; the result is logits `[batch, classes]`.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        // Strides of a channels-last picture: libtorch then keeps that layout, the faster one here.
        let x = ((x - Self::MEAN) / Self::STD).unsqueeze(-1).permute([0, 3, 1, 2]);
        let mut x = max_pool(&self.stem.forward(&x, train)).relu();
        x = self.middle[0].forward(&x, train).relu();
        x = max_pool(&self.middle[1].forward(&x, train)).relu();
        for layer in &self.top {
            x = layer.forward(&x, train).relu();
        }
        self.head.forward(&x.flatten(1, -1).dropout(Self::DROPOUT, train))
    }
}

/// The largest of each 2×2 window.
fn max_pool(x: &Tensor) -> Tensor {
    x.max_pool2d(2, 2, 0, 1, false)
}

/// A convolution and its batch normalisation.
#[derive(Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl ConvNorm {
    fn new(params: &Params, inputs: i64, outputs: i64, size: i64, padding: i64) -> Result<Self, ParamsError> {
        let conv = Conv2d::without_bias(&(params / "conv"), inputs, outputs, size, Init::He)?;
        Ok(Self {
            conv: conv.padded(padding),
            norm: BatchNorm2d::new(&(params / "norm"), outputs)?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.norm.forward(&self.conv.forward(x), train)
    }
}

//! A small network that comes close to the limit of single networks on MNIST.

use sensorium_blocks::{BatchNorm, Conv2d, ConvReluPool, Init, Linear, Params, ParamsError};
use tch::Tensor;

use crate::mnist::MNIST_MEAN_STD;

/// Convolutions with batch normalisation, pooled early so that the wide layers see small pictures.
///
/// Six 3×3 convolutions, each normalised (arXiv 1502.03167), in the spirit of the plain nets of An et al.
/// (arXiv 2008.10400), but with pooling, which makes it some ten times cheaper. The first one is pooled
/// before it is normalised: its full-size result, the largest of the network, never touches memory.
///
/// Outside of training it looks at each picture three times, upright and turned a little each way, and
/// takes the mean of the three opinions, as AlexNet did with shifted pictures.
#[derive(Debug)]
pub struct MnistNet {
    stem: ConvReluPool,
    stem_norm: BatchNorm,
    middle: [ConvNorm; 2],
    top: [ConvNorm; 3],
    head: Linear,
}

impl MnistNet {
    /// Features dropped before the last layer in training.
    const DROPOUT: f64 = 0.3;
    /// How far pictures are turned for a second and third look, in degrees.
    const TURN: f64 = 8.0;

    /// The network for `classes` classes.
    ///
    /// # Errors
    /// If the checkpoint lacks a tensor or has it with another shape.
    pub fn new(params: &Params, classes: i64) -> Result<Self, ParamsError> {
        Ok(Self {
            stem: ConvReluPool::new(&(params / "stem"), 32, Init::He)?, // 28 → 26, pooled to 13
            stem_norm: BatchNorm::new(&(params / "stem.norm"), 32)?,
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
        if train {
            return self.look(x, train);
        }
        let views = Tensor::cat(&[x, &turned(x, Self::TURN), &turned(x, -Self::TURN)], 0);
        let opinions = self.look(&views, train).log_softmax(-1, None);
        opinions.unflatten(0, [3, -1]).mean_dim(0, false, None)
    }

    fn look(&self, x: &Tensor, train: bool) -> Tensor {
        let (mean, deviation) = MNIST_MEAN_STD;
        let x = self.stem.forward(&((x - mean) / deviation)); // [batch, 13, 13, 32]
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

/// Pictures `[batch, height, width]` turned about their middle; what comes in at the edges is black.
fn turned(x: &Tensor, degrees: f64) -> Tensor {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let place = Tensor::from_slice(&[cos, -sin, 0.0, sin, cos, 0.0]);
    let place = place.to_device(x.device()).to_kind(x.kind()).view([1, 2, 3]);
    let x = x.unsqueeze(1);
    let size = x.size();
    let grid = Tensor::affine_grid_generator(&place.expand([size[0], 2, 3], false), &size, false);
    let (bilinear, black_outside) = (0, 0);
    x.grid_sampler(&grid, bilinear, black_outside, false)
        .squeeze_dim(1)
}

/// A 3×3 convolution and its batch normalisation.
#[derive(Debug)]
struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    fn new(params: &Params, inputs: i64, outputs: i64, padding: i64) -> Result<Self, ParamsError> {
        let conv = Conv2d::without_bias(&(params / "conv"), inputs, outputs, 3, Init::He)?;
        Ok(Self {
            conv: conv.padded(padding),
            norm: BatchNorm::new(&(params / "norm"), outputs)?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.norm.forward(&self.conv.forward(x), train)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn turning_moves_the_edges_and_keeps_the_middle() {
        let options = (Kind::Float, Device::Cpu);
        let bar = Tensor::zeros([1, 28, 28], options);
        let _ = bar.narrow(2, 13, 2).fill_(1.0); // upright, through the middle
        let turned = turned(&bar, 8.0);
        assert_eq!(turned.size(), [1, 28, 28]);
        let at = |row: i64, column: i64| turned.double_value(&[0, row, column]);
        assert!(at(13, 13) > 0.9 && at(14, 14) > 0.9);
        // Ten rows from the middle it has moved by 10 tan 8° = 1.4 columns, to the two sides.
        assert!(at(3, 13) < 0.7 && at(24, 14) < 0.7);
        let sides = [at(3, 15) - at(3, 12), at(24, 12) - at(24, 15)];
        assert!(
            sides[0].abs() > 0.5 && sides[0].signum() == sides[1].signum(),
            "{sides:?}"
        );
        assert!(super::turned(&turned, -8.0).narrow(1, 8, 12).allclose(
            &bar.narrow(1, 8, 12),
            0.0,
            0.35,
            false
        ));
    }

    #[test]
    fn a_batch_equals_its_pictures() {
        let params = Params::fresh(3);
        let network = MnistNet::new(&params, 10).unwrap();
        let x = Tensor::rand([5, 28, 28], (Kind::Float, Device::Cpu));
        let all = network.forward(&x, false);
        assert_eq!(all.size(), [5, 10]);
        for i in 0..5 {
            let one = network.forward(&x.narrow(0, i, 1), false);
            assert!(one.allclose(&all.narrow(0, i, 1), 1e-4, 1e-4, false));
        }
    }
}

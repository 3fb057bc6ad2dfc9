//! Rotary position embeddings (arXiv 2104.09864) and the published ways to stretch them.

use std::f64::consts::PI;

use sensorium_kernels::{self as kernels, Pairs};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// A configuration of rotary embeddings that makes no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RopeError {
    /// A kind of scaling that does not exist here.
    #[error("unknown rope_type `{0}`; known ones are default, linear, dynamic, yarn, longrope, llama3")]
    Kind(String),
    /// A number that the kind of scaling needs is missing or not a number.
    #[error("rope settings of type `{kind}` need `{field}`")]
    Missing {
        /// The kind of scaling.
        kind: String,
        /// The number's name.
        field: &'static str,
    },
    /// A value out of range.
    #[error("rope settings: {0}")]
    Value(String),
}

/// The frequencies of a rotary embedding: what `rope_parameters`, or `rope_theta` and `rope_scaling`,
/// say in a checkpoint's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Radians per position of each pair of features, `[dim / 2]`.
    frequencies: Frequencies,
    /// Features of each head that are to be rotated, and one more if they are odd; the rest passes through.
    dim: i64,
    /// Factor on cosine and sine (YaRN's attention temperature).
    scale: f64,
    pairs: Pairs,
}

#[derive(Debug, Clone, PartialEq)]
enum Frequencies {
    Fixed(Vec<f64>),
    /// Recomputed for sequences longer than `trained` positions ("dynamic NTK").
    Dynamic {
        theta: f64,
        factor: f64,
        trained: f64,
    },
    /// One set for sequences of up to `trained` positions, one for longer ones (arXiv 2402.13753).
    Long {
        short: Vec<f64>,
        long: Vec<f64>,
        trained: f64,
    },
}

/// What the scalings depend on besides their own settings.
#[derive(Debug, Clone, Copy)]
pub struct RopeShape {
    /// Features of each head.
    pub head_dim: i64,
    /// `max_position_embeddings`.
    pub max_positions: i64,
    /// `original_max_position_embeddings` where the configuration has it outside the rope settings.
    pub original_max_positions: Option<i64>,
    /// `rope_theta` where it is outside the rope settings.
    pub theta: Option<f64>,
    /// `partial_rotary_factor` (or `rotary_pct`) where it is outside the rope settings.
    pub partial: Option<f64>,
}

impl Rope {
    /// From the settings as JSON: `rope_parameters`, or the older `rope_scaling`; `null` for none.
    ///
    /// # Errors
    /// If the kind is unknown, or a number is missing or makes no sense.
    pub fn new(settings: &Value, shape: RopeShape) -> Result<Self, RopeError> {
        let number = |field: &str| settings.get(field).and_then(Value::as_f64);
        let kind = ["rope_type", "type"]
            .iter()
            .find_map(|key| settings.get(key).and_then(Value::as_str))
            .unwrap_or("default");
        let need = |field: &'static str| {
            number(field).ok_or_else(|| RopeError::Missing {
                kind: kind.to_string(),
                field,
            })
        };
        let theta = number("rope_theta").or(shape.theta).unwrap_or(10_000.0);
        let partial = number("partial_rotary_factor").or(shape.partial).unwrap_or(1.0);
        let dim = (shape.head_dim as f64 * partial) as i64;
        if dim < 1 || even(dim) > shape.head_dim {
            let message = format!("{dim} of {} features cannot be rotated in pairs", shape.head_dim);
            return Err(RopeError::Value(message));
        }
        if !(theta > 0.0 && theta.is_finite()) {
            return Err(RopeError::Value(format!(
                "rope_theta is {theta}, not a positive number"
            )));
        }
        let base = plain(theta, dim);
        let trained = number("original_max_position_embeddings")
            .or(shape.original_max_positions.map(|n| n as f64))
            .unwrap_or(shape.max_positions as f64);
        let mut scale = 1.0;
        let frequencies = match kind {
            "default" | "mrope" => Frequencies::Fixed(base),
            "linear" => {
                let factor = need("factor")?;
                Frequencies::Fixed(base.iter().map(|f| f / factor).collect())
            }
            "dynamic" => Frequencies::Dynamic {
                theta,
                factor: need("factor")?,
                trained: shape.max_positions as f64,
            },
            "llama3" => {
                let factor = need("factor")?;
                let (low, high) = (need("low_freq_factor")?, need("high_freq_factor")?);
                Frequencies::Fixed(llama3(&base, factor, low, high, trained))
            }
            "yarn" => {
                let factor = match number("factor") {
                    Some(factor) => factor,
                    None => shape.max_positions as f64 / trained,
                };
                scale = yarn_scale(settings, factor);
                Frequencies::Fixed(yarn(settings, &base, theta, dim, factor, trained))
            }
            "longrope" | "su" => {
                let list = |field: &'static str| -> Result<Vec<f64>, RopeError> {
                    let missing = || RopeError::Missing {
                        kind: kind.to_string(),
                        field,
                    };
                    let values = settings
                        .get(field)
                        .and_then(Value::as_array)
                        .ok_or_else(missing)?;
                    let values: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
                    let values = values.ok_or_else(missing)?;
                    if values.len() != base.len() {
                        let (found, expected) = (values.len(), base.len());
                        let message = format!("`{field}` has {found} numbers, expected {expected}");
                        return Err(RopeError::Value(message));
                    }
                    Ok(base.iter().zip(&values).map(|(f, by)| f / by).collect())
                };
                let factor = match number("factor") {
                    Some(factor) if shape.original_max_positions.is_none() => factor,
                    _ => shape.max_positions as f64 / trained,
                };
                scale = number("attention_factor").unwrap_or(if factor <= 1.0 {
                    1.0
                } else {
                    (1.0 + factor.ln() / trained.ln()).sqrt()
                });
                Frequencies::Long {
                    short: list("short_factor")?,
                    long: list("long_factor")?,
                    trained,
                }
            }
            other => return Err(RopeError::Kind(other.to_string())),
        };
        Ok(Self {
            frequencies,
            dim,
            scale,
            pairs: Pairs::default(),
        })
    }

    /// Rotates these features together.
    pub fn with_pairs(mut self, pairs: Pairs) -> Self {
        self.pairs = pairs;
        self
    }

    /// Whether sequences may be longer than the configuration says: the frequencies follow the length.
    pub fn is_unbounded(&self) -> bool {
        matches!(self.frequencies, Frequencies::Dynamic { .. })
    }

    /// The length beyond which other frequencies hold, for earlier tokens too.
    pub fn switches_at(&self) -> Option<i64> {
        match self.frequencies {
            Frequencies::Long { trained, .. } => Some(trained as i64),
            _ => None,
        }
    }

    /// Cosines and sines for tokens at `positions`, `[rows, tokens]`, in a sequence of `len` positions.
    pub fn at(&self, positions: &Tensor, len: i64, kind: Kind) -> Rotation {
        let frequencies = match &self.frequencies {
            Frequencies::Fixed(fixed) => fixed.clone(),
            Frequencies::Dynamic {
                theta,
                factor,
                trained,
            } => {
                let len = (len as f64).max(*trained);
                let stretch = factor * len / trained - (factor - 1.0);
                let power = self.dim as f64 / (self.dim as f64 - 2.0);
                plain(theta * stretch.powf(power), self.dim)
            }
            Frequencies::Long { short, long, trained } => {
                if len as f64 > *trained {
                    long.clone()
                } else {
                    short.clone()
                }
            }
        };
        let frequencies: Vec<f32> = frequencies.iter().map(|f| *f as f32).collect();
        let device = positions.device();
        let frequencies = Tensor::from_slice(&frequencies).to_device(device);
        let angles = positions.to_kind(Kind::Float).unsqueeze(-1) * frequencies; // [rows, tokens, dim / 2]
        let angles = match self.pairs {
            Pairs::Halves => Tensor::cat(&[&angles, &angles], -1),
            Pairs::Neighbours => angles.repeat_interleave_self_int(2, -1, None),
        }
        .unsqueeze(1);
        let table = |t: Tensor| if self.scale == 1.0 { t } else { t * self.scale }.to_kind(kind);
        Rotation {
            cos: table(angles.cos()),
            sin: table(angles.sin()),
            dim: even(self.dim),
            pairs: self.pairs,
        }
    }
}

/// The rotation of each token of one pass; all layers share it.
#[derive(Debug)]
pub struct Rotation {
    cos: Tensor, // [rows, 1, tokens, dim]
    sin: Tensor,
    dim: i64,
    pairs: Pairs,
}

impl Rotation {
    /// Rotates queries or keys `[rows, heads, tokens, head_dim]`.
    pub fn apply(&self, x: &Tensor) -> Tensor {
        // Up to here one call of our own kernel costs less than the seven operations of libtorch.
        const FEW: usize = 1 << 15;
        if x.numel() <= FEW && x.device() == Device::Cpu && !kernels::grad_enabled() {
            return kernels::rotate(x, &self.cos, &self.sin, self.pairs);
        }
        let head_dim = x.size()[3];
        if self.dim == head_dim {
            return self.rotate(x);
        }
        let rotated = self.rotate(&x.narrow(3, 0, self.dim));
        Tensor::cat(&[rotated, x.narrow(3, self.dim, head_dim - self.dim)], 3)
    }

    fn rotate(&self, x: &Tensor) -> Tensor {
        let half = self.dim / 2;
        let turned = match self.pairs {
            Pairs::Halves => {
                let (first, second) = (x.narrow(3, 0, half), x.narrow(3, half, half));
                Tensor::cat(&[second.neg(), first], 3)
            }
            Pairs::Neighbours => {
                let (first, second) = (x.slice(3, 0, self.dim, 2), x.slice(3, 1, self.dim, 2));
                Tensor::stack(&[second.neg(), first], 4).flatten(3, 4)
            }
        };
        x * &self.cos + turned * &self.sin
    }
}

/// The features of whole pairs.
fn even(dim: i64) -> i64 {
    dim + dim % 2
}

/// `theta^(-2i / dim)`.
fn plain(theta: f64, dim: i64) -> Vec<f64> {
    (0..even(dim) / 2)
        .map(|i| theta.powf(-2.0 * i as f64 / dim as f64))
        .collect()
}

/// Llama 3.1's scaling: slow frequencies are divided by `factor`, fast ones kept, those between blended.
fn llama3(base: &[f64], factor: f64, low: f64, high: f64, trained: f64) -> Vec<f64> {
    let scale = |&f: &f64| {
        let wavelength = 2.0 * PI / f;
        if wavelength < trained / high {
            f
        } else if wavelength > trained / low {
            f / factor
        } else {
            let smooth = (trained / wavelength - low) / (high - low);
            (1.0 - smooth) * f / factor + smooth * f
        }
    };
    base.iter().map(scale).collect()
}

/// YaRN (arXiv 2309.00071): a ramp over the features between interpolation and none.
fn yarn(settings: &Value, base: &[f64], theta: f64, dim: i64, factor: f64, trained: f64) -> Vec<f64> {
    let number = |field: &str, default: f64| settings.get(field).and_then(Value::as_f64).unwrap_or(default);
    let place = |rotations: f64| dim as f64 * (trained / (rotations * 2.0 * PI)).ln() / (2.0 * theta.ln());
    let truncate = settings.get("truncate").and_then(Value::as_bool).unwrap_or(true);
    let (mut low, mut high) = (place(number("beta_fast", 32.0)), place(number("beta_slow", 1.0)));
    if truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    let (low, mut high) = (low.max(0.0), high.min(dim as f64 - 1.0));
    if low == high {
        high += 0.001; // no division by zero
    }
    let blend = |(i, &f): (usize, &f64)| {
        let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
        f / factor * ramp + f * (1.0 - ramp)
    };
    base.iter().enumerate().map(blend).collect()
}

/// YaRN's factor on the attention scores, here on cosine and sine.
fn yarn_scale(settings: &Value, factor: f64) -> f64 {
    let number = |field: &str| settings.get(field).and_then(Value::as_f64);
    let by = |mscale: f64| {
        if factor <= 1.0 {
            1.0
        } else {
            0.1 * mscale * factor.ln() + 1.0
        }
    };
    match (
        number("attention_factor"),
        number("mscale"),
        number("mscale_all_dim"),
    ) {
        (Some(given), _, _) => given,
        (None, Some(one), Some(all)) if one != 0.0 && all != 0.0 => by(one) / by(all),
        _ => by(1.0),
    }
}

/// Sinusoidal positions (arXiv 1706.03762, section 3.5): `[positions, dim]`, sines first, then cosines.
pub fn sinusoidal(positions: i64, dim: i64, kind: Kind, device: Device) -> Tensor {
    let options = (Kind::Double, Device::Cpu);
    let frequencies = plain(10_000.0, dim);
    let angles = Tensor::arange(positions, options).unsqueeze(1) * Tensor::from_slice(&frequencies);
    Tensor::cat(&[angles.sin(), angles.cos()], 1)
        .to_kind(kind)
        .to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_rope(partial: f64) -> Rope {
        let shape = RopeShape {
            head_dim: 12,
            max_positions: 64,
            original_max_positions: None,
            theta: None,
            partial: Some(partial),
        };
        Rope::new(&Value::Null, shape).unwrap()
    }

    fn rotation(rope: &Rope, tokens: i64) -> Rotation {
        let at = Tensor::arange(tokens, (Kind::Int64, Device::Cpu)).unsqueeze(0);
        rope.at(&at, tokens, Kind::Float)
    }

    #[test]
    fn pairs_of_neighbours_are_pairs_of_halves_in_another_order() {
        let halves = plain_rope(0.7); // 8 of 12
        let neighbours = halves.clone().with_pairs(Pairs::Neighbours);
        let order = Tensor::from_slice(&[0i64, 2, 4, 6, 1, 3, 5, 7, 8, 9, 10, 11]);
        for tokens in [3, 700] {
            let x = Tensor::randn([2, 3, tokens, 12], (Kind::Float, Device::Cpu));
            let expected = rotation(&halves, tokens).apply(&x.index_select(3, &order));
            let expected = expected.index_select(3, &order.argsort(0, false));
            let found = tch::no_grad(|| rotation(&neighbours, tokens).apply(&x));
            assert!(found.allclose(&expected, 1e-5, 1e-6, false), "{tokens}");
        }
    }

    #[test]
    fn an_odd_number_of_features_is_rotated_with_one_more() {
        let x = Tensor::ones([1, 1, 2, 12], (Kind::Float, Device::Cpu));
        let found = rotation(&plain_rope(0.6), 2).apply(&x).get(0).get(0).get(1); // 7 of 12
        let slow = 10_000f64.powf(-6.0 / 7.0);
        assert!((found.double_value(&[3]) - (slow.cos() - slow.sin())).abs() < 1e-6);
        assert_eq!(found.double_value(&[8]), 1.0);
    }
}

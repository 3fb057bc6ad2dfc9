//! Optimisers. Their state is plain named tensors, so that a checkpoint can hold it.

use sensorium_blocks::{Param, Role};
use serde::{Deserialize, Serialize};
use tch::Tensor;

/// An optimiser and its settings; the learning rate comes with each step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "name")]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum, as in PyTorch.
    Sgd {
        /// Share of the last step that goes on, 0 for none.
        momentum: f64,
        /// Nesterov's variant.
        nesterov: bool,
        /// L2 penalty added to the gradient.
        weight_decay: f64,
    },
    /// Adam (arXiv 1412.6980).
    Adam {
        /// Decay of the gradient's mean.
        beta1: f64,
        /// Decay of the squared gradient's mean.
        beta2: f64,
        /// Added to the denominator.
        eps: f64,
    },
    /// Adam with decoupled weight decay (arXiv 1711.05101). Tensors of fewer than two dimensions
    /// (biases, norms) do not decay.
    AdamW {
        /// Decay of the gradient's mean.
        beta1: f64,
        /// Decay of the squared gradient's mean.
        beta2: f64,
        /// Added to the denominator.
        eps: f64,
        /// Share of a weight, times the learning rate, that each step takes away.
        weight_decay: f64,
    },
    /// Adagrad (Duchi et al. 2011).
    Adagrad {
        /// Added to the denominator.
        eps: f64,
    },
    /// Muon (Jordan et al. 2024): the momentum of each matrix, made orthogonal. Its steps have the size of
    /// AdamW's (arXiv 2502.16982), which moves all else:
    /// embeddings, biases, norms, kernels.
    Muon {
        /// Share of the last step that goes on (Nesterov's variant).
        momentum: f64,
        /// Share of a weight, times the learning rate, that each step takes away.
        weight_decay: f64,
    },
}

impl Optimizer {
    /// Adam with the paper's settings.
    pub const ADAM: Optimizer = Optimizer::Adam {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
    };
    /// AdamW with the paper's settings and PyTorch's weight decay.
    pub const ADAMW: Optimizer = Optimizer::AdamW {
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weight_decay: 0.01,
    };
    /// SGD with momentum 0.9.
    pub const SGD: Optimizer = Optimizer::Sgd {
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    /// Adagrad with PyTorch's setting.
    pub const ADAGRAD: Optimizer = Optimizer::Adagrad { eps: 1e-10 };

    /// Muon with its author's momentum.
    pub const MUON: Optimizer = Optimizer::Muon {
        momentum: 0.95,
        weight_decay: 0.1,
    };

    /// The optimiser of `param`: Muon leaves all but matrices to AdamW.
    pub fn rule(&self, param: &Param) -> Optimizer {
        match *self {
            Optimizer::Muon { weight_decay, .. } if param.role != Role::Weight || param.tensor.dim() != 2 => {
                Optimizer::AdamW {
                    beta1: 0.9,
                    beta2: 0.99,
                    eps: 1e-8,
                    weight_decay,
                }
            }
            other => other,
        }
    }

    /// The names of the state tensors that each weight has.
    pub fn state_names(&self) -> &'static [&'static str] {
        match self {
            Optimizer::Sgd { .. } | Optimizer::Muon { .. } => &["momentum"],
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => &["exp_avg", "exp_avg_sq"],
            Optimizer::Adagrad { .. } => &["sum"],
        }
    }

    /// Fresh state for `weight`: zeros, one tensor per state name.
    pub fn fresh_state(&self, weight: &Tensor) -> Vec<Tensor> {
        self.state_names()
            .iter()
            .map(|_| weight.detach().zeros_like())
            .collect()
    }

    /// Moves `weight` one step against `grad`, at the learning rate `rate`. `step` counts from 1;
    /// `state` is what [`fresh_state`](Self::fresh_state) made.
    pub fn update(&self, weight: &mut Tensor, grad: &Tensor, state: &mut [Tensor], rate: f64, step: usize) {
        match (*self, state) {
            (
                Optimizer::Sgd {
                    momentum,
                    nesterov,
                    weight_decay,
                },
                [velocity],
            ) => {
                let grad = if weight_decay == 0.0 {
                    grad.shallow_clone()
                } else {
                    grad + &*weight * weight_decay
                };
                if momentum == 0.0 {
                    let _ = weight.g_add_(&(grad * -rate));
                    return;
                }
                let _ = velocity.g_mul_scalar_(momentum).g_add_(&grad);
                let direction = if nesterov {
                    grad + &*velocity * momentum
                } else {
                    velocity.shallow_clone()
                };
                let _ = weight.g_add_(&(direction * -rate));
            }
            (Optimizer::Adam { beta1, beta2, eps }, [mean, square]) => {
                adam(
                    weight,
                    grad,
                    mean,
                    square,
                    Betas { beta1, beta2, eps },
                    rate,
                    step,
                );
            }
            (
                Optimizer::AdamW {
                    beta1,
                    beta2,
                    eps,
                    weight_decay,
                },
                [mean, square],
            ) => {
                if weight.dim() >= 2 {
                    let _ = weight.g_mul_scalar_(1.0 - rate * weight_decay);
                }
                adam(
                    weight,
                    grad,
                    mean,
                    square,
                    Betas { beta1, beta2, eps },
                    rate,
                    step,
                );
            }
            (Optimizer::Adagrad { eps }, [sum]) => {
                let _ = sum.g_add_(&grad.square());
                let _ = weight.g_add_(&(grad / (sum.sqrt() + eps) * -rate));
            }
            (
                Optimizer::Muon {
                    momentum,
                    weight_decay,
                },
                [velocity],
            ) => {
                let _ = weight.g_mul_scalar_(1.0 - rate * weight_decay);
                let _ = velocity.lerp_(grad, 1.0 - momentum);
                let direction = orthogonal(&grad.lerp(velocity, momentum));
                let [rows, columns] = [0, 1].map(|i| weight.size()[i] as f64);
                // Entries of 0.2 in the root mean square: as large as AdamW's tend to be.
                let scale = 0.2 * rows.max(columns).sqrt();
                let _ = weight.g_add_(&(direction * (-rate * scale)));
            }
            (_, state) => unreachable!("the state has {} tensors, as fresh_state made it", state.len()),
        }
    }
}

struct Betas {
    beta1: f64,
    beta2: f64,
    eps: f64,
}

fn adam(
    weight: &mut Tensor,
    grad: &Tensor,
    mean: &mut Tensor,
    square: &mut Tensor,
    Betas { beta1, beta2, eps }: Betas,
    rate: f64,
    step: usize,
) {
    let step = step as i32;
    let _ = mean.lerp_(grad, 1.0 - beta1);
    let _ = square.lerp_(&grad.square(), 1.0 - beta2);
    let mut denominator = square.sqrt();
    let _ = denominator
        .g_div_scalar_((1.0 - beta2.powi(step)).sqrt())
        .g_add_scalar_(eps);
    let rate = rate / (1.0 - beta1.powi(step));
    let _ = weight.addcdiv_(&(&*mean * -rate), &denominator);
}

/// Nearly the closest matrix to `x` `[rows, columns]` with orthonormal rows or columns: five rounds of
/// Newton–Schulz with the coefficients of Muon's author, which leave singular values between 0.7 and 1.2.
fn orthogonal(x: &Tensor) -> Tensor {
    let tall = x.size()[0] > x.size()[1];
    let mut x = if tall { x.tr() } else { x.shallow_clone() };
    x = &x / (x.norm() + 1e-7);
    for _ in 0..5 {
        let gram = x.matmul(&x.tr());
        let update = &gram * -4.7750 + gram.matmul(&gram) * 2.0315;
        x = &x * 3.4445 + update.matmul(&x);
    }
    if tall { x.tr() } else { x }
}

/// Scales `grads` together so that their joint L2 norm is at most `max_norm`; returns the norm before.
pub fn clip_grad_norm(grads: &mut [Tensor], max_norm: f64) -> f64 {
    let squares = grads
        .iter()
        .map(|g| g.square().sum(tch::Kind::Double).double_value(&[]));
    let norm = squares.sum::<f64>().sqrt();
    if norm > max_norm {
        for grad in grads {
            let _ = grad.g_mul_scalar_(max_norm / norm);
        }
    }
    norm
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// Three steps from weight [1, -2] with gradients [0.5, 1], [-0.2, 0.3], [0.1, 0]; rate 0.1.
    fn walk(optimizer: Optimizer) -> Vec<f64> {
        let mut weight = Tensor::from_slice(&[1.0f64, -2.0]).view([1, 2]);
        let mut state = optimizer.fresh_state(&weight);
        for (i, grad) in [[0.5, 1.0], [-0.2, 0.3], [0.1, 0.0]].iter().enumerate() {
            let grad = Tensor::from_slice(grad).view([1, 2]);
            optimizer.update(&mut weight, &grad, &mut state, 0.1, i + 1);
        }
        Vec::try_from(weight.view(-1)).unwrap()
    }

    fn close(optimizer: Optimizer, expected: [f64; 2]) {
        let found = walk(optimizer);
        assert!(
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6),
            "{optimizer:?}: {found:?}"
        );
    }

    #[test]
    fn steps_equal_the_definitions() {
        // Velocities: .5, .25, .325 and 1, 1.2, 1.08.
        close(Optimizer::SGD, [1.0 - 0.1 * 1.075, -2.0 - 0.1 * 3.28]);
        close(
            Optimizer::Sgd {
                momentum: 0.0,
                nesterov: false,
                weight_decay: 0.0,
            },
            [1.0 - 0.1 * 0.4, -2.0 - 0.1 * 1.3],
        );
        // Sums of squares: .25, .29, .30 and 1, 1.09, 1.09.
        let first = 1.0 - 0.1 * (1.0 - 0.2 / 0.29f64.sqrt() + 0.1 / 0.3f64.sqrt());
        close(
            Optimizer::ADAGRAD,
            [first, -2.0 - 0.1 * (1.0 + 0.3 / 1.09f64.sqrt())],
        );
        // Adam worked through in plain numbers.
        let reference = |grads: [f64; 3], start: f64, decay: f64| {
            let (mut w, mut m, mut v) = (start, 0.0, 0.0);
            for (i, g) in grads.into_iter().enumerate() {
                let t = i as i32 + 1;
                w *= 1.0 - 0.1 * decay;
                m = 0.9 * m + 0.1 * g;
                v = 0.999 * v + 0.001 * g * g;
                let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
                w -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
            }
            w
        };
        let both = |decay| {
            [
                reference([0.5, -0.2, 0.1], 1.0, decay),
                reference([1.0, 0.3, 0.0], -2.0, decay),
            ]
        };
        close(Optimizer::ADAM, both(0.0));
        close(Optimizer::ADAMW, both(0.01));
    }

    /// A step of Muon is orthogonal whatever the gradient's singular values, and has AdamW's size.
    #[test]
    fn muon_evens_out_singular_values() {
        tch::manual_seed(1);
        let options = (Kind::Double, Device::Cpu);
        for shape in [[8, 24], [24, 8], [16, 16]] {
            let (u, values, v) = Tensor::randn(shape, options).svd(true, true);
            let values = Tensor::logspace(0.0, -1.0, values.size()[0], 10.0, options);
            let grad = (u * values).matmul(&v.tr());
            let start = Tensor::zeros(shape, options);
            let mut weight = start.copy();
            let mut state = Optimizer::MUON.fresh_state(&weight);
            Optimizer::MUON.update(&mut weight, &grad, &mut state, 0.1, 1);
            let step = (start - weight) / (0.1 * 0.2 * (shape.into_iter().max().unwrap() as f64).sqrt());
            let (u, values, v) = step.svd(true, true);
            let [least, most] = [values.min(), values.max()].map(|x| x.double_value(&[]));
            assert!(least > 0.6 && most < 1.3, "{shape:?}: {least} to {most}");
            // The same singular vectors: the step is the gradient's polar factor but for the values.
            let (gu, _, gv) = grad.svd(true, true);
            let polar = |u: Tensor, v: Tensor| u.matmul(&v.tr());
            let apart = (polar(u, v) - polar(gu, gv)).abs().max().double_value(&[]);
            assert!(apart < 1e-6, "{shape:?}: {apart}");
        }
    }

    #[test]
    fn muon_is_for_matrices_alone() {
        let params = sensorium_blocks::Params::fresh(0);
        let init = sensorium_blocks::Init::Normal { std: 1.0 };
        let _ = params.weight("matrix", &[4, 4], init).unwrap();
        let _ = params.table("table", &[4, 4], init).unwrap();
        let _ = params.weight("bias", &[4], init).unwrap();
        let rules = params
            .all()
            .iter()
            .map(|p| Optimizer::MUON.rule(p))
            .collect::<Vec<_>>();
        assert_eq!(rules[0], Optimizer::MUON);
        assert!(
            rules[1..]
                .iter()
                .all(|rule| matches!(rule, Optimizer::AdamW { .. }))
        );
    }

    #[test]
    fn clipping_keeps_the_direction() {
        let mut grads = [Tensor::from_slice(&[3.0f32]), Tensor::from_slice(&[4.0f32])];
        assert_eq!(clip_grad_norm(&mut grads, 1.0), 5.0);
        assert!((grads[0].double_value(&[0]) - 0.6).abs() < 1e-6);
        assert!((grads[1].double_value(&[0]) - 0.8).abs() < 1e-6);
        let mut small = [Tensor::zeros([2], (Kind::Float, Device::Cpu))];
        assert_eq!(clip_grad_norm(&mut small, 1.0), 0.0);
    }
}

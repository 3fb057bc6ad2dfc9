//! What a run learns: weights and buffers, their averages, the optimiser's state.

use sensorium_blocks::{Param, Params};
use tch::{Kind, Tensor};

use super::TrainerConfig;
use super::checkpoint::NamedTensors;
use crate::optim::{Optimizer, clip_grad_norm};

pub(super) struct State {
    clip_norm: Option<f64>,
    ema_decay: Option<f64>,
    weights: Vec<Slot>,
    buffers: Vec<(String, Tensor)>,
    /// One average per weight and buffer, in that order; empty without averaging.
    averages: Vec<Tensor>,
}

/// A learned tensor with its optimiser state.
struct Slot {
    name: String,
    /// The model's own.
    tensor: Tensor,
    /// What is learned and saved where the model computes in 16 bits: an f32 copy, for steps that are too small
    /// for the model's own to show (arXiv 1710.03740).
    master: Option<Tensor>,
    /// How the optimiser moves this one.
    rule: Optimizer,
    state: Vec<Tensor>,
}

impl Slot {
    /// What the optimiser moves.
    fn learned(&self) -> &Tensor {
        self.master.as_ref().unwrap_or(&self.tensor)
    }

    fn update(&mut self, grad: &Tensor, rate: f64, step: usize) {
        let Self {
            tensor,
            master,
            rule,
            state,
            ..
        } = self;
        match master {
            Some(master) => rule.update(master, grad, state, rate, step),
            None => rule.update(tensor, grad, state, rate, step),
        }
        self.refresh();
    }

    /// Gives the model what was learned.
    fn refresh(&mut self) {
        if let Some(master) = &self.master {
            self.tensor.copy_(master);
        }
    }
}

impl State {
    /// The state before the first step of all that `params` has given out.
    pub(super) fn new(config: &TrainerConfig, params: &Params) -> Self {
        let (weights, buffers): (Vec<Param>, Vec<Param>) =
            params.all().into_iter().partition(|p| p.role.is_learned());
        let average = |p: &Param| full(&p.tensor.detach()).copy();
        let averages = match config.ema_decay {
            Some(_) => weights.iter().chain(&buffers).map(average).collect(),
            None => Vec::new(),
        };
        let slot = |p: Param| {
            let rule = config.optimizer.rule(&p);
            let short = matches!(p.tensor.kind(), Kind::BFloat16 | Kind::Half);
            let master = short.then(|| full(&p.tensor.detach()));
            Slot {
                rule,
                state: rule.fresh_state(master.as_ref().unwrap_or(&p.tensor)),
                name: p.name,
                tensor: p.tensor,
                master,
            }
        };
        Self {
            clip_norm: config.clip_norm,
            ema_decay: config.ema_decay,
            weights: weights.into_iter().map(slot).collect(),
            buffers: buffers.into_iter().map(|p| (p.name, p.tensor)).collect(),
            averages,
        }
    }

    /// Gives the model what [`tensors`](Self::tensors) have been filled with.
    pub(super) fn refresh(&mut self) {
        tch::no_grad(|| self.weights.iter_mut().for_each(Slot::refresh));
    }

    /// What gradients are taken of.
    pub(super) fn weights(&self) -> Vec<&Tensor> {
        self.weights.iter().map(|slot| &slot.tensor).collect()
    }

    /// The `step`-th step, from 1, against `grads`, one for each weight.
    pub(super) fn update(&mut self, mut grads: Vec<Tensor>, rate: f64, step: usize) {
        tch::no_grad(|| {
            grads.iter_mut().for_each(|grad| *grad = full(grad));
            if let Some(max_norm) = self.clip_norm {
                clip_grad_norm(&mut grads, max_norm);
            }
            for (slot, grad) in self.weights.iter_mut().zip(&grads) {
                slot.update(grad, rate, step);
            }
            self.average(step);
        });
    }

    /// Moves the averages towards the current weights and buffers.
    fn average(&mut self, step: usize) {
        let Some(decay) = self.ema_decay else {
            return;
        };
        let step = step as f64;
        let decay = decay.min(step / (step + 10.0));
        let current = self.weights.iter().map(Slot::learned);
        let current = current.chain(self.buffers.iter().map(|(_, t)| t));
        for (average, current) in self.averages.iter_mut().zip(current) {
            let _ = average.lerp_(current, 1.0 - decay);
        }
    }

    /// What `use_model` makes of the model while it has its averages for weights, and these weights.
    pub(super) fn with_averages<T>(&mut self, use_model: impl FnOnce() -> T) -> (T, NamedTensors) {
        self.swap_averages();
        let result = tch::no_grad(use_model);
        let weights = self
            .named()
            .map(|(name, tensor)| (name, tensor.detach().copy()))
            .collect();
        self.swap_averages();
        (result, weights)
    }

    /// Exchanges the current weights and buffers with their averages, in place.
    fn swap_averages(&mut self) {
        tch::no_grad(|| {
            let current = self.weights.iter().map(Slot::learned);
            let current = current.chain(self.buffers.iter().map(|(_, t)| t));
            for (average, current) in self.averages.iter_mut().zip(current) {
                let kept = current.detach().copy();
                current.detach().copy_(average);
                average.copy_(&kept);
            }
            self.weights.iter_mut().for_each(Slot::refresh);
        });
    }

    /// Weights and buffers with their names.
    fn named(&self) -> impl Iterator<Item = (String, &Tensor)> {
        let weights = self.weights.iter().map(|s| (s.name.clone(), s.learned()));
        weights.chain(self.buffers.iter().map(|(name, tensor)| (name.clone(), tensor)))
    }

    /// Every tensor that a resumed run needs, sharing storage.
    pub(super) fn tensors(&self) -> NamedTensors {
        let mut tensors: NamedTensors = self
            .named()
            .map(|(name, tensor)| (format!("model.{name}"), tensor.detach()))
            .collect();
        let averaged = self.named().zip(&self.averages);
        tensors.extend(
            averaged.map(|((name, _), average)| (format!("average.{name}"), average.shallow_clone())),
        );
        for slot in &self.weights {
            for (kind, tensor) in slot.rule.state_names().iter().zip(&slot.state) {
                tensors.push((format!("optimizer.{kind}.{}", slot.name), tensor.shallow_clone()));
            }
        }
        tensors
    }
}

/// In f32 where it is in 16 bits.
fn full(tensor: &Tensor) -> Tensor {
    match tensor.kind() {
        Kind::BFloat16 | Kind::Half => tensor.to_kind(Kind::Float),
        _ => tensor.shallow_clone(),
    }
}

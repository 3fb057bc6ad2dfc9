//! A small model without weights, and things around it.
#![allow(dead_code, reason = "each test program uses a part")]

pub mod constraint;

use sensorium_generation::{Generated, GenerationConfig, Options, Prompt, Session, generate};
use tch::{Device, Kind, Tensor};

/// A model whose logits are a hash of all tokens of a row, padding aside. Its cache are these tokens.
pub struct Toy {
    pub seed: u64,
    pub vocabulary: usize,
    /// How far logits spread.
    pub scale: f32,
    /// How many of the last tokens matter; few make it repeat itself.
    pub memory: usize,
    /// Whether it tells hidden states.
    pub hides: bool,
    pub limit: Option<i64>,
    padding: Vec<usize>,
    rows: Vec<Vec<i64>>,
    hidden: Option<Tensor>,
    /// Calls of `feed`, rows fed in all, and calls of `select`.
    pub feeds: usize,
    pub fed: usize,
    pub selects: usize,
}

impl Toy {
    pub fn new(seed: u64, vocabulary: usize, padding: &[usize]) -> Self {
        Self {
            seed,
            vocabulary,
            scale: 6.,
            memory: usize::MAX,
            hides: false,
            limit: None,
            padding: padding.to_vec(),
            rows: vec![Vec::new(); padding.len()],
            hidden: None,
            feeds: 0,
            fed: 0,
            selects: 0,
        }
    }

    pub fn with_memory(mut self, memory: usize) -> Self {
        self.memory = memory;
        self
    }

    /// The logits of the token after `ids`, which have no padding.
    pub fn logits(&self, ids: &[i64]) -> Vec<f32> {
        let hash = self.hash(ids);
        (0..self.vocabulary as u64)
            .map(|token| unit(hash, token) * self.scale)
            .collect()
    }

    fn hash(&self, ids: &[i64]) -> u64 {
        let from = ids.len().saturating_sub(self.memory);
        ids[from..]
            .iter()
            .fold(self.seed, |hash, &id| mix(hash, id as u64 + 1))
    }
}

pub fn mix(a: u64, b: u64) -> u64 {
    let mut x = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Between 0 and 1.
fn unit(a: u64, b: u64) -> f32 {
    (mix(a, b) >> 40) as f32 / (1u64 << 24) as f32
}

impl Session for Toy {
    fn rows(&self) -> i64 {
        self.rows.len() as i64
    }

    fn len(&self) -> i64 {
        self.rows.first().map_or(0, Vec::len) as i64
    }

    fn limit(&self) -> Option<i64> {
        self.limit
    }

    fn feed(&mut self, ids: &Tensor, last: i64) -> Tensor {
        let (rows, count) = ids.size2().unwrap();
        assert_eq!(rows, self.rows());
        assert_eq!(ids.kind(), Kind::Int64);
        assert!(last >= 1 && last <= count);
        self.feeds += 1;
        self.fed += rows as usize;
        let ids: Vec<Vec<i64>> = Vec::try_from(ids).unwrap();
        let (mut logits, mut hidden) = (Vec::new(), Vec::new());
        for (row, new) in ids.iter().enumerate() {
            self.rows[row].extend(new);
            let all = &self.rows[row];
            for end in all.len() - last as usize + 1..=all.len() {
                let real = &all[self.padding[row].min(end)..end];
                logits.extend(self.logits(real));
                let hash = self.hash(real);
                hidden.extend((0..5).map(|i| unit(hash, 1000 + i) - 0.5));
            }
        }
        self.hidden = Some(Tensor::from_slice(&hidden).view([rows, last, 5]));
        Tensor::from_slice(&logits).view([rows, last, self.vocabulary as i64])
    }

    fn hidden(&self) -> Option<Tensor> {
        self.hidden
            .as_ref()
            .filter(|_| !self.hides)
            .map(Tensor::shallow_clone)
    }

    fn select(&mut self, rows: &[i64]) {
        let same = rows.len() == self.rows.len() && rows.iter().zip(0..).all(|(&row, i)| row == i);
        assert!(!same, "nothing moves");
        self.selects += 1;
        self.padding = rows.iter().map(|&row| self.padding[row as usize]).collect();
        self.rows = rows.iter().map(|&row| self.rows[row as usize].clone()).collect();
        self.hidden = None;
    }

    fn truncate(&mut self, len: i64) {
        self.rows.iter_mut().for_each(|row| row.truncate(len as usize));
        self.hidden = None;
    }

    fn device(&self) -> Device {
        Device::Cpu
    }
}

/// Generates with a fresh toy.
pub fn run(seed: u64, vocabulary: usize, prompt: &Prompt, config: &GenerationConfig) -> Vec<Generated> {
    let mut toy = Toy::new(seed, vocabulary, prompt.padding());
    generate(&mut toy, prompt, config, Options::default()).unwrap()
}

/// Settings from JSON.
pub fn config(settings: serde_json::Value) -> GenerationConfig {
    serde_json::from_value(settings).unwrap()
}

//! SpecAugment (arXiv 1904.08779): stretches of time and of the spectrum that are silenced.

use serde::Deserialize;
use serde_json::Value;
use tch::Tensor;

use super::sound::Draws;

/// Silences `masks` stretches of time, each of at most `longest` steps, and as many of the spectrum, in features
/// `[steps, bands]`.
pub(super) fn hide(row: &Tensor, masks: usize, longest: i64, draws: &mut Draws) {
    let [steps, bands] = row.size()[..] else {
        return; // waveforms have no spectrum
    };
    for _ in 0..masks {
        for (dim, size, most) in [(0, steps, (steps / 8).min(longest)), (1, bands, bands / 6)] {
            let width = draws.below(most as usize + 1) as i64;
            let begin = draws.below((size - width).max(1) as usize) as i64;
            let _ = row.narrow(dim, begin, width).zero_();
        }
    }
}

/// SpecAugment as the reference does it where a model's `config.json` asks for it (`_mask_input_features`).
#[derive(Debug, Clone, Copy, Deserialize)]
pub(in crate::recipes) struct SpecAugment {
    #[serde(default)]
    apply_spec_augment: bool,
    #[serde(default)]
    mask_time_prob: f64,
    #[serde(default = "ten")]
    mask_time_length: usize,
    #[serde(default)]
    mask_time_min_masks: usize,
    #[serde(default)]
    mask_feature_prob: f64,
    #[serde(default = "ten")]
    mask_feature_length: usize,
    #[serde(default)]
    mask_feature_min_masks: usize,
}

fn ten() -> usize {
    10
}

impl SpecAugment {
    /// What `config` asks for, if it does.
    ///
    /// # Errors
    /// If a setting is of the wrong kind.
    pub fn of(config: &Value) -> serde_json::Result<Option<Self>> {
        let settings = Self::deserialize(config)?;
        Ok(settings.apply_spec_augment.then_some(settings))
    }

    /// Silences parts of features `[steps, bands]`.
    pub(super) fn apply(&self, row: &Tensor, draws: &mut Draws) {
        let [steps, bands] = row.size()[..] else {
            return;
        };
        let time = (
            self.mask_time_prob,
            self.mask_time_length,
            self.mask_time_min_masks,
        );
        let feature = (
            self.mask_feature_prob,
            self.mask_feature_length,
            self.mask_feature_min_masks,
        );
        for (dim, size, (share, length, least)) in [(0, steps, time), (1, bands, feature)] {
            if share > 0.0 {
                for begin in begins(size as usize, share, length.max(1), least, draws) {
                    let _ = row.narrow(dim, begin as i64, length as i64).zero_();
                }
            }
        }
    }
}

/// Where stretches of `length` begin that together are about the `share` of `size`; they may overlap, but no two begin
/// together (`_compute_mask_indices`).
fn begins(size: usize, share: f64, length: usize, least: usize, draws: &mut Draws) -> Vec<usize> {
    let places = (size + 1).saturating_sub(length);
    let count = (share * size as f64 / length as f64 + draws.between(0.0, 1.0)) as usize;
    let count = count.max(least).min(size / length).min(places);
    let mut all: Vec<usize> = (0..places).collect();
    for i in 0..count {
        let other = i + draws.below(places - i);
        all.swap(i, other);
    }
    all.truncate(count);
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn as_much_is_silenced_as_the_configuration_says() {
        let config = json!({
            "apply_spec_augment": true, "mask_time_prob": 0.05, "mask_time_length": 10, "mask_time_min_masks": 2,
            "mask_feature_prob": 0.1, "mask_feature_length": 8,
        });
        let settings = SpecAugment::of(&config).expect("settings").expect("is on");
        let lines = |seed| {
            let row = Tensor::ones([300, 80], (Kind::Float, Device::Cpu));
            settings.apply(&row, &mut Draws::new(seed));
            let silent = |dim: i64| {
                let sums = row.sum_dim_intlist(dim, false, Kind::Float);
                sums.eq(0.0).sum(Kind::Int64).int64_value(&[])
            };
            (silent(1), silent(0))
        };
        let found: Vec<(i64, i64)> = (0..50).map(lines).collect();
        // 300 · 0.05 / 10 is 1.5, but there are two stretches at least; 80 · 0.1 / 8 is 1.
        assert!(
            found.iter().all(|(steps, _)| (11..=20).contains(steps)),
            "{found:?}"
        );
        assert!(found.iter().all(|(_, bands)| *bands == 8), "{found:?}");
        assert_eq!(lines(3), lines(3));
        let off = SpecAugment::of(&json!({ "mask_time_prob": 0.5 })).expect("settings");
        assert!(off.is_none());
    }
}

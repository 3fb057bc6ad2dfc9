//! SpecAugment (arXiv 1904.08779): stretches of time and of the spectrum that are silenced.

use std::ops::Range;

use serde::Deserialize;
use serde_json::{Value, json};
use tch::Tensor;

use super::sound::Draws;

/// Silences `masks` stretches of time, each of at most `longest` steps, and as many of the spectrum, in features
/// `[steps, bands]`.
pub(super) fn hide(row: &Tensor, masks: usize, longest: i64, draws: &mut Draws) {
    let [steps, bands] = row.size()[..] else {
        return; // of waveforms, states are hidden
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

    /// What `config` asks for of a network that hears samples, which hides states unless told.
    ///
    /// # Errors
    /// If a setting is of the wrong kind.
    pub fn of_states(config: &Value) -> serde_json::Result<Self> {
        let mut told =
            json!({ "apply_spec_augment": true, "mask_time_prob": 0.05, "mask_time_min_masks": 2 });
        if let (Some(told), Some(config)) = (told.as_object_mut(), config.as_object()) {
            told.extend(config.clone());
        }
        Self::deserialize(told)
    }

    /// Whether anything is silenced.
    pub fn hides(&self) -> bool {
        self.apply_spec_augment && (self.mask_time_prob > 0.0 || self.mask_feature_prob > 0.0)
    }

    /// Silences parts of features `[steps, bands]`.
    pub(super) fn apply(&self, row: &Tensor, draws: &mut Draws) {
        let [steps, bands] = row.size()[..] else {
            return;
        };
        let stretches = self.stretches(steps as usize, bands as usize, 0, draws);
        for (dim, stretches) in (0..).zip(stretches) {
            for stretch in stretches {
                let _ = row
                    .narrow(dim, stretch.start as i64, stretch.len() as i64)
                    .zero_();
            }
        }
    }

    /// The stretches of `steps` and of `bands` that are silenced; where `masks` are asked for, so many of the steps and
    /// each at most an eighth of them.
    pub(super) fn stretches(
        &self,
        steps: usize,
        bands: usize,
        masks: usize,
        draws: &mut Draws,
    ) -> [Vec<Range<usize>>; 2] {
        let stretches = |size, share, length: usize, least, draws: &mut Draws| -> Vec<Range<usize>> {
            let length = length.max(1);
            let begins = begins(size, share, length, least, draws).into_iter();
            begins.map(|begin| begin..begin + length).collect()
        };
        let on = |share: f64| self.apply_spec_augment && share > 0.0;
        let (share, longest) = (self.mask_time_prob, self.mask_time_length);
        let time = match masks {
            0 if on(share) => stretches(steps, share, longest, self.mask_time_min_masks, draws),
            0 => Vec::new(),
            masks => stretches(steps, 0.0, longest.min(steps / 8), masks, draws),
        };
        let (share, length) = (self.mask_feature_prob, self.mask_feature_length);
        let bands = match on(share) {
            true => stretches(bands, share, length, self.mask_feature_min_masks, draws),
            false => Vec::new(),
        };
        [time, bands]
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

    #[test]
    fn states_are_hidden_unless_told() {
        let of = |config: Value| SpecAugment::of_states(&config).expect("settings");
        let hidden = |config: Value, masks| {
            let stretches = of(config).stretches(100, 32, masks, &mut Draws::new(1));
            stretches.map(|stretches| stretches.iter().map(Range::len).collect::<Vec<usize>>())
        };
        assert!(of(json!({})).hides());
        assert_eq!(hidden(json!({}), 0), [vec![10usize, 10], vec![]]);
        let asked = json!({ "mask_time_prob": 0.4, "mask_time_length": 5, "mask_feature_prob": 0.5, "mask_feature_length": 8 });
        assert_eq!(hidden(asked, 0), [vec![5usize; 8], vec![8; 2]]);
        let off = json!({ "apply_spec_augment": false });
        assert!(!of(off.clone()).hides());
        assert_eq!(hidden(off.clone(), 0), [const { Vec::<usize>::new() }; 2]);
        assert_eq!(hidden(off, 3), [vec![10usize; 3], vec![]]);
        // An eighth of a short string at most.
        let short = of(json!({})).stretches(20, 32, 2, &mut Draws::new(1));
        assert!(
            short[0]
                .iter()
                .all(|stretch| stretch.len() == 2 && stretch.end <= 20)
        );
    }
}

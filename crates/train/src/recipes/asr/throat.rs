//! Longer and shorter throats: spectra that are stretched (vocal tract length perturbation, Jaitly and Hinton 2013).

use tch::Tensor;

/// Takes each band of features `[steps, frames of a step · bands]` from another place, between two bands.
pub(super) fn warp(row: &Tensor, places: &[f64]) {
    let bands = places.len() as i64;
    let below: Vec<i64> = places.iter().map(|place| place.floor() as i64).collect();
    let above: Vec<i64> = below.iter().map(|below| (below + 1).min(bands - 1)).collect();
    let shares: Vec<f32> = places.iter().map(|place| place.fract() as f32).collect();
    let old = row.view([-1, bands]);
    let [below, above] = [below, above].map(|places| old.index_select(1, &Tensor::from_slice(&places)));
    let new = below.lerp_tensor(&above, &Tensor::from_slice(&shares));
    row.view([-1, bands]).copy_(&new);
}

/// Where each of `bands` evenly over mels is to be taken from, if all frequencies up to `nyquist` Hz are multiplied by
/// `factor`; above a point they are bent so that the highest one stays.
pub(super) fn warped(bands: usize, nyquist: f64, factor: f64) -> Vec<f64> {
    let mel = |hertz: f64| (hertz / 700.0).ln_1p();
    let (low, high) = (mel(20.0), mel(nyquist));
    let step = (high - low) / (bands + 1) as f64;
    let bend = 0.85 * nyquist * factor.recip().min(1.0);
    (1..=bands)
        .map(|band| {
            let hertz = 700.0 * (low + step * band as f64).exp_m1();
            let from = match hertz <= bend {
                true => hertz * factor,
                false => nyquist - (nyquist - hertz) * (nyquist - bend * factor) / (nyquist - bend),
            };
            ((mel(from.max(20.0)) - low) / step - 1.0).clamp(0.0, (bands - 1) as f64)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warped_bands_stay_in_order_and_in_reach() {
        let same = warped(40, 4000.0, 1.0);
        assert!(
            same.iter()
                .enumerate()
                .all(|(i, place)| (place - i as f64).abs() < 1e-9)
        );
        for factor in [0.85, 1.15] {
            let places = warped(40, 4000.0, factor);
            assert!(places.windows(2).all(|pair| pair[0] <= pair[1]), "{places:?}");
            assert!(places[0] >= 0.0 && places[39] <= 39.0);
            // 1 kHz is 1.15 kHz.
            let hertz = |place: f64| {
                let (low, high) = ((20f64 / 700.0).ln_1p(), (4000f64 / 700.0).ln_1p());
                700.0 * (low + (high - low) / 41.0 * (place + 1.0)).exp_m1()
            };
            assert!((hertz(places[15]) / hertz(15.0) - factor).abs() < 1e-6);
        }
    }
}

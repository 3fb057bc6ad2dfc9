//! What is filtered: pulses at a pitch.

use std::f64::consts::PI;

use tch::{Kind, Tensor};

use crate::features::{MelScale, MelShape};

/// Pulses at `pitch` (Hz, `[batch, frames]`) where `voiced` (of its shape) is true: all harmonics below half the `rate`,
/// of equal size, `[batch, frames · hop]`. A frame's pitch is reached at its first sample.
pub fn pulses(pitch: &Tensor, voiced: &Tensor, hop: i64, rate: u32) -> Tensor {
    let (batch, frames) = (pitch.size()[0], pitch.size()[1]);
    let rate = f64::from(rate);
    let pitch = between(&pitch.to_kind(Kind::Double).clamp(20.0, rate / 4.0).log(), hop).exp();
    // In double precision: a long text has many periods.
    let phase = (&pitch / rate).cumsum(1, Kind::Double);
    let count = (&pitch.reciprocal() * (rate / 2.0)).floor(); // harmonics
    let angle = phase.frac() * PI;
    // The sum of cosines is Dirichlet's kernel.
    let (above, below) = (((&count * 2.0 + 1.0) * &angle).sin(), angle.sin());
    let flat = below.abs().lt(1e-6);
    let sum = (above / below.masked_fill(&flat, 1.0) - 1.0) * 0.5;
    let sum = count.where_self(&flat, &sum);
    let sum = sum * (count.reciprocal() * 2.0).sqrt(); // of power 1
    let share = between(&voiced.to_kind(Kind::Double), hop);
    (sum * share).to_kind(Kind::Float).view([batch, frames * hop])
}

/// Values of frames, `[batch, frames]`, for each sample `[batch, frames · hop]`, on straight lines.
fn between(values: &Tensor, hop: i64) -> Tensor {
    let (batch, frames) = (values.size()[0], values.size()[1]);
    let next = Tensor::cat(
        &[values.narrow(1, 1, frames - 1), values.narrow(1, frames - 1, 1)],
        1,
    );
    let share = Tensor::arange(hop, (Kind::Double, values.device())) / hop as f64;
    let lines = values.unsqueeze(-1) + (next - values).unsqueeze(-1) * share;
    lines.view([batch, frames * hop])
}

/// What a band's logarithm tells of each bin's, `[bands, bins]`: the nearest bands on straight lines.
pub(super) fn envelope(mel: &MelShape, bins: i64) -> Tensor {
    let scale = MelScale::Slaney;
    let (low, high) = (scale.mel(mel.range.0), scale.mel(mel.range.1));
    let step = (high - low) / (mel.bands + 1) as f64;
    let width = f64::from(mel.rate) / 2.0 / (bins - 1) as f64;
    let mut matrix = vec![0.0f32; mel.bands * bins as usize];
    for bin in 0..bins as usize {
        let at = ((scale.mel(width * bin as f64) - low) / step - 1.0).clamp(0.0, (mel.bands - 1) as f64);
        let (band, share) = (at.floor() as usize, at.fract() as f32);
        matrix[band * bins as usize + bin] += 1.0 - share;
        if share > 0.0 {
            matrix[(band + 1) * bins as usize + bin] += share;
        }
    }
    Tensor::from_slice(&matrix).view([mel.bands as i64, bins])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulses_have_the_pitch_and_nothing_else() {
        let (rate, hop, frames) = (16_000u32, 160i64, 100i64);
        let pitch = Tensor::full([1, frames], 250.0, (Kind::Float, tch::Device::Cpu));
        let voiced = pitch.gt(0.0);
        let samples = pulses(&pitch, &voiced, hop, rate);
        assert_eq!(samples.size(), [1, 16_000]);
        let spectrum = samples.fft_rfft(None, -1, "forward").abs().squeeze_dim(0); // a bin for each Hz
        let at = |hertz: i64| spectrum.double_value(&[hertz]);
        assert!((at(250) - at(7750)).abs() < 0.02 * at(250));
        assert!(at(250) > 100.0 * at(300));
        let power = samples.square().mean(Kind::Double).double_value(&[]);
        assert!((power - 1.0).abs() < 0.05, "{power}");
        let silent = pulses(&pitch, &voiced.logical_not(), hop, rate);
        assert_eq!(silent.abs().max().double_value(&[]), 0.0);
    }
}

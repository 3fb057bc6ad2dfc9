//! When each token is said: the decoder's attention to the recording, made monotonous.
//!
//! As `_extract_token_timestamps` of the reference does it: some heads follow the speech; their attention is
//! normalised, smoothed and averaged, and the cheapest path through it (dynamic time warping, Sakoe and Chiba 1978)
//! gives a step of the encoder for each token.

use tch::{Kind, Tensor};

use super::STEP;
use crate::warp::warp;

/// The time of each token in seconds since the window's beginning, from attention `[heads, tokens, steps]` of which
/// the first `steps` are of the recording.
pub(super) fn token_times(attention: &Tensor, steps: i64, median: i64) -> Vec<f64> {
    let size = attention.size();
    let (tokens, steps) = (size[1], steps.clamp(1, size[2]));
    if tokens == 0 {
        return Vec::new();
    }
    let heard = attention.narrow(2, 0, steps);
    let mean = heard.mean_dim(1i64, true, Kind::Float);
    let deviation = heard.std_dim(1i64, false, true);
    let normal = (heard - mean) / deviation;
    let likeness = smooth(&normal, median).mean_dim(0i64, false, Kind::Float);
    let costs: Vec<f32> = Vec::try_from((-likeness).contiguous().view([-1])).unwrap_or_default();
    let path = warp(&costs, tokens as usize, steps as usize);
    let mut times = Vec::with_capacity(tokens as usize);
    for &(token, step) in &path {
        if token == times.len() {
            times.push(f64::from((step as f64 * STEP) as f32));
        }
    }
    times
}

/// The median of `width` neighbours in the last dimension, which is mirrored at its ends.
fn smooth(x: &Tensor, width: i64) -> Tensor {
    let half = width / 2;
    if width % 2 == 0 || x.size()[2] <= half {
        return x.shallow_clone();
    }
    let padded = x.reflection_pad1d([half, half]);
    padded.unfold(-1, width, 1).sort(-1, false).0.select(-1, half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_get_the_times_of_their_attention() {
        let attention = Tensor::full([1, 3, 90], 0.001, (Kind::Float, tch::Device::Cpu));
        for (token, begin) in [(0, 0), (1, 20), (2, 50)] {
            let _ = attention.get(0).get(token).narrow(0, begin, 20).fill_(0.05);
        }
        let times = token_times(&attention, 75, 7);
        assert_eq!(times[0], 0.0);
        assert!(
            (times[1] - 0.4).abs() < 0.1 && (times[2] - 1.0).abs() < 0.25,
            "{times:?}"
        );
    }
}

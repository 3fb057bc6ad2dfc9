//! How high a voice is: the period at which a recording is most like itself (Boersma 1993), one path over all frames.

use tch::{Device, Kind, Tensor};

/// How pitches are sought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PitchTracker {
    /// Samples per second, in Hz.
    pub rate: u32,
    /// Samples from frame to frame; the first frame has its middle at the first sample.
    pub hop: i64,
    /// The lowest and the highest pitch, in Hz.
    pub range: (f64, f64),
}

/// A pitch that a frame may have: in Hz, and how well it fits.
type Candidate = (f64, f64);

const CANDIDATES: usize = 4;
/// What leaping an octave costs, for frames 10 ms apart.
const LEAP: f64 = 0.35;
/// What a voice's beginning or end costs, for frames 10 ms apart.
const CHANGE: f64 = 0.14;
/// Frames that are less like themselves have no pitch.
const LEAST: f64 = 0.45;
/// Frames that are softer than this share of the loudest have no pitch.
const SOFT: f64 = 0.03;
/// What favours higher pitches, for each octave.
const OCTAVE: f64 = 0.01;

impl PitchTracker {
    /// For recordings of people, 60 to 500 Hz.
    pub fn new(rate: u32, hop: i64) -> Self {
        Self {
            rate,
            hop,
            range: (60.0, 500.0),
        }
    }

    /// The pitch of each frame in Hz, 0 where there is none; as many frames as begin within the samples, and one.
    pub fn pitches(&self, samples: &[f32]) -> Vec<f32> {
        let frames = samples.len() / self.hop.max(1) as usize + 1;
        let loudest = samples.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        if loudest == 0.0 {
            return vec![0.0; frames];
        }
        let mut columns = Vec::with_capacity(frames);
        // So many at once that long recordings fit.
        let samples = Tensor::from_slice(samples);
        for first in (0..frames).step_by(2048) {
            let count = (frames - first).min(2048);
            columns.extend(self.candidates(&samples, first as i64, count as i64, f64::from(loudest)));
        }
        self.path(&columns)
    }

    /// Those of some frames, the best first, and how well no pitch fits.
    fn candidates(
        &self,
        samples: &Tensor,
        first: i64,
        count: i64,
        loudest: f64,
    ) -> Vec<(Vec<Candidate>, f64)> {
        let rate = f64::from(self.rate);
        let (low, high) = self.range;
        let longest = (rate / low).ceil() as i64;
        let window = 3 * longest; // three of the longest periods
        let total = samples.size()[0];
        let begin = first * self.hop - window / 2;
        let end = begin + (count - 1) * self.hop + window;
        let part = samples
            .slice(0, begin.max(0), end.clamp(0, total), 1)
            .constant_pad_nd([(-begin).max(0), (end - total.max(begin.max(0))).max(0)]);
        let part = part.constant_pad_nd([0, (end - begin - part.size()[0]).max(0)]);
        let frames = part.unfold(0, window, self.hop); // [count, window]
        let frames = &frames - frames.mean_dim(1i64, true, Kind::Float);
        let heights =
            Vec::<f64>::try_from(frames.abs().amax(1i64, false).to_kind(Kind::Double)).unwrap_or_default();
        let shape = Tensor::hann_window(window, (Kind::Float, Device::Cpu));
        let own = |x: &Tensor| {
            let size = (2 * window).max(2);
            let power = x.fft_rfft(size, -1, "forward").abs().square();
            let found = power.fft_irfft(size, -1, "backward").narrow(-1, 0, longest + 2);
            &found / found.narrow(-1, 0, 1).clamp_min(1e-12)
        };
        // A window makes all less like itself the farther it is shifted: that is taken back.
        let likeness = own(&(frames * &shape)) / own(&shape.unsqueeze(0));
        let lags = (longest + 2) as usize;
        let likeness = Vec::<f32>::try_from(likeness.contiguous().view([-1])).unwrap_or_default();
        let shortest = ((rate / high) as usize).max(2);
        let column = |(row, height): (&[f32], &f64)| {
            let at = |lag: usize| f64::from(row[lag]);
            let mut found: Vec<Candidate> = (shortest..lags - 1)
                .filter(|&lag| at(lag) > 0.3 && at(lag) > at(lag - 1) && at(lag) >= at(lag + 1))
                .map(|lag| {
                    let (a, b, c) = (at(lag - 1), at(lag), at(lag + 1));
                    let curve = a - 2.0 * b + c;
                    let shift = if curve < 0.0 { 0.5 * (a - c) / curve } else { 0.0 };
                    let fits = (b - 0.25 * (a - c) * shift).min(1.0);
                    let pitch = rate / (lag as f64 + shift);
                    (pitch, fits + OCTAVE * (pitch / low).log2())
                })
                .collect();
            found.sort_by(|a, b| b.1.total_cmp(&a.1));
            found.truncate(CANDIDATES);
            let silence = (2.0 - height / loudest / SOFT * (1.0 + LEAST)).max(0.0);
            (found, LEAST + silence)
        };
        likeness.chunks(lags).zip(&heights).map(column).collect()
    }

    /// The way through all frames that fits best (Viterbi).
    fn path(&self, columns: &[(Vec<Candidate>, f64)]) -> Vec<f32> {
        let steps = 0.01 * f64::from(self.rate) / self.hop as f64;
        let (leap, change) = (LEAP * steps, CHANGE * steps);
        // State 0 is no pitch, the others are the candidates.
        let mut scores = vec![0.0];
        let mut before: Vec<Candidate> = Vec::new();
        let mut backs: Vec<Vec<usize>> = Vec::with_capacity(columns.len());
        for (candidates, unvoiced) in columns {
            let pitch = |list: &[Candidate], state: usize| (state > 0).then(|| list[state - 1].0);
            let (mut next, mut back) = (Vec::new(), Vec::new());
            for state in 0..=candidates.len() {
                let own = if state == 0 {
                    *unvoiced
                } else {
                    candidates[state - 1].1
                };
                let cost = |from: usize| match (pitch(&before, from), pitch(candidates, state)) {
                    (None, None) => 0.0,
                    (Some(a), Some(b)) => leap * (a / b).log2().abs(),
                    _ => change,
                };
                let best = (0..scores.len())
                    .max_by(|&a, &b| (scores[a] - cost(a)).total_cmp(&(scores[b] - cost(b))));
                let best = best.unwrap_or(0);
                next.push(scores[best] - cost(best) + own);
                back.push(best);
            }
            scores = next;
            before.clone_from(candidates);
            backs.push(back);
        }
        let mut state = (0..scores.len())
            .max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
            .unwrap_or(0);
        let mut pitches = vec![0.0; columns.len()];
        for (i, back) in backs.iter().enumerate().rev() {
            if state > 0 {
                pitches[i] = columns[i].0[state - 1].0 as f32;
            }
            state = back[state];
        }
        pitches
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    #[test]
    fn the_pitch_of_a_gliding_voice_is_found() {
        let rate = 16_000u32;
        let mut phase = 0.0;
        let samples: Vec<f32> = (0..32_000)
            .map(|i| {
                let pitch = 120.0 + 80.0 * f64::from(i) / 32_000.0;
                phase += TAU * pitch / f64::from(rate);
                let voice: f64 = (1..20).map(|k| (phase * f64::from(k)).sin() / f64::from(k)).sum();
                // The last quarter is silent.
                if i < 24_000 { 0.3 * voice as f32 } else { 0.0 }
            })
            .collect();
        let found = PitchTracker::new(rate, 256).pitches(&samples);
        assert_eq!(found.len(), 126);
        for (frame, &pitch) in found.iter().enumerate().take(90).skip(3) {
            let expected = 120.0 + 80.0 * (frame as f32 * 256.0) / 32_000.0;
            assert!(
                (pitch - expected).abs() < 1.5,
                "frame {frame}: {pitch} Hz, expected {expected}"
            );
        }
        assert!(
            found[98..].iter().all(|&pitch| pitch == 0.0),
            "{:?}",
            &found[98..]
        );
    }

    #[test]
    fn noise_and_nothing_have_none() {
        tch::manual_seed(1);
        let noise = Vec::<f32>::try_from(Tensor::randn([8000], (Kind::Float, Device::Cpu))).expect("numbers");
        let found = PitchTracker::new(16_000, 160).pitches(&noise);
        assert!(
            found.iter().filter(|&&pitch| pitch > 0.0).count() < 3,
            "{found:?}"
        );
        assert_eq!(PitchTracker::new(16_000, 160).pitches(&[0.0; 400]), [0.0; 3]);
        assert_eq!(PitchTracker::new(16_000, 160).pitches(&[]), [0.0]);
    }
}

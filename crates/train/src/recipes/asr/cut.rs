//! Recordings cut into their words, where there are pauses between them.

/// Seconds of a frame whose loudness is measured.
const FRAME: f64 = 0.01;
/// Frames over which it is smoothed, to either side.
const SMOOTH: usize = 2;
/// Frames that a word has at least: what is shorter is a click.
const LEAST: usize = 10;
/// Where between silence and the loudest sounds, in decibels, a word begins: the first that fits is taken.
const THRESHOLDS: [f64; 5] = [0.4, 0.5, 0.6, 0.7, 0.3];

/// A recording in parts, which are all of it together.
#[derive(Debug)]
pub(super) struct Cut<'a> {
    /// Before the first word.
    pub before: &'a [f32],
    /// Each with half of the pauses beside it.
    pub words: Vec<&'a [f32]>,
    /// Behind the last word.
    pub after: &'a [f32],
}

/// The `words` words of a recording. Nothing if there are not as many.
pub(super) fn words(samples: &[f32], rate: u32, words: usize) -> Option<Cut<'_>> {
    let frame = ((f64::from(rate) * FRAME) as usize).max(1);
    let loudness = loudness(samples, frame);
    let found = THRESHOLDS.map(|threshold| sounds(&loudness, threshold));
    let sounds = found
        .into_iter()
        .find(|sounds| words > 0 && sounds.len() == words)?;
    let pauses = sounds.windows(2).map(|pair| pair[1].0 - pair[0].1);
    let half = pauses.sum::<usize>() / (2 * (words - 1).max(1));
    let begin = sounds[0].0.saturating_sub(half.max(LEAST)) * frame;
    let end = ((sounds[words - 1].1 + half.max(LEAST)) * frame).min(samples.len());
    let middles = sounds.windows(2).map(|pair| (pair[0].1 + pair[1].0) / 2 * frame);
    let cuts: Vec<usize> = std::iter::once(begin).chain(middles).chain([end]).collect();
    Some(Cut {
        before: &samples[..begin],
        words: cuts.windows(2).map(|cut| &samples[cut[0]..cut[1]]).collect(),
        after: &samples[end..],
    })
}

/// Decibels of each frame, smoothed.
fn loudness(samples: &[f32], frame: usize) -> Vec<f64> {
    let power = |chunk: &[f32]| {
        let sum: f64 = chunk.iter().map(|&x| f64::from(x).powi(2)).sum();
        10.0 * (sum / chunk.len() as f64 + 1e-9).log10()
    };
    let frames: Vec<f64> = samples.chunks_exact(frame).map(power).collect();
    let smooth = |i: usize| {
        let around = &frames[i.saturating_sub(SMOOTH)..(i + SMOOTH + 1).min(frames.len())];
        around.iter().sum::<f64>() / around.len() as f64
    };
    (0..frames.len()).map(smooth).collect()
}

/// Begin and end of each stretch of frames that is loud.
fn sounds(loudness: &[f64], threshold: f64) -> Vec<(usize, usize)> {
    let mut sorted = loudness.to_vec();
    sorted.sort_by(f64::total_cmp);
    let share = |share: f64| sorted.get((share * sorted.len() as f64) as usize).copied();
    let (silence, loud) = (share(0.1).unwrap_or(0.0), share(0.98).unwrap_or(0.0));
    let least = silence + threshold * (loud - silence);
    let mut begin = 0;
    let runs = loudness.chunk_by(|a, b| (*a > least) == (*b > least)).map(|run| {
        begin += run.len();
        (run[0] > least, begin - run.len(), begin)
    });
    runs.filter(|(loud, begin, end)| *loud && end - begin >= LEAST)
        .map(|(_, begin, end)| (begin, end))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Silence with soft noise, and tones of so many hundredths of a second at so many.
    fn recording(tones: &[(usize, usize)]) -> Vec<f32> {
        let noise = |i: usize| ((i * 7919) % 101) as f32 / 101.0 * 1e-3;
        let mut samples: Vec<f32> = (0..24_000).map(noise).collect();
        for &(begin, length) in tones {
            let tone = &mut samples[begin * 80..(begin + length) * 80];
            for (i, sample) in tone.iter_mut().enumerate() {
                *sample += (i as f32 * 0.4).sin() * 0.3;
            }
        }
        samples
    }

    #[test]
    fn words_are_cut_in_the_middle_of_pauses() {
        let samples = recording(&[(30, 40), (100, 30), (170, 50)]);
        let found = words(&samples, 8000, 3).expect("three words");
        assert_eq!(
            [found.before, &found.words.concat(), found.after].concat(),
            samples
        );
        let lengths: Vec<usize> = found.words.iter().map(|word| word.len() / 80).collect();
        for (length, expected) in lengths.iter().zip([71, 65, 86]) {
            assert!(length.abs_diff(expected) <= 2, "{lengths:?}");
        }
        assert!((found.before.len() / 80).abs_diff(13) <= 2);
    }

    #[test]
    fn a_click_is_no_word() {
        let samples = recording(&[(5, 2), (30, 46), (150, 50)]);
        let found = words(&samples, 8000, 2).expect("two words");
        let length = found.before.len() + found.words[0].len();
        assert!(length.abs_diff(113 * 80) <= 80, "{length}");
        assert!(words(&samples, 8000, 3).is_none());
        assert!(words(&[], 8000, 1).is_none());
    }
}

//! Where voices are found.

use std::path::Path;

use proptest::prelude::*;

use super::found::Found;
use super::*;

/// Samples of a frame.
const FRAME: usize = 256;

fn voices() -> Voices {
    Voices {
        spans: vec![(1.0, 3.0), (10.0, 11.0), (20.0, 25.0)],
    }
}

#[test]
fn moments_are_found_again() {
    let found = [0.0, 1.5, 2.5, 3.5, 8.0].map(|moment| voices().original(moment, true));
    assert_eq!(found, [1.0, 2.5, 10.5, 20.5, 25.0]);
    assert_eq!(
        [2.0, 3.0].map(|moment| voices().original(moment, true)),
        [10.0, 20.0]
    );
    assert_eq!(
        [2.0, 3.0].map(|moment| voices().original(moment, false)),
        [3.0, 11.0]
    );
    let (begin, end) = voices().original_span(1.8, 2.3); // its middle is behind the pause
    assert!(begin == 10.0 && (end - 10.3).abs() < 1e-9, "{begin} {end}");
}

#[test]
fn only_long_pauses_part_voices() {
    let frame = |seconds: f64| (seconds * 62.5) as usize;
    let mut likelihoods = vec![0.0; frame(20.0)];
    likelihoods[frame(4.0)..frame(5.0)].fill(0.9);
    likelihoods[frame(5.0)..frame(6.0)].fill(0.4); // goes on
    likelihoods[frame(7.0)..frame(8.0)].fill(0.9);
    likelihoods[frame(12.0)..frame(13.0)].fill(0.4); // never began
    likelihoods[frame(14.0)..frame(14.05)].fill(0.9); // too short
    likelihoods[frame(19.0)..].fill(0.9);
    let mut found = Found::new(VoiceActivity::default(), FRAME);
    likelihoods
        .into_iter()
        .for_each(|likelihood| found.judge(likelihood));
    let voices = found.finish(20.0);
    let rounded = voices
        .spans
        .iter()
        .map(|span| ((span.0 * 10.0).round(), (span.1 * 10.0).round()));
    assert_eq!(rounded.collect::<Vec<_>>(), [(36.0, 84.0), (186.0, 200.0)]);
}

#[test]
fn silence_has_no_voice_and_short_words_are_taken_whole() {
    let silence = |seconds: usize| Audio::new(vec![0.0; 8000 * seconds], 1, 8000).unwrap();
    let found = |seconds| VoiceActivity::default().find(&silence(seconds)).unwrap().spans;
    assert_eq!(found(10), []);
    assert_eq!(found(2), []);
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/samples/speech/pi.wav");
    let word = Audio::open(&sample).unwrap().clip(0.0, Some(0.6));
    let whole = VoiceActivity::default().find(&word).unwrap().spans;
    assert_eq!(whole, [(0.0, word.seconds())]);
}

/// The rules for a recording that is there as a whole.
fn spans_at_once(activity: &VoiceActivity, likelihoods: &[f32], length: f64) -> Vec<(f64, f64)> {
    let seconds = |frame: usize| frame as f64 * FRAME as f64 / f64::from(RATE);
    let mut spans: Vec<(f64, f64)> = Vec::new();
    let mut begin = None;
    let ends = likelihoods.iter().copied().chain([-1.0]).enumerate();
    for (frame, likelihood) in ends {
        match begin {
            None if likelihood >= activity.threshold => begin = Some(seconds(frame)),
            Some(from) if likelihood < activity.lasting => {
                match spans.last_mut() {
                    Some(last) if from - last.1 < activity.least_pause => last.1 = seconds(frame),
                    _ => spans.push((from, seconds(frame))),
                }
                begin = None;
            }
            _ => {}
        }
    }
    spans.retain(|(begin, end)| end - begin >= activity.least_voice);
    let wide = |(begin, end): (f64, f64)| {
        let (begin, end) = (begin - activity.margin, end + activity.margin);
        (begin.max(0.0), end.min(length))
    };
    spans.into_iter().map(wide).collect()
}

proptest! {
    /// Voices pass bit by bit as they do at once, and little waits.
    #[test]
    fn what_passes_are_the_voices(
        runs in prop::collection::vec((1..250usize, 0.0..1.0f32), 1..12),
        least_pause in prop::sample::select(vec![2.0, 0.9, 3.3]),
        rate in prop::sample::select(vec![16_000, 8_000, 11_025]),
    ) {
        let activity = VoiceActivity { least_pause, ..VoiceActivity::default() };
        let likelihoods: Vec<f32> = runs
            .iter()
            .flat_map(|&(count, likelihood)| std::iter::repeat_n(likelihood, count))
            .collect();
        let frames = likelihoods.len() * FRAME * rate as usize / RATE as usize;
        let samples: Vec<f32> = (0..frames).map(|i| i as f32).collect();
        let audio = Audio::new(samples.clone(), 1, rate).unwrap();
        let length = audio.seconds();

        let mut filter = VoiceFilter::new(activity, Box::new(BuiltIn::new()), rate).unwrap();
        let (mut found, mut most, mut left) = (Vec::new(), 0, samples.as_slice());
        for (i, &likelihood) in likelihoods.iter().enumerate() {
            let end = (i + 1) * FRAME * rate as usize / RATE as usize;
            let (now, later) = left.split_at(end - (frames - left.len()));
            left = later;
            filter.waiting.extend_from_slice(now);
            filter.found.judge(likelihood);
            filter.pass_sure(&mut found);
            most = most.max(filter.waiting.len());
        }
        prop_assert!(most as f64 <= (least_pause + 2.0 * activity.margin) * f64::from(rate));
        if length <= least_pause + activity.margin {
            prop_assert_eq!(found.len(), 0);
            return Ok(());
        }
        let voices = filter.found.finish(length);
        let spans = voices.spans.clone();
        filter.pass(&spans[filter.passed..], f64::INFINITY, &mut found);
        prop_assert_eq!(&spans, &spans_at_once(&activity, &likelihoods, length));
        let expected = voices.of(&audio);
        prop_assert_eq!(found.as_slice(), expected.samples());
    }
}

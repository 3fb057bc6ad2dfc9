//! Every recording comes to an end.

use super::*;

/// What is heard, and in how many windows.
fn counted(model: &WhisperRecognizer, samples: &[f32], options: &WhisperOptions) -> (Vec<Segment>, usize) {
    let windows = Cell::new(0);
    let recording = Recording::new(Counted {
        mels: SpectrogramParts::new(model.features(), samples).unwrap(),
        windows: &windows,
        fails: None,
    });
    let heard = together(model, vec![Ok(recording)], 1, options);
    (heard.into_iter().next().unwrap().unwrap(), windows.get())
}

#[test]
fn models_that_go_round_in_circles_come_to_an_end() {
    // A letter, the time 0.02, and the end.
    for token in [104, FIRST_TIME + 1, END] {
        let model = stubborn(token);
        let options = WhisperOptions {
            checks: checks(&[0.0, 1.0]),
            ..WhisperOptions::default()
        };
        let (segments, windows) = counted(&model, &sound(8.0, 4), &options);
        assert!(windows <= 16, "{token}: {windows} windows");
        assert!(
            segments.iter().all(|s| s.ids.len() <= 20),
            "{token}: {segments:?}"
        );
        assert!(segments.iter().all(|s| s.start < s.end), "{token}: {segments:?}");
    }
}

#[test]
fn noise_comes_to_an_end() {
    let model = lively(&json!({}));
    let options = WhisperOptions {
        checks: checks(&[0.0, 0.8]),
        ..WhisperOptions::default()
    };
    let noise: Vec<f32> = (0..16_000 * 6u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.5)
        .collect();
    let (_, windows) = counted(&model, &noise, &options);
    assert!((3..=12).contains(&windows), "{windows} windows");
}

#[test]
fn nothing_is_heard_in_silence() {
    struct Silence;
    impl Samples for Silence {
        fn count(&self) -> usize {
            16_000 * 40
        }
        fn read(&mut self, _from: usize, into: &mut [f32]) -> Result<(), AudioError> {
            into.fill(0.0);
            Ok(())
        }
    }
    let model = lively(&json!({}));
    let options = WhisperOptions {
        checks: Some(Checks::default()),
        ..WhisperOptions::default()
    };
    let heard = together(&model, vec![model.recording(Silence)], 1, &options);
    assert!(heard.into_iter().all(|heard| heard.unwrap().is_empty()));

    // Speech behind silence has its times.
    let mut samples = vec![0.0; 16_000 * 6];
    samples.extend(sound(2.0, 1));
    let (segments, _) = counted(&model, &samples, &options);
    assert!(!segments.is_empty() && segments[0].start >= 6.0, "{segments:?}");
}

//! What is heard side by side is what is heard one by one.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sensorium_generation::GenerationConfig;
use sensorium_hub::Model;
use serde_json::json;
use tch::{Device, Tensor};

use super::*;

/// Equal but for rounding in likelihoods.
fn assert_same(found: &[Vec<Segment>], expected: &[Vec<Segment>], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let plain = |segments: &[Segment]| -> Vec<Segment> {
            let plain = segments.iter().map(|segment| Segment {
                log_probs: Vec::new(),
                quality: None,
                ..segment.clone()
            });
            plain.collect()
        };
        assert_eq!(plain(found), plain(expected), "{what}, recording {i}");
        for (found, expected) in found.iter().zip(expected) {
            let pairs = found.log_probs.iter().zip(&expected.log_probs);
            assert_eq!(found.log_probs.len(), expected.log_probs.len(), "{what}");
            for (found, expected) in pairs {
                assert!((found - expected).abs() < 1e-3, "{what}: {found} {expected}");
            }
            assert_eq!(found.quality.is_some(), expected.quality.is_some(), "{what}");
        }
    }
}

/// Ways to hear: plainly, with words, drawn, with beams, with checks that fail.
fn ways(model: &WhisperRecognizer) -> Vec<(&'static str, WhisperOptions)> {
    let plain = WhisperOptions::default();
    let new = |max_new_tokens| GenerationConfig {
        max_new_tokens: Some(max_new_tokens),
        ..GenerationConfig::default()
    };
    vec![
        (
            "plain",
            WhisperOptions {
                generation: new(8),
                ..plain.clone()
            },
        ),
        (
            "words",
            WhisperOptions {
                words: true,
                language: Some("de".to_string()),
                ..plain.clone()
            },
        ),
        (
            "drawn",
            WhisperOptions {
                timestamps: true,
                generation: GenerationConfig {
                    do_sample: Some(true),
                    seed: Some(5),
                    ..new(9)
                },
                ..plain.clone()
            },
        ),
        (
            "beams",
            WhisperOptions {
                timestamps: true,
                checks: checks(&[0.0]),
                generation: GenerationConfig {
                    num_beams: Some(3),
                    ..GenerationConfig::default()
                },
                ..plain.clone()
            },
        ),
        (
            "falling back",
            WhisperOptions {
                timestamps: true,
                words: true,
                checks: checks(&[0.0, 0.4, 1.0]),
                prompt: model.prompt("so").unwrap(),
                hot_words: model.words("it").unwrap(),
                ..plain.clone()
            },
        ),
        (
            "forgetting",
            WhisperOptions {
                checks: Some(Checks {
                    condition_on_previous: false,
                    hallucination_silence: Some(0.2),
                    log_prob: -20.0,
                    ..Checks::default()
                }),
                ..plain
            },
        ),
    ]
}

/// Says how many tokens are heard in all.
fn batches_give_what_one_by_one_gives(
    model: &WhisperRecognizer,
    recordings: &[Vec<f32>],
    ways: Vec<(&str, WhisperOptions)>,
    sizes: &[usize],
) -> usize {
    let mels: Vec<(Tensor, i64)> = recordings.iter().map(|samples| mels(model, samples)).collect();
    let mut tokens = 0;
    for (name, options) in ways {
        let heard = |mels: &[(Tensor, i64)], most| -> Vec<Vec<Segment>> {
            let recordings = mels.iter().map(|(mels, sound)| {
                Ok(Recording::new(WholeSpectrogram {
                    mels: mels.shallow_clone(),
                    sound: *sound,
                }))
            });
            let heard = together(model, recordings.collect(), most, &options);
            heard.into_iter().map(Result::unwrap).collect()
        };
        let one_by_one: Vec<Vec<Segment>> =
            mels.chunks(1).flat_map(|recording| heard(recording, 1)).collect();
        for &most in sizes {
            assert_same(
                &heard(&mels, most),
                &one_by_one,
                &format!("{name}, {most} at once"),
            );
        }
        tokens += one_by_one.iter().flatten().map(|s| s.ids.len()).sum::<usize>();
    }
    tokens
}

/// A recording's spectrogram, and its frames without padding.
fn mels(model: &WhisperRecognizer, samples: &[f32]) -> (Tensor, i64) {
    let mut recording = model.recording(samples).unwrap();
    let frames = recording.mels.frames();
    (recording.mels.part(0, frames).unwrap(), recording.mels.sound())
}

#[test]
fn recordings_side_by_side_are_heard_as_one_by_one() {
    let model = lively(&json!({}));
    let recordings: Vec<Vec<f32>> = [1.3, 5.1, 2.0, 0.4, 3.7].map(|s| sound(s, s as u32)).to_vec();
    let tokens = batches_give_what_one_by_one_gives(&model, &recordings, ways(&model), &[2, 3, 9]);
    assert!(tokens > 300, "{tokens}");
}

/// The reference's small checkpoint and its recordings, where they lie beside the checkout.
#[test]
fn the_references_recordings_side_by_side() {
    let case = "../../../shared/parity/cases/whisper-speech-recognition";
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(case);
    if !folder.is_dir() {
        println!("skipped: no cases beside the checkout");
        return;
    }
    tch::set_num_threads(1);
    let model = Model::in_folder("whisper", &folder);
    let model = WhisperRecognizer::open(&model, Device::Cpu, None).unwrap();
    let recordings = ["short", "a", "long", "b"].map(|name| {
        let audio = Audio::open(&folder.join(format!("inputs/{name}_16k.wav"))).unwrap();
        audio.mono_at(model.rate()).unwrap()
    });
    let mut ways = ways(&model);
    ways.retain(|(name, _)| ["words", "beams", "falling back"].contains(name));
    batches_give_what_one_by_one_gives(&model, &recordings, ways, &[3]);
}

#[test]
fn parts_side_by_side_are_heard_in_one_language() {
    let model = lively(&json!({}));
    let samples = sound(9.0, 3);
    let options = WhisperOptions {
        checks: checks(&[0.0, 0.6]),
        words: true,
        ..WhisperOptions::default()
    };
    let heard = |most| -> Vec<Vec<Segment>> {
        let cut = |samples: &'_ [f32]| Ok(model.recording(samples.to_vec())?.cut_at(&[1.5, 2.6, 6.2]));
        let heard = together(&model, vec![cut(&samples), cut(&samples[9000..])], most, &options);
        heard.into_iter().map(Result::unwrap).collect()
    };
    let expected = heard(1);
    for most in [2, 3, 8] {
        assert_same(&heard(most), &expected, &format!("{most} at once"));
    }
    for recording in &expected {
        assert!(!recording.is_empty());
        let languages: Vec<_> = recording.iter().map(|s| s.language.as_deref()).collect();
        assert!(languages.iter().all(|&language| language == languages[0]));
        assert!(languages[0].is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Each part is heard as a recording of its own, and its times are those of the whole. Behind frame 66 a word and its
    /// segment have equal times.
    #[test]
    fn a_part_keeps_its_times(cut in prop_oneof![1 => Just(66), 6 => 20i64..480], most in 1usize..4) {
        thread_local!(static MODEL: WhisperRecognizer = lively(&json!({})));
        MODEL.with(|model| {
            let options = WhisperOptions {
                language: Some("en".to_string()),
                words: true,
                checks: checks(&[0.0]),
                ..WhisperOptions::default()
            };
            let whole = model.features().spectrogram(&sound(5.0, 9));
            let recording = |from, frames| Recording::new(WholeSpectrogram {
                mels: whole.narrow(1, from, frames),
                sound: frames,
            });
            let seconds = cut as f64 / 100.0;
            let parts = together(model, vec![Ok(recording(0, 500).cut_at(&[seconds]))], most, &options);
            let parts = parts.into_iter().next().unwrap().unwrap();
            let alone = |from, frames| {
                let heard = together(model, vec![Ok(recording(from, frames))], 1, &options);
                heard.into_iter().next().unwrap().unwrap()
            };
            let (before, behind) = (alone(0, cut), alone(cut, 500 - cut));
            prop_assert_eq!(parts.len(), before.len() + behind.len());
            let shifted = before.iter().map(|s| (s, 0.0, seconds)).chain(behind.iter().map(|s| (s, seconds, 5.0)));
            for (found, (expected, shift, end)) in parts.iter().zip(shifted) {
                prop_assert_eq!(&found.ids, &expected.ids);
                let near = |found: f64, expected: f64| (found - (expected + shift).min(end)).abs() < 1e-6;
                prop_assert!(near(found.start, expected.start) && near(found.end, expected.end));
                prop_assert!(found.start >= shift && found.end <= end);
                for (found, expected) in found.times.iter().zip(&expected.times) {
                    prop_assert!((found - expected - shift).abs() < 1e-6);
                }
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_bad_recording_leaves_the_others_alone() {
    let model = lively(&json!({}));
    let options = WhisperOptions::default();
    let windows = Cell::new(0);
    let failing = Recording::new(Counted {
        mels: SpectrogramParts::new(model.features(), sound(9.0, 2)).unwrap(),
        windows: &windows,
        fails: Some(2),
    });
    let good = sound(5.0, 1);
    let recordings = vec![
        model.recording(good.as_slice()),
        Err(AudioError::Unknown.into()),
        Ok(failing.cut_at(&[3.0])),
        model.recording(good.as_slice()),
    ];
    let heard = together(&model, recordings, 3, &options);
    let expected = model.segments(good.clone(), &options).unwrap();
    assert!(!expected.is_empty());
    assert_eq!(heard[0].as_ref().unwrap(), &expected);
    assert!(matches!(heard[1], Err(Error::Audio(AudioError::Unknown))));
    assert!(matches!(heard[2], Err(Error::Audio(AudioError::Empty))));
    assert_eq!(heard[3].as_ref().unwrap(), &expected);

    // So does whoever wants no more of one.
    let recordings = [model.recording(good.as_slice()), model.recording(good.as_slice())];
    let (mut told, mut ends) = (0, Vec::new());
    model.hear_together(recordings, 2, &options, &mut |number, said| {
        match said {
            Said::Segment(_) if number == 0 => return Err(AudioError::Empty.into()),
            Said::Segment(_) => told += 1,
            Said::End(result) => ends.push((number, result.is_ok())),
        }
        Ok(())
    });
    assert_eq!(ends, [(0, false), (1, true)]);
    assert_eq!(told, expected.len());

    let unknown = WhisperOptions {
        language: Some("tlh".to_string()),
        ..WhisperOptions::default()
    };
    let heard = together(&model, vec![model.recording(good)], 1, &unknown);
    assert!(matches!(heard[0], Err(Error::Language { .. })));
}

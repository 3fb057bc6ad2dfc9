//! The reference program's rules.

use sensorium_generation::GenerationConfig;

use super::super::windows::{About, Part};
use super::super::write::{Answer, Request, Written};
use super::*;

/// The language of these files is forced, and that there are no times, which the prompt says now.
#[test]
fn forced_tokens_of_older_files_are_no_obstacle() {
    let forced = json!({"forced_decoder_ids": [[1, null], [2, 261], [3, FIRST_TIME - 1]]});
    let model = lively(&forced);
    let options = WhisperOptions {
        timestamps: true,
        ..WhisperOptions::default()
    };
    let wanted = model.wanted(&options, true, || 259).unwrap();
    assert_eq!(wanted, [START, 259, 261]);
    let segments = model.segments(sound(3.0, 1), &options).unwrap();
    assert!(segments.iter().all(|s| s.ids[0] >= FIRST_TIME), "{segments:?}");
    assert!(!segments.is_empty());
}

#[test]
fn the_best_of_several_is_taken() {
    let model = lively(&json!({}));
    let memory = tch::no_grad(|| {
        let mels = model.features().windows(&[sound(2.0, 1), sound(2.0, 2)]).values;
        model.model.remember(&model.model.encode(&mels))
    });
    let request = |seed| Request {
        prompt: vec![START, 258, 261],
        wanted: 3,
        timestamps: true,
        seed,
    };
    let likely = |best_of| -> Vec<f64> {
        let options = WhisperOptions {
            checks: Some(Checks {
                temperatures: vec![0.9],
                best_of,
                ..Checks::default()
            }),
            ..WhisperOptions::default()
        };
        let answers = model.answers(&memory, &[request(1), request(2)], &options);
        let written = answers.into_iter().map(|answer| answer.unwrap().written.unwrap());
        written
            .map(|written| written.log_prob() / written.ids.len() as f64)
            .collect()
    };
    let (one, ten) = (likely(1), likely(10));
    assert!(one[0] <= ten[0] && one[1] <= ten[1], "{one:?} {ten:?}");
    assert!(one != ten);
    assert_eq!(likely(10), ten);
}

#[test]
fn settings_that_cannot_be_checked_are_refused() {
    let model = lively(&json!({}));
    let options = WhisperOptions {
        checks: Some(Checks::default()),
        generation: GenerationConfig {
            prompt_lookup_num_tokens: Some(3),
            ..GenerationConfig::default()
        },
        ..WhisperOptions::default()
    };
    let error = model.segments(sound(1.0, 1), &options).unwrap_err();
    assert!(error.to_string().contains("prompt_lookup_num_tokens"), "{error}");
}

/// What a part is told before the window that follows one in which `ids` were written.
fn told_next(model: &WhisperRecognizer, checks: Checks, temperature: f64, ids: &[i64]) -> Vec<i64> {
    let options = WhisperOptions {
        prompt: vec![PREVIOUS, 33, 34],
        checks: Some(checks),
        ..WhisperOptions::default()
    };
    let all = std::iter::once(0..1000);
    let mut part = Part::new(0, 0, true, all.collect(), &options);
    let wanted = [START, 258];
    assert_eq!(
        part.request(model, &wanted, &options).prompt,
        [PREVIOUS, 33, 34, START, 258]
    );
    let window = part.window(200).unwrap();
    let answer = Answer {
        written: Some(Written {
            ids: ids.to_vec(),
            ..Written::default()
        }),
        temperature,
        quality: None,
    };
    let about = About {
        options: &options,
        frames: 1000,
        language: None,
    };
    part.take(model, window, (answer, Vec::new()), about).unwrap();
    let mut prompt = part.request(model, &wanted, &options).prompt;
    prompt.truncate(prompt.len() - 2);
    prompt
}

#[test]
fn windows_are_told_what_was_said_before() {
    let model = lively(&json!({}));
    let time = |step| FIRST_TIME + step;
    let ids = [time(0), 65, 66, time(50), time(50), 67, time(80), time(80)];
    let told = |checks, temperature| told_next(&model, checks, temperature, &ids);
    let all = [&[PREVIOUS, 33, 34], &ids[..]].concat();
    assert_eq!(told(Checks::default(), 0.0), all);
    assert_eq!(told(Checks::default(), 0.4), all);
    // Guesses are not shown, and with them all before is forgotten.
    assert!(told(Checks::default(), 0.6).is_empty());
    let forgetting = Checks {
        condition_on_previous: false,
        ..Checks::default()
    };
    assert!(told(forgetting, 0.0).is_empty());
    // Neither are segments without words.
    let blank = [time(0), 32, time(50), time(50), 67, time(80), time(80)];
    assert_eq!(
        told_next(&model, Checks::default(), 0.0, &blank),
        [PREVIOUS, 33, 34, time(50), 67, time(80), time(80)]
    );
}

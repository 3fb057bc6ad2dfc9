//! Moonshine, with the tiny model that the parity tests have.

use std::path::Path;

use sensorium_blocks::KvCache;
use sensorium_blocks::seq2seq::Past;
use sensorium_generation::{Generated, GenerationConfig};
use sensorium_hub::Model;
use sensorium_speech::models::moonshine::Moonshine;
use sensorium_speech::{
    Audio, Error, MoonshineOptions, MoonshineRecognizer, SpeechToText, SpeechToTextOptions,
};
use tch::{Device, Kind, Tensor};

const RATE: usize = 16_000;

fn tiny(case: &str) -> Model {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/cases");
    Model::in_folder(case, folder.join(case))
}

fn recognizer(case: &str) -> MoonshineRecognizer {
    MoonshineRecognizer::open(&tiny(case), Device::Cpu, None).expect("the tiny model")
}

/// So many seconds of tones that rise, and a little noise.
fn sound(seconds: f64, pitch: f32) -> Vec<f32> {
    let mut noise = 1u32;
    let sample = |i: usize| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let at = i as f32 / RATE as f32;
        let tone = (at * pitch * (1.0 + 0.3 * at)).sin() * 0.4;
        tone + (noise >> 8) as f32 / (1 << 24) as f32 * 0.02
    };
    (0..(seconds * RATE as f64) as usize).map(sample).collect()
}

fn ids(written: &[Generated]) -> Vec<Vec<i64>> {
    written.iter().map(|written| written.ids.clone()).collect()
}

#[test]
fn recordings_heard_together_give_what_each_gives_alone() {
    for case in ["moonshine", "moonshine-heads"] {
        let model = recognizer(case);
        let sounds = [
            sound(1.9, 900.0),
            sound(0.3, 4000.0),
            sound(3.1, 2100.0),
            sound(1.9, 500.0),
        ];
        let all: Vec<&[f32]> = sounds.iter().map(Vec::as_slice).collect();
        for beams in [1, 3] {
            let config = GenerationConfig {
                num_beams: Some(beams),
                ..GenerationConfig::default()
            };
            let together = ids(&model.write(&all, &config).expect("texts"));
            let alone = all
                .iter()
                .map(|one| model.write(&[one], &config).expect("a text"));
            let alone: Vec<Vec<i64>> = alone.flat_map(|written| ids(&written)).collect();
            assert_eq!(together, alone, "{case} {beams}");
        }
    }
}

#[test]
fn padding_changes_no_state() {
    let model = recognizer("moonshine-heads");
    let [short, long] = [sound(0.5, 700.0), sound(1.2, 1500.0)].map(|x| Tensor::from_slice(&x));
    tch::no_grad(|| {
        let both = model.model().encode_each(&[short.shallow_clone(), long]);
        let alone = model.model().encode_each(&[short]);
        assert!(alone.keep.is_none());
        let steps = alone.states.size()[1];
        let padded = both.states.narrow(0, 0, 1).narrow(1, 0, steps);
        assert!(padded.allclose(&alone.states, 1e-4, 1e-5, false));
        let keep = both
            .keep
            .expect("a mask")
            .sum_dim_intlist([1i64].as_slice(), false, Kind::Int64);
        let counts = Vec::<i64>::try_from(keep).expect("counts");
        assert_eq!(counts, [steps, both.states.size()[1]]);
    });
}

#[test]
fn cached_decoding_equals_uncached() {
    let model = recognizer("moonshine-heads");
    let decoder = model.model().decoder();
    let tokens = Tensor::from_slice(&[1i64, 280, 9, 300, 301, 17, 40]).unsqueeze(0);
    tch::no_grad(|| {
        let heard = model
            .model()
            .encode_each(&[Tensor::from_slice(&sound(1.0, 800.0))]);
        let memory = model.model().remember(&heard);
        let whole = decoder.forward(&tokens, Past::default(), &memory, None, false, None);
        let mut caches: Vec<KvCache> = decoder.layers.iter().map(|_| KvCache::new(2)).collect();
        let mut len = 0;
        for count in [1, 1, 3, 2] {
            let past = Past {
                len,
                caches: Some(&mut caches),
            };
            let part = tokens.narrow(1, len, count);
            let states = decoder.forward(&part, past, &memory, None, false, None);
            assert!(
                states.allclose(&whole.narrow(1, len, count), 1e-4, 1e-5, false),
                "after {len} tokens"
            );
            len += count;
        }
    });
}

#[test]
fn a_recordings_length_limits_its_text() {
    let model = recognizer("moonshine");
    let config = GenerationConfig {
        suppress_tokens: Some(vec![2]), // never ends by itself
        ..GenerationConfig::default()
    };
    let sounds = [sound(4.0, 900.0), sound(0.5, 900.0)];
    let all: Vec<&[f32]> = sounds.iter().map(Vec::as_slice).collect();
    let written = ids(&model.write(&all, &config).expect("texts"));
    for (ids, seconds) in written.iter().zip([4.0, 0.5]) {
        let plain = ((6.5 * seconds) as usize).max(8) + 1;
        let spelt = ((13.0 * seconds) as usize).max(8) + 1;
        assert!(
            (plain..=spelt).contains(&ids.len()),
            "{} of {plain} to {spelt}",
            ids.len()
        );
        assert_eq!(ids.last(), Some(&2));
    }
    let told = GenerationConfig {
        max_new_tokens: Some(5),
        ..config
    };
    assert_eq!(model.write(&all[..1], &told).expect("a text")[0].ids.len(), 5);
}

#[test]
fn long_recordings_lose_no_piece() {
    let model = recognizer("moonshine");
    let mut samples = Vec::new();
    for pitch in [700.0, 1500.0, 2600.0] {
        samples.extend(sound(14.0, pitch));
        samples.extend(vec![0.0; RATE]);
    }
    let audio = Audio::new(samples, 1, RATE as u32).expect("a recording");
    let options = MoonshineOptions {
        generation: GenerationConfig {
            max_new_tokens: Some(6),
            suppress_tokens: Some(vec![2]),
            ..GenerationConfig::default()
        },
        ..MoonshineOptions::default()
    };
    let phrases = model.transcribe(&audio, &options).expect("phrases");
    assert_eq!(phrases.len(), 2, "{phrases:?}");
    assert!(phrases.iter().all(|phrase| phrase.end - phrase.start <= 30.0));
    let timed = MoonshineOptions {
        timestamps: true,
        ..options
    };
    let phrases = model.transcribe(&audio, &timed).expect("phrases");
    assert!(phrases.len() >= 6, "{phrases:?}");
    assert!(phrases.iter().all(|phrase| phrase.end - phrase.start <= 8.0));
    assert!(phrases.windows(2).all(|pair| pair[0].end <= pair[1].start));
}

#[test]
fn what_it_cannot_do_is_said() {
    let open = |options| SpeechToText::open(&tiny("moonshine"), Device::Cpu, None, options);
    let refused = |options, what: &str| {
        let error = open(options).expect_err(what);
        let kind = matches!(error, Error::OnlyWrites { .. } | Error::NoTimesOfWords);
        assert!(kind, "{error}");
        assert!(error.to_string().contains(what), "{error}");
    };
    let plain = SpeechToTextOptions::default;
    let translate = SpeechToTextOptions {
        translate: true,
        ..plain()
    };
    refused(translate, "cannot translate");
    let words = SpeechToTextOptions {
        words: true,
        ..plain()
    };
    refused(words, "cannot tell when words are said");
    let prompt = SpeechToTextOptions {
        prompt: Some("Quilter".to_string()),
        ..plain()
    };
    refused(prompt, "cannot take a prompt");
    let model = open(plain()).expect("the tiny model");
    let short = Audio::new(vec![0.1; Moonshine::LEAST_SAMPLES - 1], 1, RATE as u32).expect("a recording");
    let error = model.transcribe(&short).expect_err("too short");
    assert!(matches!(error, Error::TooShort { least: 895, .. }), "{error}");
    let least = Audio::new(vec![0.1; Moonshine::LEAST_SAMPLES], 1, RATE as u32).expect("a recording");
    model.transcribe(&least).expect("a text");
}

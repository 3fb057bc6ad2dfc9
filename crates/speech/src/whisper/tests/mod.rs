//! Whisper as a whole, with small random checkpoints.

mod ends;
mod rules;
mod side_by_side;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;

use sensorium_blocks::Params;
use sensorium_hub::{Model, save_safetensors};
use serde_json::{Value, json};
use tch::{Device, Tensor};

use super::*;
use crate::audio::AudioError;

const END: i64 = 256;
const START: i64 = 257;
const PREVIOUS: i64 = 263;
const FIRST_TIME: i64 = 266;
/// Steps of a window, which has two seconds.
const STEPS: i64 = 100;

fn config() -> Value {
    json!({
        "model_type": "whisper", "vocab_size": FIRST_TIME + STEPS + 1, "d_model": 24, "num_mel_bins": 80,
        "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 48,
        "decoder_layers": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 48,
        "max_source_positions": STEPS, "max_target_positions": 40,
    })
}

/// A byte-level tokenizer without merges.
fn tokenizer() -> Value {
    let plain = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut others = 256u32..;
    let letters = (0..=255u8).map(|byte| match plain(byte) {
        true => char::from(byte),
        false => others.next().and_then(char::from_u32).unwrap(),
    });
    let vocabulary: BTreeMap<String, usize> = letters.map(String::from).zip(0..).collect();
    let named = [
        "endoftext",
        "startoftranscript",
        "en",
        "de",
        "translate",
        "transcribe",
        "startoflm",
        "startofprev",
        "nospeech",
        "notimestamps",
    ];
    let named = named.iter().map(|name| (format!("<|{name}|>"), true));
    let times = (0..=STEPS).map(|step| (format!("<|{:.2}|>", step as f64 * STEP), false));
    let added = named.chain(times).zip(END..).map(|((content, special), id)| {
        json!({
            "id": id, "content": content, "special": special, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false,
        })
    });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": added.collect::<Vec<_>>(),
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": false, "vocab": vocabulary, "merges": [],
        },
    })
}

/// A checkpoint whose weights are random, then changed by `change`.
fn model(settings: &Value, change: impl Fn(&str, &Tensor) -> Tensor) -> WhisperRecognizer {
    tch::set_num_threads(1); // tests run beside each other, and there is little to share
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| fs::write(folder.path().join(name), value.to_string()).unwrap();
    write("config.json", &config());
    write("tokenizer.json", &tokenizer());
    write(
        "tokenizer_config.json",
        &json!({"tokenizer_class": "WhisperTokenizer"}),
    );
    write(
        "preprocessor_config.json",
        &json!({"feature_extractor_type": "WhisperFeatureExtractor", "chunk_length": 2}),
    );
    let mut generation = json!({
        "decoder_start_token_id": START, "eos_token_id": END, "pad_token_id": END,
        "no_timestamps_token_id": FIRST_TIME - 1, "max_initial_timestamp_index": 50, "max_length": 40,
        "suppress_tokens": [257, 258, 259, 260, 261, 262, 263, 264], "begin_suppress_tokens": [32, END],
        "lang_to_id": {"<|en|>": 258, "<|de|>": 259}, "task_to_id": {"translate": 260, "transcribe": 261},
    });
    for (name, value) in settings.as_object().into_iter().flatten() {
        generation[name.as_str()] = value.clone();
    }
    write("generation_config.json", &generation);
    let params = Params::fresh(7);
    let _ = Whisper::new(&config(), &params).unwrap();
    let weights: Vec<(String, Tensor)> = params
        .all()
        .into_iter()
        .map(|param| {
            let changed = change(&param.name, &param.tensor.detach());
            (param.name, changed)
        })
        .collect();
    save_safetensors(
        &folder.path().join("model.safetensors"),
        &weights,
        &BTreeMap::new(),
    )
    .unwrap();
    let model = Model::in_folder("random", folder.path());
    WhisperRecognizer::open(&model, Device::Cpu, None).unwrap()
}

/// A checkpoint that writes something else for each window.
fn lively(settings: &Value) -> WhisperRecognizer {
    model(settings, |name, tensor| {
        let factor = match name {
            _ if tensor.dim() < 2 => 1.0,
            _ if name.contains("embed_tokens") => 4.0,
            _ if name.contains("encoder_attn") => 4.0,
            _ => 2.0,
        };
        tensor * factor
    })
}

/// A checkpoint to which `token` is always the likeliest.
fn stubborn(token: i64) -> WhisperRecognizer {
    model(&json!({}), move |name, tensor| match name {
        "model.decoder.layer_norm.weight" => tensor.zeros_like(),
        "model.decoder.layer_norm.bias" => Tensor::ones_like(tensor),
        "model.decoder.embed_tokens.weight" => {
            let other = tensor * 0.01;
            let _ = other.get(token).fill_(1.0);
            other
        }
        _ => tensor.copy(),
    })
}

/// Something like speech: tones that come and go.
fn sound(seconds: f64, seed: u32) -> Vec<f32> {
    let mut noise = seed.wrapping_mul(2_654_435_761) | 1;
    let sample = |i: usize| {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let time = i as f32 / 16_000.0;
        let pitch = 200.0 + 150.0 * (time * (1.3 + seed as f32 * 0.7)).sin();
        let loudness = (time * (2.0 + seed as f32 * 0.3)).sin().max(0.0);
        loudness * (time * pitch * std::f32::consts::TAU).sin() * 0.5
            + (noise as f32 / u32::MAX as f32 - 0.5) * 0.02
    };
    (0..(seconds * 16_000.0) as usize).map(sample).collect()
}

fn together(
    model: &WhisperRecognizer,
    recordings: Vec<Result<Recording<'_>, Error>>,
    most: usize,
    options: &WhisperOptions,
) -> Vec<Result<Vec<Segment>, Error>> {
    let mut heard: Vec<Vec<Segment>> = recordings.iter().map(|_| Vec::new()).collect();
    let mut ends: Vec<Option<Result<(), Error>>> = recordings.iter().map(|_| None).collect();
    model.hear_together(recordings, most, options, &mut |number, said| {
        assert!(ends[number].is_none(), "nothing follows the end");
        match said {
            Said::Segment(segment) => heard[number].push(segment),
            Said::End(result) => ends[number] = Some(result),
        }
        Ok(())
    });
    let pairs = ends.into_iter().zip(heard);
    pairs.map(|(end, heard)| end.unwrap().map(|()| heard)).collect()
}

fn checks(temperatures: &[f64]) -> Option<Checks> {
    Some(Checks {
        temperatures: temperatures.to_vec(),
        best_of: 2,
        ..Checks::default()
    })
}

/// Counts the windows that are asked for.
struct Counted<'a, S> {
    mels: S,
    windows: &'a Cell<usize>,
    /// Fails at this one.
    fails: Option<usize>,
}

impl<S: Spectrogram> Spectrogram for Counted<'_, S> {
    fn frames(&self) -> i64 {
        self.mels.frames()
    }

    fn sound(&self) -> i64 {
        self.mels.sound()
    }

    fn part(&mut self, from: i64, frames: i64) -> Result<Tensor, Error> {
        self.windows.set(self.windows.get() + 1);
        if self.fails == Some(self.windows.get()) {
            return Err(AudioError::Empty.into());
        }
        self.mels.part(from, frames)
    }
}

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sensorium_blocks::{MemorySource, TensorSource};
use sensorium_speech::audio::{SampleKind, WavFile};
use serde_json::json;

use super::*;
use crate::recordings;
use crate::trainer::{Callback, Outcome, StepStatus};
use crate::{LearningRate, Optimizer, RunFolder, Trainer};

/// What `tests/make_whisper_loss.py` prints: of a tiny network the loss, and of some gradients the norm and the fourth
/// value.
const LOSS: f64 = 3.8549109;
const GRADIENTS: [(&str, f64, f64); 7] = [
    ("model.encoder.conv1.weight", 1.625757e-01, 4.991447e-03),
    (
        "model.encoder.layers.0.self_attn.q_proj.weight",
        5.986071e-02,
        -9.739458e-03,
    ),
    ("model.encoder.layer_norm.bias", 2.832843e-01, -1.374033e-01),
    ("model.decoder.embed_tokens.weight", 6.897950e+00, 3.932835e-02),
    (
        "model.decoder.embed_positions.weight",
        7.020649e+00,
        -7.624352e-02,
    ),
    ("model.decoder.layers.0.fc1.weight", 2.390219e-01, -3.624299e-03),
    (
        "model.decoder.layers.1.encoder_attn.v_proj.bias",
        1.422067e-01,
        -6.528282e-02,
    ),
];

fn wave(count: usize, step: f64, shift: f64) -> Tensor {
    let values: Vec<f64> = (0..count).map(|i| (step * i as f64 + shift).sin()).collect();
    Tensor::from_slice(&values)
}

fn weight(name: &str, shape: &[i64]) -> Tensor {
    let shift: u32 = name.bytes().map(u32::from).sum();
    let values = wave(shape.iter().product::<i64>() as usize, 0.7, f64::from(shift)).view(shape);
    let values: Tensor = match name.ends_with("norm.weight") {
        true => values * 0.3 + 1.0,
        false => values * 0.4,
    };
    values.to_kind(Kind::Float)
}

/// A network with weights by formula.
fn network(config: &Value, frozen: &str) -> (Whisper, Params) {
    let fresh = Params::fresh(0);
    Whisper::new(config, &fresh).expect("a network");
    let tensors = fresh.all().into_iter().map(|param| {
        let tensor = weight(&param.name, &param.tensor.size());
        (param.name, tensor)
    });
    let source: Arc<dyn TensorSource> = Arc::new(MemorySource::new(tensors));
    let mut params = Params::trainable(source);
    if !frozen.is_empty() {
        params = params.freezing(frozen);
    }
    (Whisper::new(config, &params).expect("a network"), params)
}

#[test]
fn a_step_is_that_of_the_reference() {
    let config = json!({
        "vocab_size": 40, "d_model": 8, "num_mel_bins": 6, "encoder_layers": 2, "encoder_attention_heads": 2,
        "encoder_ffn_dim": 16, "decoder_layers": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 16,
        "max_source_positions": 10, "max_target_positions": 12,
    });
    let mels = wave(2 * 6 * 20, 0.3, 0.0).to_kind(Kind::Float).view([2, 6, 20]);
    let rows = rows(&[31, 32, 33, 34], &[vec![1, 2, 3], vec![9]], 30, 12);
    for frozen in ["", "model.encoder."] {
        let (model, params) = network(&config, frozen);
        let taught = taught(&model, &mels, &rows, frozen.is_empty(), true);
        let loss = taught.loss.double_value(&[]);
        assert!((loss - LOSS).abs() < 1e-5, "{loss}");
        assert_eq!(taught.count, 12);
        let learned: Vec<_> = params.all().into_iter().filter(|p| p.role.is_learned()).collect();
        let tensors: Vec<&Tensor> = learned.iter().map(|param| &param.tensor).collect();
        let gradients = Tensor::run_backward(&[&taught.loss], &tensors, false, false);
        for (name, norm, fourth) in GRADIENTS {
            let Some(at) = learned.iter().position(|param| param.name == name) else {
                assert!(name.starts_with(frozen), "{name}");
                continue;
            };
            let found = [
                gradients[at].norm().double_value(&[]),
                gradients[at].flatten(0, -1).double_value(&[3]),
            ];
            let near = |found: f64, expected: f64| (found - expected).abs() < 1e-5 * norm.max(0.1);
            assert!(
                near(found[0], norm) && near(found[1], fourth),
                "{name}: {found:?}"
            );
        }
    }
}

/// A checkpoint of a tiny model that has learned nothing, with all its files.
fn checkpoint(folder: &Path) -> Model {
    let specials = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        "<|en|>",
        "<|de|>",
        "<|translate|>",
        "<|transcribe|>",
        "<|startofprev|>",
        "<|notimestamps|>",
    ];
    let letters: Vec<String> = "onetwhrfu\u{120}".chars().map(String::from).collect();
    let vocabulary: serde_json::Map<String, Value> = letters
        .iter()
        .cloned()
        .zip((0..).map(|id: usize| json!(id)))
        .collect();
    let id = |token: &str| {
        letters.len()
            + specials
                .iter()
                .position(|known| *known == token)
                .expect("a token")
    };
    let added = specials.map(|token| {
        json!({
            "id": id(token), "content": token, "special": true, "normalized": false, "single_word": false,
            "lstrip": false, "rstrip": false,
        })
    });
    let bytes =
        json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true });
    let write = |name: &str, value: Value| {
        std::fs::write(folder.join(name), value.to_string()).expect("a file");
    };
    write(
        "tokenizer.json",
        json!({
            "version": "1.0", "added_tokens": added, "pre_tokenizer": bytes, "decoder": bytes,
            "model": { "type": "BPE", "vocab": vocabulary, "merges": [] },
        }),
    );
    let config = json!({
        "model_type": "whisper", "vocab_size": letters.len() + specials.len(), "d_model": 32, "num_mel_bins": 8,
        "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_layers": 1,
        "decoder_attention_heads": 2, "decoder_ffn_dim": 64, "max_source_positions": 20,
        "max_target_positions": 24, "dtype": "float16",
    });
    let params = Params::fresh(3);
    Whisper::new(&config, &params).expect("a network");
    let tensors: Vec<(String, Tensor)> = params
        .all()
        .into_iter()
        .map(|param| (param.name, param.tensor.detach()))
        .collect();
    sensorium_hub::save_safetensors(&folder.join("model.safetensors"), &tensors, &Default::default())
        .expect("a file");
    write("config.json", config);
    write(
        "preprocessor_config.json",
        json!({
            "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 8, "chunk_length": 1,
            "hop_length": 400, "n_fft": 128,
        }),
    );
    write(
        "generation_config.json",
        json!({
            "eos_token_id": id(specials[0]), "decoder_start_token_id": id(specials[1]),
            "lang_to_id": { "<|en|>": id(specials[2]), "<|de|>": id(specials[3]) },
            "task_to_id": { "translate": id(specials[4]), "transcribe": id(specials[5]) },
            "no_timestamps_token_id": id(specials[7]),
        }),
    );
    Model::in_folder("tiny", folder)
}

/// Two tones with words, half a second each, that are learned and validated on.
fn corpus(folder: &Path) -> Corpus {
    let mut manifest = String::new();
    for (name, hertz, text) in [("low", 300.0, "one two"), ("high", 1900.0, "three four one")] {
        let samples: Vec<f32> = (0..8000)
            .map(|i| (i as f32 / 16_000.0 * hertz * std::f32::consts::TAU).sin() * 0.5)
            .collect();
        let path = folder.join(format!("{name}.wav"));
        let mut file = WavFile::create(&path, 16_000, SampleKind::Int16).expect("a file");
        file.write(&samples)
            .and_then(|()| file.finish())
            .expect("a sound");
        manifest += &json!({ "audio": format!("{name}.wav"), "text": text }).to_string();
        manifest.push('\n');
    }
    let file = folder.join("list.jsonl");
    std::fs::write(&file, manifest).expect("a file");
    let all = recordings::read(&file).expect("recordings");
    Corpus {
        train: all.clone(),
        validation: all,
    }
}

fn settings(model: &Model, epochs: usize, rate: f64) -> Settings {
    Settings {
        model: model.config().expect("a configuration"),
        data: "tones".to_string(),
        language: Some("en".to_string()),
        translate: false,
        freeze_encoder: false,
        batch_size: 2,
        shaping: Shaping::PLAIN,
        trainer: TrainerConfig {
            epochs,
            optimizer: Optimizer::ADAMW,
            learning_rate: LearningRate::constant(rate),
            clip_norm: Some(1.0),
            ema_decay: None,
            seed: 1,
        },
    }
}

/// Stops the run after some steps.
struct Stop(usize, Arc<AtomicBool>);

impl Callback for Stop {
    fn on_step(&mut self, _status: &StepStatus) {
        self.0 -= 1;
        self.1.store(self.0 == 0, Ordering::Relaxed);
    }
}

fn run(settings: &Settings, model: &Model, corpus: &Corpus, folder: RunFolder) -> Result<Report> {
    train(settings, model, corpus, Session::new(folder, &mut ()))
}

fn tensors(folder: &Path) -> Vec<(String, Tensor)> {
    let model = Model::in_folder("tiny", folder);
    let weights = model.weights().expect("weights");
    let named = weights.names().into_iter();
    named
        .map(|name| (name.to_string(), weights.tensor(name).expect("a tensor")))
        .collect()
}

#[test]
fn two_recordings_are_learned_by_heart() {
    let dir = tempfile::tempdir().expect("a folder");
    let (model, corpus) = (checkpoint(dir.path()), corpus(dir.path()));
    let out = dir.path().join("run");
    let folder = RunFolder::create(&out).expect("a folder");
    let report = run(&settings(&model, 60, 3e-3), &model, &corpus, folder).expect("a run");
    let last = report.record.epochs.last().expect("an epoch");
    assert_eq!((report.left_out, last.validation.accuracy), (0, 1.0), "{last:?}");

    let trained = Model::in_folder("trained", &out);
    assert_eq!(trained.config().expect("a file")["dtype"], "float32");
    let recognizer = WhisperRecognizer::open(&trained, Device::Cpu, None).expect("a model");
    for recording in &corpus.train {
        let options = sensorium_speech::WhisperOptions {
            language: Some("en".to_string()),
            ..Default::default()
        };
        let audio = recording.audio().expect("a sound");
        let segments = recognizer.transcribe(&audio, &options).expect("words");
        let ids: Vec<i64> = segments.into_iter().flat_map(|segment| segment.ids).collect();
        assert_eq!(recognizer.text(&ids).expect("a text").trim(), recording.text);
    }
}

#[test]
fn a_resumed_run_is_an_unbroken_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let (model, corpus) = (checkpoint(dir.path()), corpus(dir.path()));
    let mut settings = settings(&model, 4, 1e-3);
    settings.model["apply_spec_augment"] = json!(true);
    settings.model["mask_time_prob"] = json!(0.2);
    settings.batch_size = 1;
    settings.shaping.masks = 1;
    let [whole, broken] = ["whole", "broken"].map(|name| dir.path().join(name));
    let folder = RunFolder::create(&whole).expect("a folder");
    run(&settings, &model, &corpus, folder).expect("a run");

    let stop = Arc::new(AtomicBool::new(false));
    let mut callback = Stop(5, Arc::clone(&stop));
    let folder = RunFolder::create(&broken).expect("a folder");
    let session = Session {
        stop,
        ..Session::new(folder, &mut callback)
    };
    let report = train(&settings, &model, &corpus, session).expect("a run");
    assert_eq!(report.outcome, Outcome::Stopped);
    let folder = RunFolder::resume(&broken).expect("a folder");
    let report = run(&settings, &model, &corpus, folder).expect("a run");
    assert_eq!(report.outcome, Outcome::Finished);
    let [whole, broken] = [whole, broken].map(|folder| std::fs::read(folder.join(Trainer::MODEL)));
    assert!(whole.expect("weights") == broken.expect("weights"));
}

#[test]
fn what_is_not_learned_is_saved_as_it_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let (model, corpus) = (checkpoint(dir.path()), corpus(dir.path()));
    let before = tensors(dir.path());
    for (rate, freeze) in [(0.0, false), (1e-3, true)] {
        let out = dir.path().join(format!("{freeze}"));
        let settings = Settings {
            freeze_encoder: freeze,
            ..settings(&model, 1, rate)
        };
        let folder = RunFolder::create(&out).expect("a folder");
        run(&settings, &model, &corpus, folder).expect("a run");
        for file in [
            "generation_config.json",
            "preprocessor_config.json",
            "tokenizer.json",
        ] {
            let [copy, own] = [&out, dir.path()].map(|folder| std::fs::read(folder.join(file)));
            assert_eq!(copy.expect("a copy"), own.expect("a file"), "{file}");
        }
        let after = tensors(&out);
        assert_eq!(after.len(), before.len());
        for ((name, old), (same, new)) in before.iter().zip(&after) {
            let kept = rate == 0.0 || name.starts_with("model.encoder.");
            assert_eq!((name, old.equal(new)), (same, kept), "{name}");
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let (model, corpus) = (checkpoint(dir.path()), corpus(dir.path()));
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = settings(&model, 1, 1e-3);
        change(&mut settings);
        let out = tempfile::tempdir().expect("a folder");
        let folder = RunFolder::create(out.path()).expect("a folder");
        let error = run(&settings, &model, &corpus, folder).expect_err("no run");
        error.to_string()
    };
    let error = refused(&|settings| settings.language = None);
    assert!(error.contains("--language, one of en, de"), "{error}");
    let error = refused(&|settings| settings.language = Some("fr".to_string()));
    assert!(error.contains("`fr`; it knows en, de"), "{error}");
    let error = refused(&|settings| settings.model["apply_spec_augment"] = json!("yes"));
    assert!(
        error.contains("apply_spec_augment") || error.contains("boolean"),
        "{error}"
    );
}

use std::collections::BTreeMap;
use std::path::Path;

use sensorium_hub::Model;
use sensorium_speech::CtcRecognizer;
use sensorium_speech::audio::{SampleKind, WavFile};
use sensorium_speech::models::SpeechEncoder;
use sensorium_speech::vocabulary::Units;
use serde_json::json;

use super::*;
use crate::recordings;
use crate::{LearningRate, Optimizer, RunFolder, Trainer};

/// Two tones with words, half a second each, that are learned and validated on.
fn corpus(folder: &Path, texts: [&str; 2]) -> Corpus {
    let mut manifest = "audio\ttext\n".to_string();
    for (name, hertz, text) in [("low", 300.0, texts[0]), ("high", 1900.0, texts[1])] {
        let samples: Vec<f32> = (0..8000)
            .map(|i| (i as f32 / 16_000.0 * hertz * std::f32::consts::TAU).sin() * 0.5)
            .collect();
        let path = folder.join(format!("{name}.wav"));
        let mut file = WavFile::create(&path, 16_000, SampleKind::Int16).expect("a file");
        file.write(&samples)
            .and_then(|()| file.finish())
            .expect("a sound");
        manifest += &format!("{name}.wav\t{text}\n");
    }
    let file = folder.join("list.tsv");
    std::fs::write(&file, manifest).expect("a file");
    let all = recordings::read(&file).expect("recordings");
    Corpus {
        train: all.clone(),
        validation: all,
    }
}

fn texts(corpus: &Corpus) -> Vec<&str> {
    corpus
        .train
        .iter()
        .map(|recording| recording.text.as_str())
        .collect()
}

fn settings(model: Value, features: Value, epochs: usize) -> Settings {
    Settings {
        model,
        features,
        data: "tones".to_string(),
        batch_size: 2,
        shaping: Shaping::PLAIN,
        trainer: TrainerConfig {
            epochs,
            optimizer: Optimizer::ADAMW,
            learning_rate: LearningRate::constant(3e-3),
            clip_norm: Some(1.0),
            ema_decay: None,
            seed: 1,
        },
    }
}

/// All files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("a file").path())
        .map(|path| (path.display().to_string(), std::fs::read(path).expect("a file")))
        .collect()
}

/// A tiny Conformer over filter banks.
fn conformer(tokens: usize) -> (Value, Value) {
    let model = json!({
        "model_type": "wav2vec2-bert", "vocab_size": tokens, "hidden_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 16, "feature_projection_input_dim": 16, "hidden_act": "swish",
        "position_embeddings_type": "relative_key", "left_max_position_embeddings": 8,
        "right_max_position_embeddings": 8, "conv_depthwise_kernel_size": 3, "add_adapter": false,
    });
    let features = json!({
        "feature_extractor_type": "SeamlessM4TFeatureExtractor", "sampling_rate": 16_000, "feature_size": 8,
        "num_mel_bins": 8, "stride": 2, "padding_value": 0.0, "return_attention_mask": true,
    });
    (model, features)
}

#[test]
fn a_refused_resume_leaves_the_folder_as_it_was() {
    let dir = tempfile::tempdir().expect("a folder");
    let corpus = corpus(dir.path(), ["one two", "two"]);
    let out = dir.path().join("run");
    let run = |units, floor: f64, folder| {
        let vocabulary = Vocabulary::of_texts(texts(&corpus), units);
        let (model, mut features) = conformer(vocabulary.len());
        features["mel_floor"] = json!(floor);
        let settings = settings(model, features, 1);
        let params = Params::fresh(1);
        train(
            &settings,
            params,
            &vocabulary,
            &corpus,
            Session::new(folder, &mut ()),
        )
    };
    run(Units::Letters, 1.0, RunFolder::create(&out).expect("a folder")).expect("a run");
    let before = files(&out);
    let folder = RunFolder::resume(&out).expect("a folder");
    let error = run(Units::Words, 2.0, folder)
        .expect_err("another run")
        .to_string();
    assert!(error.contains("made with other settings"), "{error}");
    assert!(files(&out) == before, "the folder has changed");
}

/// The digest of a data set in a checkpoint stays what it was: with another, no run could be resumed.
#[test]
fn data_are_known_by_their_digest() {
    let example = |samples: &[f32], target: &[usize]| Example {
        samples: samples.to_vec(),
        target: target.to_vec(),
    };
    let [a, b] = [
        vec![example(&[0.5, -1.0], &[3]), example(&[], &[1, 2])],
        vec![example(&[0.25], &[])],
    ];
    let described = described(&json!({}), digest(&[&a, &b])).expect("settings");
    let expected = "90eba29af31a6a0afb74709aadd5eb13e244e10a08a5ef9eb0a74293e79e6ac5";
    assert_eq!(described["data_sha256"], expected);
}

/// A pretrained encoder, as it is saved alone: without a head, and without its type before the names.
fn encoder(folder: &Path) -> Model {
    let config = json!({
        "architectures": ["Wav2Vec2Model"], "model_type": "wav2vec2", "hidden_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 32, "conv_dim": [16, 16], "conv_kernel": [20, 10],
        "conv_stride": [20, 16], "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
        "do_stable_layer_norm": true, "feat_extract_norm": "layer", "mask_time_length": 2, "mask_time_prob": 0.2,
    });
    let features =
        json!({ "feature_extractor_type": "Wav2Vec2FeatureExtractor", "return_attention_mask": true });
    let params = Params::fresh(5);
    let extractor = Extractor::of(&features).expect("features");
    SpeechEncoder::new(&config, &params, extractor).expect("a network");
    let mut tensors: Vec<(String, Tensor)> = params
        .all()
        .into_iter()
        .map(|param| (param.name.replace("wav2vec2.", ""), param.tensor.detach()))
        .collect();
    tensors.push((
        wav2vec2::INSTEAD.to_string(),
        Tensor::ones([16], (Kind::Float, Device::Cpu)),
    ));
    sensorium_hub::save_safetensors(&folder.join("model.safetensors"), &tensors, &Default::default())
        .expect("a file");
    for (name, value) in [("config.json", config), ("preprocessor_config.json", features)] {
        std::fs::write(folder.join(name), value.to_string()).expect("a file");
    }
    Model::in_folder("encoder", folder)
}

/// Trains what `start` begins with.
fn go_on(start: Start, masks: usize, epochs: usize, corpus: &Corpus, out: &Path) -> Report {
    let features =
        json!({ "feature_extractor_type": "Wav2Vec2FeatureExtractor", "return_attention_mask": true });
    let mut settings = settings(start.model, features, epochs);
    settings.shaping.masks = masks;
    let folder = RunFolder::create(out).expect("a folder");
    let (params, vocabulary) = (start.params, &start.vocabulary);
    train(
        &settings,
        params,
        vocabulary,
        corpus,
        Session::new(folder, &mut ()),
    )
    .expect("a run")
}

fn tensor(model: &Model, name: &str) -> Tensor {
    let weights = model.weights().expect("weights");
    weights.tensor(name).expect(name)
}

#[test]
fn a_pretrained_encoder_becomes_a_recogniser() {
    tch::set_num_threads(1); // so small a network is only kept waiting by more
    let dir = tempfile::tempdir().expect("a folder");
    let model = encoder(dir.path());
    let corpus = corpus(dir.path(), ["да да", "нет"]);
    let begin = |model: &Model, units| Start::of(model, &texts(&corpus), units, 3).expect("a checkpoint");
    let start = begin(&model, None);
    assert_eq!(start.new_head.as_deref(), Some("the checkpoint has none"));
    assert_eq!(start.model["architectures"], json!(["Wav2Vec2ForCTC"]));
    assert_eq!(start.model["vocab_size"], start.vocabulary.len());
    let out = dir.path().join("first");
    let report = go_on(start, 0, 30, &corpus, &out);
    assert_eq!(report.left_out, 0);
    let losses = report.record.epochs.iter().map(|epoch| epoch.validation.loss);
    let losses: Vec<f64> = losses.collect();
    assert!(losses[29] < 0.5 * losses[0], "{losses:?}");
    let trained = Model::in_folder("trained", &out);
    CtcRecognizer::open(&trained, Device::Cpu, None).expect("a recogniser");
    // What stands in the place of hidden states has been learned.
    let instead = "wav2vec2.masked_spec_embed";
    assert!(tensor(&trained, instead).ne(1.0).any().int64_value(&[]) == 1);

    // The head is kept where it fits, and what is not hidden is not learned.
    let mut start = begin(&trained, None);
    assert_eq!(start.new_head, None);
    start.model["apply_spec_augment"] = json!(false);
    let head = start.params.has("lm_head.weight");
    assert_eq!(head, Some(true));
    let second = dir.path().join("second");
    go_on(start, 0, 1, &corpus, &second);
    let second = Model::in_folder("second", &second);
    assert!(tensor(&second, instead).equal(&tensor(&trained, instead)));
    let moved = tensor(&second, "lm_head.weight") - tensor(&trained, "lm_head.weight");
    assert!(moved.abs().max().double_value(&[]) < 0.01); // one step

    // Another alphabet, and other tokens that are asked for.
    let other = Start::of(&trained, &["yes", "no"], None, 3).expect("a checkpoint");
    let why = "the checkpoint's vocabulary can write 0 of the 2 texts";
    assert_eq!(other.new_head.as_deref(), Some(why));
    let words = begin(&trained, Some(Units::Words));
    assert_eq!(words.vocabulary.len(), 5);
    assert_eq!(words.new_head.as_deref(), Some("other tokens are asked for"));
    let third = dir.path().join("third");
    let report = go_on(words, 2, 1, &corpus, &third);
    assert_eq!(report.outcome, Outcome::Finished);
    assert_eq!(
        tensor(&Model::in_folder("third", &third), "lm_head.weight").size(),
        [5, 16]
    );
    assert!(third.join(Trainer::MODEL).is_file());
}

#[test]
fn what_a_checkpoint_has_for_its_pretraining_is_kept() {
    tch::set_num_threads(1); // so small a network is only kept waiting by more
    let dir = tempfile::tempdir().expect("a folder");
    let corpus = corpus(dir.path(), ["one", "two"]);
    let (config, features) = conformer(5);
    let params = Params::fresh(5);
    let extractor = Extractor::of(&features).expect("features");
    SpeechEncoder::new(&config, &params, extractor).expect("a network");
    let given = params.all().into_iter();
    let mut tensors: Vec<(String, Tensor)> = given.map(|param| (param.name, param.tensor.detach())).collect();
    let instead = "wav2vec2_bert.masked_spec_embed";
    let kept = Tensor::linspace(-1.0, 1.0, 16, (Kind::Float, Device::Cpu));
    tensors.push((instead.to_string(), kept.shallow_clone()));
    let file = dir.path().join("model.safetensors");
    sensorium_hub::save_safetensors(&file, &tensors, &Default::default()).expect("a file");
    std::fs::write(dir.path().join("config.json"), config.to_string()).expect("a file");
    let model = Model::in_folder("encoder", dir.path());
    let start = Start::of(&model, &texts(&corpus), None, 3).expect("a checkpoint");
    let out = dir.path().join("run");
    let folder = RunFolder::create(&out).expect("a folder");
    let settings = settings(start.model, features, 1);
    let mut quiet = ();
    let session = Session::new(folder, &mut quiet);
    train(&settings, start.params, &start.vocabulary, &corpus, session).expect("a run");
    let trained = Model::in_folder("trained", &out);
    assert!(tensor(&trained, instead).equal(&kept));
    CtcRecognizer::open(&trained, Device::Cpu, None).expect("a recogniser");
}

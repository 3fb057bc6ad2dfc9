//! Models in folders and in the program, and names that lead to none.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sensorium_hub::shipped::{MODELS, ShippedModel};
use sensorium_hub::{Error, Hub, HubOptions, Location, Model, NoProgress, save_safetensors};
use tch::Tensor;

use crate::says;

/// Saves `names` as tensors of one number each: their place in the list.
pub fn save(path: &Path, names: &[&str]) {
    let tensors: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, n)| (n.to_string(), Tensor::from_slice(&[i as f32])))
        .collect();
    save_safetensors(path, &tensors, &BTreeMap::new()).unwrap();
}

fn offline(cache: &Path) -> Hub {
    Hub::new(HubOptions {
        cache_dir: Some(cache.to_path_buf()),
        offline: true,
        progress: Arc::new(NoProgress),
        endpoint: "http://127.0.0.1:9".to_string(),
        token: None,
    })
    .unwrap()
}

#[test]
fn a_folder_is_a_model() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("config.json"),
        r#"{"model_type": "cnn", "channels": 32}"#,
    )
    .unwrap();
    fs::write(dir.path().join("preprocessor_config.json"), r#"{"size": 28}"#).unwrap();
    save(&dir.path().join("model.safetensors"), &["a", "b"]);

    let name = dir.path().to_str().unwrap();
    let model = offline(Path::new("/nonexistent")).resolve(name).unwrap();
    assert_eq!((model.name(), model.to_string().as_str()), (name, name));
    assert!(matches!(model.location(), Location::Folder(path) if path == dir.path()));
    assert_eq!(model.config().unwrap()["channels"], 32);
    assert_eq!(model.weights().unwrap().names(), ["a", "b"]);
    assert_eq!(
        model.files().unwrap(),
        ["config.json", "model.safetensors", "preprocessor_config.json"]
    );
    assert_eq!(
        model.read("preprocessor_config.json").unwrap().unwrap().as_ref(),
        br#"{"size": 28}"#
    );
    assert_eq!(model.path("config.json"), Some(dir.path().join("config.json")));
    assert!(model.read("tokenizer.json").unwrap().is_none());
    assert!(model.read("../x").unwrap().is_none() && model.path("/etc/passwd").is_none());
}

#[test]
fn a_config_that_is_wrong_is_named() {
    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code)]
    struct Config {
        channels: usize,
    }
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.json");
    let model = Model::in_folder("m", dir.path());
    says(&model.config().unwrap_err(), &["model m (", "has no config.json"]);
    fs::write(&config, "{\"channels\": }").unwrap();
    says(
        &model.config().unwrap_err(),
        &["config.json is not valid", "line 1 column 14"],
    );
    fs::write(&config, "[1]").unwrap();
    says(
        &model.config().unwrap_err(),
        &["config.json is not valid", "expected a map"],
    );
    fs::write(&config, "{}").unwrap();
    says(
        &model.config_as::<Config>().unwrap_err(),
        &["missing field `channels`"],
    );
    fs::File::create(&config).unwrap().set_len(1 << 30).unwrap();
    says(
        &model.config().unwrap_err(),
        &["config.json has 1073741824 bytes", "at most 16777216"],
    );
}

#[test]
fn weights_may_be_in_shards() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::in_folder("m", dir.path());
    let index = dir.path().join("model.safetensors.index.json");
    let write_index = |text: &str| fs::write(&index, text).unwrap();
    save(&dir.path().join("1.safetensors"), &["a", "b"]);
    save(&dir.path().join("2.safetensors"), &["c"]);

    write_index(
        r#"{"metadata": {}, "weight_map": {"a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"}}"#,
    );
    let weights = model.weights().unwrap();
    assert_eq!(weights.names(), ["a", "b", "c"]);
    assert_eq!(weights.shape("c"), Some(vec![1]));
    assert_eq!(weights.tensor("b").unwrap().double_value(&[0]), 1.);
    assert!(weights.tensor("d").is_none());

    let fails = |text: &str, parts: &[&str]| {
        write_index(text);
        says(&model.weights().err().unwrap(), parts);
    };
    fails(
        r#"{"weight_map": {"c": "1.safetensors"}}"#,
        &["index.json", "tensor `c` is not in 1.safetensors"],
    );
    fails(
        r#"{"weight_map": {"a": "3.safetensors"}}"#,
        &["cannot read", "3.safetensors"],
    );
    fails(
        r#"{"weight_map": {"a": "../1.safetensors"}}"#,
        &["`../1.safetensors` is not the name of a file"],
    );
    fails(r#"{"weight_map": {}}"#, &["names no tensor"]);
    fails("{}", &["index.json is not valid", "missing field `weight_map`"]);
}

#[test]
fn other_weights_are_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tf_model.h5"), "x").unwrap();
    let error = Model::in_folder("m", dir.path()).weights().err().unwrap();
    says(
        &error,
        &[
            "no model.safetensors or pytorch_model.bin",
            "tf_model.h5 must be converted",
        ],
    );
}

#[test]
fn a_shipped_model_needs_no_files() {
    let dir = tempfile::tempdir().unwrap();
    save(&dir.path().join("w"), &["a"]);
    let weights: &'static [u8] = fs::read(dir.path().join("w")).unwrap().leak();
    let files: &'static [(&str, &[u8])] = Box::leak(Box::new([
        ("config.json", &b"{\"x\": 1}"[..]),
        ("model.safetensors", weights),
    ]));
    let shipped: &'static ShippedModel = Box::leak(Box::new(ShippedModel {
        name: "tiny",
        task: "image-classification",
        files,
    }));

    let model = Model::shipped(shipped);
    assert_eq!(model.to_string(), "tiny (shipped)");
    assert_eq!(model.config().unwrap()["x"], 1);
    assert_eq!(
        model.weights().unwrap().origin(),
        "tiny/model.safetensors (shipped)"
    );
    assert_eq!(model.files().unwrap(), ["config.json", "model.safetensors"]);
    assert!(model.path("config.json").is_none());
    says(
        &model.json_as::<serde_json::Value>("tokenizer.json").unwrap_err(),
        &["tiny (shipped) has no tokenizer.json"],
    );
}

#[test]
fn every_shipped_model_opens() {
    for shipped in MODELS {
        let model = offline(Path::new("/nonexistent")).resolve(shipped.name).unwrap();
        assert!(model.config().unwrap().is_object(), "{}", shipped.name);
        assert!(!model.weights().unwrap().names().is_empty(), "{}", shipped.name);
        assert!(
            model.read("README.md").unwrap().is_some(),
            "{} has no card",
            shipped.name
        );
    }
}

#[test]
fn a_name_that_leads_nowhere_says_where_it_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let hub = offline(&dir.path().join("cache"));
    let error = hub.resolve("acme/nothing").unwrap_err();
    assert!(matches!(&error, Error::ModelNotFound { .. }));
    says(
        &error,
        &[
            "no model `acme/nothing`",
            "not a shipped model",
            "not in the cache",
            "--offline forbids",
        ],
    );
    says(
        &hub.resolve("").unwrap_err(),
        &["no model ``", "cannot be a hub id"],
    );
    says(&hub.resolve("no spaces").unwrap_err(), &["cannot be a hub id"]);
    says(
        &hub.resolve("./nothing").unwrap_err(),
        &["./nothing is not a model folder", "no such folder"],
    );

    let folder = dir.path().to_str().unwrap();
    says(
        &hub.resolve(folder).unwrap_err(),
        &[folder, "it has no config.json"],
    );
    let file = dir.path().join("model.safetensors");
    save(&file, &["a"]);
    says(
        &hub.resolve(file.to_str().unwrap()).unwrap_err(),
        &["it is a file; give the folder"],
    );

    says(&hub.pull("a b").unwrap_err(), &["`a b` cannot be a hub id"]);
    says(&hub.pull("acme/x").unwrap_err(), &["model `acme/x`", "--offline"]);
    says(
        &hub.remove("acme/x").unwrap_err(),
        &["`acme/x` is not in the cache"],
    );
    assert!(hub.list_cached().unwrap().is_empty());
    assert!(!dir.path().join("cache").exists());
}

#[test]
fn names_that_look_alike() {
    let near = |name: &str| sensorium_hub::near_names(name, ["mnist-cnn", "mnist-net", "gpt2"]);
    assert_eq!(near("mnist-cn")[0], "mnist-cnn");
    assert_eq!(near("MNIST_CNN")[0], "mnist-cnn");
    assert!(near("whisper").is_empty());
}

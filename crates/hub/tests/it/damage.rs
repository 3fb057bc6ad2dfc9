//! Whatever the bytes, the readers give an error or tensors, and never panic.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use sensorium_blocks::TensorSource;
use sensorium_hub::{Model, SafetensorsFile, save_safetensors};
use tch::{Kind, Tensor};

/// A small checkpoint with several types and a `__metadata__`.
fn valid() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.safetensors");
    let tensors = [
        (
            "layer.weight".to_string(),
            Tensor::from_slice(&[1f32, 2., 3., 4., 5., 6.]).view([2, 3]),
        ),
        ("layer.bias".to_string(), Tensor::from_slice(&[1f64, 2.])),
        (
            "half".to_string(),
            Tensor::from_slice(&[1f32, 2., 3.]).to_kind(Kind::BFloat16),
        ),
        ("steps".to_string(), Tensor::from(7i64)),
        ("mask".to_string(), Tensor::from_slice(&[true, false, true])),
    ];
    save_safetensors(&path, &tensors, &BTreeMap::from([("format".into(), "pt".into())])).unwrap();
    fs::read(path).unwrap()
}

/// Opens `bytes` as a checkpoint and reads all of it, if it can be opened.
fn read(bytes: Vec<u8>) -> bool {
    let Ok(file) = SafetensorsFile::from_static("test", bytes.leak()) else {
        return false;
    };
    for name in file.names() {
        let tensor = file.tensor(name).unwrap();
        assert_eq!(Some(tensor.size()), file.shape(name));
        if tensor.numel() > 0 && tensor.kind() != Kind::Bool {
            let _ = tensor.to_kind(Kind::Double).sum(Kind::Double).double_value(&[]);
        }
    }
    true
}

#[test]
fn every_truncation_is_an_error() {
    let valid = valid();
    assert!(read(valid.clone()));
    for len in 0..valid.len() {
        assert!(!read(valid[..len].to_vec()), "{len} of {} bytes", valid.len());
    }
    assert!(!read([valid, vec![0]].concat()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        read(bytes);
    }

    #[test]
    fn any_header(header in ".{0,200}", data in prop::collection::vec(any::<u8>(), 0..64)) {
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
        read(bytes);
    }

    #[test]
    fn any_entry(
        dtype in prop::sample::select(&["F64", "F32", "BF16", "I64", "U8", "BOOL", "F4", "F8_E5M2", "C64"][..]),
        shape in prop::collection::vec(prop_oneof![0u64..5, any::<u64>()], 0..4),
        start in prop_oneof![0u64..5, any::<u64>()],
        end in prop_oneof![0u64..64, any::<u64>()],
        data in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let header = format!(r#"{{"w":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{end}]}}}}"#);
        read([&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat());
    }

    #[test]
    fn any_change(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = valid();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        read(bytes);
    }

    #[test]
    fn any_config(config in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..256),
        r#"[\[\]{}",:0-9a-z\\ ]{0,256}"#.prop_map(String::into_bytes),
    ]) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.json"), &config).unwrap();
        fs::write(dir.path().join("model.safetensors.index.json"), &config).unwrap();
        let model = Model::in_folder("test", dir.path());
        if let Ok(read) = model.config() {
            prop_assert_eq!(read, serde_json::from_slice::<serde_json::Value>(&config).unwrap());
        }
        prop_assert!(model.weights().is_err());
    }
}

#[test]
fn a_deeply_nested_config_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let deep = format!("{{\"a\":{}", "[".repeat(1_000_000));
    fs::write(dir.path().join("config.json"), deep).unwrap();
    assert!(Model::in_folder("test", dir.path()).config().is_err());
}

//! `image-classification` from a model folder to labels, through the public interface.
#![cfg(feature = "vision")]

use std::collections::BTreeMap;
use std::path::Path;

use image::{DynamicImage, GrayImage, Luma};
use sensorium::handle::{Batching, IntoHandle};
use sensorium::hub::{Hub, HubOptions, save_safetensors};
use sensorium::tch::{Device, Kind, Tensor};
use sensorium::vision::ImageClassifier;
use sensorium::{BuildOptions, Input, ModelHint, Origin, Output, Pipeline, Registry, RouteRequest};

/// A model folder with the given weights: `mnist-cnn`, ten classes.
fn save_model(folder: &Path) {
    let labels: BTreeMap<String, String> = (0..10).map(|i| (i.to_string(), format!("digit {i}"))).collect();
    let config = serde_json::json!({ "model_type": "mnist-cnn", "id2label": labels });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    sensorium::tch::manual_seed(1);
    let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu)) * 0.1;
    let tensors = [
        ("conv.weight", random(&[32, 1, 3, 3])),
        ("conv.bias", random(&[32])),
        ("dense.weight", random(&[10, 32 * 13 * 13])),
        ("dense.bias", random(&[10])),
    ];
    let tensors: Vec<_> = tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into();
    save_safetensors(&folder.join("model.safetensors"), &tensors, &BTreeMap::new()).unwrap();
}

/// A white bar on black, leaning with `i`.
fn picture(i: u32) -> DynamicImage {
    GrayImage::from_fn(40, 40, |x, y| {
        Luma([if x.abs_diff(15 + y * i / 40) < 3 { 255 } else { 0 }])
    })
    .into()
}

fn hub(folder: &Path) -> Hub {
    Hub::new(HubOptions {
        cache_dir: Some(folder.join("cache")),
        offline: true,
        ..HubOptions::default()
    })
    .unwrap()
}

#[test]
fn a_pipeline_from_a_model_folder() {
    let dir = tempfile::tempdir().unwrap();
    save_model(dir.path());
    let hub = hub(dir.path());
    let name = dir.path().to_str().unwrap();
    let config = hub.resolve(name).unwrap().config().unwrap();

    let registry = Registry::builtin();
    let model = Some(ModelHint {
        name,
        config: &config,
    });
    let route = registry
        .route(&RouteRequest {
            model,
            ..RouteRequest::default()
        })
        .unwrap();
    assert_eq!(route.task.name, "image-classification");
    let options = BuildOptions {
        top_k: Some(3),
        ..BuildOptions::default()
    };
    let mut pipeline = registry.build(&route, &hub, &options).unwrap();

    let damaged = Input::from_bytes(b"\x89PNG\r\n\x1a\n".to_vec(), Origin::Path("bad.png".into())).unwrap();
    let inputs = [
        picture(1).into(),
        damaged,
        Input::image(GrayImage::new(9, 9).into()),
        picture(9).into(),
    ];
    let results = pipeline.run(&inputs);
    let labels = |i: usize| match &results[i] {
        Ok(Output::Classification(labels)) => labels.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(labels(0).len(), 3);
    assert!(labels(0)[0].score >= labels(0)[1].score && labels(0)[0].label.starts_with("digit "));
    assert!(results[1].as_ref().unwrap_err().to_string().contains("bad.png"));
    assert!(results[2].is_err(), "an empty picture shows no digit");
    // A batch equals its rows.
    for i in [0, 3] {
        let alone = pipeline.run(&inputs[i..=i]).remove(0).unwrap();
        let Output::Classification(alone) = alone else {
            panic!("{alone:?}")
        };
        for (one, other) in alone.iter().zip(labels(i)) {
            assert_eq!(one.label, other.label);
            assert!((one.score - other.score).abs() < 1e-6);
        }
    }
}

#[test]
fn a_handle_serves_many_threads() {
    let dir = tempfile::tempdir().unwrap();
    save_model(dir.path());
    let model = hub(dir.path()).resolve(dir.path().to_str().unwrap()).unwrap();
    let classifier = ImageClassifier::builder(&model).build().unwrap();
    let expected: Vec<_> = (0..8)
        .map(|i| classifier.classify(&[picture(i)], None).remove(0).unwrap())
        .collect();
    let handle = classifier.into_handle(Batching::default());
    std::thread::scope(|scope| {
        for (i, expected) in expected.iter().enumerate() {
            let handle = handle.clone();
            scope.spawn(move || {
                for _ in 0..5 {
                    let found = handle.run(picture(i as u32)).unwrap().unwrap();
                    assert_eq!(found[0].label, expected[0].label);
                    assert!((found[0].score - expected[0].score).abs() < 1e-6);
                }
            });
        }
    });
}

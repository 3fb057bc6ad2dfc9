//! From training to prediction, through the program.

use std::fs;

use sensorium_tests::{real_mnist, sensorium, stderr, stdout, write_bars};
use serde_json::Value;

/// The shipped models and the accuracy on the test set that each must have.
const SHIPPED: &[(&str, f64)] = &[("mnist-net", 0.997), ("mnist-cnn", 0.988)];

#[test]
fn a_small_data_set_is_learned_and_recorded() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    write_bars(&home.join("bars"), 1000, 200);
    let out = home.join("run");
    let train = sensorium(home)
        .args([
            "train",
            "mnist",
            "--arch",
            "mnist-cnn",
            "--epochs",
            "4",
            "--validation",
            "100",
            "--augment",
            "0",
        ])
        .arg("--data")
        .arg(home.join("bars"))
        .arg("--out")
        .arg(&out)
        .output()
        .expect("the program starts");
    assert!(train.status.success(), "{}", stderr(&train));
    for file in [
        "config.json",
        "model.safetensors",
        "best.safetensors",
        "training.svg",
    ] {
        assert!(out.join(file).is_file(), "{file} is missing");
    }
    let record: Value =
        serde_json::from_slice(&fs::read(out.join("training.json")).expect("a record")).expect("JSON");
    assert_eq!(record["epochs"].as_array().map(Vec::len), Some(4));
    let accuracy = record["test_accuracy"].as_f64().expect("a test accuracy");
    assert!(accuracy > 0.95, "bars are easy: {accuracy}");

    let eval = sensorium(home)
        .args(["--json", "eval", "mnist", "--model"])
        .arg(&out)
        .arg("--data")
        .arg(home.join("bars"))
        .arg("--plot")
        .arg(home.join("confusion.svg"))
        .output()
        .expect("the program starts");
    assert!(eval.status.success(), "{}", stderr(&eval));
    let scores: Value = serde_json::from_str(&stdout(&eval)).expect("JSON");
    assert_eq!(
        scores["accuracy"].as_f64(),
        Some(accuracy),
        "eval repeats what training measured"
    );
    assert_eq!(scores["images"], 200);
    let plot = fs::read_to_string(home.join("confusion.svg")).expect("a picture");
    assert!(plot.starts_with("<svg"));
}

#[test]
fn the_same_seed_gives_the_same_weights() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    write_bars(&home.join("bars"), 200, 50);
    let weights = |out: &str, seed: &str, workers: &str| {
        let train = sensorium(home)
            .args([
                "train",
                "mnist",
                "--arch",
                "mnist-net",
                "--epochs",
                "1",
                "--validation",
                "50",
            ])
            .args(["--seed", seed, "--workers", workers])
            .arg("--data")
            .arg(home.join("bars"))
            .arg("--out")
            .arg(home.join(out))
            .output()
            .expect("the program starts");
        assert!(train.status.success(), "{}", stderr(&train));
        fs::read(home.join(out).join("model.safetensors")).expect("a model")
    };
    let first = weights("a", "1", "0");
    assert!(
        first == weights("b", "1", "3"),
        "the number of workers changes nothing"
    );
    assert!(
        first != weights("c", "2", "1"),
        "another seed gives another model"
    );
}

#[test]
fn the_shipped_models_reach_their_cards_figures() {
    let Some(mnist) = real_mnist() else {
        eprintln!("skipped: the MNIST files are not beside this checkout");
        return;
    };
    let home = tempfile::tempdir().expect("a temporary folder");
    for (model, least) in SHIPPED {
        let eval = sensorium(home.path())
            .args(["--json", "eval", "mnist", "--model", model])
            .arg("--data")
            .arg(&mnist)
            .output()
            .expect("the program starts");
        assert!(eval.status.success(), "{}", stderr(&eval));
        let scores: Value = serde_json::from_str(&stdout(&eval)).expect("JSON");
        let accuracy = scores["accuracy"].as_f64().expect("an accuracy");
        assert!(accuracy >= *least, "{model}: {accuracy}");
        let stated = accuracy_on_card(model);
        // Another CPU sums in another order, which may turn a picture that is near the border.
        assert!(
            (accuracy - stated).abs() < 0.00025,
            "{model}: {accuracy}, its card says {stated}"
        );
    }
}

/// The test accuracy that a shipped model's card states, from 0 to 1.
fn accuracy_on_card(model: &str) -> f64 {
    let card = format!("{}/../models/{model}/README.md", env!("CARGO_MANIFEST_DIR"));
    let card = fs::read_to_string(card).expect("a shipped model has a card");
    let row = card
        .lines()
        .find_map(|line| line.strip_prefix("| accuracy on the official 10,000 test pictures | "));
    let percent = row.and_then(|row| row.split(' ').next()).expect("a figure");
    percent.parse::<f64>().expect("a number") / 100.0
}

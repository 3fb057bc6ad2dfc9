//! A run that is killed or stopped and resumed ends with the same weights, bit for bit, as one that
//! never stopped.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use sensorium_tests::{sensorium, stderr, write_bars};
use serde_json::Value;

/// A run of some seconds that saves its state after every step.
fn train(home: &Path, arch: &str, out: &str) -> Command {
    let mut command = sensorium(home);
    let (data, out) = (home.join("bars"), home.join(out));
    command.args([
        "train",
        "mnist",
        "--arch",
        arch,
        "--seed",
        "5",
        "--validation",
        "64",
    ]);
    command.args(["--epochs", "3", "--batch-size", "32", "--save-every", "0"]);
    command.arg("--data").arg(data).arg("--out").arg(out);
    command
}

/// What must not depend on interruptions.
#[derive(PartialEq)]
struct Result {
    last: Vec<u8>,
    best: Vec<u8>,
    /// Loss and accuracy of every epoch.
    scores: Vec<[Value; 2]>,
}

fn result(home: &Path, out: &str) -> Result {
    let read = |file| fs::read(home.join(out).join(file)).expect("a finished run leaves it");
    let record: Value = serde_json::from_slice(&read("training.json")).expect("JSON");
    let epochs = record["epochs"].as_array().expect("epochs");
    Result {
        last: read("model.safetensors"),
        best: read("best.safetensors"),
        scores: epochs
            .iter()
            .map(|epoch| ["train", "validation"].map(|set| epoch[set].clone()))
            .collect(),
    }
}

fn unbroken(home: &Path, arch: &str) -> Result {
    write_bars(&home.join("bars"), 320, 64);
    let output = train(home, arch, "unbroken")
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", stderr(&output));
    result(home, "unbroken")
}

/// Kills the run again and again, a bit later each time, until it comes to its end.
fn killed(home: &Path, arch: &str) -> (Result, usize) {
    let checkpoint = home.join("killed/checkpoint.safetensors");
    let mut kills = 0;
    for attempt in 0.. {
        assert!(attempt < 200, "the run never ends");
        let mut command = train(home, arch, "killed");
        if checkpoint.exists() {
            command.arg("--resume");
        }
        let before = fs::metadata(&checkpoint).and_then(|m| m.modified()).ok();
        let mut child = command
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        // Let it get somewhere first: a kill during start-up proves nothing.
        let start = Instant::now();
        let finished = loop {
            if let Some(status) = child.try_wait().expect("a child can be asked") {
                break Some(status);
            }
            let now = fs::metadata(&checkpoint).and_then(|m| m.modified()).ok();
            if now != before || start.elapsed() > Duration::from_secs(60) {
                break None;
            }
            sleep(Duration::from_millis(1));
        };
        if let Some(status) = finished {
            assert!(status.success(), "attempt {attempt}: {status}");
            break;
        }
        sleep(Duration::from_millis(17 * attempt % 90)); // any moment, also while a file is written
        match child.try_wait().expect("a child can be asked") {
            Some(status) => {
                assert!(status.success(), "attempt {attempt}: {status}");
                break;
            }
            None => {
                child.kill().expect("a child can be killed"); // SIGKILL
                let _ = child.wait();
                kills += 1;
            }
        }
    }
    (result(home, "killed"), kills)
}

fn check(arch: &str) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let expected = unbroken(home.path(), arch);
    let (found, kills) = killed(home.path(), arch);
    assert!(kills >= 2, "killed only {kills} times");
    assert!(found == expected, "{arch}: another result after {kills} kills");
    let left: Vec<_> = fs::read_dir(home.path().join("killed"))
        .expect("the run's folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".safetensors"))
        .collect();
    assert_eq!(left.len(), 3, "best, last and checkpoint: {left:?}");
}

#[test]
fn a_killed_run_of_the_small_network_resumes_to_the_same_weights() {
    check("mnist-cnn");
}

#[test]
fn a_killed_run_with_averaging_dropout_and_batch_norm_resumes_to_the_same_weights() {
    check("mnist-net");
}

#[test]
#[cfg(unix)]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let home = home.path();
    let expected = unbroken(home, "mnist-net");
    let checkpoint = home.join("stopped/checkpoint.safetensors");
    let child = train(home, "mnist-net", "stopped")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    while !checkpoint.exists() {
        sleep(Duration::from_millis(2));
    }
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.expect("kill is there").success());
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("--resume goes on"),
        "{}",
        stderr(&output)
    );

    // A second run must not start over in the same folder by accident.
    let again = train(home, "mnist-net", "stopped")
        .output()
        .expect("the program starts");
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).contains("already holds a training run"),
        "{}",
        stderr(&again)
    );
    // Nor go on with other settings.
    let other = train(home, "mnist-cnn", "stopped")
        .arg("--resume")
        .output()
        .expect("the program starts");
    assert_eq!(other.status.code(), Some(1));
    assert!(
        stderr(&other).contains("arch: mnist-net then, mnist-cnn now"),
        "{}",
        stderr(&other)
    );

    // Nor with other data.
    write_bars(&home.join("bars"), 321, 64);
    let other = train(home, "mnist-net", "stopped")
        .arg("--resume")
        .output()
        .expect("the program starts");
    assert!(stderr(&other).contains("data_sha256"), "{}", stderr(&other));
    write_bars(&home.join("bars"), 320, 64);

    let resumed = train(home, "mnist-net", "stopped")
        .arg("--resume")
        .output()
        .expect("the program starts");
    assert!(resumed.status.success(), "{}", stderr(&resumed));
    assert!(result(home, "stopped") == expected, "another result after Ctrl-C");
}

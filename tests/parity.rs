//! The reference's outputs, where its cases lie beside the checkout, and in any case a small copy.

use std::path::Path;
use std::process::Command;

/// Runs the cases in `dir` that fit `pattern` and expects all of them to pass.
fn passes(dir: &Path, pattern: &str) {
    let out = tempfile::tempdir().expect("a temporary folder");
    let run = Command::new(env!("CARGO_BIN_EXE_sensorium-parity"))
        .arg(dir)
        .args(["--case", pattern, "--strict", "--verbose", "--out"])
        .arg(out.path())
        .output()
        .expect("the runner starts");
    assert!(
        run.status.success(),
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the checkout")
}

#[test]
fn the_copied_case_passes() {
    passes(&root().join("tests/parity/cases"), "*");
}

#[test]
fn text_generation_passes() {
    let cases = root().join("../shared/parity/cases");
    if !cases.is_dir() {
        println!("skipped: no cases beside the checkout");
        return;
    }
    passes(&cases, "*text-generation");
    passes(&cases, "logits-processors");
}

#[test]
fn translation_and_summarization_pass() {
    let cases = root().join("../shared/parity/cases");
    if !cases.is_dir() {
        println!("skipped: no cases beside the checkout");
        return;
    }
    for pattern in ["*-translation", "*-summarization", "t5-*"] {
        passes(&cases, pattern);
    }
}

#[test]
fn sounds_pass() {
    let cases = root().join("../shared/parity/cases");
    if !cases.is_dir() {
        println!("skipped: no cases beside the checkout");
        return;
    }
    for pattern in ["wav*", "ast-*", "whisper-*", "*-text-to-speech"] {
        passes(&cases, pattern);
    }
}

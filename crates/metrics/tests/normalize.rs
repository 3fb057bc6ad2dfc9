//! Whisper's normalisers beside the reference (transformers 5.23).

use std::collections::HashMap;

use sensorium_metrics::normalize::{English, basic};

#[test]
fn texts_become_the_references() {
    let english = English::new(HashMap::from(
        [("colour", "color"), ("mobilise", "mobilize"), ("cosy", "cozy")]
            .map(|(a, b)| (a.to_string(), b.to_string())),
    ));
    let path = std::env::var("NORMALIZER_CASES");
    let text = match &path {
        Ok(path) => std::fs::read_to_string(path).expect("a file"),
        Err(_) => include_str!("data/whisper_normalizer.json").to_string(),
    };
    let cases: Vec<[String; 3]> = serde_json::from_str(&text).expect("cases");
    assert!(cases.len() > 200);
    let mut wrong = Vec::new();
    for [text, in_english, in_any] in &cases {
        for (found, expected) in [(english.normalize(text), in_english), (basic(text), in_any)] {
            if found != *expected {
                wrong.push(format!("{text:?}\n  {found:?}\n  {expected:?}"));
            }
        }
    }
    let some = wrong.iter().take(12).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {}\n{some}", wrong.len(), cases.len());
}

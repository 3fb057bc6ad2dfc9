//! Logits processors beside those of `transformers`: see `tests/parity/README.md`.

use std::path::Path;

use safetensors::SafeTensors;
use sensorium_generation::processors::*;
use serde_json::Value;

const ATOL: f32 = 1e-6;
const RTOL: f32 = 2e-5;

fn processor(params: &Value) -> Vec<Box<dyn LogitsProcessor>> {
    let float = |name: &str| params[name].as_f64().unwrap() as f32;
    let int = |name: &str| params[name].as_u64().unwrap() as usize;
    let keep = params["min_tokens_to_keep"].as_u64().unwrap_or(1) as usize;
    let eos = || vec![params["eos_token_id"].as_i64().unwrap()];
    let Some(name) = params["name"].as_str() else {
        return vec![
            Box::new(Temperature::new(float("temperature"))),
            Box::new(TopK::new(int("top_k"), 1)),
            Box::new(TopP::new(float("top_p"), 1)),
        ];
    };
    let processor: Box<dyn LogitsProcessor> = match name {
        "TemperatureLogitsWarper" => Box::new(Temperature::new(float("temperature"))),
        "TopKLogitsWarper" => Box::new(TopK::new(int("top_k"), keep)),
        "TopPLogitsWarper" => Box::new(TopP::new(float("top_p"), keep)),
        "MinPLogitsWarper" => Box::new(MinP::new(float("min_p"), keep)),
        "TypicalLogitsWarper" => Box::new(Typical::new(float("mass"), keep)),
        "EpsilonLogitsWarper" => Box::new(EpsilonCutoff::new(float("epsilon"), keep)),
        "EtaLogitsWarper" => Box::new(EtaCutoff::new(float("epsilon"), keep)),
        "RepetitionPenaltyLogitsProcessor" => Box::new(RepetitionPenalty::new(float("penalty"))),
        "NoRepeatNGramLogitsProcessor" => Box::new(NoRepeatNGram::new(int("ngram_size"))),
        "NoBadWordsLogitsProcessor" => {
            let words: Vec<Vec<i64>> = serde_json::from_value(params["bad_words_ids"].clone()).unwrap();
            Box::new(NoBadWords::new(&words, &eos()))
        }
        "MinLengthLogitsProcessor" => Box::new(MinLength::new(int("min_length"), eos())),
        "ForcedEOSTokenLogitsProcessor" => Box::new(ForcedEos::new(int("max_length"), eos())),
        "SuppressTokensLogitsProcessor" => {
            let tokens = serde_json::from_value(params["suppress_tokens"].clone()).unwrap();
            Box::new(Suppress::new(tokens))
        }
        "LogitNormalization" => Box::new(Normalize),
        _ => panic!("unknown processor {name}"),
    };
    vec![processor]
}

fn tensor(file: &SafeTensors<'_>, value: &Value) -> Vec<f32> {
    let view = file.tensor(value["tensor"].as_str().unwrap()).unwrap();
    let bytes = view.data().chunks_exact(4);
    bytes
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

fn check(folder: &Path) {
    let expected: Value =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let data = std::fs::read(folder.join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&data).unwrap();
    let checks = expected["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 17);
    for check in checks {
        let id = check["id"].as_str().unwrap();
        let ids: Vec<Vec<i64>> = serde_json::from_value(check["input"]["input_ids"].clone()).unwrap();
        let mut found = tensor(&file, &check["input"]["scores"]);
        let vocabulary = found.len() / ids.len();
        let mut processors = processor(&check["params"]);
        for (ids, scores) in ids.iter().zip(found.chunks_mut(vocabulary)) {
            for processor in &mut processors {
                processor.process(&Row::new(ids), scores);
            }
        }
        let (name, want) = check["expect"].as_object().unwrap().iter().next().unwrap();
        if name == "probabilities" {
            found.chunks_mut(vocabulary).for_each(softmax);
        }
        let want = tensor(&file, want);
        let greatest = want
            .iter()
            .filter(|w| **w > -1e29)
            .fold(0f32, |a, w| a.max(w.abs()));
        for (i, (&found, &want)) in found.iter().zip(&want).enumerate() {
            let both_forbidden = found < -1e29 && want < -1e29;
            let near = (found - want).abs() <= ATOL + RTOL * greatest;
            assert!(
                both_forbidden || near,
                "{id}: score {i} is {found}, expected {want}"
            );
        }
    }
}

#[test]
fn processors_agree_with_transformers() {
    check(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/parity/logits-processors"
    )));
}

//! Tokens, decoded texts and chats, compared with what transformers computes.
//!
//! Two small tokenizers lie in `parity/`; where the folder `shared/parity` lies beside the checkout, all of
//! its cases are run.

use std::fs;
use std::path::{Path, PathBuf};

use sensorium_hub::Model;
use sensorium_tokenizer::{
    ChatOptions, Cut, DecodeOptions, EncodeOptions, Encoding, Padding, Side, TextInput, Tokenizer, Truncation,
};
use serde_json::{Value, json};

/// What became of the checks of a case.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
}

#[test]
fn the_cases_that_are_part_of_this_crate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity");
    let tally = run_all(&folder);
    assert!(tally.passed >= 40, "only {} checks", tally.passed);
    assert!(tally.failed.is_empty(), "{}", tally.failed.join("\n"));
}

#[test]
fn the_cases_beside_the_checkout() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/parity/cases");
    if !folder.is_dir() {
        eprintln!("skipped: no {}", folder.display());
        return;
    }
    let tally = run_all(&folder);
    println!("{} checks passed", tally.passed);
    assert!(tally.failed.is_empty(), "{}", tally.failed.join("\n"));
}

/// What the SentencePiece models alone give, without the `tokenizer.json` that goes with them.
#[test]
fn sentencepiece_models_give_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/parity/cases");
    let mut tally = Tally::default();
    for (case, files) in [
        ("t5-summarization", &["spiece.model"][..]),
        ("t5-v1_1-text2text", &["spiece.model"]),
        ("marian-translation", &["source.spm", "vocab.json"]),
        ("m2m100-translation", &["sentencepiece.bpe.model", "vocab.json"]),
        ("speecht5-text-to-speech", &["spm_char.model"]),
    ] {
        if !folder.join(case).is_dir() {
            continue;
        }
        let mut config: Value =
            serde_json::from_slice(&fs::read(folder.join(case).join("tokenizer_config.json")).unwrap())
                .unwrap();
        if config["tokenizer_class"] == "PreTrainedTokenizerFast" {
            config["tokenizer_class"] = json!("T5Tokenizer");
        }
        let plain = tempfile::tempdir().unwrap();
        fs::write(plain.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        for file in [files, &["expected.json"]].concat() {
            fs::copy(folder.join(case).join(file), plain.path().join(file)).unwrap();
        }
        run_in(&format!("{case} (SentencePiece)"), plain.path(), &mut tally);
    }
    println!("{} checks passed", tally.passed);
    assert!(tally.failed.is_empty(), "{}", tally.failed.join("\n"));
}

fn run_all(folder: &Path) -> Tally {
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    cases.retain(|case| case.join("expected.json").is_file());
    cases.sort();
    let mut tally = Tally::default();
    for case in cases {
        run_case(&case, &mut tally);
    }
    tally
}

fn run_case(case: &Path, tally: &mut Tally) {
    let name = case.file_name().unwrap().to_string_lossy().into_owned();
    let expected: Value = serde_json::from_slice(&fs::read(case.join("expected.json")).unwrap()).unwrap();
    let checks = expected["checks"].as_array().unwrap();
    let ours = |kind: &str| ["tokenize", "decode", "chat_template"].contains(&kind);
    let checks: Vec<&Value> = checks
        .iter()
        .filter(|c| ours(c["kind"].as_str().unwrap()))
        .collect();
    let has = |file: &str| case.join(file).is_file();
    // What has only `*.spm` or a `vocab.json` of characters is read elsewhere.
    let readable = has("tokenizer.json")
        || has("tokenizer.model")
        || (has("vocab.json") && has("merges.txt"))
        || has("vocab.txt");
    if !checks.is_empty() && readable {
        run_in(&name, case, tally);
    }
}

/// Runs the checks of the case in `case`.
fn run_in(name: &str, case: &Path, tally: &mut Tally) {
    let checks = checks_of(case);
    let tokenizer = match Tokenizer::open(&Model::in_folder(name, case)) {
        Ok(tokenizer) => tokenizer,
        Err(e) => return tally.failed.push(format!("{name}: {e}")),
    };
    for check in &checks {
        let found = run_check(&tokenizer, check);
        let mut good = true;
        for (field, expected) in check["expect"].as_object().unwrap() {
            // Segments with times are the speech recogniser's.
            if field == "offsets" && check["kind"] == "decode" {
                continue;
            }
            if found[field] != *expected {
                good = false;
                let id = check["id"].as_str().unwrap();
                tally.failed.push(format!(
                    "{name} {id} {field}\n  expected {expected}\n  found    {}",
                    found[field]
                ));
            }
        }
        tally.passed += usize::from(good);
    }
}

/// The checks of a case that a tokenizer can be asked for.
fn checks_of(case: &Path) -> Vec<Value> {
    let expected: Value = serde_json::from_slice(&fs::read(case.join("expected.json")).unwrap()).unwrap();
    let mut checks = expected["checks"].as_array().unwrap().clone();
    let ours = |kind: &str| ["tokenize", "decode", "chat_template"].contains(&kind);
    checks.retain(|check| ours(check["kind"].as_str().unwrap()));
    checks
}

fn run_check(tokenizer: &Tokenizer, check: &Value) -> Value {
    let input = &check["input"];
    match check["kind"].as_str().unwrap() {
        "tokenize" => tokenize(tokenizer, input),
        "decode" => decode(tokenizer, input),
        _ => chat(tokenizer, input),
    }
}

fn tokenize(tokenizer: &Tokenizer, input: &Value) -> Value {
    let max_length = input["max_length"].as_u64().map(|n| n as usize);
    let cut = match &input["truncation"] {
        Value::Null | Value::Bool(false) => None,
        Value::String(s) if s == "only_first" => Some(Cut::OnlyFirst),
        Value::String(s) if s == "only_second" => Some(Cut::OnlySecond),
        _ => Some(Cut::LongestFirst),
    };
    let options = EncodeOptions {
        truncation: cut.map(|cut| Truncation {
            cut,
            max_length,
            stride: 0,
        }),
        padding: match &input["padding"] {
            Value::Bool(true) => Padding::Longest,
            Value::String(s) if s == "max_length" => max_length.map_or(Padding::ModelLength, Padding::To),
            _ => Padding::None,
        },
        padding_side: match input["padding_side"].as_str() {
            Some("left") => Some(Side::Left),
            Some(_) => Some(Side::Right),
            None => None,
        },
        ..EncodeOptions::default()
    };
    if let Some(texts) = input["texts"].as_array() {
        let texts = texts.iter().map(|t| t.as_str().unwrap());
        let rows = tokenizer.encode_batch(texts, &options).unwrap();
        let of = |list: fn(&Encoding) -> &Vec<i64>| json!(rows.iter().map(list).collect::<Vec<_>>());
        return json!({
            "input_ids": of(|e| &e.ids),
            "attention_mask": of(|e| &e.attention_mask),
            "token_type_ids": of(|e| &e.type_ids),
        });
    }
    let text = input["text"].as_str().unwrap();
    let texts = match input["text_pair"].as_str() {
        Some(second) => TextInput::Pair(text, second),
        None => TextInput::Single(text),
    };
    let e = tokenizer.encode(texts, &options).unwrap();
    let plain = tokenizer.encode(texts, &EncodeOptions::plain()).unwrap();
    json!({
        "input_ids": e.ids,
        "attention_mask": e.attention_mask,
        "token_type_ids": e.type_ids,
        "offset_mapping": e.offsets,
        "tokens": e.tokens,
        "input_ids_no_special": plain.ids,
    })
}

fn decode(tokenizer: &Tokenizer, input: &Value) -> Value {
    let ids: Vec<i64> = serde_json::from_value(input["ids"].clone()).unwrap();
    let text = |skip_special_tokens, clean_up, timestamps| {
        let options = DecodeOptions {
            skip_special_tokens,
            clean_up,
            timestamps,
        };
        tokenizer.decode(&ids, &options).unwrap()
    };
    json!({
        "text": text(false, None, false),
        "text_skip_special": text(true, None, false),
        "text_no_clean_up": text(true, Some(false), false),
        "text_with_timestamps": text(false, None, true),
    })
}

fn chat(tokenizer: &Tokenizer, input: &Value) -> Value {
    let messages = input["messages"].as_array().unwrap();
    let options = ChatOptions {
        add_generation_prompt: input["add_generation_prompt"].as_bool().unwrap_or(false),
        ..ChatOptions::default()
    };
    json!({
        "text": tokenizer.chat(messages, &options).unwrap(),
        "input_ids": tokenizer.chat_ids(messages, &options).unwrap(),
    })
}

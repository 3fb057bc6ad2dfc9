//! A folder whose parts do not fit together: a sentence that says which, and never a panic.

use std::fs;

use sensorium_tests::tiny::Tiny;
use serde_json::{Value, json};

const GENERATE: [&str; 6] = ["generate", "-m", "tiny", "Hello", "--max-new-tokens", "2"];

fn refuses(tiny: &Tiny, expected: &[&str]) {
    tiny.refuses(&GENERATE, b"", expected);
}

#[test]
fn a_tensor_that_is_missing_surplus_or_misshapen_is_named() {
    const NORM: &str = "model.decoder.final_layer_norm.weight";
    let tiny = Tiny::new();
    tiny.edit_tensors(|tensors| {
        let table = tensors.as_object_mut().expect("a table");
        let norm = table.remove(NORM).expect("the tensor");
        table.insert("renamed".into(), norm);
    });
    refuses(&tiny, &[&format!("`{NORM}`"), "model.safetensors"]);

    let tiny = Tiny::new();
    tiny.edit_tensors(|tensors| {
        let end = tensors.as_object().expect("a table").values();
        let end = end.filter_map(|tensor| tensor["data_offsets"][1].as_u64()).max();
        tensors["surplus.weight"] = json!({"dtype": "F32", "shape": [0], "data_offsets": [end, end]});
    });
    refuses(&tiny, &["`surplus.weight`", "model.safetensors"]);

    let tiny = Tiny::new();
    tiny.edit_tensors(|tensors| tensors[NORM]["shape"] = json!([5, 8]));
    refuses(&tiny, &[&format!("`{NORM}`"), "[40]", "[5, 8]"]);
}

#[test]
fn files_that_are_missing_cut_or_something_else_are_named() {
    for (file, expected) in [
        ("model.safetensors", "has no model.safetensors"),
        ("tokenizer.json", "tokenizer"),
        ("config.json", "config.json"),
    ] {
        let tiny = Tiny::new();
        fs::remove_file(tiny.file(file)).expect("it was there");
        refuses(&tiny, &["tiny", expected]);
        fs::write(tiny.file(file), "").expect("a file");
        refuses(&tiny, &[file]);
        fs::write(tiny.file(file), [0xff; 64]).expect("a file");
        refuses(&tiny, &[file]);
    }
    let tiny = Tiny::new();
    let weights = fs::read(tiny.file("model.safetensors")).expect("the weights");
    for length in [4, 100, weights.len() / 2, weights.len() - 1] {
        fs::write(tiny.file("model.safetensors"), &weights[..length]).expect("the weights");
        refuses(&tiny, &["model.safetensors"]);
    }
}

#[test]
fn an_unknown_family_is_refused_with_those_that_are_known() {
    let tiny = Tiny::new();
    tiny.edit("config.json", |config| config["model_type"] = json!("bert"));
    refuses(
        &tiny,
        &[
            "model_type `bert` is not supported for text generation",
            "gpt2",
            "opt",
        ],
    );
    for nothing in [json!(null), json!(3), json!([])] {
        tiny.edit("config.json", |config| config["model_type"] = nothing);
        refuses(&tiny, &["config.json names no `model_type`"]);
    }
    tiny.edit("config.json", |config| *config = json!([1]));
    refuses(&tiny, &["config.json"]);
}

#[test]
fn sizes_that_make_no_sense_are_refused_by_name() {
    const SIZES: [&str; 6] = [
        "vocab_size",
        "hidden_size",
        "ffn_dim",
        "num_hidden_layers",
        "num_attention_heads",
        "max_position_embeddings",
    ];
    for field in SIZES {
        for value in [
            json!(-1),
            json!(0),
            json!(i64::MAX),
            json!("many"),
            json!(1.5),
            json!(null),
        ] {
            let tiny = Tiny::new();
            tiny.edit("config.json", |config| config[field] = value);
            refuses(&tiny, &["config.json"]);
        }
    }
    let tiny = Tiny::new();
    tiny.edit("config.json", |config| config["num_attention_heads"] = json!(7));
    refuses(
        &tiny,
        &["`hidden_size` (40) is not a multiple of `num_attention_heads` (7)"],
    );

    // Sizes that could be, but not with these weights.
    let tiny = Tiny::new();
    tiny.edit("config.json", |config| config["vocab_size"] = json!(1 << 20));
    refuses(&tiny, &["embed_tokens.weight", "[1048576, 40]", "[410, 40]"]);
}

#[test]
fn every_family_refuses_nonsense() {
    let with = |fields: Value| {
        let tiny = Tiny::new();
        tiny.edit("config.json", |config| *config = fields);
        refuses(&tiny, &["config.json"]);
    };
    for heads in [0, 3, 1_i64 << 62] {
        with(
            json!({"model_type": "gpt2", "vocab_size": 410, "n_positions": 64, "n_embd": 40, "n_layer": 2,
                    "n_head": heads}),
        );
        for model_type in [
            "llama",
            "mistral",
            "qwen2",
            "phi3",
            "gemma2",
            "gemma3_text",
            "gpt_neox",
        ] {
            with(
                json!({"model_type": model_type, "vocab_size": 410, "max_position_embeddings": 64,
                        "hidden_size": 40, "intermediate_size": 80, "num_hidden_layers": 2,
                        "num_attention_heads": heads, "num_key_value_heads": 2}),
            );
        }
    }
    for size in [-1, 1_i64 << 62] {
        for (model_type, field) in [
            ("gemma2", "head_dim"),
            ("gemma3_text", "head_dim"),
            ("gemma3_text", "sliding_window"),
            ("mistral", "sliding_window"),
            ("qwen3", "head_dim"),
        ] {
            let mut config = json!({"model_type": model_type, "vocab_size": 410, "max_position_embeddings": 64,
                                    "hidden_size": 40, "intermediate_size": 80, "num_hidden_layers": 2,
                                    "num_attention_heads": 4, "num_key_value_heads": 2});
            config[field] = json!(size);
            with(config);
        }
    }
}

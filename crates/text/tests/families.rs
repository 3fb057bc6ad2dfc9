//! What must hold for every family, on small models with random weights.

use sensorium_blocks::Params;
use sensorium_generation::{GenerationConfig, Options, Prompt, generate};
use sensorium_text::causal::{CausalLm, ForwardOptions, model_types};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

const VOCABULARY: i64 = 50;

/// A small configuration of each family: grouped queries, windows shorter than the sequences, untied heads.
fn config(family: &str) -> Value {
    let mut config = json!({
        "model_type": family, "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
        "max_position_embeddings": 64, "tie_word_embeddings": false,
    });
    let more = match family {
        "gpt2" => json!({"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}),
        "gpt_neox" => json!({"rotary_pct": 0.5}),
        "opt" => json!({"ffn_dim": 48, "word_embed_proj_dim": 32, "activation_function": "relu"}),
        "mistral" => json!({"sliding_window": 5}),
        "gemma2" => json!({"sliding_window": 5, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 20.0,
            "final_logit_softcapping": 15.0}),
        "gemma3_text" => {
            json!({"sliding_window": 5, "query_pre_attn_scalar": 8, "sliding_window_pattern": 2})
        }
        "phi3" => json!({"pad_token_id": 0}),
        _ => json!({}),
    };
    for (key, value) in more.as_object().expect("an object") {
        config[key] = value.clone();
    }
    config
}

fn models() -> impl Iterator<Item = (&'static str, CausalLm)> {
    model_types().map(|family| {
        let params = Params::fresh(11);
        let model = CausalLm::new(&config(family), params);
        let model = model.unwrap_or_else(|error| panic!("{family}: {error}"));
        tch::no_grad(|| {
            for param in model.parameters().all() {
                if param.tensor.dim() >= 2 {
                    let _ = param.tensor.shallow_clone().g_mul_scalar_(3.0); // opinions, not hesitation
                }
            }
        });
        (family, model)
    })
}

fn ids(seed: i64, count: i64) -> Tensor {
    tch::manual_seed(seed);
    Tensor::randint(VOCABULARY, [1, count], (Kind::Int64, Device::Cpu))
}

fn close(found: &Tensor, expected: &Tensor) -> bool {
    let (found, expected) = (found.to_kind(Kind::Float), expected.to_kind(Kind::Float));
    found.size() == expected.size() && found.allclose(&expected, 1e-3, 1e-3, false)
}

fn logits(model: &CausalLm, ids: &Tensor) -> Tensor {
    tch::no_grad(|| model.forward(ids, ForwardOptions::default()).logits)
}

#[test]
fn cached_equals_uncached() {
    for (family, model) in models() {
        let ids = ids(1, 24);
        let expected = logits(&model, &ids); // [1, 24, vocabulary]
        let mut session = model.session(&[0], 8); // room for a third, so that it has to grow
        let mut at = 0;
        for piece in [7, 1, 1, 4, 1, 10] {
            let found = session.feed(&ids.narrow(1, at, piece), piece);
            assert!(
                close(&found, &expected.narrow(1, at, piece)),
                "{family}: tokens from {at}"
            );
            at += piece;
        }
    }
}

#[test]
fn a_batch_equals_its_rows_and_padding_is_inert() {
    for (family, model) in models() {
        let (short, long) = (ids(2, 6), ids(3, 11));
        for filler in [0, 17] {
            let padding = Tensor::full([1, 5], filler, (Kind::Int64, Device::Cpu));
            let batch = Tensor::cat(&[Tensor::cat(&[&padding, &short], 1), long.shallow_clone()], 0);
            let mut session = model.session(&[5, 0], 16);
            let found = session.feed(&batch, 11);
            assert!(
                close(&found.narrow(0, 0, 1).narrow(1, 5, 6), &logits(&model, &short)),
                "{family}: padded"
            );
            assert!(
                close(&found.narrow(0, 1, 1), &logits(&model, &long)),
                "{family}: full"
            );

            let next = Tensor::from_slice(&[9i64, 4]).view([2, 1]);
            let found = session.feed(&next, 1);
            for (row, before) in [&short, &long].into_iter().enumerate() {
                let all = Tensor::cat(&[before, &next.narrow(0, row as i64, 1)], 1);
                let expected = logits(&model, &all);
                let last = expected.narrow(1, all.size()[1] - 1, 1);
                assert!(
                    close(&found.narrow(0, row as i64, 1), &last),
                    "{family}: row {row} goes on"
                );
            }
        }
    }
}

#[test]
fn guessing_ahead_changes_nothing() {
    for (family, model) in models() {
        // A text that repeats itself, so that there is something to look up.
        let piece: Vec<i64> = Vec::try_from(ids(4, 6).view([-1])).expect("ids");
        let prompt = Prompt::padded(&[piece.repeat(3)], 0).expect("a prompt");
        let write = |settings: Value| {
            let config: GenerationConfig = serde_json::from_value(settings).expect("settings");
            let mut session = model.session(&[0], 64);
            let written = generate(&mut *session, &prompt, &config, Options::default());
            written
                .unwrap_or_else(|error| panic!("{family}: {error}"))
                .remove(0)
                .ids
        };
        let plain = write(json!({"max_new_tokens": 24}));
        let guessed = write(json!({"max_new_tokens": 24, "prompt_lookup_num_tokens": 4}));
        assert_eq!(guessed, plain, "{family}");
    }
}

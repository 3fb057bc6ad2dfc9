use sensorium_blocks::{MemorySource, TensorSource};
use serde_json::json;
use std::sync::Arc;
use tch::Device;

use super::*;

/// A tiny network, with something in the place of hidden states or not.
fn encoder(instead: bool) -> Encoder {
    let config = json!({
        "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
        "conv_dim": [4, 8], "conv_kernel": [10, 3], "conv_stride": [5, 2], "num_conv_pos_embeddings": 4,
        "num_conv_pos_embedding_groups": 2, "do_stable_layer_norm": true, "feat_extract_norm": "layer",
    });
    let fresh = Params::fresh(1);
    Encoder::new(&config, &fresh).expect("a network");
    let mut tensors: Vec<(String, Tensor)> = fresh
        .all()
        .into_iter()
        .map(|param| (param.name, param.tensor))
        .collect();
    if instead {
        tensors.push((INSTEAD.to_string(), Tensor::ones([8], (Kind::Float, Device::Cpu))));
    }
    let source: Arc<dyn TensorSource> = Arc::new(MemorySource::new(tensors));
    let params = Params::stored(source);
    let encoder = Encoder::new(&config, &params).expect("a network");
    params.check_all_used().expect("a place for all");
    encoder
}

fn flags(flags: &[bool]) -> Tensor {
    Tensor::from_slice(flags).unsqueeze(0)
}

#[test]
fn hidden_states_tell_nothing_of_the_sound() {
    let sound = |step: f32| {
        Tensor::from_slice(&[0.0f32; 65].map({
            let mut at = 0.0;
            move |_| {
                at += step;
                f32::sin(at)
            }
        }))
        .unsqueeze(0)
    };
    let (one, other) = (sound(0.3), sound(0.7));
    for instead in [true, false] {
        let encoder = encoder(instead);
        assert_eq!(encoder.steps(65), 5);
        let states = |samples: &Tensor, steps: [bool; 5], features: [bool; 8]| {
            let hidden = Hidden {
                steps: flags(&steps),
                features: flags(&features),
            };
            tch::no_grad(|| encoder.forward(samples, None, Some(&hidden), false, true).last)
        };
        let plain = tch::no_grad(|| encoder.forward(&one, None, None, false, true).last);
        assert!(states(&one, [false; 5], [false; 8]).equal(&plain));
        assert!(!states(&one, [true, false, false, false, false], [false; 8]).equal(&plain));
        // The sounds differ, but nothing of them is seen.
        assert!(!states(&one, [false; 5], [false; 8]).equal(&states(&other, [false; 5], [false; 8])));
        assert!(states(&one, [true; 5], [false; 8]).equal(&states(&other, [true; 5], [false; 8])));
        assert!(states(&one, [false; 5], [true; 8]).equal(&states(&other, [false; 5], [true; 8])));
        let nothing = states(&one, [false; 5], [true; 8]);
        assert_eq!(states(&one, [true; 5], [false; 8]).equal(&nothing), !instead);
    }
}

use super::*;
use crate::data::Dataset;
use serde_json::json;

fn learner(model: &CausalLm, parts: usize) -> Learner<'_> {
    Learner {
        model,
        validation: &[],
        block: 6,
        parts,
        device: Device::Cpu,
    }
}

#[test]
fn parts_of_a_batch_add_up_to_the_whole() {
    let config = json!({
        "model_type": "gpt2", "vocab_size": 11, "n_positions": 6, "n_embd": 8, "n_layer": 1, "n_head": 2,
        "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
    });
    let model = CausalLm::new(&config, Params::fresh(1)).unwrap();
    let windows = Windows {
        tokens: (0..40).map(|i| i * i % 11).collect(),
        block: 6,
        examples: 5,
    };
    let batch = windows.batch(&[0, 1, 2, 3, 4], 9);
    let weights: Vec<Tensor> = model.parameters().all().into_iter().map(|p| p.tensor).collect();
    let gradients = |parts: usize| {
        let learner = learner(&model, parts);
        let outputs: Vec<StepOutput> = (0..learner.parts(&batch))
            .map(|part| learner.step(&batch, part))
            .collect();
        let examples: usize = outputs.iter().map(|o| o.examples).sum();
        assert_eq!(examples, 30, "{parts} parts");
        let loss = outputs
            .iter()
            .map(|o| &o.loss)
            .fold(Tensor::from(0f32), |sum, loss| sum + loss);
        Tensor::f_run_backward(&[&loss], &weights, false, false).unwrap()
    };
    let whole = gradients(1);
    for parts in [2, 3, 5, 8, 100] {
        for (part, whole) in gradients(parts).iter().zip(&whole) {
            assert!(part.allclose(whole, 1e-4, 1e-7, false), "{parts} parts");
        }
    }
}

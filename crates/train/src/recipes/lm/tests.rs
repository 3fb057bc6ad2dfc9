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

/// In bf16 a model learns what it learns in f32, also from steps far below a weight's own precision, and what
/// is saved is f32.
#[test]
fn bf16_learns_with_f32_weights() {
    let text = "to be or not to be, that is the question. ".repeat(40);
    let texts = crate::corpus::Texts {
        train: vec![text.clone()],
        validation: vec![text],
    };
    let options =
        sensorium_text::tokenizer::TrainOptions::new(sensorium_text::tokenizer::Algorithm::Characters);
    let tokenizer = Tokenizer::train(texts.train.iter(), &options).unwrap();
    let run = |precision: Precision| {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            model: json!({
                "model_type": "llama", "vocab_size": tokenizer.vocab_size(), "max_position_embeddings": 16,
                "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
                "rms_norm_eps": 1e-5,
            }),
            data: "test".to_string(),
            block: 16,
            batch_size: 8,
            accumulate: 1,
            precision,
            eval_every: 60,
            trainer: TrainerConfig {
                epochs: 2,
                optimizer: crate::Optimizer::MUON,
                learning_rate: crate::LearningRate::constant(2e-3),
                clip_norm: Some(1.0),
                ema_decay: Some(0.9),
                seed: 3,
            },
        };
        let out = folder.path().join("run");
        let corpus = Corpus::new(&texts, &tokenizer).unwrap();
        let mut quiet = ();
        let session = Session::new(crate::RunFolder::create(&out).unwrap(), &mut quiet);
        let report = train(&settings, Params::fresh(5), &tokenizer, corpus, session).unwrap();
        let saved = Tensor::read_safetensors(out.join("model.safetensors")).unwrap();
        assert!(saved.iter().all(|(_, tensor)| tensor.kind() == Kind::Float));
        report.best.unwrap().loss
    };
    let [full, half] = [Precision::F32, Precision::Bf16].map(run);
    assert!(full < 1.5, "{full}");
    assert!((full - half).abs() < 0.05, "{full} in f32, {half} in bf16");
}

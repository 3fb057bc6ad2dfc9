use super::*;
use crate::{LearningRate, Optimizer, RunFolder};

/// A language whose words are those of another one spelled backwards, in reverse order.
fn toy(count: usize) -> Pairs {
    let words = ["one", "two", "three", "four", "five", "six"];
    let mut pairs = Pairs::default();
    for i in 0..count {
        let len = 2 + i % 3;
        let text: Vec<&str> = (0..len)
            .map(|j| words[mix(7, &[i as u64, j as u64]) as usize % words.len()])
            .collect();
        let source = text.join(" ");
        pairs.target.push(source.chars().rev().collect());
        pairs.source.push(source);
    }
    pairs
}

fn config(vocabulary: usize) -> Value {
    json!({
        "model_type": "marian", "vocab_size": vocabulary, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
        "max_position_embeddings": 64, "activation_function": "relu", "scale_embedding": true,
        "pad_token_id": 1, "eos_token_id": 0, "decoder_start_token_id": 1,
    })
}

#[test]
fn a_toy_language_is_learned_and_the_folder_is_a_model() {
    let corpus = Corpus {
        train: toy(300),
        validation: toy(40),
    };
    let tokenizer = joint_tokenizer(
        &corpus.train,
        &TokenizerSettings {
            vocab_size: 300,
            from: "aa",
            to: "bb",
        },
    )
    .unwrap();
    let settings = Settings {
        model: config(tokenizer.vocab_size()),
        data: "toy".to_string(),
        from: "aa".to_string(),
        to: "bb".to_string(),
        batch_tokens: 400,
        longest: 60,
        smoothing: 0.1,
        split: 0.05,
        trainer: TrainerConfig {
            epochs: 15,
            optimizer: Optimizer::MUON,
            learning_rate: LearningRate::constant(4e-3),
            clip_norm: Some(1.0),
            ema_decay: None,
            seed: 1,
        },
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let mut quiet = ();
    let session = Session::new(RunFolder::create(&out).unwrap(), &mut quiet);
    let report = train(&settings, Params::fresh(1), &tokenizer, &corpus, session).unwrap();
    let losses: Vec<f64> = report.record.epochs.iter().map(|e| e.validation.loss).collect();
    assert!(losses[14] < 0.5 * losses[0], "{losses:?}");

    let model = sensorium_hub::Model::in_folder("toy", &out);
    let pipeline = sensorium_text::TextToText::open(&model, Device::Cpu, None).unwrap();
    let written = pipeline
        .write(&["one two"], &Default::default(), Default::default())
        .unwrap();
    assert_eq!(pipeline.tokenizer().ids("one", true).unwrap().last(), Some(&0));
    assert_eq!(written.len(), 1);
    assert!(!written[0].generated.ids.is_empty());
}

//! Guesses change the number of passes, not the output.

mod support;

use proptest::prelude::*;
use sensorium_generation::{Error, Options, Prompt, generate};
use serde_json::json;
use support::{Toy, config};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn output_is_that_of_plain_decoding(
        seed: u64,
        ids in prop::collection::vec(0..12i64, 1..12),
        padding in 0..3usize,
        tokens in 1..8usize,
        sample: bool,
        penalised: bool,
        same: bool,
    ) {
        let mut row = vec![0; padding];
        row.extend(&ids);
        let mask: Vec<i64> = (0..row.len()).map(|i| i64::from(i >= padding)).collect();
        let prompt = Prompt::with_mask(vec![row], &[mask]).unwrap();
        let settings = json!({
            "max_new_tokens": 25, "eos_token_id": 11, "do_sample": sample, "seed": 5, "temperature": 0.4,
            "repetition_penalty": if penalised { 1.2 } else { 1.0 },
        });
        let run = |settings: serde_json::Value, draft: Option<&mut Toy>| {
            let mut toy = Toy::new(seed, 12, prompt.padding()).with_memory(1);
            let options = Options {
                log_probs: Some(1),
                step_logits: true,
                draft: draft.map(|draft| draft as &mut dyn sensorium_generation::Session),
                ..Default::default()
            };
            let mut found = generate(&mut toy, &prompt, &config(settings), options).unwrap();
            (found.remove(0), toy.feeds)
        };
        let (plain, passes) = run(settings.clone(), None);
        prop_assert_eq!(passes, plain.ids.len());

        let mut lookup = settings.clone();
        lookup["prompt_lookup_num_tokens"] = tokens.into();
        let (guessed, passes) = run(lookup, None);
        prop_assert_eq!(&guessed.sequence, &plain.sequence);
        prop_assert_eq!(&guessed.log_probs, &plain.log_probs);
        prop_assert_eq!(guessed.step_logits.unwrap().size(), plain.step_logits.unwrap().size());
        prop_assert!(passes <= plain.ids.len());

        let mut assisted = settings;
        assisted["num_assistant_tokens"] = tokens.into();
        let mut draft = Toy::new(if same { seed } else { seed ^ 1 }, 12, &[0]).with_memory(1);
        let (guessed, passes) = run(assisted, Some(&mut draft));
        prop_assert_eq!(&guessed.sequence, &plain.sequence);
        prop_assert_eq!(&guessed.finish, &plain.finish);
        if same && !sample && !penalised {
            // Every guess holds.
            let most = 1 + (plain.ids.len() - 1).div_ceil(tokens + 1);
            prop_assert!(passes <= most, "{} passes, {}", passes, most);
        }
    }

    #[test]
    fn contrastive_search_takes_the_best_compromise(
        seed: u64,
        rows in prop::collection::vec(prop::collection::vec(0..9i64, 1..5), 1..4),
        width in 2..5usize,
    ) {
        let alpha = 0.6f32;
        let settings = config(json!({
            "max_new_tokens": 8, "penalty_alpha": alpha, "top_k": width, "eos_token_id": 2,
        }));
        let prompt = Prompt::padded(&rows, 0).unwrap();
        let mut toy = Toy::new(seed, 9, prompt.padding());
        let found = generate(&mut toy, &prompt, &settings, Options::default()).unwrap();
        for (one, row) in found.iter().zip(&rows) {
            prop_assert_eq!(&one.ids, &contrastive(&toy, row, alpha, width));
        }
    }
}

/// Contrastive search with neither batch nor cache.
fn contrastive(toy: &Toy, prompt: &[i64], alpha: f32, width: usize) -> Vec<i64> {
    use sensorium_generation::Session;
    let states = |ids: &[i64]| -> Vec<Vec<f32>> {
        let mut fresh = Toy::new(toy.seed, toy.vocabulary, &[0]);
        let _ = fresh.feed(&tch::Tensor::from_slice(ids).unsqueeze(0), ids.len() as i64);
        Vec::try_from(fresh.hidden().unwrap().squeeze_dim(0)).unwrap()
    };
    let cosine = |a: &[f32], b: &[f32]| {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    };
    let mut ids = prompt.to_vec();
    while ids.len() < prompt.len() + 8 {
        let mut logits = toy.logits(&ids);
        sensorium_generation::processors::softmax(&mut logits);
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
        let before = states(&ids);
        let rank = |token: usize| {
            let mut longer = ids.clone();
            longer.push(token as i64);
            let state = states(&longer).pop().unwrap();
            let similar = before
                .iter()
                .map(|old| cosine(old, &state))
                .fold(f32::MIN, f32::max);
            (1. - alpha) * logits[token] - alpha * similar
        };
        let best = order[..width]
            .iter()
            .copied()
            .max_by(|&a, &b| rank(a).total_cmp(&rank(b)))
            .unwrap();
        ids.push(best as i64);
        if best == 2 {
            break;
        }
    }
    ids[prompt.len()..].to_vec()
}

#[test]
fn contrastive_search_needs_hidden_states() {
    let prompt = Prompt::single(&[1]).unwrap();
    let mut toy = Toy::new(1, 9, &[0]);
    toy.hides = true;
    let settings = config(json!({"penalty_alpha": 0.6, "top_k": 4}));
    let error = generate(&mut toy, &prompt, &settings, Options::default()).unwrap_err();
    assert!(matches!(error, Error::NoHidden));
}

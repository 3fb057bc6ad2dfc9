//! Greedy search and sampling.

mod support;

use proptest::prelude::*;
use sensorium_generation::{Error, Finish, Flow, Options, Prompt, generate};
use serde_json::json;
use support::{Toy, config, run};

/// The likeliest token after another, written as plainly as possible.
fn greedy(toy: &Toy, prompt: &[i64], new: usize, eos: &[i64]) -> Vec<i64> {
    let mut ids = prompt.to_vec();
    for _ in 0..new {
        let logits = toy.logits(&ids);
        let best = (0..logits.len())
            .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
            .unwrap();
        ids.push(best as i64);
        if eos.contains(&(best as i64)) {
            break;
        }
    }
    ids[prompt.len()..].to_vec()
}

fn prompts() -> impl Strategy<Value = Vec<Vec<i64>>> {
    prop::collection::vec(prop::collection::vec(0..30i64, 1..6), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn greedy_search_takes_the_likeliest(seed: u64, rows in prompts(), new in 1..20usize) {
        let prompt = Prompt::padded(&rows, 29).unwrap();
        let settings = config(json!({"max_new_tokens": new, "eos_token_id": [3, 4], "pad_token_id": 29}));
        let found = run(seed, 30, &prompt, &settings);
        let toy = Toy::new(seed, 30, &[]);
        let longest = found.iter().map(|one| one.ids.len()).max().unwrap();
        for (row, one) in found.iter().enumerate() {
            let ids = greedy(&toy, &rows[row], new, &[3, 4]);
            prop_assert_eq!(&one.ids, &ids);
            prop_assert_eq!(one.sequence.len(), prompt.len() + longest);
            prop_assert!(one.sequence[prompt.len() + ids.len()..].iter().all(|&id| id == 29));
            let ended = [3, 4].contains(ids.last().unwrap());
            let finish = if ended { Finish::Eos(*ids.last().unwrap()) } else { Finish::Length };
            prop_assert_eq!(&one.finish, &finish);
        }
    }

    #[test]
    fn a_batch_equals_its_rows(seed: u64, rows in prompts(), sample: bool, draws in 1..3usize) {
        let settings = |seed: u64| config(json!({
            "max_new_tokens": 12, "eos_token_id": 3, "pad_token_id": 29, "do_sample": sample, "seed": seed,
            "temperature": 1.4, "top_k": 12, "top_p": 0.9, "repetition_penalty": 1.3,
            "no_repeat_ngram_size": 2, "frequency_penalty": 0.3, "min_new_tokens": 2,
            "num_return_sequences": if sample { draws } else { 1 },
        }));
        let prompt = Prompt::padded(&rows, 0).unwrap();
        let batch = run(seed, 30, &prompt, &settings(7));
        let mut batch = batch.iter();
        for (row, ids) in rows.iter().enumerate() {
            // Rules that look at ids take padding for ids, as in transformers: give them the same.
            let one = Prompt::with_mask(
                vec![prompt.rows()[row].clone()],
                &[prompt.rows()[row].iter().enumerate().map(|(i, _)| i64::from(i >= prompt.padding()[row])).collect()],
            ).unwrap();
            prop_assert_eq!(one.padding()[0], prompt.len() - ids.len());
            for alone in run(seed, 30, &one, &settings(7 + row as u64)) {
                let together = batch.next().unwrap();
                prop_assert_eq!(&together.ids, &alone.ids);
                prop_assert_eq!(together.row, row);
            }
        }
    }
}

#[test]
fn finished_rows_leave_the_computation() {
    let rows: Vec<Vec<i64>> = (0..6).map(|i| vec![i, i + 1]).collect();
    let prompt = Prompt::new(rows).unwrap();
    let settings = config(json!({"max_new_tokens": 40, "eos_token_id": [3, 4, 5]}));
    let mut toy = Toy::new(5, 20, prompt.padding());
    let found = generate(&mut toy, &prompt, &settings, Options::default()).unwrap();
    let steps: usize = found.iter().map(|one| one.ids.len()).sum();
    assert_eq!(toy.fed, steps, "as many rows were fed as tokens were chosen");
    assert!(found.iter().any(|one| one.ids.len() != found[0].ids.len()));
}

#[test]
fn log_probs_and_logits_are_the_models_own() {
    let prompt = Prompt::new(vec![vec![1, 2], vec![3, 4]]).unwrap();
    let settings = config(json!({"max_new_tokens": 5, "repetition_penalty": 2.0}));
    let mut toy = Toy::new(3, 20, prompt.padding());
    let options = Options {
        log_probs: Some(2),
        step_logits: true,
        ..Default::default()
    };
    let found = generate(&mut toy, &prompt, &settings, options).unwrap();
    for one in found {
        let logits: Vec<Vec<f32>> = Vec::try_from(one.step_logits.unwrap()).unwrap();
        assert_eq!((logits.len(), one.log_probs.len()), (5, 5));
        let mut ids = one.sequence[..2].to_vec();
        for ((id, logits), log_prob) in one.ids.iter().zip(logits).zip(one.log_probs) {
            assert_eq!(logits, toy.logits(&ids));
            let total = logits.iter().map(|l| l.exp()).sum::<f32>().ln();
            assert!((log_prob.log_prob - (logits[*id as usize] - total)).abs() < 1e-5);
            assert_eq!((log_prob.id, log_prob.top.len()), (*id, 2));
            assert!(log_prob.top[0].1 >= log_prob.log_prob);
            ids.push(*id);
        }
    }
}

#[test]
fn a_sink_is_told_and_may_stop() {
    let prompt = Prompt::new(vec![vec![1], vec![2]]).unwrap();
    let settings = config(json!({"max_new_tokens": 9}));
    let mut told = [Vec::new(), Vec::new()];
    let mut sink = |row: usize, ids: &[i64]| {
        told[row].extend_from_slice(ids);
        match (row, told[row].len()) {
            (0, 3) => Flow::StopRow,
            (1, 5) => Flow::Stop,
            _ => Flow::Continue,
        }
    };
    let mut toy = Toy::new(3, 20, prompt.padding());
    let options = Options {
        sink: Some(&mut sink),
        ..Default::default()
    };
    let found = generate(&mut toy, &prompt, &settings, options).unwrap();
    assert_eq!(found[0].ids, told[0]);
    assert_eq!(found[1].ids, told[1]);
    assert_eq!((told[0].len(), told[1].len()), (3, 5));
    assert!(found.iter().all(|one| one.finish == Finish::Stopped));
}

#[test]
fn lengths_are_limited() {
    let prompt = Prompt::single(&[1, 2, 3]).unwrap();
    let lengths = |settings| run(1, 20, &prompt, &config(settings))[0].sequence.len();
    assert_eq!(lengths(json!({})), 23);
    assert_eq!(lengths(json!({"max_length": 5})), 5);
    assert_eq!(lengths(json!({"max_length": 5, "max_new_tokens": 4})), 7);

    let mut toy = Toy::new(1, 20, prompt.padding());
    toy.limit = Some(6);
    let found = generate(&mut toy, &prompt, &config(json!({})), Options::default()).unwrap();
    assert_eq!(found[0].sequence.len(), 6);

    let mut toy = Toy::new(1, 20, prompt.padding());
    let error = generate(
        &mut toy,
        &prompt,
        &config(json!({"max_length": 3})),
        Options::default(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the prompt has 3 tokens, which leaves no room for more: the limit is 3"
    );
}

#[test]
fn a_session_goes_on_from_what_it_was_fed() {
    let settings = config(json!({"max_new_tokens": 6}));
    let mut toy = Toy::new(1, 20, &[0]);
    let first = generate(
        &mut toy,
        &Prompt::single(&[1, 2]).unwrap(),
        &settings,
        Options::default(),
    )
    .unwrap();
    let mut ids = first[0].sequence.clone();
    ids.push(5);
    let prompt = Prompt::single(&ids).unwrap();
    let (before, fresh) = (toy.fed, run(1, 20, &prompt, &settings));
    let second = generate(&mut toy, &prompt, &settings, Options::default()).unwrap();
    assert_eq!(second[0].ids, fresh[0].ids);
    assert_eq!(toy.fed - before, 6);
    // All of the prompt but its last token may be known.
    let third = generate(&mut toy, &prompt, &settings, Options::default()).unwrap();
    assert_eq!(third[0].ids, fresh[0].ids);
}

#[test]
fn forbidding_everything_is_an_error() {
    let prompt = Prompt::single(&[1]).unwrap();
    let all: Vec<i64> = (0..20).collect();
    for sample in [false, true] {
        let settings = config(json!({"suppress_tokens": all, "do_sample": sample}));
        let mut toy = Toy::new(1, 20, &[0]);
        let error = generate(&mut toy, &prompt, &settings, Options::default()).unwrap_err();
        assert!(matches!(error, Error::NothingAllowed { row: 0, len: 1 }));
    }
}

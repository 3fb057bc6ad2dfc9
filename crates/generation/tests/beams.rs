//! Beam search beside implementations that are slow and plain.

mod support;

use proptest::prelude::*;
use sensorium_generation::{Flow, Options, Prompt, generate};
use serde_json::json;
use support::{Toy, config, run};

/// The algorithm of `transformers` with dense lists, every row computed to the very end.
struct Reference<'a> {
    toy: &'a Toy,
    beams: usize,
    eos: &'a [i64],
    min_new: usize,
    penalty: f32,
    /// `Some(true)`, `Some(false)` or `None` for "never".
    early: Option<bool>,
    max_length: usize,
}

type Scored = (Vec<i64>, f32, bool);

impl Reference<'_> {
    /// The score of `written` after `prompt`.
    fn score(&self, prompt: &[i64], written: &[i64]) -> f32 {
        let mut ids = prompt.to_vec();
        let mut sum = 0.0;
        for &token in written {
            let mut logits = self.toy.logits(&ids);
            sensorium_generation::processors::log_softmax(&mut logits);
            sum += logits[token as usize];
            ids.push(token);
        }
        sum / (written.len() as f64).powf(f64::from(self.penalty)) as f32
    }

    fn search(&self, prompt: &[i64]) -> Vec<Scored> {
        let mut running: Vec<(Vec<i64>, f32)> = (0..self.beams)
            .map(|i| (prompt.to_vec(), if i == 0 { 0. } else { -1e9 }))
            .collect();
        let mut finished: Vec<Scored> = vec![(Vec::new(), -1e9, false); self.beams];
        let mut unsatisfied = true;
        let mut length = prompt.len();
        let power = |n: usize| (n as f64).powf(f64::from(self.penalty)) as f32;
        loop {
            let mut all = Vec::new();
            for (ids, score) in &running {
                let mut logits = self.toy.logits(ids);
                sensorium_generation::processors::log_softmax(&mut logits);
                for (token, logit) in logits.iter().enumerate() {
                    let early = length - prompt.len() < self.min_new && self.eos.contains(&(token as i64));
                    let mut longer = ids.clone();
                    longer.push(token as i64);
                    all.push((longer, score + if early { f32::NEG_INFINITY } else { *logit }));
                }
            }
            all.sort_by(|a, b| b.1.total_cmp(&a.1));
            all.truncate((1 + self.eos.len()).max(2) * self.beams);
            let hits: Vec<bool> = all
                .iter()
                .map(|(ids, _)| self.eos.contains(ids.last().unwrap()) || ids.len() >= self.max_length)
                .collect();

            let mut next: Vec<(Vec<i64>, f32)> = all
                .iter()
                .zip(&hits)
                .map(|((ids, s), &hit)| (ids.clone(), s + if hit { -1e9 } else { 0. }))
                .collect();
            next.sort_by(|a, b| b.1.total_cmp(&a.1));
            next.truncate(self.beams);

            let full = finished.iter().all(|f| f.2) && self.early == Some(true);
            for (i, ((ids, score), &hit)) in all.iter().zip(&hits).enumerate() {
                let ends = hit && i < self.beams;
                let mut score = score / power(length + 1 - prompt.len());
                score += if full { -1e9 } else { 0. };
                score += if unsatisfied { 0. } else { -1e9 };
                score += if ends { 0. } else { -1e9 };
                finished.push((ids.clone(), score, ends));
            }
            finished.sort_by(|a, b| b.1.total_cmp(&a.1));
            finished.truncate(self.beams);
            running = next;
            length += 1;

            let reach = if self.early.is_none() && self.penalty > 0. {
                self.max_length
            } else {
                length
            };
            let best = running[0].1 / power(reach - prompt.len());
            let least = finished.iter().map(|f| f.1).fold(f32::MAX, f32::min);
            unsatisfied &= finished.iter().any(|f| best > if f.2 { least } else { -1e9 });
            let open = !(finished.iter().all(|f| f.2) && self.early == Some(true));
            if !(unsatisfied && open && hits.iter().any(|&hit| !hit)) {
                return finished;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn beams_are_those_of_the_reference(
        seed: u64,
        rows in prop::collection::vec(prop::collection::vec(0..14i64, 1..5), 1..4),
        beams in 2..5usize,
        eos in prop::sample::select(vec![vec![], vec![3], vec![3, 8]]),
        min_new in 0..4usize,
        penalty in prop::sample::select(vec![-1f32, 0., 0.3, 1., 2.]),
        early in prop::sample::select(vec![Some(true), Some(false), None]),
        new in 1..9usize,
        scale in prop::sample::select(vec![1f32, 4.]),
    ) {
        let prompt = Prompt::padded(&rows, 0).unwrap();
        let settings = config(json!({
            "num_beams": beams, "num_return_sequences": beams, "eos_token_id": eos, "min_new_tokens": min_new,
            "length_penalty": penalty, "early_stopping": early.map_or(json!("never"), |e| json!(e)),
            "max_new_tokens": new, "pad_token_id": 13,
        }));
        let mut toy = Toy::new(seed, 14, prompt.padding());
        toy.scale = scale;
        let found = generate(&mut toy, &prompt, &settings, Options::default()).unwrap();
        prop_assert_eq!(found.len(), beams * rows.len());
        for (row, ids) in rows.iter().enumerate() {
            let reference = Reference {
                toy: &toy, beams, eos: &eos, min_new, penalty, early, max_length: ids.len() + new,
            };
            for (found, (want, score, ended)) in found[row * beams..].iter().zip(reference.search(ids)) {
                prop_assert!(ended);
                let near = |other: f32| (other - score).abs() <= 1e-5 * score.abs();
                prop_assert!(near(found.score.unwrap()), "{:?} {}", found.score, score);
                // Sequences that are equally likely but for rounding may change places.
                if found.ids != want[ids.len()..] {
                    prop_assert!(near(reference.score(ids, &found.ids)), "{:?} {:?}", found.ids, want);
                }
            }
        }
    }

    #[test]
    fn many_beams_find_the_best_sequence(seed: u64, start in 0..4i64) {
        let prompt = Prompt::single(&[start]).unwrap();
        let settings = config(json!({"num_beams": 64, "max_new_tokens": 4}));
        let found = run(seed, 4, &prompt, &settings);
        let toy = Toy::new(seed, 4, &[0]);
        let score = |number: usize| {
            let mut ids = vec![start];
            let mut sum = 0.;
            for i in 0..4 {
                let mut logits = toy.logits(&ids);
                sensorium_generation::processors::log_softmax(&mut logits);
                let token = number >> (2 * i) & 3;
                sum += logits[token];
                ids.push(token as i64);
            }
            (ids, sum / 4.)
        };
        let best = (0..256).map(score).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        prop_assert_eq!(&found[0].sequence, &best.0);
        prop_assert!((found[0].score.unwrap() - best.1).abs() < 1e-5);
    }

    #[test]
    fn rows_do_not_touch_each_other(
        seed: u64,
        rows in prop::collection::vec(prop::collection::vec(0..14i64, 1..5), 2..4),
        groups in 1..3usize,
        sample: bool,
    ) {
        let sample = sample && groups == 1;
        let settings = |seed: u64| config(json!({
            "num_beams": 4, "num_return_sequences": 2, "eos_token_id": [3, 8], "max_new_tokens": 9,
            "num_beam_groups": groups, "diversity_penalty": 0.7, "no_repeat_ngram_size": 2,
            "do_sample": sample, "seed": seed, "pad_token_id": 13, "temperature": 2.0,
        }));
        // All of a length, so that no padding meets the n-gram rule.
        let rows: Vec<Vec<i64>> = rows.into_iter().map(|mut row| { row.resize(4, 1); row }).collect();
        let together = run(seed, 14, &Prompt::new(rows.clone()).unwrap(), &settings(5));
        for (row, ids) in rows.iter().enumerate() {
            let alone = run(seed, 14, &Prompt::single(ids).unwrap(), &settings(5 + row as u64));
            for (a, b) in together[row * 2..].iter().zip(&alone) {
                prop_assert_eq!(&a.ids, &b.ids);
                prop_assert_eq!(a.score, b.score);
                prop_assert_eq!(&a.finish, &b.finish);
            }
        }
    }
}

#[test]
fn groups_differ() {
    let prompt = Prompt::single(&[1, 2]).unwrap();
    let first = |diversity: f32, seed| {
        let settings = config(json!({
            "num_beams": 3, "num_beam_groups": 3, "num_return_sequences": 3, "max_new_tokens": 3,
            "diversity_penalty": diversity,
        }));
        let mut ids: Vec<i64> = run(seed, 30, &prompt, &settings)
            .iter()
            .map(|one| one.ids[0])
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids.len()
    };
    for seed in 0..20 {
        assert_eq!(first(0., seed), 1);
        assert_eq!(first(100., seed), 3);
    }
}

#[test]
fn beams_can_be_stopped() {
    let prompt = Prompt::single(&[1, 2]).unwrap();
    let settings = config(json!({"num_beams": 3, "max_new_tokens": 30, "num_return_sequences": 2}));
    let mut steps = 0;
    let mut sink = |_: usize, ids: &[i64]| {
        assert!(ids.is_empty());
        steps += 1;
        if steps == 4 { Flow::Stop } else { Flow::Continue }
    };
    let mut toy = Toy::new(1, 20, &[0]);
    let options = Options {
        sink: Some(&mut sink),
        log_probs: Some(1),
        ..Default::default()
    };
    let found = generate(&mut toy, &prompt, &settings, options).unwrap();
    assert_eq!(found.len(), 2);
    for one in found {
        assert_eq!(one.ids.len(), 4);
        let sum: f32 = one.log_probs.iter().map(|token| token.log_prob).sum();
        assert!((sum / 4. - one.score.unwrap()).abs() < 1e-5);
    }
}

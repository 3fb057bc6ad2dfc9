//! Greedy search that does not compute all logits.

mod support;

use proptest::prelude::*;
use sensorium_blocks::{Head, Linear};
use sensorium_generation::processors::log_sum_exp;
use sensorium_generation::{
    LogitsProcessor, Needs, Options, Prompt, Scores, Session, generate, processors::Row,
};
use serde_json::json;
use support::config;
use tch::{Device, Kind, Tensor};

const VOCABULARY: i64 = 5000;

/// Its state is a vector of the last two tokens.
struct Pairs {
    states: Tensor, // [vocabulary, hidden]
    head: Head,
    ids: Vec<i64>,
    /// Whether it may guess, and how often it did.
    guesses: Option<usize>,
}

impl Pairs {
    fn new(kind: Kind, seed: i64, guesses: Option<usize>) -> Self {
        tch::manual_seed(seed);
        let normal = || Tensor::randn([VOCABULARY, 48], (Kind::Float, Device::Cpu)).to_kind(kind);
        Self {
            states: normal(),
            head: Linear::tied(&normal()).into(),
            ids: Vec::new(),
            guesses,
        }
    }

    fn states(&mut self, ids: &Tensor) -> Tensor {
        self.ids.extend(Vec::<i64>::try_from(ids.view([-1])).unwrap());
        let last = &self.ids[self.ids.len() - 2..];
        self.states.get(last[0]) * 0.5 + self.states.get(last[1])
    }
}

impl Session for Pairs {
    fn rows(&self) -> i64 {
        1
    }

    fn len(&self) -> i64 {
        self.ids.len() as i64
    }

    fn limit(&self) -> Option<i64> {
        None
    }

    fn feed(&mut self, ids: &Tensor, _: i64) -> Tensor {
        let states = self.states(ids).view([1, 1, -1]);
        self.head.forward(&states).to_kind(Kind::Float)
    }

    fn feed_greedily(&mut self, ids: &Tensor) -> Scores {
        let Some(guesses) = &mut self.guesses else {
            return Scores::Logits(self.feed(ids, 1));
        };
        *guesses += 1;
        let states = self.states(ids).view([1, 1, -1]);
        Scores::Guess(self.head.guess(&states).unwrap())
    }

    fn select(&mut self, _: &[i64]) {}

    fn truncate(&mut self, len: i64) {
        self.ids.truncate(len as usize);
    }
}

/// Forbids the tokens before `first` where those from it on are likelier together than any of them.
struct Together {
    first: usize,
}

impl LogitsProcessor for Together {
    fn needs(&self) -> Needs {
        Needs::From(self.first)
    }

    fn process(&mut self, _: &Row<'_>, scores: &mut [f32]) {
        let (before, from) = scores.split_at_mut(self.first);
        let greatest = before.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if log_sum_exp(from) > greatest {
            before.fill(f32::NEG_INFINITY);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn guessing_changes_nothing(seed in 0..1000i64, bf16: bool, first in 4000..4990usize, rules: bool) {
        let kind = if bf16 { Kind::BFloat16 } else { Kind::Float };
        let suppressed: Vec<i64> = (seed % 7..VOCABULARY).step_by(3).collect();
        let settings = match rules {
            false => config(json!({"max_new_tokens": 30})),
            true => config(json!({
                "max_new_tokens": 30, "min_new_tokens": 10, "eos_token_id": 3, "suppress_tokens": suppressed,
                "begin_suppress_tokens": [1, 2], "no_repeat_ngram_size": 2,
            })),
        };
        let prompt = Prompt::single(&[5, seed % VOCABULARY]).unwrap();
        let write = |guesses| {
            let mut session = Pairs::new(kind, seed, guesses);
            let mut options = Options::default();
            if rules {
                options.processors.push(Box::new(Together { first }));
            }
            let written = generate(&mut session, &prompt, &settings, options).unwrap();
            (written[0].ids.clone(), session.guesses)
        };
        let (ids, guesses) = write(Some(0));
        prop_assert_eq!(guesses, Some(ids.len() - 1));
        prop_assert_eq!(ids, write(None).0);
    }
}

//! The loop on a small problem: points on a line.

use std::path::Path;

use sensorium_blocks::Init;
use tch::Kind;

use super::*;
use crate::history::Scores;
use crate::loss::mean_squared_error;
use crate::schedule::Schedule;

struct Points;

impl Dataset for Points {
    type Batch = Vec<i64>;

    fn len(&self) -> usize {
        10
    }

    fn batch(&self, indices: &[usize], _seed: u64) -> Vec<i64> {
        indices.iter().map(|&i| i as i64).collect()
    }
}

/// Fits `y = 3 x − 1`.
struct Line {
    slope: Tensor,
    offset: Tensor,
}

impl Line {
    fn new(params: &Params) -> Self {
        Self {
            slope: params.weight("slope", &[1], Init::Const(0.0)).unwrap(),
            offset: params.weight("offset", &[1], Init::Const(0.0)).unwrap(),
        }
    }

    fn loss(&self, points: &[i64]) -> Tensor {
        let x = Tensor::from_slice(points).to_kind(Kind::Float) / 10.0;
        mean_squared_error(&(&x * &self.slope + &self.offset), &(x * 3.0 - 1.0))
    }
}

impl Objective for Line {
    type Batch = Vec<i64>;

    fn step(&self, batch: &Vec<i64>, _part: usize) -> StepOutput {
        StepOutput {
            loss: self.loss(batch),
            examples: batch.len(),
            correct: 0,
        }
    }

    fn validate(&self) -> Scores {
        let points: Vec<i64> = (0..10).collect();
        Scores {
            loss: self.loss(&points).double_value(&[]),
            accuracy: 0.0,
        }
    }
}

fn config(rate: f64) -> TrainerConfig {
    TrainerConfig {
        epochs: 60,
        optimizer: Optimizer::ADAM,
        learning_rate: LearningRate {
            peak: rate,
            schedule: Schedule::Cosine,
            warmup: 0.1,
        },
        clip_norm: None,
        ema_decay: Some(0.9),
        seed: 4,
    }
}

/// Stops the run in its `at`-th step.
struct StopAt {
    at: usize,
    steps: usize,
    flag: Arc<AtomicBool>,
}

impl Callback for StopAt {
    fn on_step(&mut self, _: &StepStatus) {
        self.steps += 1;
        self.flag.store(self.steps == self.at, Ordering::Relaxed);
    }
}

/// Trains in `dir`, stopping in step `stop` of this session; 0 to go to the end.
fn train(dir: &Path, resume: bool, rate: f64, stop: usize) -> Result<(Outcome, Progress)> {
    let params = Params::fresh(1);
    let line = Line::new(&params);
    let folder = if resume {
        RunFolder::resume(dir)?
    } else {
        RunFolder::create(dir)?
    };
    let flag = Arc::new(AtomicBool::new(false));
    let settings = serde_json::json!({ "rate": rate });
    let mut trainer =
        Trainer::new(config(rate), &params, settings, folder)?.with_stop_flag(Arc::clone(&flag));
    let loader = Loader::new(Points, 3, 7, 0);
    let mut callback = StopAt {
        at: stop,
        steps: 0,
        flag,
    };
    let outcome = trainer.run(&line, &loader, &mut callback)?;
    Ok((outcome, trainer.progress().clone()))
}

#[test]
fn the_line_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (outcome, progress) = train(dir.path(), false, 0.1, 0).unwrap();
    assert_eq!(
        (outcome, progress.epoch, progress.step),
        (Outcome::Finished, 60, 240)
    );
    let [first, last] = [0, 59].map(|epoch| progress.history[epoch].validation.loss);
    assert!(last < first / 100.0, "from {first} to {last}");
}

#[test]
fn a_stopped_run_goes_on_as_if_it_had_not() {
    let [whole, parts] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (_, expected) = train(whole.path(), false, 0.1, 0).unwrap();
    assert_eq!(train(parts.path(), false, 0.1, 7).unwrap().0, Outcome::Stopped);
    assert_eq!(train(parts.path(), true, 0.1, 90).unwrap().1.step, 97);
    let (outcome, found) = train(parts.path(), true, 0.1, 0).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    let losses = |progress: &Progress| -> Vec<Scores> {
        progress.history.iter().map(|epoch| epoch.validation).collect()
    };
    assert_eq!(losses(&found), losses(&expected));
    for file in [Trainer::MODEL, Trainer::BEST] {
        let [a, b] = [&whole, &parts].map(|dir| std::fs::read(dir.path().join(file)).unwrap());
        assert!(a == b, "{file} differs");
    }
}

#[test]
fn a_run_can_be_resumed_before_its_first_step() {
    let dir = tempfile::tempdir().unwrap();
    let params = Params::fresh(1);
    Line::new(&params);
    let settings = serde_json::json!({ "rate": 0.1 });
    let folder = RunFolder::create(dir.path()).unwrap();
    drop(Trainer::new(config(0.1), &params, settings, folder).unwrap());
    assert_eq!(train(dir.path(), true, 0.1, 0).unwrap().1.step, 240);
}

#[test]
fn another_run_is_not_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    train(dir.path(), false, 0.1, 7).unwrap();
    let error = train(dir.path(), true, 0.2, 0).unwrap_err().to_string();
    assert!(error.contains("rate: 0.1 then, 0.2 now"), "{error}");
}

#[test]
fn a_diverging_run_ends() {
    let dir = tempfile::tempdir().unwrap();
    let error = train(dir.path(), false, 1e30, 0).unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
}

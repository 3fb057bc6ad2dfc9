//! A chore as a row of steps: each is timed, a failure does not stop the next, and a summary ends it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The steps done so far.
pub struct Steps {
    total: usize,
    started: Instant,
    done: Vec<Step>,
}

struct Step {
    title: String,
    took: Duration,
    outcome: Outcome,
}

enum Outcome {
    Passed,
    Skipped(String),
    Failed(String),
}

impl Steps {
    /// Begins a chore of `total` steps.
    pub fn new(total: usize) -> Self {
        Self {
            total,
            started: Instant::now(),
            done: Vec::with_capacity(total),
        }
    }

    /// Runs one step and keeps how it ended; says whether it passed.
    pub fn run(&mut self, title: &str, step: impl FnOnce() -> Result<()>) -> bool {
        println!("\n[{}/{}] {title}", self.done.len() + 1, self.total);
        let started = Instant::now();
        let outcome = match step() {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                eprintln!("error: {error:#}");
                Outcome::Failed(format!("{error:#}"))
            }
        };
        let passed = matches!(outcome, Outcome::Passed);
        self.done.push(Step {
            title: title.to_owned(),
            took: started.elapsed(),
            outcome,
        });
        passed
    }

    /// Keeps a step that was not run.
    pub fn skip(&mut self, title: &str, why: &str) {
        println!(
            "\n[{}/{}] {title}: left out, {why}",
            self.done.len() + 1,
            self.total
        );
        let outcome = Outcome::Skipped(why.to_owned());
        self.done.push(Step {
            title: title.to_owned(),
            took: Duration::ZERO,
            outcome,
        });
    }

    /// Prints what ran and how long it took.
    ///
    /// # Errors
    /// If a step failed.
    pub fn finish(self) -> Result<()> {
        print!("\n{}", self.summary());
        let failed = self
            .done
            .iter()
            .filter(|step| matches!(step.outcome, Outcome::Failed(_)))
            .count();
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.done.len());
        }
        println!(
            "All {} in {}.",
            count(self.done.len()),
            clock(self.started.elapsed())
        );
        Ok(())
    }

    fn summary(&self) -> String {
        let width = self
            .done
            .iter()
            .map(|step| step.title.chars().count())
            .max()
            .unwrap_or(0);
        let line = |step: &Step| {
            let (word, note) = match &step.outcome {
                Outcome::Passed => ("ok", String::new()),
                Outcome::Skipped(why) => ("left out", format!("  {why}")),
                Outcome::Failed(why) => ("FAILED", format!("  {why}")),
            };
            format!(
                "  {word:<8}  {:<width$}  {:>12}{note}\n",
                step.title,
                clock(step.took)
            )
        };
        self.done.iter().map(line).collect()
    }
}

fn count(steps: usize) -> String {
    if steps == 1 {
        "done".to_owned()
    } else {
        format!("{steps} steps done")
    }
}

/// `4.2 s`, `3 min 07 s`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 60. {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    format!("{} min {:02} s", whole / 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_does_not_stop_the_next_step_and_fails_the_chore() {
        let mut steps = Steps::new(3);
        assert!(!steps.run("first", || bail!("broken")));
        assert!(steps.run("second", || Ok(())));
        steps.skip("third", "not wanted");
        let summary = steps.summary();
        assert!(
            summary.contains("FAILED") && summary.contains("broken"),
            "{summary}"
        );
        assert!(summary.contains("left out"), "{summary}");
        assert_eq!(steps.finish().unwrap_err().to_string(), "1 of 3 steps failed");
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(clock(Duration::from_millis(4_230)), "4.2 s");
        assert_eq!(clock(Duration::from_secs(187)), "3 min 07 s");
    }
}

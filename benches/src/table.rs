//! What was measured, and how it is shown.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Which way a metric is good.
#[derive(Clone, Copy)]
pub enum Better {
    Lower,
    Higher,
}

/// Our own name in the tables.
pub const OURS: &str = "Sensorium";

/// Every value measured, by engine and metric.
#[derive(Default)]
pub struct Values(BTreeMap<(String, String), Vec<f64>>);

impl Values {
    /// Adds a value.
    pub fn add(&mut self, engine: &str, metric: &str, value: f64) {
        let key = (engine.to_string(), metric.to_string());
        self.0.entry(key).or_default().push(value);
    }

    /// Runs a peer's script, which prints a JSON line a value.
    pub fn run_peer(&mut self, python: &Path, script: &str, arguments: &[String]) -> Result<()> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
        let output = Command::new(python)
            .arg(&script)
            .args(arguments)
            .output()
            .with_context(|| format!("cannot start {}", python.display()))?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed:\n{errors}", script.display());
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let value: serde_json::Value = serde_json::from_str(line).context("a peer prints JSON lines")?;
            let text = |key: &str| value[key].as_str().unwrap_or_default();
            let number = value["value"].as_f64().context("a peer prints numbers")?;
            self.add(text("peer"), text("metric"), number);
        }
        Ok(())
    }

    /// Medians, and how many times faster than each peer ours is.
    pub fn print(&self, metrics: &[(&str, Better)]) {
        for (metric, better) in metrics {
            let median_of = |peer: &str| {
                self.0
                    .get(&(peer.to_string(), metric.to_string()))
                    .map(|v| median(v))
            };
            let Some(ours) = median_of(OURS) else { continue };
            println!("{metric}\n  {OURS:<22} {ours:>12.3}");
            let peers = self.0.keys().filter(|(peer, m)| m == metric && peer != OURS);
            for (peer, _) in peers {
                let Some(theirs) = median_of(peer) else { continue };
                let ratio = match better {
                    Better::Lower => theirs / ours,
                    Better::Higher => ours / theirs,
                };
                println!("  {peer:<22} {theirs:>12.3}   Sensorium is {ratio:.2} times as fast");
            }
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

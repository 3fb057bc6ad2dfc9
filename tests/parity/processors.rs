//! Checks of single logits processors.

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use crate::case::{Case, Check};

pub fn run(_case: &Case, _check: &Check) -> Result<Map<String, Value>> {
    bail!("not yet")
}

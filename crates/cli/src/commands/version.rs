//! `sensorium --version`: this program's version and libtorch's.

use std::process::ExitCode;

use anyhow::Result;
use sensorium::doctor;
use serde_json::json;

use crate::context::Context;
use crate::print;

/// Runs the command.
pub fn run(context: &Context) -> Result<ExitCode> {
    let version = env!("CARGO_PKG_VERSION");
    let libtorch = doctor::libtorch_version();
    if context.global.json {
        print::json(&json!({ "sensorium": version, "libtorch": libtorch }))?;
    } else {
        let libtorch = libtorch.as_deref().unwrap_or("of unknown version");
        print::text(&format!("sensorium {version} (libtorch {libtorch})\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

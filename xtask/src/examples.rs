//! The example programs of the workspace.

use anyhow::{Context, Result, bail};

use crate::workspace;

/// Runs every example; each has to do its job in seconds on what is shipped.
///
/// # Errors
/// If one does not build or does not succeed.
pub fn build_and_run() -> Result<()> {
    let mut failed = Vec::new();
    for (package, name) in listed()? {
        let build = ["build", "--package", &package, "--example", &name];
        let outcome = workspace::build_binary(&mut workspace::cargo(build))
            .and_then(|binary| workspace::run(&mut workspace::program(&binary)));
        if let Err(error) = outcome {
            eprintln!("error: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("these examples failed: {}", failed.join(", "));
    }
    Ok(())
}

/// The example programs of the workspace, as (package, example), in the order cargo lists them.
///
/// # Errors
/// If the workspace cannot be read.
fn listed() -> Result<Vec<(String, String)>> {
    let metadata = workspace::metadata()?;
    let packages = metadata["packages"]
        .as_array()
        .context("`cargo metadata` lists no packages")?;
    let mut examples = Vec::new();
    for package in packages {
        for target in package["targets"].as_array().into_iter().flatten() {
            let is_example = target["kind"]
                .as_array()
                .is_some_and(|kinds| kinds.contains(&"example".into()));
            if let (true, Some(package), Some(name)) =
                (is_example, package["name"].as_str(), target["name"].as_str())
            {
                examples.push((package.to_owned(), name.to_owned()));
            }
        }
    }
    Ok(examples)
}

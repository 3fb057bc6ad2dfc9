//! Classifies pictures from several threads at once, all through one handle to one model.

use std::path::PathBuf;
use std::thread;

use anyhow::{Context, Result};
use sensorium::handle::Batching;
use sensorium::hub::{Hub, HubOptions};
use sensorium::{BuildOptions, Input, MAX_INPUT_BYTES, Output, Pipeline, Registry, RouteRequest};

fn main() -> Result<()> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    anyhow::ensure!(!paths.is_empty(), "name some pictures of digits");

    let registry = Registry::builtin();
    let hub = Hub::new(HubOptions::default())?;
    let route = registry.route(&RouteRequest {
        task: Some("image-classification"),
        ..RouteRequest::default()
    })?;
    let pipeline = registry.build(
        &route,
        &hub,
        &BuildOptions {
            top_k: Some(1),
            ..BuildOptions::default()
        },
    )?;
    let handle = pipeline.into_handle(Batching::default());

    thread::scope(|scope| {
        let mut threads = Vec::new();
        for path in &paths {
            let handle = handle.clone();
            threads.push(scope.spawn(move || -> Result<Output> {
                let input = Input::read(path, MAX_INPUT_BYTES)?;
                Ok(handle.call(input)?)
            }));
        }
        for (path, thread) in paths.iter().zip(threads) {
            let output = thread.join().ok().context("a thread panicked")??;
            if let Output::Classification(labels) = output {
                println!("{}: {}", path.display(), labels[0].label);
            }
        }
        Ok(())
    })
}

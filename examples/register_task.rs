//! Adds a task of one's own to the registry, and lets routing find it.

use anyhow::Result;
use sensorium::hub::{Hub, HubOptions};
use sensorium::{
    BoxError, BuildOptions, BuildRequest, Content, Input, InputKind, Output, OutputKind, Pipeline,
    PipelineError, Registry, RouteRequest, Task,
};

/// Counts words; a real pipeline would hold a model.
struct WordCount;

impl Pipeline for WordCount {
    fn run(&mut self, inputs: &[Input]) -> Vec<Result<Output, PipelineError>> {
        let count = |input: &Input| match &input.content {
            Content::Text(text) => Ok(Output::Other(text.split_whitespace().count().into())),
            _ => Err(PipelineError::unsupported(input, "text")),
        };
        inputs.iter().map(count).collect()
    }
}

fn build(_request: BuildRequest<'_>) -> Result<Box<dyn Pipeline>, BoxError> {
    Ok(Box::new(WordCount))
}

fn main() -> Result<()> {
    let mut registry = Registry::builtin();
    registry.register(Task {
        name: "word-count",
        aliases: &["wc"],
        summary: "Count the words of a text",
        inputs: &[InputKind::Text],
        output: OutputKind::Other,
        build: Some(build),
        ..Task::EMPTY
    })?;

    let input = Input::from("to be or not to be");
    let request = RouteRequest {
        task: Some("wc"),
        input: Some(&input),
        ..RouteRequest::default()
    };
    let route = registry.route(&request)?;
    println!("task {}: {}", route.task.name, route.why.join("; "));

    let hub = Hub::new(HubOptions::default())?;
    let mut pipeline = registry.build(&route, &hub, &BuildOptions::default())?;
    for result in pipeline.run(&[input]) {
        println!("{}", serde_json::to_string(&result?)?);
    }
    Ok(())
}

//! The task `text-generation`, with the tiny model that the parity tests have.

use std::path::{Path, PathBuf};

use sensorium::generation::GenerationConfig;
use sensorium::handle::Batching;
use sensorium::hub::{Hub, HubOptions};
use sensorium::{BuildOptions, Device, Input, ModelHint, Output, Pipeline, Registry, RouteRequest};

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/parity/cases/opt-pre")
}

fn options(max_new_tokens: usize) -> BuildOptions {
    BuildOptions {
        device: Device::Cpu,
        generation: GenerationConfig {
            max_new_tokens: Some(max_new_tokens),
            ..GenerationConfig::default()
        },
        ..BuildOptions::default()
    }
}

fn pipeline(options: &BuildOptions) -> Box<dyn Pipeline> {
    let hub = Hub::new(HubOptions {
        offline: true,
        ..HubOptions::default()
    })
    .unwrap();
    let model = hub.resolve(tiny().to_str().unwrap()).unwrap();
    let config = model.config().unwrap();
    let registry = Registry::builtin();
    let hint = ModelHint {
        name: model.name(),
        config: &config,
    };
    let route = registry.route(&RouteRequest {
        model: Some(hint),
        ..RouteRequest::default()
    });
    registry.build(&route.unwrap(), &hub, options).unwrap()
}

fn text(output: &Output) -> &str {
    match output {
        Output::Generation { generated_text } => generated_text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_output_is_the_reference_pipelines() {
    let prompt = "The lighthouse keeper climbed the narrow stairs";
    let output = pipeline(&options(10)).run(&[prompt.into()]).remove(0).unwrap();
    assert_eq!(text(&output), format!("{prompt}|ranqu pran\u{14}\u{fffd}999"));
}

#[test]
fn a_bad_prompt_fails_alone_and_the_others_are_as_without_it() {
    let mut pipeline = pipeline(&options(5));
    let long = "stairs ".repeat(500);
    let prompts = ["When the storm came", long.as_str(), "Music", "stairs"];
    let inputs: Vec<Input> = prompts.into_iter().map(Input::text).collect();
    let results = pipeline.run(&inputs);
    for (i, result) in results.iter().enumerate() {
        if i == 1 {
            let error = result.as_ref().unwrap_err();
            let cause = std::error::Error::source(error).unwrap().to_string();
            assert!(cause.contains("leaves no room for more: the limit is"), "{cause}");
            continue;
        }
        let alone = pipeline.run(&inputs[i..=i]).remove(0).unwrap();
        assert_eq!(result.as_ref().unwrap(), &alone);
    }
}

#[test]
fn a_seed_decides_what_is_drawn() {
    let mut options = options(12);
    options.generation.do_sample = Some(true);
    let mut run = |seed| {
        options.seed = Some(seed);
        let inputs: Vec<Input> = (0..10).map(|_| "Music".into()).collect();
        let outputs = pipeline(&options).run(&inputs);
        let texts = outputs
            .into_iter()
            .map(|output| text(&output.unwrap()).to_owned());
        texts.collect::<Vec<_>>()
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
    assert_ne!(first[0], first[1]);
    assert_ne!(first[0], first[8], "batches have seeds of their own");
}

#[test]
fn many_threads_share_a_handle() {
    let handle = pipeline(&options(5)).into_handle(Batching::default());
    let alone = handle.call("Music".into()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let handle = handle.clone();
            let alone = &alone;
            scope.spawn(move || assert_eq!(&handle.call("Music".into()).unwrap(), alone));
        }
    });
}

#[test]
fn without_a_model_the_error_says_what_to_name() {
    let registry = Registry::builtin();
    let route = registry.route(&RouteRequest {
        task: Some("summarization"),
        ..RouteRequest::default()
    });
    let hub = Hub::new(HubOptions::default()).unwrap();
    let error = registry.build(&route.unwrap(), &hub, &BuildOptions::default());
    let Err(error) = error else {
        panic!("no model is needed");
    };
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        cause,
        "this task has no default model: name a model folder or a hub id with --model"
    );
}

#[test]
fn a_generator_is_opened_by_name() {
    let generator = sensorium::text_generator(tiny().to_str().unwrap()).unwrap();
    assert!(generator.model().vocabulary() > 0);
    let error = sensorium::text_generator("mnist-cnn").unwrap_err();
    assert!(error.to_string().contains("mnist-cnn"), "{error}");
}

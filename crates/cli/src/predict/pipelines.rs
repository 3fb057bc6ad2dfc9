//! A pipeline for each kind of input: built when the first such input comes.

use std::ops::ControlFlow;

use anyhow::Result;
use sensorium::hub::Hub;
use sensorium::{Input, InputKind, Output, Pipeline, PipelineError, Registry, RegistryError, Route, Task};

use super::routing::route;
use super::{News, Outcome, Read, Request};
use crate::context::Context;
use crate::inputs::Unread;
use crate::print;

/// How many classes are found where no number is named.
const TOP_K: usize = 10;

pub struct Pipelines<'a> {
    request: &'a Request<'a>,
    registry: &'a Registry,
    hub: &'a Hub,
    context: &'a Context,
    built: Vec<Built<'a>>,
    /// The pipeline of each kind seen so far, by its place in `built`, or why there is none.
    of_kind: Vec<(InputKind, Result<usize, Missing>)>,
}

/// Why there is no pipeline for a kind of input.
#[derive(Debug, Clone)]
enum Missing {
    /// No task takes it, or none that has a pipeline.
    Task(String),
    /// The pipeline cannot be built.
    Pipeline(String),
}

/// Tells outcomes in the order of their inputs.
struct Order<'t> {
    /// Those that were not told yet.
    outcomes: Vec<Option<Outcome>>,
    /// How many were told.
    told: usize,
    tell: &'t mut dyn FnMut(News<'_>) -> ControlFlow<()>,
    stopped: bool,
}

struct Built<'a> {
    task: &'a Task,
    pipeline: Box<dyn Pipeline>,
}

impl<'a> Pipelines<'a> {
    /// Where a task or model was named, its pipeline is built at once: nothing can be done without it.
    pub fn new(
        request: &'a Request<'a>,
        registry: &'a Registry,
        hub: &'a Hub,
        context: &'a Context,
    ) -> Result<Self> {
        let mut pipelines = Self {
            request,
            registry,
            hub,
            context,
            built: Vec::new(),
            of_kind: Vec::new(),
        };
        if request.names_route() {
            let route = route(request, None, registry, hub)?;
            pipelines.build(&route)?;
        }
        Ok(pipelines)
    }

    /// Runs those of one kind together, and tells the outcome of each input as soon as it and all before it are known; of
    /// one that is alone also what is found on the way.
    pub fn run(
        &mut self,
        batch: Vec<Read<'_>>,
        tell: &mut dyn FnMut(News<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut order = Order::new(batch.len(), tell);
        let mut groups: Vec<(Vec<usize>, Vec<Input>)> = Vec::new();
        for (place, (item, input)) in batch.into_iter().enumerate() {
            let failed = |error| Outcome::Done(Err(error));
            let outcome = match input {
                Ok(input) => match self.pipeline_for(&input) {
                    Ok(at) if self.built[at].task.takes(input.kind()) => {
                        groups.resize_with(self.built.len(), Default::default);
                        groups[at].0.push(place);
                        groups[at].1.push(input);
                        continue;
                    }
                    Ok(_) if item.from_folder => Outcome::Skipped(what_it_is(&input)),
                    Ok(at) => failed(wrong_kind(self.built[at].task, &input)),
                    Err(Missing::Task(why)) if item.from_folder => {
                        Outcome::Skipped(format!("{}: {why}", what_it_is(&input)))
                    }
                    Err(Missing::Task(why) | Missing::Pipeline(why)) => failed(why),
                },
                Err(Unread::Other(what)) => Outcome::Skipped(what),
                Err(Unread::Failed(error)) => failed(error),
            };
            order.put(place, outcome)?;
        }
        for ((places, inputs), built) in groups.into_iter().zip(&mut self.built) {
            let pipeline = &mut built.pipeline;
            match inputs.as_slice() {
                [] => {}
                [input] => {
                    let result = pipeline.run_telling(input, &mut |partial| order.tell(News::Part(partial)));
                    order.put(places[0], done(result))?;
                }
                inputs => pipeline.run_each(inputs, &mut |number, result| match places.get(number) {
                    Some(&place) => order.put(place, done(result)),
                    None => ControlFlow::Continue(()),
                }),
            }
            order.complete(&places)?;
        }
        ControlFlow::Continue(())
    }

    /// The place of the pipeline that serves `input`, or why there is none.
    fn pipeline_for(&mut self, input: &Input) -> Result<usize, Missing> {
        if self.request.names_route() {
            return Ok(0);
        }
        let kind = input.kind();
        if let Some((_, known)) = self.of_kind.iter().find(|(known, _)| *known == kind) {
            return known.clone();
        }
        let found = match route(self.request, Some(input), self.registry, self.hub) {
            Ok(route) => self.build(&route).map_err(|error| match error {
                RegistryError::NoPipeline { .. } => Missing::Task(print::causes(&error)),
                error => Missing::Pipeline(print::causes(&error)),
            }),
            Err(error) => Err(Missing::Task(print::one_line(&error))),
        };
        self.of_kind.push((kind, found.clone()));
        found
    }

    /// The place of the pipeline that `route` leads to.
    fn build(&mut self, route: &Route<'a>) -> Result<usize, RegistryError> {
        for reason in &route.why {
            self.context.detail(reason);
        }
        if let Some(at) = self
            .built
            .iter()
            .position(|built| built.task.name == route.task.name)
        {
            return Ok(at);
        }
        let mut options = self
            .context
            .build_options(Some(self.request.top_k.unwrap_or(TOP_K)));
        options.generation.max_new_tokens = self.request.max_new_tokens;
        options.speech = self.request.speech.clone();
        let pipeline = self.registry.build(route, self.hub, &options)?;
        self.built.push(Built {
            task: route.task,
            pipeline,
        });
        Ok(self.built.len() - 1)
    }
}

impl<'t> Order<'t> {
    fn new(count: usize, tell: &'t mut dyn FnMut(News<'_>) -> ControlFlow<()>) -> Self {
        Self {
            outcomes: (0..count).map(|_| None).collect(),
            told: 0,
            tell,
            stopped: false,
        }
    }

    /// Tells nothing more once it was stopped.
    fn tell(&mut self, news: News<'_>) -> ControlFlow<()> {
        if !self.stopped {
            self.stopped = (self.tell)(news).is_break();
        }
        match self.stopped {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn put(&mut self, place: usize, outcome: Outcome) -> ControlFlow<()> {
        self.outcomes[place] = Some(outcome);
        while let Some(outcome) = self.outcomes.get_mut(self.told).and_then(Option::take) {
            let place = self.told;
            self.told += 1;
            self.tell(News::Done(place, outcome))?;
        }
        ControlFlow::Continue(())
    }

    /// Says where a pipeline gave nothing.
    fn complete(&mut self, places: &[usize]) -> ControlFlow<()> {
        for &place in places {
            if place >= self.told && self.outcomes[place].is_none() {
                let problem = "the pipeline gave no result for this input".to_owned();
                self.put(place, Outcome::Done(Err(problem)))?;
            }
        }
        match self.stopped {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn done(result: Result<Output, PipelineError>) -> Outcome {
    Outcome::Done(result.map_err(|error| print::causes(&error)))
}

fn wrong_kind(task: &Task, input: &Input) -> String {
    let kinds: Vec<_> = task.inputs.iter().map(|kind| kind.with_article()).collect();
    let (task, expected) = (task.name, kinds.join(" or "));
    format!("the task `{task}` takes {expected}, but {}", what_it_is(input))
}

fn what_it_is(input: &Input) -> String {
    format!(
        "{} is {} ({})",
        input.origin,
        input.kind().with_article(),
        input.format
    )
}

//! Which task, which model, and which arguments are texts themselves.

use anyhow::Result;
use sensorium::hub::Hub;
use sensorium::{Input, InputKind, ModelHint, Registry, Route, RouteRequest};

use super::Request;
use crate::inputs::Item;

/// Which arguments that name no file are texts themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texts {
    /// None.
    None,
    /// Those of several words.
    Wordy,
    /// Single words too.
    Any,
}

/// All are where the task or model that was named takes text; where neither was, those of several words.
pub fn texts(request: &Request<'_>, items: &[Item], registry: &Registry, hub: &Hub) -> Result<Texts> {
    if !items.iter().any(|item| item.may_be_text) {
        return Ok(Texts::None);
    }
    if !request.names_route() {
        let any_task = request.output.is_none();
        return Ok(if any_task { Texts::Wordy } else { Texts::None });
    }
    let task = route(request, None, registry, hub)?.task;
    Ok(if task.takes(InputKind::Text) {
        Texts::Any
    } else {
        Texts::None
    })
}

/// The task and model that serve the request; `input` decides where neither was named.
pub fn route<'a>(
    request: &Request<'_>,
    input: Option<&Input>,
    registry: &'a Registry,
    hub: &Hub,
) -> Result<Route<'a>> {
    let model = request.model.map(|name| hub.resolve(name)).transpose()?;
    let config = model.as_ref().map(|model| model.config()).transpose()?;
    let hint = model.as_ref().zip(config.as_ref());
    Ok(registry.route(&RouteRequest {
        task: request.task,
        model: hint.map(|(model, config)| ModelHint {
            name: model.name(),
            config,
        }),
        input,
        output: request.output,
    })?)
}

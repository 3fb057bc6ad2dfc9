//! `sensorium models`: the models that are here, and fetching others.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use sensorium::hub::{Hub, Location, Model, shipped};
use sensorium::{ModelHint, Registry, RouteRequest};
use serde::Serialize;
use serde_json::{Value, json};

use super::convert;
use crate::context::Context;
use crate::{print, table};

/// What to do with models.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the models that work without the network
    List,
    /// Show what a model is: its task, files, size and configuration
    Show {
        /// A folder, a shipped model or a hub id
        model: String,
    },
    /// Pull models from the hub into the cache
    Pull {
        /// Hub ids, e.g. owner/name
        #[arg(required = true)]
        models: Vec<String>,
    },
    /// Write a copy of a model, in the precision that --dtype names
    Convert {
        /// A folder, a shipped model or a hub id
        model: String,
        /// The folder to write
        #[arg(short, long, value_name = "DIR")]
        out: PathBuf,
        /// Put this vocoder into the copy of a voice
        #[arg(long, value_name = "MODEL")]
        vocoder: Option<String>,
    },
    /// Remove pulled models from the cache
    Rm {
        /// Hub ids, e.g. owner/name
        #[arg(required = true)]
        models: Vec<String>,
    },
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<ExitCode> {
    let hub = context.hub()?;
    match command {
        Command::List => list(&hub, context),
        Command::Show { model } => show(&hub.resolve(model)?, context),
        Command::Pull { models } => pull(models, &hub, context),
        Command::Convert { model, out, vocoder } => {
            let vocoder = vocoder.as_deref().map(|name| hub.resolve(name)).transpose()?;
            convert::run(&hub.resolve(model)?, vocoder.as_ref(), out, context)
        }
        Command::Rm { models } => remove(models, &hub, context),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// A model in a list.
#[derive(Serialize)]
struct Entry {
    model: String,
    task: Option<String>,
    source: &'static str,
    bytes: u64,
}

fn list(hub: &Hub, context: &Context) -> Result<()> {
    let mut entries = Vec::new();
    for model in shipped::MODELS {
        entries.push(Entry {
            model: model.name.to_owned(),
            task: Some(model.task.to_owned()),
            source: "shipped",
            bytes: model.files.iter().map(|(_, bytes)| bytes.len() as u64).sum(),
        });
    }
    for cached in hub.list_cached()? {
        let model = Model::in_folder(&cached.id, &cached.path);
        let task = model
            .config()
            .ok()
            .and_then(|config| task_of(&cached.id, &config));
        entries.push(Entry {
            model: cached.id,
            task,
            source: "cache",
            bytes: cached.bytes,
        });
    }
    if context.global.json {
        return print::json(&entries);
    }
    let mut rows = vec![["MODEL", "TASK", "WHERE", "SIZE"].map(str::to_owned).to_vec()];
    for entry in entries {
        let task = entry.task.unwrap_or_else(|| "unknown".to_owned());
        rows.push(vec![
            entry.model,
            task,
            entry.source.to_owned(),
            table::bytes(entry.bytes),
        ]);
    }
    print::text(&table::aligned(&rows, None))
}

fn task_of(name: &str, config: &Value) -> Option<String> {
    let model = Some(ModelHint { name, config });
    let registry = Registry::builtin();
    let route = registry
        .route(&RouteRequest {
            model,
            ..RouteRequest::default()
        })
        .ok()?;
    Some(route.task.name.to_owned())
}

fn show(model: &Model, context: &Context) -> Result<()> {
    let config = model.config()?;
    let weights = model.weights()?;
    let names = weights.names();
    let elements = |name: &&str| {
        weights
            .shape(name)
            .map_or(0, |shape| shape.iter().product::<i64>())
    };
    let parameters: i64 = names.iter().map(elements).sum();
    let task = task_of(model.name(), &config);
    let files = model.files()?;
    let location = match model.location() {
        Location::Folder(path) => path.display().to_string(),
        _ => "shipped with the program".to_owned(),
    };
    if context.global.json {
        return print::json(&json!({
            "model": model.name(),
            "task": task,
            "location": location,
            "parameters": parameters,
            "tensors": names.len(),
            "files": files,
            "config": config,
        }));
    }
    let parameters = table::thousands(u64::try_from(parameters).unwrap_or(0));
    print::text(&format!(
        "model       {}\ntask        {}\nlocation    {location}\nparameters  {parameters} in {} tensors\n\
         files       {}\nconfig      {}\n",
        model.name(),
        task.as_deref().unwrap_or("unknown"),
        names.len(),
        files.join(", "),
        serde_json::to_string_pretty(&config)?.replace('\n', "\n            "),
    ))
}

fn pull(models: &[String], hub: &Hub, context: &Context) -> Result<()> {
    for id in models {
        if shipped::find(id).is_some() {
            bail!("`{id}` is shipped with the program: there is nothing to pull");
        }
        let model = hub.pull(id)?;
        let location = model.location().to_string();
        if context.global.json {
            print::json(&json!({ "model": id, "path": location }))?;
        } else {
            print::text(&format!("{id}: {location}\n"))?;
        }
    }
    Ok(())
}

fn remove(models: &[String], hub: &Hub, context: &Context) -> Result<()> {
    for id in models {
        if shipped::find(id).is_some() {
            bail!("`{id}` is part of the program and cannot be removed");
        }
        let bytes = hub.remove(id)?;
        if context.global.json {
            print::json(&json!({ "model": id, "bytes": bytes }))?;
        } else {
            print::text(&format!("{id}: removed, {}\n", table::bytes(bytes)))?;
        }
    }
    Ok(())
}

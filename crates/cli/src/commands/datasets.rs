//! `sensorium datasets`: the data sets that are known, and fetching them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use sensorium::hub::datasets::{DATASETS, DataSet, DataStore};
use serde_json::json;

use crate::context::Context;
use crate::{print, table};

/// What to do with data sets.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the data sets and where they are
    List(Place),
    /// Show a data set: licence, origin, files
    Show {
        /// Its name
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Pull data sets into the cache
    Pull {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Where data sets are looked for.
#[derive(Debug, clap::Args)]
pub struct Place {
    /// A folder that holds them [default: $SENSORIUM_DATA, then the cache]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs the command.
pub fn run(command: &Command, context: &Context) -> Result<ExitCode> {
    match command {
        Command::List(place) => list(&context.data_store(place.data.clone())?, context),
        Command::Show { name, place } => {
            let store = context.data_store(place.data.clone())?;
            show(store.card(name)?, &store, context)
        }
        Command::Pull { names } => pull(names, &context.data_store(None)?, context),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn list(store: &DataStore, context: &Context) -> Result<()> {
    let found = DATASETS.iter().map(|set| (set, store.locate(set.name).ok()));
    if context.global.json {
        let entries: Vec<_> = found
            .map(|(set, path)| {
                json!({ "dataset": set.name, "title": set.title, "bytes": set.size(), "path": path })
            })
            .collect();
        return print::json(&entries);
    }
    let mut rows = vec![["DATA SET", "SIZE", "WHERE", ""].map(str::to_owned).to_vec()];
    for (set, path) in found {
        let path = path.map_or("not here".to_owned(), |path| path.display().to_string());
        rows.push(vec![
            set.name.to_owned(),
            table::bytes(set.size()),
            path,
            set.title.to_owned(),
        ]);
    }
    print::text(&table::aligned(&rows, None))
}

fn show(set: &DataSet, store: &DataStore, context: &Context) -> Result<()> {
    let path = store.locate(set.name).ok();
    if context.global.json {
        let file = |file: &sensorium::hub::datasets::DataFile| json!({ "name": file.name, "bytes": file.size, "sha256": file.sha256 });
        return print::json(&json!({
            "dataset": set.name,
            "title": set.title,
            "licence": set.licence,
            "homepage": set.homepage,
            "path": path,
            "files": set.files.iter().map(file).collect::<Vec<_>>(),
        }));
    }
    let path = path.map_or("not here".to_owned(), |path| path.display().to_string());
    let mut text = format!(
        "data set  {}\ntitle     {}\nlicence   {}\nhomepage  {}\nlocation  {path}\n",
        set.name, set.title, set.licence, set.homepage
    );
    for file in set.files {
        text += &format!("file      {} ({})\n", file.name, table::bytes(file.size));
    }
    print::text(&text)
}

fn pull(names: &[String], store: &DataStore, context: &Context) -> Result<()> {
    for name in names {
        store.card(name)?; // all names are checked before the first download
    }
    for name in names {
        let path = store.pull(name, &*context.downloads())?;
        if context.global.json {
            print::json(&json!({ "dataset": name, "path": path }))?;
        } else {
            print::text(&format!("{name}: {}\n", path.display()))?;
        }
    }
    Ok(())
}

//! From what the user wrote to a model.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cache::{self, CachedModel};
use crate::model::CONFIG;
use crate::pull::Remote;
use crate::{Error, Model, NoProgress, Progress, Result, near_names, paths, shipped};

/// How a [`Hub`] is to behave. The default is what the environment says (see [`paths`]).
#[derive(Clone)]
pub struct HubOptions {
    /// The folder of pulled models; `None` for [`paths::hub_cache`].
    pub cache_dir: Option<PathBuf>,
    /// Whether the network is forbidden.
    pub offline: bool,
    /// Told about downloads.
    pub progress: Arc<dyn Progress>,
    /// The hub's address, without a final slash.
    pub endpoint: String,
    /// The token that shows the hub who asks.
    pub token: Option<String>,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            cache_dir: None,
            offline: paths::hub_offline(),
            progress: Arc::new(NoProgress),
            endpoint: paths::hub_endpoint(),
            token: paths::hub_token(),
        }
    }
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // neither the token, which is a secret, nor the progress, which has nothing to show
        let Self {
            cache_dir,
            offline,
            endpoint,
            ..
        } = self;
        f.debug_struct("HubOptions")
            .field("cache_dir", cache_dir)
            .field("offline", offline)
            .field("endpoint", endpoint)
            .finish_non_exhaustive()
    }
}

/// Finds models: in folders, in the program, in the cache, on a Hugging Face hub.
#[derive(Debug, Clone)]
pub struct Hub {
    cache_dir: PathBuf,
    options: HubOptions,
}

impl Hub {
    /// A hub that follows `options`. Nothing is read or created yet.
    ///
    /// # Errors
    /// [`Error::NoCacheDir`] if no cache folder is given and the user has no home.
    pub fn new(options: HubOptions) -> Result<Self> {
        let cache_dir = match &options.cache_dir {
            Some(dir) => dir.clone(),
            None => paths::hub_cache()?,
        };
        Ok(Self { cache_dir, options })
    }

    /// The folder of pulled models.
    pub fn cache_dir(&self) -> &Path {
        &self.cache_dir
    }

    /// The model called `name`: a folder with a `config.json`, else a shipped model, else one in
    /// the cache, else one pulled from the hub. No network is used for one that is here.
    ///
    /// # Errors
    /// [`Error::ModelNotFound`] says where it was looked for, [`Error::NotAModelFolder`] that a path
    /// leads to no model; or the pull fails.
    pub fn resolve(&self, name: &str) -> Result<Model> {
        if !name.is_empty() && Path::new(name).join(CONFIG).is_file() {
            return Ok(Model::in_folder(name, name));
        }
        if let Some(model) = shipped::find(name) {
            return Ok(Model::shipped(model));
        }
        if let Some(problem) = path_problem(name) {
            return Err(Error::NotAModelFolder {
                path: name.into(),
                problem,
            });
        }
        if !cache::is_hub_id(name) {
            return Err(self.not_found(name, "and it cannot be a hub id (`owner/name`)", None));
        }
        if let Some(folder) = cache::snapshot(&self.cache_dir, name) {
            return Ok(Model::in_folder(name, folder));
        }
        if self.options.offline {
            return Err(self.not_found(name, "and --offline forbids pulling it", None));
        }
        self.pull(name).map_err(|e| match e {
            Error::NotFound { .. } | Error::Network { .. } => {
                self.not_found(name, "and it could not be pulled", Some(Box::new(e)))
            }
            other => other,
        })
    }

    /// The model `name` that a program takes when none was named: the shipped one whatever lies in the current
    /// folder, else as [`resolve`](Self::resolve).
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn resolve_default(&self, name: &str) -> Result<Model> {
        match shipped::find(name) {
            Some(model) => Ok(Model::shipped(model)),
            None => self.resolve(name),
        }
    }

    /// Pulls the newest files of the model `id` from the hub into the cache, those that are not
    /// there yet. An interrupted pull goes on where it stopped.
    ///
    /// # Errors
    /// If the network is forbidden or fails, the model does not exist, needs permission or has no
    /// safetensors weights, or a file is not what the hub said it would be.
    pub fn pull(&self, id: &str) -> Result<Model> {
        if !cache::is_hub_id(id) {
            return Err(Error::BadId { id: id.to_string() });
        }
        if self.options.offline {
            return Err(Error::Offline {
                what: format!("model `{id}`"),
            });
        }
        let HubOptions {
            endpoint,
            token,
            progress,
            ..
        } = &self.options;
        let remote = Remote {
            endpoint,
            token: token.as_deref(),
            cache_dir: &self.cache_dir,
        };
        Ok(Model::in_folder(id, remote.pull(id, progress.as_ref())?))
    }

    /// Every complete model in the cache, by id.
    ///
    /// # Errors
    /// If the cache cannot be read; a cache that does not exist is empty.
    pub fn list_cached(&self) -> Result<Vec<CachedModel>> {
        cache::list(&self.cache_dir)
    }

    /// Removes the model `id` from the cache, and says how many bytes that freed.
    ///
    /// # Errors
    /// [`Error::NotCached`] if it is not there.
    pub fn remove(&self, id: &str) -> Result<u64> {
        cache::remove(&self.cache_dir, id)
    }

    fn not_found(&self, name: &str, pulling: &str, source: Option<Box<Error>>) -> Error {
        let here = match cache::repo_folder(&self.cache_dir, name).is_dir() {
            true => "only in part in",
            false => "not in",
        };
        let cache = self.cache_dir.display();
        let looked = format!(
            "not a folder with a config.json, not a shipped model, {here} the cache {cache}, {pulling}"
        );
        let cached = self.list_cached().unwrap_or_default();
        let known = shipped::MODELS
            .iter()
            .map(|m| m.name)
            .chain(cached.iter().map(|m| m.id.as_str()));
        Error::ModelNotFound {
            name: name.to_string(),
            looked,
            near: near_names(name, known),
            source,
        }
    }
}

/// If `name` can only be meant as a path, why no model is there.
fn path_problem(name: &str) -> Option<&'static str> {
    let path = Path::new(name);
    if path.is_dir() {
        return Some("it has no config.json");
    }
    if path.exists() {
        return Some("it is a file; give the folder with config.json and model.safetensors");
    }
    let spelled_as_path = path.is_absolute()
        || ["./", "../", "~", ".\\", "..\\"]
            .iter()
            .any(|start| name.starts_with(start))
        || name.ends_with('/')
        || name.matches('/').count() > 1;
    spelled_as_path.then_some("there is no such folder")
}

//! A model that has been found: its `config.json`, its weights and its other files.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use sensorium_blocks::TensorSource;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::safetensors::SafetensorsFile;
use crate::shards::{ShardedSafetensors, ShardedTorch};
use crate::shipped::ShippedModel;
use crate::torch::TorchFile;
use crate::{Error, Result};

pub(crate) const CONFIG: &str = "config.json";
pub(crate) const WEIGHTS: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

pub(crate) const TORCH: &str = "pytorch_model.bin";
pub(crate) const TORCH_INDEX: &str = "pytorch_model.bin.index.json";

/// No configuration is larger: a guard against reading something else into memory.
const MAX_CONFIG: u64 = 16 << 20;

/// A model whose files are on this machine.
#[derive(Debug, Clone)]
pub struct Model {
    name: String,
    location: Location,
}

/// Where a model's files are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Location {
    /// A folder in Hugging Face layout.
    Folder(PathBuf),
    /// In the program itself.
    Shipped(&'static ShippedModel),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Shipped(_) => f.write_str("shipped"),
        }
    }
}

impl Model {
    /// The model in a folder in Hugging Face layout; `name` is what to call it.
    pub fn in_folder(name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            location: Location::Folder(folder.into()),
        }
    }

    /// A model that is part of the program.
    pub fn shipped(model: &'static ShippedModel) -> Self {
        Self {
            name: model.name.to_string(),
            location: Location::Shipped(model),
        }
    }

    /// What the user called it: a folder, a shipped name, a hub id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its files are.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The names of its files, sorted; of a folder, those at the top.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn files(&self) -> Result<Vec<String>> {
        let mut files = match &self.location {
            Location::Shipped(model) => model.files.iter().map(|(name, _)| name.to_string()).collect(),
            Location::Folder(folder) => {
                let mut files = Vec::new();
                for entry in fs::read_dir(folder).map_err(Error::read(folder))? {
                    let entry = entry.map_err(Error::read(folder))?;
                    if entry.path().is_file() {
                        files.push(entry.file_name().to_string_lossy().into_owned());
                    }
                }
                files
            }
        };
        files.sort();
        Ok(files)
    }

    /// A model in a folder of this one, such as `vocoder`, if there is one.
    pub fn part(&self, folder: &str) -> Option<Self> {
        match &self.location {
            Location::Folder(path) if stays_inside(folder) && path.join(folder).join(CONFIG).is_file() => {
                Some(Self::in_folder(
                    format!("{}/{folder}", self.name),
                    path.join(folder),
                ))
            }
            _ => None,
        }
    }

    /// The path of `file`, if it is there and the model is in a folder.
    pub fn path(&self, file: &str) -> Option<PathBuf> {
        match &self.location {
            Location::Folder(folder) if stays_inside(file) => {
                Some(folder.join(file)).filter(|path| path.is_file())
            }
            _ => None,
        }
    }

    /// The contents of `file` (`tokenizer.json`, `preprocessor_config.json`, ...), if it is there.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read(&self, file: &str) -> Result<Option<Cow<'static, [u8]>>> {
        if let Location::Shipped(model) = &self.location {
            return Ok(model.file(file).map(Cow::Borrowed));
        }
        let Some(path) = self.path(file) else {
            return Ok(None);
        };
        Ok(Some(Cow::Owned(fs::read(&path).map_err(Error::read(path))?)))
    }

    /// `config.json` as it is.
    ///
    /// # Errors
    /// If it is missing, unreadable, or not a JSON object.
    pub fn config(&self) -> Result<Value> {
        Ok(Value::Object(self.config_as()?))
    }

    /// `config.json` as a model's own configuration.
    ///
    /// # Errors
    /// If it is missing, unreadable, not JSON, or lacks what `T` needs.
    pub fn config_as<T: DeserializeOwned>(&self) -> Result<T> {
        self.json_as(CONFIG)
    }

    /// Any of the model's JSON files, e.g. `preprocessor_config.json`.
    ///
    /// # Errors
    /// As [`config_as`](Self::config_as).
    pub fn json_as<T: DeserializeOwned>(&self, file: &str) -> Result<T> {
        if let Some(path) = self.path(file) {
            let size = fs::metadata(&path).map_err(Error::read(&path))?.len();
            if size > MAX_CONFIG {
                return Err(Error::TooLarge {
                    file: self.called(file),
                    size,
                    limit: MAX_CONFIG,
                });
            }
        }
        let bytes = self.read(file)?.ok_or_else(|| self.missing(file))?;
        serde_json::from_slice(&bytes).map_err(|source| Error::Json {
            file: self.called(file),
            source,
        })
    }

    /// The weights: `model.safetensors`, or the shards of `model.safetensors.index.json`; else
    /// `pytorch_model.bin`, or the shards of `pytorch_model.bin.index.json`.
    ///
    /// # Errors
    /// If there are none, or they are damaged.
    pub fn weights(&self) -> Result<Arc<dyn TensorSource>> {
        if let Location::Shipped(model) = &self.location {
            let bytes = model.file(WEIGHTS).ok_or_else(|| self.missing(WEIGHTS))?;
            return Ok(Arc::new(SafetensorsFile::from_static(
                &self.called(WEIGHTS),
                bytes,
            )?));
        }
        if let Some(path) = self.path(WEIGHTS) {
            return Ok(Arc::new(SafetensorsFile::open(&path)?));
        }
        if let Some(path) = self.path(INDEX) {
            return Ok(Arc::new(ShardedSafetensors::open(&path)?));
        }
        if let Some(path) = self.path(TORCH) {
            return Ok(Arc::new(TorchFile::open(&path)?));
        }
        if let Some(path) = self.path(TORCH_INDEX) {
            return Ok(Arc::new(ShardedTorch::open(&path)?));
        }
        let found = self
            .files()?
            .into_iter()
            .filter(|f| is_other_weights(f))
            .collect();
        Err(Error::NoWeights {
            model: self.to_string(),
            found,
        })
    }

    fn missing(&self, file: &str) -> Error {
        Error::MissingFile {
            model: self.to_string(),
            file: file.to_string(),
        }
    }

    /// What to call one of its files in a message.
    fn called(&self, file: &str) -> String {
        match &self.location {
            Location::Folder(folder) => folder.join(file).display().to_string(),
            Location::Shipped(model) => format!("{}/{file} (shipped)", model.name),
        }
    }
}

impl fmt::Display for Model {
    /// The name, and where it is if that is not the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Location::Folder(path) if path == Path::new(&self.name) => write!(f, "{}", self.name),
            location => write!(f, "{} ({location})", self.name),
        }
    }
}

/// Whether `file` is the name of weights in a format that is not read, or not under this name.
pub(crate) fn is_other_weights(file: &str) -> bool {
    [
        ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf",
    ]
    .iter()
    .any(|ext| file.ends_with(ext))
}

/// Whether `file`, taken relative to a folder, is inside it.
pub(crate) fn stays_inside(file: &str) -> bool {
    !file.is_empty()
        && Path::new(file)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

//! A checkpoint split over several files, with an index that says which tensor is where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sensorium_blocks::TensorSource;
use serde::Deserialize;
use tch::Tensor;

use crate::safetensors::SafetensorsFile;
use crate::torch::TorchFile;
use crate::{Error, Result};

/// A sharded checkpoint: an index and the files of type `F` that it names.
#[derive(Debug)]
pub struct Sharded<F> {
    origin: String,
    shards: Vec<F>,
    /// tensor name -> its place in `shards`
    place: BTreeMap<String, usize>,
}

/// `model.safetensors.index.json` and the files it names.
pub type ShardedSafetensors = Sharded<SafetensorsFile>;

/// `pytorch_model.bin.index.json` and the files it names.
pub type ShardedTorch = Sharded<TorchFile>;

/// The part of the index that matters here.
#[derive(Deserialize)]
struct Index {
    /// tensor name -> file name
    weight_map: BTreeMap<String, String>,
}

impl Sharded<SafetensorsFile> {
    /// Opens every shard that the index at `path` names, in the folder of the index.
    ///
    /// # Errors
    /// If the index is not valid, names a file that is not there, or a tensor that is not in its
    /// file; or if a shard is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, SafetensorsFile::open)
    }
}

impl Sharded<TorchFile> {
    /// Opens every shard that the index at `path` names, in the folder of the index.
    ///
    /// # Errors
    /// If the index is not valid, names a file that is not there, or a tensor that is not in its
    /// file; or if a shard is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with(path, TorchFile::open)
    }
}

impl<F: TensorSource> Sharded<F> {
    fn open_with(path: &Path, open: impl Fn(&Path) -> Result<F>) -> Result<Self> {
        let origin = path.display().to_string();
        let bytes = std::fs::read(path).map_err(Error::read(path))?;
        let files = shard_files(&origin, &bytes)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let shards = files
            .iter()
            .map(|file| open(&folder.join(file)))
            .collect::<Result<Vec<_>>>()?;
        let mut place = BTreeMap::new();
        for (tensor, file) in parse(&origin, &bytes)?.weight_map {
            let at = files.binary_search(&file).unwrap_or_default(); // `files` is made of these
            if shards[at].shape(&tensor).is_none() {
                let problem = format!("tensor `{tensor}` is not in {file}");
                return Err(Error::ShardIndex {
                    file: origin,
                    problem,
                });
            }
            place.insert(tensor, at);
        }
        Ok(Self {
            origin,
            shards,
            place,
        })
    }
}

impl<F: TensorSource> TensorSource for Sharded<F> {
    fn names(&self) -> Vec<&str> {
        self.place.keys().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<i64>> {
        self.shards[*self.place.get(name)?].shape(name)
    }

    fn tensor(&self, name: &str) -> Option<Tensor> {
        self.shards[*self.place.get(name)?].tensor(name)
    }

    fn origin(&self) -> String {
        self.origin.clone()
    }
}

/// The file names in an index, sorted, each once; `origin` names the index in messages.
pub(crate) fn shard_files(origin: &str, index: &[u8]) -> Result<Vec<String>> {
    let mut files: Vec<String> = parse(origin, index)?.weight_map.into_values().collect();
    files.sort();
    files.dedup();
    if files.is_empty() {
        let problem = "it names no tensor".to_string();
        return Err(Error::ShardIndex {
            file: origin.to_string(),
            problem,
        });
    }
    // A file name that leads out of the folder has no business in an index.
    if let Some(file) = files
        .iter()
        .find(|f| PathBuf::from(f.as_str()).file_name() != Some(f.as_ref()))
    {
        let problem = format!("`{file}` is not the name of a file beside it");
        return Err(Error::ShardIndex {
            file: origin.to_string(),
            problem,
        });
    }
    Ok(files)
}

fn parse(origin: &str, index: &[u8]) -> Result<Index> {
    serde_json::from_slice(index).map_err(|source| Error::Json {
        file: origin.to_string(),
        source,
    })
}

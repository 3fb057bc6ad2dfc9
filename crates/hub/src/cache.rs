//! The cache of hub models, in the layout of the Hugging Face libraries:
//!
//! ```text
//! models--acme--tiny/
//!   blobs/<etag>                      the files, by content
//!   refs/main                         the commit that `main` was when last pulled
//!   snapshots/<commit>/config.json    a link to the blob
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo};

use crate::model::{CONFIG, INDEX, TORCH, TORCH_INDEX, WEIGHTS};
use crate::shards::shard_files;
use crate::{Error, Result};

/// A hub model in the cache.
#[derive(Debug, Clone)]
pub struct CachedModel {
    /// Its hub id, e.g. `acme/tiny`.
    pub id: String,
    /// The folder of its files.
    pub path: PathBuf,
    /// The bytes that its files take on disk.
    pub bytes: u64,
}

pub(crate) fn repo(cache: &Path, id: &str) -> CacheRepo {
    Cache::new(cache.to_path_buf()).repo(Repo::model(id.to_string()))
}

/// The folder of everything that is kept of the model `id`.
pub(crate) fn repo_folder(cache: &Path, id: &str) -> PathBuf {
    cache.join(Repo::model(id.to_string()).folder_name())
}

/// The folder with the model's files, if `main` is there with its configuration and all weights.
pub(crate) fn snapshot(cache: &Path, id: &str) -> Option<PathBuf> {
    let config = repo(cache, id).get(CONFIG)?;
    let folder = config.parent()?.to_path_buf();
    has_weights(&folder).then_some(folder)
}

fn has_weights(folder: &Path) -> bool {
    let all_shards = |index: Vec<u8>| {
        shard_files(INDEX, &index).is_ok_and(|files| files.iter().all(|file| folder.join(file).is_file()))
    };
    let whole = |file| folder.join(file).is_file();
    let sharded = |index| fs::read(folder.join(index)).is_ok_and(all_shards);
    whole(WEIGHTS) || sharded(INDEX) || whole(TORCH) || sharded(TORCH_INDEX)
}

/// Every complete model in the cache, by id.
pub(crate) fn list(cache: &Path) -> Result<Vec<CachedModel>> {
    let entries = match fs::read_dir(cache) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::read(cache))?,
    };
    let mut models = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::read(cache))?.file_name();
        // `--` stands for the one `/` of an id
        let Some(id) = name
            .to_str()
            .and_then(|n| n.strip_prefix("models--"))
            .map(|n| n.replacen("--", "/", 1))
        else {
            continue;
        };
        if let Some(path) = snapshot(cache, &id) {
            let bytes = blob_bytes(&cache.join(name));
            models.push(CachedModel { id, path, bytes });
        }
    }
    models.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(models)
}

/// Removes all that is kept of the model `id`, and says how many bytes that was.
pub(crate) fn remove(cache: &Path, id: &str) -> Result<u64> {
    let folder = repo_folder(cache, id);
    if !is_hub_id(id) || !folder.is_dir() {
        return Err(Error::NotCached {
            id: id.to_string(),
            cache: cache.to_path_buf(),
        });
    }
    let bytes = blob_bytes(&folder);
    fs::remove_dir_all(&folder).map_err(Error::write(folder))?;
    Ok(bytes)
}

fn blob_bytes(repo_folder: &Path) -> u64 {
    let blobs = fs::read_dir(repo_folder.join("blobs"))
        .into_iter()
        .flatten()
        .flatten();
    blobs.filter_map(|blob| Some(blob.metadata().ok()?.len())).sum()
}

/// Whether `id` can be a hub id: `name` or `owner/name`, of letters, digits, `-`, `_` and `.`.
///
/// The rules are those of `validate_repo_id` in the Python library.
pub(crate) fn is_hub_id(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let part = |p: &str| {
        !p.is_empty() && p.chars().all(allowed) && !p.starts_with(['-', '.']) && !p.ends_with(['-', '.'])
    };
    id.len() <= 96
        && id.split('/').count() <= 2
        && id.split('/').all(part)
        && !id.contains("--")
        && !id.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_ids() {
        for id in ["gpt2", "acme/tiny", "openai/whisper-tiny.en", "A_b/c-1"] {
            assert!(is_hub_id(id), "{id}");
        }
        for id in [
            "", "/", "a/", "/b", "a/b/c", "..", "../x", "a/..", "a b", "a--b", "-a", ".hidden", "a\\b", "é",
        ] {
            assert!(!is_hub_id(id), "{id}");
        }
    }
}

//! Pulling a model from a Hugging Face hub into the shared cache.
//!
//! `hf-hub` knows the hub's API and the layout of the cache. The bytes go through our own
//! [`Download`], which checks a file before the cache has it and resumes only what fits; and
//! `refs/main` is written last, so that no program takes half a model for a whole one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

use crate::fetch::{self, Download, Mismatch};
use crate::model::{CONFIG, INDEX, TORCH, TORCH_INDEX, WEIGHTS, is_other_weights, stays_inside};
use crate::shards::shard_files;
use crate::{Error, Progress, Result, cache};

/// A hub and the cache that its models go to.
pub(crate) struct Remote<'a> {
    pub endpoint: &'a str,
    pub token: Option<&'a str>,
    pub cache_dir: &'a Path,
}

/// A model as it is on the hub at one commit.
struct Snapshot<'a> {
    remote: &'a Remote<'a>,
    id: &'a str,
    api: Api,
    repo: ApiRepo,
    /// The folder of this commit's files.
    folder: PathBuf,
}

impl Remote<'_> {
    /// Pulls the model `id` and returns the folder of its files.
    pub fn pull(&self, id: &str, progress: &dyn Progress) -> Result<PathBuf> {
        let folder_name = Repo::model(id.to_string()).folder_name();
        let _lock = fetch::lock(&self.cache_dir.join(".locks").join(format!("{folder_name}.lock")))?;
        let api = ApiBuilder::from_cache(Cache::new(self.cache_dir.to_path_buf()))
            .with_endpoint(self.endpoint.to_string())
            .with_token(self.token.map(str::to_string))
            .with_user_agent("sensorium", env!("CARGO_PKG_VERSION"))
            .build()
            .map_err(|e| api_error(self.endpoint, e))?;

        let page = format!("{}/{id}", self.endpoint);
        let info = api
            .model(id.to_string())
            .info()
            .map_err(|e| api_error(&page, e))?;
        let files: Vec<&str> = info.siblings.iter().map(|s| s.rfilename.as_str()).collect();
        let commit = plain(&page, "commit", &info.sha)?;
        let cached = cache::repo(self.cache_dir, id);
        let snapshot = Snapshot {
            remote: self,
            id,
            repo: api.repo(Repo::with_revision(
                id.to_string(),
                RepoType::Model,
                commit.to_string(),
            )),
            api,
            folder: cached.pointer_path(commit),
        };
        snapshot.take(&files, progress)?;
        cached
            .create_ref(commit)
            .map_err(Error::write(cache::repo_folder(self.cache_dir, id).join("refs")))?;
        Ok(snapshot.folder)
    }
}

impl Snapshot<'_> {
    /// Takes from `files` what is needed: the configuration and its like, then the weights.
    fn take(&self, files: &[&str], progress: &dyn Progress) -> Result<()> {
        let has = |file: &str| files.contains(&file);
        if !has(CONFIG) {
            let model = format!("{}/{}", self.remote.endpoint, self.id);
            return Err(Error::MissingFile {
                model,
                file: CONFIG.to_string(),
            });
        }
        // In the order in which `Model::weights` looks for them.
        let weights = [WEIGHTS, INDEX, TORCH, TORCH_INDEX]
            .into_iter()
            .find(|file| has(file));
        let Some(weights) = weights else {
            let found = files
                .iter()
                .filter(|f| is_other_weights(f))
                .map(|f| f.to_string())
                .collect();
            return Err(Error::NoWeights {
                model: format!("{}/{}", self.remote.endpoint, self.id),
                found,
            });
        };
        for file in files.iter().filter(|f| is_small_text(f)) {
            self.take_file(file, progress)?;
        }
        self.take_file(weights, progress)?;
        if [WEIGHTS, TORCH].contains(&weights) {
            return Ok(());
        }
        let index = self.folder.join(weights);
        let bytes = fs::read(&index).map_err(Error::read(&index))?;
        let shards = shard_files(&index.display().to_string(), &bytes)?;
        shards
            .iter()
            .try_for_each(|shard| self.take_file(shard, progress))
    }

    fn take_file(&self, file: &str, progress: &dyn Progress) -> Result<()> {
        let link = self.folder.join(file);
        if link.is_file() {
            return Ok(()); // files of a commit do not change
        }
        let url = self.repo.url(file);
        let meta = self.api.metadata(&url).map_err(|e| api_error(&url, e))?;
        let etag = plain(&url, "etag", meta.etag())?;
        let size = meta.size() as u64;
        let blob = cache::repo(self.remote.cache_dir, self.id).blob_path(etag);
        let check = |path: &Path| check(path, size, etag);
        Download {
            name: file,
            urls: &[url],
            token: self.remote.token,
            path: &blob,
            size,
            check: &check,
        }
        .run(progress)?;
        fs::create_dir_all(&self.folder)
            .and_then(|()| link_blob(etag, &link))
            .map_err(Error::write(&link))
    }
}

/// Whether `file` is one of the small files at the top of a model's folder: configuration,
/// tokenizer, card.
fn is_small_text(file: &str) -> bool {
    let ending = Path::new(file)
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    stays_inside(file)
        && !file.contains('/')
        && matches!(ending, "json" | "txt" | "model" | "spm" | "jinja" | "md")
}

/// Compares a file with what the hub says of it. The etag of a large file (LFS) is its SHA-256;
/// that of a small one is a Git hash.
fn check(path: &Path, size: u64, etag: &str) -> io::Result<Option<Mismatch>> {
    let found = fs::metadata(path)?.len();
    if found != size {
        return Ok(Some(Mismatch {
            expected: format!("{size} bytes"),
            found: format!("{found} bytes"),
        }));
    }
    if etag.len() == 64 && etag.bytes().all(|b| b.is_ascii_hexdigit()) {
        let (found, _) = fetch::sha256(File::open(path)?)?;
        if !found.eq_ignore_ascii_case(etag) {
            return Ok(Some(Mismatch {
                expected: format!("SHA-256 {etag}"),
                found: format!("SHA-256 {found}"),
            }));
        }
    }
    Ok(None)
}

/// `snapshots/<commit>/<file>` -> `blobs/<etag>`; relative, so that the cache can be moved.
fn link_blob(etag: &str, link: &Path) -> io::Result<()> {
    let _ = fs::remove_file(link); // a link whose blob is gone
    #[cfg(unix)]
    return std::os::unix::fs::symlink(Path::new("../../blobs").join(etag), link);
    #[cfg(not(unix))]
    return fs::hard_link(link.with_file_name("..").join("../blobs").join(etag), link);
}

/// A part of a reply that becomes a file name must look like one.
fn plain<'a>(url: &str, what: &str, value: &'a str) -> Result<&'a str> {
    if !value.is_empty()
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Ok(value);
    }
    Err(Error::BadReply {
        url: url.to_string(),
        problem: format!("its {what} is `{value}`"),
    })
}

fn api_error(url: &str, error: ApiError) -> Error {
    match error {
        ApiError::RequestError(error) => match *error {
            ureq::Error::StatusCode(status) => fetch::status_error(url, status),
            ureq::Error::Json(e) => Error::BadReply {
                url: url.to_string(),
                problem: e.to_string(),
            },
            other => fetch::network(url, other),
        },
        other => Error::BadReply {
            url: url.to_string(),
            problem: other.to_string(),
        },
    }
}

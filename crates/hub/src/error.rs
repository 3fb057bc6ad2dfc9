//! What can go wrong between a name and its files.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use tch::{Kind, TchError};

use crate::torch::TorchProblem;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error that names the file, what was wrong and what would be right.
///
/// A cause, where there is one, is the [`source`](StdError::source): print the whole chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A file could not be replaced; the one there before is as it was.
    #[error("cannot write {}; what was there before is unchanged", path.display())]
    Replace {
        /// The file.
        path: PathBuf,
        /// The system's reason, a full disk for instance.
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason, a full disk for instance.
        #[source]
        source: io::Error,
    },
    /// A text file is larger than anything that belongs there.
    #[error("{file} has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size in bytes.
        size: u64,
        /// The largest size that is read, in bytes.
        limit: u64,
    },
    /// A file that should be safetensors is not, or is damaged.
    #[error("{file} is not a usable safetensors file: {problem}")]
    Safetensors {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: SafetensorsProblem,
    },
    /// A file that should be PyTorch weights is not, or is damaged.
    #[error("{file} is not a usable PyTorch checkpoint: {problem}")]
    Torch {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: TorchProblem,
    },
    /// A tensor cannot be stored as safetensors.
    #[error("cannot save tensor `{tensor}` to {}: {problem}", path.display())]
    SaveTensor {
        /// The file that was to be written.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What is wrong with it.
        problem: SaveProblem,
    },
    /// A JSON file does not say what it should.
    #[error("{file} is not valid")]
    Json {
        /// The file.
        file: String,
        /// What is wrong, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// The index of a sharded checkpoint contradicts its shards.
    #[error("{file} does not fit its shards: {problem}")]
    ShardIndex {
        /// The index file.
        file: String,
        /// What does not fit.
        problem: String,
    },
    /// A model lacks a file that it needs.
    #[error("model {model} has no {file}")]
    MissingFile {
        /// The model and where it is.
        model: String,
        /// The file.
        file: String,
    },
    /// A model has weights, but in no format that can be read.
    #[error(
        "model {model} has no model.safetensors or pytorch_model.bin{}",
        instead(found)
    )]
    NoWeights {
        /// The model and where it is.
        model: String,
        /// Files that look like weights in another format.
        found: Vec<String>,
    },
    /// A path was given for a model, and no model is there.
    #[error("{} is not a model folder: {problem}", path.display())]
    NotAModelFolder {
        /// The path.
        path: PathBuf,
        /// What is there instead.
        problem: &'static str,
    },
    /// No model has this name.
    #[error("no model `{name}`{}: it is {looked}", did_you_mean(near))]
    ModelNotFound {
        /// What was asked for.
        name: String,
        /// Where it was looked for, as the rest of a sentence.
        looked: String,
        /// Names that look alike.
        near: Vec<String>,
        /// Why it could not be pulled, if that was tried.
        #[source]
        source: Option<Box<Error>>,
    },
    /// The model is not in the cache.
    #[error("model `{id}` is not in the cache {}", cache.display())]
    NotCached {
        /// The hub id.
        id: String,
        /// The cache folder.
        cache: PathBuf,
    },
    /// The name cannot be that of a model on a hub.
    #[error("`{id}` cannot be a hub id; one looks like `name` or `owner/name`")]
    BadId {
        /// What was given.
        id: String,
    },
    /// Network access was needed and is forbidden.
    #[error("{what} would have to be pulled, which --offline forbids")]
    Offline {
        /// What is missing.
        what: String,
    },
    /// A server could not be reached, or the connection broke and stayed broken.
    #[error("cannot download {url} (pull again to go on from where it stopped)")]
    Network {
        /// The address.
        url: String,
        /// What the network said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A server does not have what was asked for.
    #[error("{url} does not exist (404)")]
    NotFound {
        /// The address.
        url: String,
    },
    /// A server wants to know who asks.
    #[error(
        "{url} does not exist or needs permission ({status}): check the name, or ask for access on its page \
         and set HF_TOKEN to a token that has it"
    )]
    Forbidden {
        /// The address.
        url: String,
        /// The HTTP status, 401 or 403.
        status: u16,
    },
    /// A server answered with an error.
    #[error("{url} answered with HTTP status {status}")]
    HttpStatus {
        /// The address.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// A server's reply makes no sense.
    #[error("{url} did not answer like a model hub: {problem}")]
    BadReply {
        /// The address.
        url: String,
        /// What is wrong with the reply.
        problem: String,
    },
    /// A downloaded file is not the one that was expected; it was deleted.
    #[error("{url} gave a wrong file, which was deleted: expected {expected}, found {found}")]
    Checksum {
        /// The address.
        url: String,
        /// What the file should have been.
        expected: String,
        /// What came.
        found: String,
    },
    /// No data set has this name.
    #[error("no data set `{name}`{}; there are {}", did_you_mean(near), known.join(", "))]
    UnknownDataSet {
        /// What was asked for.
        name: String,
        /// Every data set there is.
        known: Vec<String>,
        /// Names that look alike.
        near: Vec<String>,
    },
    /// A data set is not on this machine.
    #[error(
        "data set `{name}` not found: {looked}; get it with `sensorium datasets pull {name}`, \
         or name the folder that holds it with `--data DIR` or $SENSORIUM_DATA"
    )]
    DataSetNotFound {
        /// The data set.
        name: String,
        /// Where it was looked for and what was missing there.
        looked: String,
    },
    /// A folder holds another data set than the one asked for.
    #[error("{} holds {found}, not {wanted}; name the folder of {wanted}", dir.display())]
    OtherDataSet {
        /// The folder.
        dir: PathBuf,
        /// The data set in it.
        found: String,
        /// The data set asked for.
        wanted: String,
    },
    /// A data set's file is damaged.
    #[error("{} is not the published file: expected {expected}, found {found}; pull it again", path.display())]
    DataFile {
        /// The file.
        path: PathBuf,
        /// What the file should have been.
        expected: String,
        /// What it is.
        found: String,
    },
    /// There is no place for downloads.
    #[error("no home folder, so no place for downloads: set {variable} to a folder")]
    NoCacheDir {
        /// The environment variable that names one.
        variable: &'static str,
    },
}

/// What is wrong with a safetensors file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SafetensorsProblem {
    /// No bytes at all.
    #[error("it is empty")]
    Empty,
    /// Fewer bytes than the header promises.
    #[error("it is cut short, {found} bytes of {needed}; copy or pull it again")]
    Truncated {
        /// Bytes that the header asks for, itself included.
        needed: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// More bytes than the header accounts for.
    #[error("{extra} bytes follow the last tensor")]
    Surplus {
        /// Bytes too many.
        extra: u64,
    },
    /// The first eight bytes are no length of a header.
    #[error("it claims a header of {length} bytes (at most {limit} are allowed), so it is another format")]
    HeaderLength {
        /// The length found.
        length: u64,
        /// The largest length allowed.
        limit: u64,
    },
    /// Git left a pointer where the weights should be.
    #[error("it is a Git LFS pointer, not the weights; run `git lfs pull` where it came from")]
    LfsPointer,
    /// The header is not the JSON it should be, or its offsets and shapes disagree.
    #[error("its header is wrong: {0}")]
    Header(#[source] serde_json::Error),
    /// libtorch has no such type.
    #[error("tensor `{tensor}` is stored as {dtype}, which libtorch cannot hold here")]
    Dtype {
        /// The tensor.
        tensor: String,
        /// The stored type, in safetensors' terms.
        dtype: String,
    },
    /// A dimension is beyond what libtorch can count.
    #[error("tensor `{tensor}` has the impossible shape {shape:?}")]
    Shape {
        /// The tensor.
        tensor: String,
        /// The stored shape.
        shape: Vec<usize>,
    },
}

/// Why a tensor cannot be stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SaveProblem {
    /// safetensors has no such type.
    #[error("safetensors has no type for {0:?}")]
    Kind(Kind),
    /// Two tensors of one name.
    #[error("there are two of that name")]
    Twice,
    /// The name means something else in the format.
    #[error("that name is reserved")]
    Reserved,
    /// libtorch could not hand out the values.
    #[error("{0}")]
    Libtorch(#[source] TchError),
}

impl Error {
    pub(crate) fn read(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Read { path, source }
    }

    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Write { path, source }
    }
}

/// The up to three of `known` that look most like `name`, best first: "did you mean ...?".
pub fn near_names<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let name = name.to_lowercase();
    let mut near: Vec<(f64, &str)> = known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(&name, &k.to_lowercase()), k))
        .filter(|(likeness, _)| *likeness > 0.85)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    near.into_iter().take(3).map(|(_, k)| k.to_string()).collect()
}

/// The end of a sentence that suggests the names `near`; nothing if there are none.
pub fn did_you_mean(near: &[String]) -> String {
    if near.is_empty() {
        return String::new();
    }
    format!(
        " (did you mean {}?)",
        near.iter()
            .map(|n| format!("`{n}`"))
            .collect::<Vec<_>>()
            .join(" or ")
    )
}

fn instead(found: &[String]) -> String {
    if found.is_empty() {
        return String::new();
    }
    format!("; {} must be converted to safetensors first", found.join(", "))
}

//! What this installation has, what it lacks, and what to do about it.

mod problems;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::hub::datasets::{DATASETS, DataOptions, DataStore};
use crate::hub::{self, Hub};

pub use sensorium_blocks::LIBTORCH_VERSION;

/// The state of an installation; `sensorium doctor --json` prints it.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The version of Sensorium.
    pub version: &'static str,
    /// The Cargo features that it was built with.
    pub features: Vec<&'static str>,
    /// The libtorch that this process runs with.
    pub libtorch: Libtorch,
    /// What libtorch sees of CUDA.
    pub cuda: Cuda,
    /// The processor.
    pub cpu: Cpu,
    /// The folders that are read or written.
    pub folders: Vec<Folder>,
    /// The models that work without the network.
    pub models: Vec<FoundModel>,
    /// The data sets that are there.
    pub datasets: Vec<FoundDataset>,
    /// What is missing or odd.
    pub problems: Vec<Problem>,
}

/// The libtorch that a process runs with.
#[derive(Debug, Clone, Serialize)]
pub struct Libtorch {
    /// Its version, where that can be found.
    pub version: Option<String>,
    /// The version that is expected.
    pub expected: &'static str,
    /// The loaded library file.
    pub path: Option<PathBuf>,
    /// Whether it has OpenMP.
    pub openmp: bool,
    /// Whether it has MKL.
    pub mkl: bool,
    /// Whether it has oneDNN (MKL-DNN).
    pub onednn: bool,
}

/// What libtorch sees of CUDA.
#[derive(Debug, Clone, Serialize)]
pub struct Cuda {
    /// Whether it can be used.
    pub available: bool,
    /// How many devices there are.
    pub devices: i64,
    /// Whether cuDNN can be used.
    pub cudnn: bool,
}

/// The processor.
#[derive(Debug, Clone, Serialize)]
pub struct Cpu {
    /// The processors that this process may use.
    pub cores: usize,
    /// The threads of one libtorch operation.
    pub threads: i32,
    /// The libtorch operations that may run at the same time.
    pub interop_threads: i32,
    /// The instruction sets that matter to kernels.
    pub instructions: Vec<&'static str>,
}

/// A folder that is read or written.
#[derive(Debug, Clone, Serialize)]
pub struct Folder {
    /// What it is for.
    pub purpose: &'static str,
    /// The environment variable that moves it.
    pub variable: &'static str,
    /// Where it is, if it has a place at all.
    pub path: Option<PathBuf>,
    /// Whether it is there.
    pub exists: bool,
}

/// A model that works without the network.
#[derive(Debug, Clone, Serialize)]
pub struct FoundModel {
    /// Its name.
    pub name: String,
    /// `shipped` or `cache`.
    pub source: &'static str,
}

/// A data set and where it is.
#[derive(Debug, Clone, Serialize)]
pub struct FoundDataset {
    /// Its name.
    pub name: String,
    /// Its folder, if it is there.
    pub path: Option<PathBuf>,
}

/// Something that is missing or odd, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What it is.
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

/// Looks at the installation.
pub fn examine(hub: &Hub) -> Report {
    let libtorch = libtorch();
    let cuda = Cuda {
        available: tch::Cuda::is_available(),
        devices: tch::Cuda::device_count(),
        cudnn: tch::Cuda::cudnn_is_available(),
    };
    let cpu = Cpu {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        threads: tch::get_num_threads(),
        interop_threads: tch::get_num_interop_threads(),
        instructions: instructions(),
    };
    let folders = folders();
    let (models, datasets) = (models(hub), datasets());
    let problems = problems::of(&libtorch, &cuda, &cpu, &folders, &models);
    Report {
        version: env!("CARGO_PKG_VERSION"),
        features: features(),
        libtorch,
        cuda,
        cpu,
        folders,
        models,
        datasets,
        problems,
    }
}

/// The file of the libtorch that is loaded, and its version.
pub fn libtorch() -> Libtorch {
    let path = loaded_libtorch();
    Libtorch {
        version: path.as_deref().and_then(version_beside),
        expected: LIBTORCH_VERSION,
        path,
        openmp: tch::utils::has_openmp(),
        mkl: tch::utils::has_mkl(),
        onednn: tch::utils::has_mkldnn(),
    }
}

/// The version of the libtorch that is loaded, where that can be found. Calls nothing in it.
pub fn libtorch_version() -> Option<String> {
    loaded_libtorch().as_deref().and_then(version_beside)
}

/// Linux lists what a process has loaded; elsewhere the place is not known.
fn loaded_libtorch() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.contains("/libtorch_cpu."))?;
    line.find('/').map(|start| PathBuf::from(&line[start..]))
}

/// The version from the file that libtorch, or the Python package, has beside its `lib` folder.
fn version_beside(library: &Path) -> Option<String> {
    let root = library.parent()?.parent()?;
    if let Ok(version) = std::fs::read_to_string(root.join("build-version")) {
        return Some(version.trim().to_owned());
    }
    let python = std::fs::read_to_string(root.join("version.py")).ok()?;
    let line = python.lines().find(|line| line.starts_with("__version__"))?;
    line.split(['\'', '"']).nth(1).map(str::to_owned)
}

fn features() -> Vec<&'static str> {
    let all = [
        ("text", cfg!(feature = "text")),
        ("vision", cfg!(feature = "vision")),
        ("speech", cfg!(feature = "speech")),
        ("train", cfg!(feature = "train")),
    ];
    all.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect()
}

#[cfg(target_arch = "x86_64")]
fn instructions() -> Vec<&'static str> {
    let all = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
    ];
    all.iter()
        .filter(|(_, found)| *found)
        .map(|(name, _)| *name)
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn instructions() -> Vec<&'static str> {
    Vec::new()
}

fn folders() -> Vec<Folder> {
    let folder = |purpose, variable, path: Option<PathBuf>| Folder {
        purpose,
        variable,
        exists: path.as_deref().is_some_and(Path::is_dir),
        path,
    };
    vec![
        folder(
            "Sensorium's downloads",
            "SENSORIUM_HOME",
            hub::paths::sensorium_home().ok(),
        ),
        folder("models of the hub", "HF_HUB_CACHE", hub::paths::hub_cache().ok()),
        folder("data sets of your own", "SENSORIUM_DATA", hub::paths::data_dir()),
    ]
}

fn models(hub: &Hub) -> Vec<FoundModel> {
    let shipped = hub::shipped::MODELS
        .iter()
        .map(|model| (model.name.to_owned(), "shipped"));
    let cached = hub.list_cached().unwrap_or_default(); // a folder that cannot be read is a problem below
    let cached = cached.into_iter().map(|model| (model.id, "cache"));
    shipped
        .chain(cached)
        .map(|(name, source)| FoundModel { name, source })
        .collect()
}

fn datasets() -> Vec<FoundDataset> {
    let store = DataStore::new(DataOptions::default()).ok();
    let find = |name: &str| store.as_ref()?.locate(name).ok();
    DATASETS
        .iter()
        .map(|set| FoundDataset {
            name: set.name.to_owned(),
            path: find(set.name),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaded_libtorch_is_found() {
        let libtorch = libtorch();
        if cfg!(target_os = "linux") {
            assert!(libtorch.path.is_some_and(|path| path.exists()));
        }
    }

    #[test]
    fn the_version_comes_from_either_layout() {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("lib/libtorch_cpu.so");
        assert_eq!(version_beside(&library), None);
        std::fs::write(
            dir.path().join("version.py"),
            "x = 1\n__version__ = '2.11.0+cpu'\n",
        )
        .unwrap();
        assert_eq!(version_beside(&library).as_deref(), Some("2.11.0+cpu"));
        std::fs::write(dir.path().join("build-version"), "2.11.0\n").unwrap();
        assert_eq!(version_beside(&library).as_deref(), Some("2.11.0"));
    }
}

//! Finding and pulling the files of a data set.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{DATASETS, DataFile, DataSet};
use crate::fetch::{self, Download, Mismatch};
use crate::{Error, Progress, Result, near_names, paths};

/// Where a [`DataStore`] looks and pulls. The default is what the environment says.
#[derive(Debug, Clone)]
pub struct DataOptions {
    /// A folder that holds the data, or a folder of it for each data set (`--data DIR`). If given,
    /// nowhere else is looked.
    pub data_dir: Option<PathBuf>,
    /// The same, but looked at before the cache and not instead of it: `$SENSORIUM_DATA`.
    pub shared_dir: Option<PathBuf>,
    /// The folder of pulled data sets; `None` for `datasets` in [`paths::sensorium_home`].
    pub cache_dir: Option<PathBuf>,
    /// An address to pull from instead of those on the cards, as `<mirror>/<data set>/<file>`:
    /// `$SENSORIUM_DATASETS_MIRROR`.
    pub mirror: Option<String>,
    /// Whether the network is forbidden.
    pub offline: bool,
}

impl Default for DataOptions {
    fn default() -> Self {
        Self {
            data_dir: None,
            shared_dir: paths::data_dir(),
            cache_dir: None,
            mirror: env::var("SENSORIUM_DATASETS_MIRROR")
                .ok()
                .filter(|m| !m.trim().is_empty()),
            offline: false,
        }
    }
}

/// Finds and pulls data sets.
#[derive(Debug, Clone)]
pub struct DataStore {
    table: &'static [DataSet],
    cache_dir: PathBuf,
    options: DataOptions,
}

impl DataStore {
    /// A store of [`DATASETS`]. Nothing is read or created yet.
    ///
    /// # Errors
    /// [`Error::NoCacheDir`] if no cache folder is given and the user has no home.
    pub fn new(options: DataOptions) -> Result<Self> {
        Self::with_table(DATASETS, options)
    }

    /// A store of other data sets.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_table(table: &'static [DataSet], options: DataOptions) -> Result<Self> {
        let cache_dir = match &options.cache_dir {
            Some(dir) => dir.clone(),
            None => paths::sensorium_home()?.join("datasets"),
        };
        Ok(Self {
            table,
            cache_dir,
            options,
        })
    }

    /// The card of the data set called `name`.
    ///
    /// # Errors
    /// [`Error::UnknownDataSet`], with the names there are.
    pub fn card(&self, name: &str) -> Result<&'static DataSet> {
        let names = || self.table.iter().map(|set| set.name);
        self.table
            .iter()
            .find(|set| set.name == name)
            .ok_or_else(|| Error::UnknownDataSet {
                name: name.to_string(),
                known: names().map(str::to_string).collect(),
                near: near_names(name, names()),
            })
    }

    /// The folder on this machine that holds all files of the data set, gzipped or unpacked.
    ///
    /// Looked for in the given folder, or else in `$SENSORIUM_DATA` and the cache; in each as
    /// `DIR/NAME/` and as `DIR` itself.
    ///
    /// # Errors
    /// [`Error::UnknownDataSet`]; [`Error::DataSetNotFound`] says what is missing and how to get it.
    pub fn locate(&self, name: &str) -> Result<PathBuf> {
        let set = self.card(name)?;
        let places = match (&self.options.data_dir, &self.options.shared_dir) {
            (Some(given), _) => vec![given],
            (None, Some(shared)) => vec![shared, &self.cache_dir],
            (None, None) => vec![&self.cache_dir],
        };
        let mut looked = Vec::new();
        for place in places {
            // `DIR` itself is the weaker claim: two data sets here have files of the same names.
            let is_another = |dir: &Path| {
                self.table
                    .iter()
                    .any(|other| other.name != name && dir.ends_with(other.name))
            };
            let mut folders = vec![place.join(name)];
            if !is_another(place) {
                folders.push(place.clone());
            }
            if let Some(found) = folders.iter().find(|dir| missing(set, dir).is_none()) {
                return match self.other_set_in(found, set) {
                    Some(other) => Err(Error::OtherDataSet {
                        dir: found.clone(),
                        found: other.to_string(),
                        wanted: name.to_string(),
                    }),
                    None => Ok(found.clone()),
                };
            }
            let nearest = folders.iter().find(|dir| dir.is_dir());
            looked.push(match nearest.and_then(|dir| Some((dir, missing(set, dir)?))) {
                Some((dir, file)) => format!("{} has no {}", dir.display(), file.name),
                None => format!("there is no folder {}", folders[0].display()),
            });
        }
        Err(Error::DataSetNotFound {
            name: name.to_string(),
            looked: looked.join(", "),
        })
    }

    /// The other known data set whose files `folder` holds under the same names, by the smallest of them.
    fn other_set_in(&self, folder: &Path, set: &DataSet) -> Option<&'static str> {
        let holds = |other: &DataSet| {
            let smallest = other.files.iter().min_by_key(|file| file.raw_size);
            let path = smallest.and_then(|file| Some((present(file, folder)?, file)));
            path.is_some_and(|(path, file)| is_published(&path, file).unwrap_or(false))
        };
        if holds(set) {
            return None;
        }
        self.table
            .iter()
            .find(|other| holds(other))
            .map(|other| other.name)
    }

    /// Pulls the data set's files into the cache, those that are not there yet or damaged, and returns
    /// their folder. An interrupted pull goes on where it stopped.
    ///
    /// # Errors
    /// If the network is forbidden or fails at every address, or a file is not the published one.
    pub fn pull(&self, name: &str, progress: &dyn Progress) -> Result<PathBuf> {
        let set = self.card(name)?;
        let folder = self.cache_dir.join(set.name);
        match self.verify(name, &folder) {
            Ok(()) => return Ok(folder),
            Err(damaged @ Error::DataFile { .. }) if self.options.offline => return Err(damaged),
            Err(_) => {}
        }
        if self.options.offline {
            return Err(Error::Offline {
                what: format!("data set `{name}`"),
            });
        }
        let _lock = fetch::lock(&self.cache_dir.join(format!("{name}.lock")))?;
        for file in set.files {
            let urls = match &self.options.mirror {
                Some(mirror) => vec![format!("{}/{name}/{}", mirror.trim_end_matches('/'), file.name)],
                None => set.urls(file),
            };
            if let Some(there) = present(file, &folder) {
                if is_published(&there, file)? {
                    continue;
                }
                fs::remove_file(&there).map_err(Error::write(&there))?;
            }
            let path = folder.join(file.name);
            let check = |path: &Path| check(path, file, true);
            Download {
                name: file.name,
                urls: &urls,
                token: None,
                path: &path,
                size: file.size,
                check: &check,
            }
            .run(progress)?;
        }
        Ok(folder)
    }

    /// Checks that each file of the data set in `folder`, gzipped or unpacked, is the published one.
    ///
    /// # Errors
    /// [`Error::DataFile`] names the first that is not.
    pub fn verify(&self, name: &str, folder: &Path) -> Result<()> {
        for file in self.card(name)?.files {
            let Some(path) = present(file, folder) else {
                let looked = format!("{} has no {}", folder.display(), file.name);
                return Err(Error::DataSetNotFound {
                    name: name.to_string(),
                    looked,
                });
            };
            if let Some(Mismatch { expected, found }) = compare_file(&path, file)? {
                return Err(Error::DataFile {
                    path,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}

/// The path of `file` in `folder`, gzipped or unpacked.
fn present(file: &DataFile, folder: &Path) -> Option<PathBuf> {
    [file.name, file.raw_name()]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// The first file of `set` that is not in `folder`.
fn missing(set: &'static DataSet, folder: &Path) -> Option<&'static DataFile> {
    set.files.iter().find(|file| present(file, folder).is_none())
}

/// Whether the file at `path`, gzipped or unpacked, is the published one.
fn is_published(path: &Path, file: &DataFile) -> Result<bool> {
    Ok(compare_file(path, file)?.is_none())
}

fn compare_file(path: &Path, file: &DataFile) -> Result<Option<Mismatch>> {
    let gzipped = path.extension().is_some_and(|ending| ending == "gz");
    check(path, file, gzipped).map_err(Error::read(path))
}

/// Compares a file with its card, by its contents if it was gzipped in another way.
fn check(path: &Path, file: &DataFile, gzipped: bool) -> io::Result<Option<Mismatch>> {
    let open = || Ok::<_, io::Error>(BufReader::new(File::open(path)?));
    if !gzipped {
        return compare(open()?, file);
    }
    if fs::metadata(path)?.len() == file.size && fetch::sha256(open()?)?.0 == file.sha256 {
        return Ok(None);
    }
    // One byte more than it should have is enough to see that it is wrong.
    match compare(MultiGzDecoder::new(open()?).take(file.raw_size + 1), file) {
        Err(e) => Ok(Some(Mismatch {
            expected: format!("SHA-256 {}", file.sha256),
            found: e.to_string(),
        })),
        compared => compared,
    }
}

fn compare(contents: impl Read, file: &DataFile) -> io::Result<Option<Mismatch>> {
    let (sha256, size) = fetch::sha256(contents)?;
    let describe = |size: u64, sha256: &str| format!("{size} bytes unpacked with SHA-256 {sha256}");
    Ok((sha256 != file.raw_sha256).then(|| Mismatch {
        expected: describe(file.raw_size, file.raw_sha256),
        found: describe(size, &sha256),
    }))
}

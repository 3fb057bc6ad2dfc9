//! Files that are there whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Writes the file at `path` through `write`: whole, or not at all; see [`Unfinished`].
///
/// # Errors
/// As [`Unfinished`] has them, and if `write` fails.
pub fn write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut file = Unfinished::create(path)?;
    write(&mut file).map_err(|source| file.error(source))?;
    file.finish()
}

/// Writes `bytes` as the file at `path`: whole, or not at all.
///
/// # Errors
/// As [`write`](write()).
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, |w| w.write_all(bytes))
}

/// A file that is not there before it is finished.
///
/// The bytes go to a temporary file in the same folder, which is synced to disk and renamed over the
/// path at the end. On any failure, a full disk included, it is removed and what was there stays as it
/// was. A link is followed. A device or a pipe is written directly, for there is nothing to replace.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
    out: Out,
}

#[derive(Debug)]
enum Out {
    Beside(Beside),
    Device(BufWriter<File>),
}

/// A temporary file, which goes when this does.
#[derive(Debug)]
struct Beside {
    file: BufWriter<NamedTempFile>,
    /// Where it is to be.
    place: PathBuf,
    _known: Known,
}

impl Unfinished {
    /// Begins the file at `path`.
    ///
    /// # Errors
    /// [`Error::Write`] or, where a file was there before, [`Error::Replace`], if the folder does not exist or
    /// cannot be written, or `path` is a folder itself.
    pub fn create(path: &Path) -> Result<Self> {
        let out = Out::open(place(path)).map_err(|source| failed(path, source))?;
        Ok(Self {
            path: path.to_path_buf(),
            out,
        })
    }

    /// Whether it is a file and no device or pipe, which cannot go back.
    pub fn is_file(&self) -> bool {
        matches!(self.out, Out::Beside(_))
    }

    /// Writes `bytes` over those that the file begins with; a device or a pipe stays as it is.
    ///
    /// # Errors
    /// If the disk is full.
    pub fn write_over_begin(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Out::Beside(Beside { file, .. }) = &mut self.out {
            file.seek(SeekFrom::Start(0))?;
            file.write_all(bytes)?;
            file.seek(SeekFrom::End(0))?;
        }
        Ok(())
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn finish(self) -> Result<()> {
        let finished = match self.out {
            Out::Beside(beside) => beside.put(),
            Out::Device(mut device) => device.flush(),
        };
        finished.map_err(|source| failed(&self.path, source))
    }

    /// The error of a file that cannot be written because of `source`.
    pub fn error(&self, source: io::Error) -> Error {
        failed(&self.path, source)
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.out {
            Out::Beside(beside) => beside.file.write(bytes),
            Out::Device(device) => device.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Beside(beside) => beside.file.flush(),
            Out::Device(device) => device.flush(),
        }
    }
}

impl Out {
    fn open(place: PathBuf) -> io::Result<Self> {
        match fs::metadata(&place) {
            Ok(meta) if meta.is_dir() => Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder, not a file",
            )),
            Ok(meta) if !meta.is_file() => {
                let device = File::options().write(true).open(place)?;
                Ok(Self::Device(BufWriter::new(device)))
            }
            _ => Beside::new(place).map(Self::Beside),
        }
    }
}

impl Beside {
    fn new(place: PathBuf) -> io::Result<Self> {
        let Some(name) = place.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file name"));
        };
        if !folder(&place).is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "its folder does not exist",
            ));
        }
        let name: String = name.to_string_lossy().chars().take(40).collect();
        let mut known = unfinished();
        let file = temp_builder(&format!(".{name}."))
            .tempfile_in(folder(&place))
            .map_err(without_path)?;
        let path = file.path().to_path_buf();
        known.insert(path.clone());
        keep_mode(&file, &place);
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, file),
            place,
            _known: Known(path),
        })
    }

    fn put(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        {
            let _known = unfinished();
            file.persist(&self.place).map_err(|error| error.error)?;
        }
        sync_folder(folder(&self.place));
        Ok(())
    }
}

/// Removes the temporary files of all that is unfinished, for a process that is told to end. As long as what is given
/// back lives, no file is begun and none is put in its place.
pub fn abandon() -> impl Sized {
    let known = unfinished();
    for path in known.iter() {
        let _ = fs::remove_file(path); // one that cannot be removed is no reason to stay
    }
    known
}

/// The temporary files that there are.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A temporary file is known for as long as this lives.
#[derive(Debug)]
struct Known(PathBuf);

impl Drop for Known {
    fn drop(&mut self) {
        unfinished().remove(&self.0);
    }
}

/// Where `path` leads: links are followed, also one to a file that is not there yet.
fn place(path: &Path) -> PathBuf {
    const MOST_LINKS: usize = 40; // as many as Linux follows
    let mut place = path.to_path_buf();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&place) {
            Ok(next) if fs::metadata(&place).is_err() => place = folder(&place).join(next),
            _ => break,
        }
    }
    place.canonicalize().unwrap_or(place)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn failed(path: &Path, source: io::Error) -> Error {
    match fs::metadata(path) {
        Ok(meta) if meta.is_file() => Error::Replace {
            path: path.into(),
            source,
        },
        _ => Error::write(path)(source), // there was nothing, or a device that took a part of it
    }
}

/// The system's reason alone: the temporary file's name says nothing to anybody.
fn without_path(error: io::Error) -> io::Error {
    let message = error.to_string();
    match message.split_once(" at path ") {
        Some((reason, _)) => io::Error::new(error.kind(), reason),
        None => error,
    }
}

fn temp_builder<'a>(prefix: &'a str) -> tempfile::Builder<'a, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(".tmp");
    // A temporary file is private by default; this one will be an ordinary file, less the umask.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Gives `file` the permissions of the one it will replace, if there is one.
fn keep_mode(file: &NamedTempFile, place: &Path) {
    if cfg!(unix)
        && let Ok(before) = fs::metadata(place)
    {
        let _ = file.as_file().set_permissions(before.permissions()); // it is as good with others
    }
}

/// Makes a rename survive a power cut, where the system allows; the data itself is safe already.
pub(crate) fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.json");
        write_bytes(&path, b"one").unwrap();
        write_bytes(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["out.json"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.json");
        write_bytes(&path, b"old").unwrap();
        let error = write(&path, |w| {
            w.write_all(&vec![0; 3 << 20])?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("out.json; what was there before is unchanged"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["out.json"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_without_the_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("no/out.json");
        let error = write_bytes(&path, b"new").unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(error.to_string(), format!("cannot write {}", path.display()));
        assert!(!source.contains(".tmp"), "{source}");
    }

    #[test]
    fn a_panic_while_writing_leaves_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.json");
        write_bytes(&path, b"old").unwrap();
        let _ = std::panic::catch_unwind(|| write(&path, |_| panic!("while writing")));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["out.json"]);
    }

    #[test]
    fn a_missing_folder_and_a_folder_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        assert!(write_bytes(&dir.path().join("no/out"), b"x").is_err());
        assert!(write_bytes(dir.path(), b"x").is_err());
        assert!(names(dir.path()).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_device_is_written_not_replaced() {
        let error = write_bytes(Path::new("/dev/full"), b"x").unwrap_err();
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.to_string().contains("No space left"), "{cause}");
        write_bytes(Path::new("/dev/null"), b"x").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn grows_beside_its_place_and_can_begin_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.json");
        write_bytes(&path, b"old").unwrap();
        let mut file = Unfinished::create(&path).unwrap();
        file.write_all(b"0123456789").unwrap();
        file.write_over_begin(b"ab").unwrap();
        file.write_all(b"!").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert!(file.is_file() && names(dir.path()).len() == 2);
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"ab23456789!");
        drop(Unfinished::create(&path).unwrap());
        assert_eq!(names(dir.path()), ["out.json"]);
        assert!(!unfinished().iter().any(|known| known.starts_with(dir.path())));
    }

    #[test]
    fn a_long_name_is_no_trouble() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("n".repeat(250));
        write_bytes(&path, b"x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"x");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_what_is_not_there_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::os::unix::fs::symlink("file", &link).unwrap();
        write_bytes(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[cfg(unix)]
    #[test]
    fn follows_a_link_and_keeps_the_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, b"old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o626)).unwrap(); // more than the umask leaves
        symlink("file", &link).unwrap();
        write_bytes(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o626);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::{Error, Result};

/// Writes the file at `path` through `write`: whole, or not at all.
///
/// The bytes go to a temporary file in the same folder, which is synced to disk and renamed over
/// `path` at the end. On any failure, a full disk included, it is removed and `path` stays as it
/// was. A device or a pipe is written directly, for there is nothing to replace.
///
/// # Errors
/// [`Error::Write`] or, where a file was there before, [`Error::Replace`], if the folder does not exist or
/// cannot be written, or if `write` fails.
pub fn write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    try_write(path, write).map_err(|source| match fs::metadata(path) {
        Ok(meta) if meta.is_file() => Error::Replace {
            path: path.into(),
            source,
        },
        _ => Error::write(path)(source), // there was nothing, or a device that took a part of it
    })
}

/// Writes `bytes` as the file at `path`: whole, or not at all.
///
/// # Errors
/// As [`write`](write()).
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, |w| w.write_all(bytes))
}

fn try_write(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // A link is followed, so that the file it points to is the one replaced.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    match fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a folder, not a file",
            ));
        }
        Ok(meta) if !meta.is_file() => {
            let mut device = BufWriter::new(File::options().write(true).open(path)?);
            write(&mut device)?;
            return device.flush();
        }
        _ => {}
    }
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file name"));
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut temp = temp_builder(&format!(".{}.", name.to_string_lossy()), path)
        .tempfile_in(folder)
        .map_err(without_path)?;
    {
        let mut buffered = BufWriter::with_capacity(1 << 20, temp.as_file_mut());
        write(&mut buffered)?;
        buffered.flush()?;
    }
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|e| e.error)?;
    sync_folder(folder);
    Ok(())
}

/// The system's reason alone: the temporary file's name says nothing to anybody.
fn without_path(error: io::Error) -> io::Error {
    let message = error.to_string();
    match message.split_once(" at path ") {
        Some((reason, _)) => io::Error::new(error.kind(), reason),
        None => error,
    }
}

#[cfg(unix)]
fn temp_builder<'a>(prefix: &'a str, path: &Path) -> tempfile::Builder<'a, 'static> {
    use std::os::unix::fs::PermissionsExt;
    // A temporary file is private by default; this one will be an ordinary file (less the umask),
    // or keeps the permissions of the one it replaces.
    let permissions =
        fs::metadata(path).map_or_else(|_| fs::Permissions::from_mode(0o666), |m| m.permissions());
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(".tmp").permissions(permissions);
    builder
}

#[cfg(not(unix))]
fn temp_builder<'a>(prefix: &'a str, _: &Path) -> tempfile::Builder<'a, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(".tmp");
    builder
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
    }

    #[cfg(unix)]
    #[test]
    fn follows_a_link_and_keeps_the_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        fs::write(&file, b"old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        write_bytes(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

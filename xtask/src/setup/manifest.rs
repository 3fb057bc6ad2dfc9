//! The list of an unpacked libtorch's files with their sizes and SHA-256, by which later runs trust it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// The manifest's name in the folder it describes.
pub const NAME: &str = "MANIFEST";

const HEADER: &str = "sensorium libtorch 1";

/// One unpacked file.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    pub sha256: String,
    pub size: u64,
    /// Relative to the folder, with `/`.
    pub path: String,
}

/// Writes the manifest of `folder`: the last thing done to it.
///
/// # Errors
/// If the file cannot be written.
pub fn write(folder: &Path, entries: &[Entry]) -> Result<()> {
    let mut text = format!("{HEADER}\n");
    for Entry { sha256, size, path } in entries {
        text += &format!("{sha256} {size} {path}\n");
    }
    text += &format!("end {}\n", entries.len());
    fs::write(folder.join(NAME), text)
        .with_context(|| format!("cannot write the manifest of {}", folder.display()))
}

/// Checks that every file in the manifest of `folder` is there with its size; with `full`, its SHA-256 too.
///
/// # Errors
/// If there is no complete manifest, or a file is not as it says.
pub fn verify(folder: &Path, full: bool) -> Result<()> {
    for Entry { sha256, size, path } in read(folder)? {
        let file = folder.join(&path);
        let found = fs::metadata(&file)
            .with_context(|| format!("{} is missing", file.display()))?
            .len();
        if found != size {
            bail!("{} has {found} bytes instead of {size}", file.display());
        }
        if full && sha256_of(&file)? != sha256 {
            bail!("{} is damaged: its SHA-256 is not the manifest's", file.display());
        }
    }
    Ok(())
}

/// The SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// If it cannot be read.
pub fn sha256_of(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// Copies `from` to `to` and returns the SHA-256 and size of what went through.
///
/// # Errors
/// If reading or writing fails.
pub fn copy_hashed(from: &mut dyn Read, to: &mut File) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok((format!("{:x}", hasher.finalize()), size));
        }
        io::Write::write_all(to, &buffer[..read])?;
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

fn read(folder: &Path) -> Result<Vec<Entry>> {
    let path = folder.join(NAME);
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| {
        format!(
            "{} is incomplete or not a manifest of this version",
            path.display()
        )
    })
}

fn parse(text: &str) -> Option<Vec<Entry>> {
    let body = text.strip_prefix(HEADER)?.strip_prefix('\n')?;
    let (lines, count) = body.strip_suffix('\n')?.rsplit_once("end ")?;
    let entries: Vec<Entry> = lines.lines().map(entry).collect::<Option<_>>()?;
    (entries.len() == count.parse::<usize>().ok()? && !entries.is_empty()).then_some(entries)
}

fn entry(line: &str) -> Option<Entry> {
    let mut words = line.splitn(3, ' ');
    let sha256 = words.next()?.to_owned();
    let size = words.next()?.parse().ok()?;
    Some(Entry {
        sha256,
        size,
        path: words.next()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with_manifest() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a file"), "abc").unwrap();
        let sha256 = sha256_of(&folder.path().join("a file")).unwrap();
        assert_eq!(
            sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        write(
            folder.path(),
            &[Entry {
                sha256,
                size: 3,
                path: "a file".into(),
            }],
        )
        .unwrap();
        folder
    }

    #[test]
    fn a_sound_folder_is_trusted() {
        let folder = folder_with_manifest();
        verify(folder.path(), true).unwrap();
    }

    #[test]
    fn a_missing_shortened_or_changed_file_is_found() {
        let folder = folder_with_manifest();
        let file = folder.path().join("a file");
        fs::write(&file, "abd").unwrap();
        verify(folder.path(), false).unwrap(); // the same size: only the full check sees it
        assert!(
            verify(folder.path(), true)
                .unwrap_err()
                .to_string()
                .contains("damaged")
        );
        fs::write(&file, "ab").unwrap();
        assert!(
            verify(folder.path(), false)
                .unwrap_err()
                .to_string()
                .contains("2 bytes instead of 3")
        );
        fs::remove_file(&file).unwrap();
        assert!(
            verify(folder.path(), false)
                .unwrap_err()
                .to_string()
                .contains("missing")
        );
    }

    #[test]
    fn a_cut_manifest_is_not_trusted_wherever_it_is_cut() {
        let folder = folder_with_manifest();
        let path = folder.path().join(NAME);
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(verify(folder.path(), false).is_err(), "cut to {length} bytes");
        }
    }
}

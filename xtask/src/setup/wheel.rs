//! Downloads wheels with pip's own client, checks them, and unpacks what libtorch needs.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use zip::ZipArchive;

use super::manifest::{self, Entry};
use super::platform::{Platform, Wheel};

/// Downloads the platform's wheels to `folder` with `python -m pip`.
///
/// # Errors
/// If Python or pip is missing, or pip fails; the message has pip's last lines.
pub fn download(python: &Path, platform: &Platform, folder: &Path) -> Result<()> {
    check_pip(python)?;
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--no-cache-dir",
        "--no-input",
    ])
    .args([
        "--disable-pip-version-check",
        "--implementation=cp",
        "--python-version=3.11",
        "--abi=cp311",
    ])
    .args(platform.pip_tags.iter().map(|tag| format!("--platform={tag}")))
    .arg("--dest")
    .arg(folder)
    .args(
        platform
            .wheels
            .iter()
            .map(|wheel| format!("{}=={}", wheel.package, wheel.version)),
    )
    .env("TMPDIR", folder) // pip's temporary copies: where the space was checked, and swept with the rest
    .stdin(Stdio::null())
    .stderr(Stdio::piped());
    if !std::io::stdout().is_terminal() {
        pip.arg("--progress-bar=off");
    }
    let mut child = pip
        .spawn()
        .with_context(|| format!("cannot start {}", python.display()))?;
    let mut complaints = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            eprintln!("{line}");
            complaints.push(line);
        }
    }
    let status = child.wait().context("cannot wait for pip")?;
    if !status.success() {
        let last = &complaints[complaints.len().saturating_sub(5)..];
        bail!(
            "pip could not download PyTorch ({status}). Its last words:\n  {}\nIf this machine has no network, \
             set LIBTORCH to a libtorch that is already on it; if it needs a mirror or a proxy, tell pip with \
             PIP_INDEX_URL or HTTPS_PROXY",
            last.join("\n  ")
        );
    }
    Ok(())
}

fn check_pip(python: &Path) -> Result<()> {
    let install = if cfg!(target_os = "macos") {
        "brew install python"
    } else {
        "apt-get install python3-pip"
    };
    let found = Command::new(python)
        .args(["-m", "pip", "--version"])
        .stdin(Stdio::null())
        .output();
    match found {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => bail!(
            "`{}` has no pip, which downloads libtorch: `{install}` installs it",
            python.display()
        ),
        Err(error) => bail!(
            "`{}` cannot be started ({error}); its pip downloads libtorch: `{install}` installs both",
            python.display()
        ),
    }
}

/// The wheels of `platform` in `folder`, each with the SHA-256 that is known for it.
///
/// # Errors
/// If one is missing or not the known one.
pub fn check(platform: &Platform, folder: &Path) -> Result<Vec<PathBuf>> {
    platform
        .wheels
        .iter()
        .map(|wheel| check_one(wheel, folder))
        .collect()
}

fn check_one(wheel: &Wheel, folder: &Path) -> Result<PathBuf> {
    let start = format!("{}-{}-", wheel.package.replace('-', "_"), wheel.version);
    let path = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&start) && name.ends_with(".whl")
        })
        .with_context(|| format!("pip said it had downloaded {start}*.whl, but it is not there"))?;
    let found = manifest::sha256_of(&path)?;
    if found != wheel.sha256 {
        bail!(
            "{} has SHA-256 {found} instead of {}: the download was damaged or pip is set to another index \
             (`python3 -m pip config list` shows it); run setup again, with PyPI",
            path.file_name().unwrap_or_default().display(),
            wheel.sha256
        );
    }
    Ok(path)
}

/// Unpacks the headers and the platform's libraries from a wheel to `to`, and lists what it wrote.
///
/// # Errors
/// If the wheel cannot be read or a file cannot be written.
pub fn unpack(wheel: &Path, platform: &Platform, to: &Path) -> Result<Vec<Entry>> {
    let unreadable = || format!("cannot unpack {}", wheel.display());
    let file = File::open(wheel).with_context(unreadable)?;
    let mut archive = ZipArchive::new(BufReader::new(file)).with_context(unreadable)?;
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).with_context(unreadable)?;
        if !member.is_file() {
            continue;
        }
        let Some(path) = kept(&member.name().with_context(unreadable)?, platform) else {
            continue;
        };
        let target = to.join(&path);
        let unwritable = || format!("cannot write {}", target.display());
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).with_context(unwritable)?;
        }
        let mut out = File::create(&target).with_context(unwritable)?;
        let (sha256, size) = manifest::copy_hashed(&mut member, &mut out).with_context(unwritable)?;
        entries.push(Entry { sha256, size, path });
    }
    Ok(entries)
}

/// Where a member of a wheel goes, if it is needed.
fn kept(member: &str, platform: &Platform) -> Option<String> {
    if member.split('/').any(|part| part == "..") {
        return None;
    }
    if let Some(header) = member.strip_prefix("torch/include/") {
        return Some(format!("include/{header}"));
    }
    let (folder, name) = member.rsplit_once('/')?;
    (folder.ends_with("/lib") && platform.libs.contains(&name)).then(|| format!("lib/{name}"))
}

//! `cargo xtask setup`: finds libtorch, or puts it in the per-user cache and points `.libtorch` at it.

mod cache;
mod external;
mod manifest;
mod platform;
#[cfg(test)]
mod tests;
mod tools;
mod wheel;

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::workspace;
use cache::{Found, Installer};
use platform::{Platform, VERSION};

/// Makes `cargo build` work in this checkout. With `verify`, a cached libtorch is checked by SHA-256.
///
/// # Errors
/// If a tool, the network or room is missing; the message says what to do.
pub fn run(verify: bool) -> Result<()> {
    tools::check_cxx()?;
    let any_version = env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_some();
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        let lib = external::check_pytorch(&python(), any_version)?;
        println!(
            "libtorch: PyTorch's own in {}, as LIBTORCH_USE_PYTORCH asks",
            lib.display()
        );
        return Ok(());
    }
    if let Some(folder) = workspace::user_libtorch() {
        external::check_folder(&folder, any_version)?;
        println!("libtorch: {}, as LIBTORCH says", folder.display());
        return Ok(());
    }
    let installer = Installer {
        platform: Platform::current()?,
        cache: cache::folder()?,
        python: python(),
    };
    let found = installer.install(verify)?;
    let folder = installer.folder();
    let linked = point(&workspace::root().join(".libtorch"), &folder)?;
    let done = match (found, linked) {
        (Found::Already, false) => "was there; nothing to do",
        (Found::Already, true) => "was there; .libtorch now points at it",
        (Found::Installed, _) => "is ready",
    };
    println!("libtorch: {VERSION} in {} {done}", folder.display());
    Ok(())
}

/// The Python that `torch-sys` asks as well.
fn python() -> PathBuf {
    if env::var_os("VIRTUAL_ENV").is_some() {
        "python".into()
    } else {
        "python3".into()
    }
}

/// Makes `link` a symbolic link to `folder`, in one step; says whether it had to.
fn point(link: &Path, folder: &Path) -> Result<bool> {
    if fs::read_link(link).is_ok_and(|target| target == folder) {
        return Ok(false);
    }
    if link.is_dir() && !link.is_symlink() {
        bail!(
            "{} is a folder where setup keeps a link: move it away, or set LIBTORCH to it to use it",
            link.display()
        );
    }
    let temporary = link.with_extension(format!("{}.tmp", std::process::id()));
    let cannot = || format!("cannot make the link {}", link.display());
    symlink(folder, &temporary).with_context(cannot)?;
    fs::rename(&temporary, link).with_context(cannot)?;
    // Build scripts watch this file, and programs that were linked for another folder are linked again.
    if let Ok(version) = File::options().append(true).open(folder.join("build-version")) {
        let _ = version.set_modified(SystemTime::now()); // a read-only cache is used as it is
    }
    Ok(true)
}

#[cfg(unix)]
fn symlink(folder: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(folder, link)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

//! A libtorch that the user chose, by `LIBTORCH` or `LIBTORCH_USE_PYTORCH`: checked, never changed.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

use super::platform::VERSION;

/// Asks PyTorch where its headers and libraries are, as `torch-sys` does.
const ASK_PYTORCH: &str = "
import torch
from torch.utils import cpp_extension
print('version', torch.__version__)
for path in cpp_extension.include_paths(): print('include', path)
for path in cpp_extension.library_paths(): print('lib', path)
";

/// Checks the folder in `LIBTORCH`: headers, libraries, version.
///
/// # Errors
/// If something is missing or has another version than [`VERSION`].
pub fn check_folder(folder: &Path, any_version: bool) -> Result<()> {
    check(&[folder.join("include")], &folder.join("lib"), any_version).map_err(|reason| {
        anyhow!(
            "LIBTORCH is {}, which is no libtorch {VERSION} ({reason:#}): set it to an unpacked one (with include/ \
             and lib/), or unset it and `cargo xtask setup` gets one",
            folder.display()
        )
    })
}

/// Checks the PyTorch that `python` imports, and returns the folder of its libraries.
///
/// # Errors
/// If Python or PyTorch cannot be started, or something is missing or has another version.
pub fn check_pytorch(python: &Path, any_version: bool) -> Result<PathBuf> {
    let wrong = |reason: &dyn Display| {
        anyhow!(
            "LIBTORCH_USE_PYTORCH is set, but `{0}` has no PyTorch {VERSION} ({reason:#}): `{0} -m pip install \
             torch=={VERSION}`, or unset it and `cargo xtask setup` gets libtorch",
            python.display()
        )
    };
    let output = Command::new(python)
        .args(["-c", ASK_PYTORCH])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| wrong(&error))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(wrong(
            &complaint
                .trim()
                .lines()
                .next_back()
                .unwrap_or("it failed without a word"),
        ));
    }
    let answer = String::from_utf8_lossy(&output.stdout);
    let all = |key| {
        answer
            .lines()
            .filter_map(move |line| line.strip_prefix(key)?.strip_prefix(' '))
    };
    let includes: Vec<PathBuf> = all("include").map(PathBuf::from).collect();
    let lib = PathBuf::from(
        all("lib")
            .next()
            .context("PyTorch names no folder of libraries")?,
    );
    check(&includes, &lib, any_version).map_err(|reason| wrong(&reason))?;
    Ok(lib)
}

fn check(includes: &[PathBuf], lib: &Path, any_version: bool) -> Result<()> {
    let header = includes
        .iter()
        .map(|include| include.join("torch/headeronly/version.h"))
        .find(|header| header.is_file())
        .with_context(|| match includes.first() {
            Some(include) => format!("{} has no torch/headeronly/version.h", include.display()),
            None => "it names no folder of headers".to_owned(),
        })?;
    let text = fs::read_to_string(&header).with_context(|| format!("cannot read {}", header.display()))?;
    let version = version(&text).with_context(|| format!("{} names no version", header.display()))?;
    if version != VERSION && !any_version {
        bail!("it is version {version} (LIBTORCH_BYPASS_VERSION_CHECK=1 tries it all the same)");
    }
    let suffix = if cfg!(target_os = "macos") { "dylib" } else { "so" };
    for name in ["torch", "torch_cpu", "c10"] {
        let path = lib.join(format!("lib{name}.{suffix}"));
        if !path.is_file() {
            bail!("{} is missing", path.display());
        }
    }
    Ok(())
}

/// The version that libtorch's own header gives.
fn version(header: &str) -> Option<String> {
    let part = |name: &str| {
        let line = header
            .lines()
            .find_map(|line| line.strip_prefix(&format!("#define TORCH_VERSION_{name} ")))?;
        line.trim().parse::<u32>().ok()
    };
    Some(format!(
        "{}.{}.{}",
        part("MAJOR")?,
        part("MINOR")?,
        part("PATCH")?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn libtorch(version: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let [major, minor, patch] = version.split('.').collect::<Vec<_>>()[..] else {
            panic!("{version}")
        };
        let headers = folder.path().join("include/torch/headeronly");
        fs::create_dir_all(&headers).unwrap();
        let text = format!(
            "#pragma once\n#define TORCH_VERSION_MAJOR {major}\n#define TORCH_VERSION_MINOR {minor}\n\
             #define TORCH_VERSION_PATCH {patch}\n"
        );
        fs::write(headers.join("version.h"), text).unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        for name in ["torch", "torch_cpu", "c10"] {
            for suffix in ["so", "dylib"] {
                fs::write(folder.path().join(format!("lib/lib{name}.{suffix}")), "").unwrap();
            }
        }
        folder
    }

    #[test]
    fn a_whole_libtorch_of_the_version_passes() {
        check_folder(libtorch(VERSION).path(), false).unwrap();
    }

    #[test]
    fn another_version_is_refused_unless_asked_for() {
        let folder = libtorch("2.9.1");
        let error = format!("{:#}", check_folder(folder.path(), false).unwrap_err());
        assert!(
            error.contains("it is version 2.9.1") && error.contains("2.11.0"),
            "{error}"
        );
        check_folder(folder.path(), true).unwrap();
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = libtorch(VERSION);
        for suffix in ["so", "dylib"] {
            fs::remove_file(folder.path().join(format!("lib/libc10.{suffix}"))).unwrap();
        }
        let error = format!("{:#}", check_folder(folder.path(), false).unwrap_err());
        assert!(error.contains("lib/libc10"), "{error}");
        let error = format!("{:#}", check_folder(Path::new("/nowhere"), false).unwrap_err());
        assert!(
            error.contains("/nowhere") && error.contains("version.h"),
            "{error}"
        );
    }

    #[test]
    fn pytorch_is_asked_where_it_is() {
        let folder = libtorch(VERSION);
        let python = folder.path().join("python3");
        let script = "#!/bin/sh\nd=$(dirname \"$0\"); echo version 2.11.0+cpu; echo include $d/include; echo lib $d/lib\n";
        // Written by another process: a file this one had open may still be "busy" when it is started.
        let write = ["-c", "printf %s \"$1\" > \"$2\" && chmod +x \"$2\"", "sh", script];
        assert!(
            Command::new("sh")
                .args(write)
                .arg(&python)
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(check_pytorch(&python, false).unwrap(), folder.path().join("lib"));
        let error = check_pytorch(Path::new("false"), false).unwrap_err().to_string();
        assert!(error.contains("`false` has no PyTorch 2.11.0"), "{error}");
    }
}
